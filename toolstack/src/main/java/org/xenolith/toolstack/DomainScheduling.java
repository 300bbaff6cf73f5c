package org.xenolith.toolstack;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.xenolith.hypervisor.schedule.CpuPool;
import org.xenolith.hypervisor.schedule.CpuSet;
import org.xenolith.hypervisor.schedule.Credit2Parameters;
import org.xenolith.hypervisor.schedule.RtdsParameters;
import org.xenolith.hypervisor.schedule.SchedDomain;
import org.xenolith.hypervisor.schedule.Scheduler;
import org.xenolith.hypervisor.schedule.SchedulerKind;
import org.xenolith.hypervisor.schedule.SchedulingException;
import org.xenolith.hypervisor.schedule.VcpuSchedInfo;
import org.xenolith.services.builder.DomainBuildException;

/** Puts a {@link Scheduling} into effect, and reads it back for the next guest of a domain. */
final class DomainScheduling {
    private DomainScheduling() {}

    /**
     * Gives a new guest what its configuration asks for.
     *
     * @throws DomainBuildException when that cannot be: no such pool, CPU, or not so much left to guarantee
     */
    static void apply(Scheduling wanted, SchedDomain domain, Scheduler scheduler) throws DomainBuildException {
        try {
            CpuPool pool = scheduler.pool(wanted.pool());
            if (pool != domain.pool()) {
                domain.moveTo(pool);
            }
            if (pool.kind() == SchedulerKind.CREDIT2) {
                domain.setCredit2(new Credit2Parameters(wanted.weight(), wanted.cap()));
            }
            if (wanted.reservation().isPresent()) {
                if (pool.kind() != SchedulerKind.RTDS) {
                    throw new DomainBuildException("a reservation needs a CPU pool with the scheduler rtds, and "
                            + pool.name() + " has " + pool.kind());
                }
                Scheduling.Reservation reservation = wanted.reservation().get();
                domain.setRtds(new RtdsParameters(
                        reservation.periodMicros(), reservation.budgetMicros(), reservation.extra()));
            }
            for (int vcpu = 0; vcpu < domain.vcpus().size(); vcpu++) {
                CpuSet hard = cpus(wanted.hardAffinity(), vcpu);
                CpuSet soft = cpus(wanted.softAffinity(), vcpu);
                if (hard != null || soft != null) {
                    domain.setAffinity(vcpu, hard, soft);
                }
            }
        } catch (SchedulingException e) {
            throw new DomainBuildException(e.getMessage());
        }
    }

    private static CpuSet cpus(List<Set<Integer>> byVcpu, int vcpu) {
        return vcpu >= byVcpu.size() || byVcpu.get(vcpu).isEmpty()
                ? null
                : CpuSet.of(
                        byVcpu.get(vcpu).stream().mapToInt(Integer::intValue).toArray());
    }

    /** What a guest has now, whoever gave it. */
    static Scheduling of(SchedDomain domain, Scheduler scheduler) {
        CpuPool pool = domain.pool();
        Scheduling now = Scheduling.DEFAULT.withPool(pool.name());
        if (pool.kind() == SchedulerKind.CREDIT2) {
            now = now.withWeight(domain.credit2().weight())
                    .withCap(domain.credit2().cap());
        } else if (pool.kind() == SchedulerKind.RTDS) {
            RtdsParameters first = domain.rtds(0);
            now = now.withReservation(new Scheduling.Reservation(
                    (int) Math.min(Integer.MAX_VALUE, first.periodMicros()),
                    (int) Math.min(Integer.MAX_VALUE, first.budgetMicros()),
                    first.extratime()));
        }
        List<Set<Integer>> hard = new ArrayList<>();
        List<Set<Integer>> soft = new ArrayList<>();
        for (VcpuSchedInfo vcpu : domain.vcpus()) {
            hard.add(named(vcpu.hard(), scheduler));
            soft.add(named(vcpu.soft(), scheduler));
        }
        return now.withHardAffinity(hard).withSoftAffinity(soft);
    }

    /** A set as {@link Scheduling} has it: empty for all CPUs. */
    static Set<Integer> named(CpuSet cpus, Scheduler scheduler) {
        return cpus.containsAll(scheduler.allCpus()) ? Set.of() : Set.copyOf(cpus.toList());
    }

    /** A virtual CPU as the scheduler sees it; empty while there is none. */
    static Optional<VcpuSchedInfo> info(SchedDomain domain, int vcpu) {
        List<VcpuSchedInfo> all = domain.vcpus();
        return vcpu < all.size() ? Optional.of(all.get(vcpu)) : Optional.empty();
    }
}
