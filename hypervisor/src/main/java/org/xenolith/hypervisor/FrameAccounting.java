package org.xenolith.hypervisor;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.xenolith.hypervisor.grants.GrantTable;
import org.xenolith.hypervisor.grants.GrantTable.HeldMapping;
import org.xenolith.memory.MachineMemory;
import org.xenolith.memory.PhysicalToMachine;

/**
 * Who may reach which frame of the machine, and whether that is as it should be.
 *
 * <p>Looks at the maps of domains that share a machine. While they run, an answer is as old as the moment at which a domain
 * was looked at; {@link #violations} needs them to stand still.
 */
public final class FrameAccounting {
    /** Why a domain can reach a frame. */
    public enum Reason {
        OWNED,
        SHARED_INFO,
        GRANT_TABLE,
        GRANTED
    }

    /**
     * One place where a domain's processors reach a frame.
     *
     * @param granter the domain that granted the frame; null when it was not granted
     * @param ref the grant reference, or -1
     */
    public record Reach(Domain domain, long gfn, boolean writable, Reason reason, Domain granter, int ref) {
        @Override
        public String toString() {
            String how = reason == Reason.GRANTED ? "granted by " + granter + ", reference " + ref : reason.name();
            return domain + " at gfn 0x" + Long.toHexString(gfn) + (writable ? ", writable" : ", read-only") + ": "
                    + how;
        }
    }

    private final MachineMemory machine;
    private final List<Domain> domains;

    /**
     * Accounting for a machine.
     *
     * @param domains all domains that have taken memory from it, with those that are destroyed while others still use frames
     *     of theirs
     */
    public FrameAccounting(MachineMemory machine, Collection<Domain> domains) {
        this.machine = machine;
        this.domains = List.copyOf(domains);
    }

    /** All places where a machine frame can be reached by guests. */
    public List<Reach> who(int mfn) {
        List<Reach> result = new ArrayList<>();
        for (Domain domain : domains) {
            PhysicalToMachine map = domain.memory().map();
            for (long gfn = map.nextMapped(0); gfn >= 0; gfn = map.nextMapped(gfn + 1)) {
                if (map.mfn(gfn) == mfn) {
                    result.add(reach(domain, gfn));
                }
            }
        }
        return result;
    }

    private static Reach reach(Domain domain, long gfn) {
        boolean writable = domain.memory().map().frameForWrite(gfn) != 0;
        DomainMemory.Foreign foreign = domain.memory().foreignAt(gfn);
        Reason reason = foreign == null
                ? Reason.OWNED
                : switch (foreign) {
                    case SHARED_INFO -> Reason.SHARED_INFO;
                    case GRANT_TABLE -> Reason.GRANT_TABLE;
                    case GRANT -> Reason.GRANTED;
                };
        if (reason == Reason.GRANTED) {
            for (HeldMapping held : domain.grantTable().heldMappings()) {
                if (held.gfn() == gfn) {
                    return new Reach(domain, gfn, writable, reason, held.granter(), held.ref());
                }
            }
        }
        return new Reach(domain, gfn, writable, reason, null, -1);
    }

    /**
     * What is wrong, a line each; empty when all is well:
     *
     * <ul>
     *   <li>a frame that a domain owns is in one place of its map, and no other domain owns it;
     *   <li>a domain reaches a frame that it does not own only by a mapping that it holds, with the rights of that mapping; or
     *       it is its own shared info page or a page of its own grant table;
     *   <li>each mapping is of a reference that is in use, by that domain, for that frame, as often as there are mappings at
     *       least; and that frame is pinned;
     *   <li>the frames that are not free are those that domains have taken.
     * </ul>
     */
    public List<String> violations() {
        List<String> wrong = new ArrayList<>();
        Map<Integer, String> owners = new HashMap<>();
        long taken = 0;
        for (Domain domain : domains) {
            taken += domain.memory().takenFrames();
            checkMap(domain, owners, wrong);
            checkMappings(domain, wrong);
        }
        long used = machine.frames() - machine.available();
        if (taken != used) {
            wrong.add("domains have " + taken + " frames, but " + used + " are in use");
        }
        return wrong;
    }

    private static void checkMap(Domain domain, Map<Integer, String> owners, List<String> wrong) {
        Map<Long, HeldMapping> held = new HashMap<>();
        domain.grantTable().heldMappings().forEach(mapping -> held.put(mapping.gfn(), mapping));
        PhysicalToMachine map = domain.memory().map();
        long owned = 0;
        for (long gfn = map.nextMapped(0); gfn >= 0; gfn = map.nextMapped(gfn + 1)) {
            int mfn = map.mfn(gfn);
            Reach reach = reach(domain, gfn);
            switch (reach.reason()) {
                case OWNED -> {
                    owned++;
                    String other = owners.put(mfn, reach.toString());
                    if (other != null) {
                        wrong.add("frame " + mfn + " is owned twice: " + other + " and " + reach);
                    }
                }
                case SHARED_INFO -> {
                    if (mfn != domain.sharedInfoMfn()) {
                        wrong.add("frame " + mfn + " is no shared info: " + reach);
                    }
                }
                case GRANT_TABLE -> {
                    if (!domain.grantTable().isTablePage(mfn)) {
                        wrong.add("frame " + mfn + " is no page of the grant table: " + reach);
                    }
                }
                case GRANTED -> {
                    HeldMapping mapping = held.remove(gfn);
                    if (mapping == null || mapping.mfn() != mfn || mapping.writable() != reach.writable()) {
                        wrong.add("frame " + mfn + " is reached without a mapping of that kind: " + reach);
                    }
                }
            }
        }
        held.values().forEach(mapping -> wrong.add(domain + " holds a mapping that its map does not show: " + mapping));
        if (owned != domain.memory().ownedFrames()) {
            wrong.add(
                    domain + " has " + owned + " frames, not " + domain.memory().ownedFrames());
        }
    }

    private static void checkMappings(Domain domain, List<String> wrong) {
        record Key(Domain granter, int ref, boolean writable) {}
        Map<Key, Integer> counts = new HashMap<>();
        Set<Key> keys = new HashSet<>();
        for (HeldMapping mapping : domain.grantTable().heldMappings()) {
            Key key = new Key(mapping.granter(), mapping.ref(), mapping.writable());
            counts.merge(key, 1, Integer::sum);
            boolean inUse = false;
            for (GrantTable.Use use : mapping.granter().grantTable().uses()) {
                if (use.ref() == mapping.ref() && use.by() == domain.id() && use.mfn() == mapping.mfn()) {
                    inUse = (mapping.writable() ? use.writers() : use.readers()) >= counts.get(key);
                }
            }
            if (!inUse && keys.add(key)) {
                wrong.add(domain + " holds a mapping of a reference that is not in use so often: " + mapping);
            }
            if (mapping.granter().memory().pins(mapping.mfn()) == 0) {
                wrong.add(domain + " holds a mapping of a frame that is not pinned: " + mapping);
            }
        }
    }
}
