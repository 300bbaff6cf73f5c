package org.xenolith.hypervisor.schedule;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.xenolith.abi.Errno;

/**
 * Whether a set of reservations can be kept by earliest deadline first on several CPUs.
 *
 * <p>That the sum is at most the number of CPUs is needed, and not enough: three reservations of 60 % do not fit two CPUs,
 * as one of them would have to run on both at once. The test is that of EDF(k) (Goossens, Funk, Baruah 2003): with the
 * {@code k - 1} largest reservations put before all others, deadlines are met on {@code k - 1 + ceil(R / (1 - U))} CPUs, where
 * U is the k-th largest and R the sum of the smaller ones.
 */
final class Admission {
    private static final double ROUNDING = 1e-9;

    private Admission() {}

    /** A reservation and where it may run. */
    record Demand(SchedUnit unit, double utilization, CpuSet allowed) {}

    /** How many reservations to put before all others so that {@code cpus} CPUs serve all of them; -1 when none will do. */
    static int heavyOnes(List<Double> largestFirst, int cpus) {
        double rest = largestFirst.stream().mapToDouble(Double::doubleValue).sum();
        if (rest > cpus + ROUNDING) {
            return -1;
        }
        for (int k = 1; k <= Math.min(cpus, largestFirst.size()); k++) {
            double own = largestFirst.get(k - 1);
            rest -= own;
            double needed = rest < ROUNDING ? 0 : 1 - own < ROUNDING ? Double.MAX_VALUE : rest / (1 - own);
            if (k - 1 + Math.ceil(needed - ROUNDING) <= cpus) {
                return k - 1;
            }
        }
        return largestFirst.isEmpty() ? 0 : -1;
    }

    /**
     * Checks reservations, for each set of CPUs that some of them are confined to and for all together.
     *
     * @return the units to put before all others
     * @throws SchedulingException ENOSPC, with numbers
     */
    static Set<SchedUnit> check(CpuPool pool, CpuSet cpus, Collection<Demand> demands) {
        List<CpuSet> sets = new ArrayList<>();
        sets.add(cpus);
        for (Demand demand : demands) {
            if (!sets.contains(demand.allowed)) {
                sets.add(demand.allowed);
            }
        }
        Set<SchedUnit> heavy = new LinkedHashSet<>();
        for (CpuSet set : sets) {
            List<Demand> confined = demands.stream()
                    .filter(demand -> set.containsAll(demand.allowed))
                    .sorted(Comparator.comparingDouble(Demand::utilization).reversed())
                    .toList();
            int first = heavyOnes(confined.stream().map(Demand::utilization).toList(), set.size());
            if (first < 0) {
                double sum = confined.stream().mapToDouble(Demand::utilization).sum();
                throw new SchedulingException(
                        Errno.ENOSPC,
                        String.format(
                                Locale.ROOT,
                                "reservations of %.1f %% do not fit %s: its CPUs {%s} have %d %%%s",
                                sum * 100,
                                pool,
                                set,
                                set.size() * 100,
                                sum > set.size() + ROUNDING
                                        ? ""
                                        : String.format(
                                                Locale.ROOT,
                                                ", but a reservation cannot use two at once: with one of %.1f %% and %d in"
                                                        + " all that is not guaranteed",
                                                confined.getFirst().utilization * 100,
                                                confined.size())));
            }
            confined.stream().limit(first).forEach(demand -> heavy.add(demand.unit));
        }
        return heavy;
    }
}
