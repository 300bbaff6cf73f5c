package org.xenolith.hypervisor;

import java.util.Collection;
import java.util.List;
import java.util.concurrent.ConcurrentSkipListMap;

/** The domains of a host by identifier, for calls that name another domain. */
public final class Domains {
    private final ConcurrentSkipListMap<Integer, Domain> byId = new ConcurrentSkipListMap<>();

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
