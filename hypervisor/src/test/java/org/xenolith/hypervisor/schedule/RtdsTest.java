package org.xenolith.hypervisor.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.xenolith.hypervisor.schedule.Simulation.MILLI;
import static org.xenolith.hypervisor.schedule.Simulation.SECOND;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.xenolith.abi.Errno;
import org.xenolith.hypervisor.schedule.Simulation.Guest;

class RtdsTest {
    /** A host whose CPUs but CPU 0 are in an RTDS pool. */
    private final Simulation host = new Simulation(3);

    private final CpuPool pool = host.scheduler.createPool("rt", SchedulerKind.RTDS);

    private void give(int... cpus) {
        for (int cpu : cpus) {
            host.scheduler.removeCpu(host.pool(), cpu);
            host.scheduler.addCpu(pool, cpu);
        }
    }

    private Guest guest(int id, long period, long budget, boolean extratime) {
        Guest guest = host.busy(id, 1).getFirst();
        try {
            guest.unit.domain().moveTo(pool);
        } catch (SchedulingException e) {
            // What everybody gets at first does not fit: make room for what this one is to get.
            host.guests.remove(guest);
            guest.unit.domain().remove();
            throw e;
        }
        guest.unit.domain().setRtds(0, new RtdsParameters(period, budget, extratime));
        return guest;
    }

    private double share(Guest guest, long nanos) {
        long before = guest.unit.cpuNanos();
        host.run(nanos);
        return guest.share(nanos, before);
    }

    @Test
    void aReservationHoldsBesideBusyGuests() {
        give(1);
        Guest reserved = guest(1, 10_000, 4_000, false);
        List<Guest> others = new ArrayList<>();
        for (int id = 2; id <= 4; id++) {
            others.add(guest(id, 10_000, 1_000, true));
        }
        reserved.start();
        others.forEach(Guest::start);
        host.run(SECOND);
        assertThat(share(reserved, 20 * SECOND)).isCloseTo(0.4, within(0.004));
        double rest =
                others.stream().mapToDouble(guest -> share(guest, 5 * SECOND)).sum();
        assertThat(rest).as("nothing stays idle").isCloseTo(0.6, within(0.02));
    }

    @Test
    void withoutExtraTimeABudgetIsALimitOnAnIdleHost() {
        give(1);
        host.kickDelay = MILLI / 2;
        Guest guest = guest(1, 20_000, 5_000, false).start();
        host.run(SECOND);
        assertThat(share(guest, 20 * SECOND)).isCloseTo(0.25, within(0.005));
        guest.unit.domain().setRtds(0, new RtdsParameters(20_000, 5_000, true));
        assertThat(share(guest, SECOND)).isGreaterThan(0.99);
        guest.unit.domain().setRtds(0, new RtdsParameters(20_000, 15_000, false));
        assertThat(share(guest, 10 * SECOND)).isCloseTo(0.75, within(0.01));
    }

    @Test
    void aReservedGuestThatWakesPreemptsExtraTimeAtOnce() {
        give(1);
        Guest idle = host.domain(1, 1, 200_000, 3 * MILLI).getFirst();
        idle.unit.domain().moveTo(pool);
        idle.unit.domain().setRtds(0, new RtdsParameters(1_000, 300, false));
        for (int id = 2; id <= 4; id++) {
            guest(id, 100_000, 1_000, true).start();
        }
        idle.start();
        host.run(10 * SECOND);
        assertThat(idle.delays).hasSizeGreaterThan(1000);
        assertThat(Simulation.median(idle.delays)).isLessThan(50_000);
    }

    @Test
    void everyPeriodGetsItsBudgetWhenReservationsFillTheCpu() {
        give(1);
        host.kickDelay = 0;
        host.startDelay = 0;
        Guest fast = guest(1, 2_000, 1_000, false).start();
        Guest slow = guest(2, 10_000, 5_000, false).start();
        host.run(100 * MILLI);
        for (int i = 0; i < 1000; i++) {
            long before = slow.unit.cpuNanos();
            assertThat(share(fast, 2 * MILLI)).isCloseTo(0.5, within(0.26));
            assertThat(slow.unit.cpuNanos() - before).isLessThanOrEqualTo(2 * MILLI);
        }
        assertThat(share(fast, SECOND)).isCloseTo(0.5, within(0.002));
        assertThat(share(slow, SECOND)).isCloseTo(0.5, within(0.002));
    }

    @Test
    void whatIsAdmittedIsKept() {
        long seed = Long.getLong("xenolith.seed", System.nanoTime());
        System.out.println("RtdsTest seed " + seed);
        SplittableRandom random = new SplittableRandom(seed);
        for (int round = 0; round < 20; round++) {
            Simulation sim = new Simulation(4);
            sim.kickDelay = 0;
            sim.startDelay = 0;
            CpuPool rt = sim.scheduler.createPool("rt", SchedulerKind.RTDS);
            int cpus = random.nextInt(1, 4);
            for (int cpu = 1; cpu <= cpus; cpu++) {
                sim.scheduler.removeCpu(sim.pool(), cpu);
                sim.scheduler.addCpu(rt, cpu);
            }
            List<Guest> admitted = new ArrayList<>();
            for (int id = 1; id <= 12; id++) {
                Guest guest = sim.busy(id, 1).getFirst();
                long period = random.nextLong(1_000, 20_000);
                long budget = Math.max(10, (long) (period * random.nextDouble(0.05, 0.9)));
                try {
                    guest.unit.domain().moveTo(rt);
                    guest.unit.domain().setRtds(0, new RtdsParameters(period, budget, random.nextBoolean()));
                } catch (SchedulingException e) {
                    assertThat(e.errno()).isEqualTo(Errno.ENOSPC);
                    if (guest.unit.pool == rt) {
                        guest.unit.domain().moveTo(sim.pool());
                    }
                    continue;
                }
                admitted.add(guest.start());
            }
            long[] before = new long[admitted.size()];
            sim.run(SECOND);
            for (int i = 0; i < before.length; i++) {
                before[i] = admitted.get(i).unit.cpuNanos();
            }
            sim.run(5 * SECOND);
            for (int i = 0; i < before.length; i++) {
                RtdsParameters parameters = admitted.get(i).unit.domain().rtds(0);
                assertThat(admitted.get(i).share(5 * SECOND, before[i]))
                        .as("%s of %s on %d CPUs, seed %d", parameters, admitted, cpus, seed)
                        .isGreaterThan(parameters.utilization() * 0.99);
            }
        }
    }

    @Test
    void whatCannotBeGuaranteedIsRefusedWithNumbers() {
        give(1, 2);
        guest(1, 10_000, 6_000, false);
        guest(2, 10_000, 6_000, false);
        assertThat(pool.reserved()).isCloseTo(1.2, within(1e-9));
        SchedDomain third = host.busy(3, 1).getFirst().unit.domain();
        third.moveTo(pool);
        assertThat(pool.reserved()).isCloseTo(1.6, within(1e-9));
        assertThatThrownBy(() -> third.setRtds(0, new RtdsParameters(10_000, 6_000, false)))
                .isInstanceOfSatisfying(
                        SchedulingException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ENOSPC))
                .hasMessage(
                        "reservations of 180.0 % do not fit pool rt: its CPUs {1-2} have 200 %, but a reservation cannot"
                                + " use two at once: with one of 60.0 % and 3 in all that is not guaranteed");
        assertThat(third.rtds(0)).isEqualTo(RtdsParameters.DEFAULT);
        assertThatThrownBy(() -> third.setRtds(0, new RtdsParameters(10_000, 9_000, false)))
                .hasMessage("reservations of 210.0 % do not fit pool rt: its CPUs {1-2} have 200 %");
        SchedDomain fourth = host.busy(4, 2).getFirst().unit.domain();
        assertThatThrownBy(() -> fourth.moveTo(pool)).hasMessageContaining("240.0 %");
        assertThat(fourth.pool()).isSameAs(host.pool());
        assertThatThrownBy(() -> host.scheduler.removeCpu(pool, 2))
                .isInstanceOfSatisfying(
                        SchedulingException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EBUSY))
                .hasMessageContaining("CPU 2 is needed");
        third.setAffinity(0, CpuSet.of(1), null);
        assertThat(third.hardAffinity(0)).hasToString("1");
    }

    @Test
    void confiningReservationsToOneCpuIsRefusedWhenItHasNotEnough() {
        give(1, 2);
        Guest a = guest(1, 10_000, 6_000, false);
        Guest b = guest(2, 10_000, 6_000, false);
        a.unit.domain().setAffinity(0, CpuSet.of(1), null);
        assertThatThrownBy(() -> b.unit.domain().setAffinity(0, CpuSet.of(1), null))
                .hasMessage("reservations of 120.0 % do not fit pool rt: its CPUs {1} have 100 %");
        assertThat(b.unit.domain().hardAffinity(0)).hasToString("0-2");
    }

    @Test
    void admissionKnowsWhatEarliestDeadlineFirstCanDo() {
        assertThat(Admission.heavyOnes(List.of(), 1)).isZero();
        assertThat(Admission.heavyOnes(List.of(1.0), 1)).isZero();
        assertThat(Admission.heavyOnes(List.of(0.5, 0.5), 1)).isZero();
        assertThat(Admission.heavyOnes(List.of(0.5, 0.51), 1)).isEqualTo(-1);
        assertThat(Admission.heavyOnes(List.of(0.9, 0.9), 2)).isEqualTo(1);
        assertThat(Admission.heavyOnes(List.of(0.6, 0.6, 0.6), 2)).isEqualTo(-1);
        assertThat(Admission.heavyOnes(List.of(0.4, 0.4, 0.4, 0.4), 2)).isZero();
        assertThat(Admission.heavyOnes(List.of(1.0, 0.5, 0.5), 2)).isEqualTo(1);
        // Dhall's effect: small ones would delay the large one beyond its deadline.
        assertThat(Admission.heavyOnes(List.of(0.95, 0.1, 0.1), 2)).isEqualTo(1);
    }

    @Test
    void theLargeReservationAmongSmallOnesMeetsItsDeadlines() {
        give(1, 2);
        host.kickDelay = 0;
        host.startDelay = 0;
        Guest large = guest(1, 10_500, 10_000, false);
        List<Guest> all = new ArrayList<>(List.of(large));
        all.add(guest(2, 10_000, 1_000, false));
        all.add(guest(3, 10_000, 1_000, false));
        all.sort(Comparator.comparingInt(guest -> -guest.unit.domain().id()));
        all.forEach(Guest::start);
        host.run(SECOND);
        assertThat(share(large, 10 * SECOND)).isCloseTo(10_000.0 / 10_500, within(0.001));
    }

    @Test
    void parametersOutOfRangeAreRefused() {
        give(1);
        SchedDomain domain = guest(1, 10_000, 4_000, true).unit.domain();
        for (RtdsParameters wrong : List.of(
                new RtdsParameters(9, 9, true),
                new RtdsParameters(1L << 32, 100, true),
                new RtdsParameters(1_000, 9, true),
                new RtdsParameters(1_000, 1_001, true))) {
            assertThatThrownBy(() -> domain.setRtds(wrong))
                    .isInstanceOfSatisfying(
                            SchedulingException.class,
                            e -> assertThat(e.errno()).isEqualTo(Errno.EINVAL));
        }
        assertThat(domain.rtds(0)).isEqualTo(new RtdsParameters(10_000, 4_000, true));
        assertThatThrownBy(domain::credit2).hasMessage("pool rt does not use credit2");
    }
}
