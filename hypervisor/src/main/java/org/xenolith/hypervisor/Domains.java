package org.xenolith.hypervisor;

import java.util.Collection;
import java.util.List;
import java.util.concurrent.ConcurrentSkipListMap;
import org.xenolith.hypervisor.schedule.Scheduler;

/** What the domains of a host share: each other, by identifier, for calls that name another domain; and the CPUs. */
public final class Domains {
    private final ConcurrentSkipListMap<Integer, Domain> byId = new ConcurrentSkipListMap<>();
    private final Scheduler scheduler;

    /** No domains, on all processors that this JVM may use. */
    public Domains() {
        this(Scheduler.ofHost());
    }

    /** No domains, on the CPUs of a scheduler. */
    public Domains(Scheduler scheduler) {
        this.scheduler = scheduler;
    }

    /** Who gets which CPU. */
    public Scheduler scheduler() {
        return scheduler;
    }

    /** Makes a domain known. */
    public void add(Domain domain) {
        if (byId.putIfAbsent(domain.id(), domain) != null) {
            throw new IllegalArgumentException("domain " + domain.id() + " exists");
        }
    }

    /** Forgets a domain. */
    public void remove(Domain domain) {
        byId.remove(domain.id(), domain);
    }

    /** A domain, or null. */
    public Domain get(int id) {
        return byId.get(id);
    }

    /** All domains, in the order of their identifiers. */
    public Collection<Domain> all() {
        return List.copyOf(byId.values());
    }
}
