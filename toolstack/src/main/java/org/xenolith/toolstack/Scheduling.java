package org.xenolith.toolstack;

import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * How a domain shares the host's processors. Plain data: the hypervisor's scheduler gives it a meaning.
 *
 * @param weight share of processor time relative to other domains, 1..65535
 * @param cap most processor time, in percent of one processor; 0 for no limit
 * @param pool name of the CPU pool
 * @param reservation guaranteed time of each virtual CPU; empty for none
 * @param hardAffinity for each virtual CPU the host processors that it may run on; an empty set, and a virtual CPU beyond the
 *     end of the list, may run everywhere
 * @param softAffinity likewise, where it should run when there is a choice
 */
public record Scheduling(
        int weight,
        int cap,
        String pool,
        Optional<Reservation> reservation,
        List<Set<Integer>> hardAffinity,
        List<Set<Integer>> softAffinity) {
    public static final int DEFAULT_WEIGHT = 256;
    public static final String DEFAULT_POOL = "Pool-0";

    /** What xl gives a domain that asks for nothing else. */
    public static final Scheduling DEFAULT =
            new Scheduling(DEFAULT_WEIGHT, 0, DEFAULT_POOL, Optional.empty(), List.of(), List.of());

    /**
     * A guarantee, as Xen's RTDS scheduler gives it.
     *
     * @param periodMicros length of a period, in microseconds
     * @param budgetMicros time in each period, in microseconds
     * @param extra whether it may use what is left over as well
     */
    public record Reservation(int periodMicros, int budgetMicros, boolean extra) {}

    public Scheduling {
        hardAffinity = hardAffinity.stream().map(Set::copyOf).toList();
        softAffinity = softAffinity.stream().map(Set::copyOf).toList();
    }

    public Scheduling withWeight(int value) {
        return new Scheduling(value, cap, pool, reservation, hardAffinity, softAffinity);
    }

    public Scheduling withCap(int percent) {
        return new Scheduling(weight, percent, pool, reservation, hardAffinity, softAffinity);
    }

    public Scheduling withPool(String name) {
        return new Scheduling(weight, cap, name, reservation, hardAffinity, softAffinity);
    }

    public Scheduling withReservation(Reservation value) {
        return new Scheduling(weight, cap, pool, Optional.of(value), hardAffinity, softAffinity);
    }

    public Scheduling withHardAffinity(List<Set<Integer>> byVcpu) {
        return new Scheduling(weight, cap, pool, reservation, byVcpu, softAffinity);
    }

    public Scheduling withSoftAffinity(List<Set<Integer>> byVcpu) {
        return new Scheduling(weight, cap, pool, reservation, hardAffinity, byVcpu);
    }
}
