package org.xenolith.hypervisor.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.xenolith.hypervisor.schedule.Simulation.MILLI;
import static org.xenolith.hypervisor.schedule.Simulation.SECOND;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.xenolith.abi.Errno;
import org.xenolith.hypervisor.schedule.Simulation.Guest;

class Credit2Test {
    private static Guest one(List<Guest> domain) {
        return domain.getFirst().start();
    }

    private static void weight(Guest guest, int weight) {
        SchedDomain domain = guest.unit.domain();
        domain.setCredit2(new Credit2Parameters(weight, domain.credit2().cap()));
    }

    private static void cap(Guest guest, int cap) {
        SchedDomain domain = guest.unit.domain();
        domain.setCredit2(new Credit2Parameters(domain.credit2().weight(), cap));
    }

    /** The part of one CPU that a guest gets in the next seconds. */
    private static double[] shares(Simulation host, long nanos, Guest... guests) {
        long[] before = new long[guests.length];
        for (int i = 0; i < guests.length; i++) {
            before[i] = guests[i].unit.cpuNanos();
        }
        host.run(nanos);
        double[] shares = new double[guests.length];
        for (int i = 0; i < guests.length; i++) {
            shares[i] = guests[i].share(nanos, before[i]);
        }
        return shares;
    }

    @ParameterizedTest
    @CsvSource({"256, 512", "256, 256", "1, 3", "65535, 32768", "256, 2048"})
    void oneCpuIsSharedInProportionToWeights(int first, int second) {
        Simulation host = new Simulation(1);
        Guest a = one(host.busy(1, 1));
        Guest b = one(host.busy(2, 1));
        weight(a, first);
        weight(b, second);
        host.run(SECOND);
        double[] shares = shares(host, 20 * SECOND, a, b);
        double expected = (double) first / (first + second);
        assertThat(shares[0]).isCloseTo(expected, within(expected * 0.03));
        assertThat(shares[0] + shares[1]).as("little is lost in switching").isGreaterThan(0.97);
    }

    @Test
    void whoSharesTwoCpusGetsTheSame() {
        Simulation host = new Simulation(2);
        Guest a = one(host.busy(1, 1));
        Guest b = one(host.busy(2, 1));
        Guest c = one(host.busy(3, 1));
        host.run(SECOND);
        for (double share : shares(host, 10 * SECOND, a, b, c)) {
            assertThat(share).isCloseTo(2.0 / 3, within(0.02));
        }
    }

    @Test
    void weightsChangeWhileGuestsRun() {
        Simulation host = new Simulation(1);
        Guest a = one(host.busy(1, 1));
        Guest b = one(host.busy(2, 1));
        assertThat(shares(host, 5 * SECOND, a, b)[0]).isCloseTo(0.5, within(0.02));
        weight(a, 768);
        assertThat(shares(host, 5 * SECOND, a, b)[0]).isCloseTo(0.75, within(0.02));
    }

    @ParameterizedTest
    @CsvSource({"1, 50", "1, 10", "1, 1", "1, 99", "2, 150", "2, 50", "4, 30"})
    void aCapHoldsOnAnIdleHost(int vcpus, int cap) {
        Simulation host = new Simulation(4);
        List<Guest> domain = host.busy(1, vcpus);
        domain.forEach(Guest::start);
        cap(domain.getFirst(), cap);
        host.run(SECOND);
        long before = domain.getFirst().unit.domain().cpuNanos();
        host.run(10 * SECOND);
        double share = (domain.getFirst().unit.domain().cpuNanos() - before) / 10e9;
        assertThat(share).isCloseTo(cap / 100.0, within(cap / 100.0 * 0.02));
    }

    @Test
    void whatAnEngineOverrunsIsPaidBack() {
        Simulation host = new Simulation(1);
        host.kickDelay = MILLI;
        Guest a = one(host.busy(1, 1));
        cap(a, 20);
        host.run(SECOND);
        assertThat(shares(host, 10 * SECOND, a)[0]).isCloseTo(0.2, within(0.004));
    }

    @Test
    void whatACappedGuestLeavesOthersGet() {
        Simulation host = new Simulation(1);
        Guest a = one(host.busy(1, 1));
        Guest b = one(host.busy(2, 1));
        cap(a, 25);
        host.run(SECOND);
        double[] shares = shares(host, 10 * SECOND, a, b);
        assertThat(shares[0]).isCloseTo(0.25, within(0.01));
        assertThat(shares[1]).isCloseTo(0.75, within(0.02));
    }

    @Test
    void aCapCanBeTakenAwayWhileItsGuestWaitsForBudget() {
        Simulation host = new Simulation(1);
        Guest a = one(host.busy(1, 1));
        cap(a, 10);
        host.run(995 * MILLI);
        assertThat(a.unit.waiting).isTrue();
        cap(a, 0);
        assertThat(shares(host, SECOND, a)[0]).isGreaterThan(0.99);
        cap(a, 50);
        assertThat(shares(host, SECOND, a)[0]).isCloseTo(0.5, within(0.02));
    }

    @Test
    void timeWithoutBudgetIsRunnableAndNotBlocked() {
        Simulation host = new Simulation(1);
        Guest a = one(host.busy(1, 1));
        cap(a, 30);
        host.run(10 * SECOND);
        assertThat((double) a.times[1] / a.times[0]).isCloseTo(7.0 / 3, within(0.1));
        assertThat(a.times[2]).isZero();
    }

    @Test
    void aSleeperThatWakesRunsAtOnceBesideBusyGuests() {
        Simulation host = new Simulation(2);
        for (int id = 1; id <= 4; id++) {
            one(host.busy(id, 1));
        }
        Guest idle = one(host.domain(5, 1, 100_000, 10 * MILLI + 12_345));
        host.run(20 * SECOND);
        assertThat(idle.delays).hasSizeGreaterThan(1000);
        assertThat(Simulation.median(idle.delays)).isLessThan(1.0 * MILLI);
        // The rate limit protects whoever has just begun, for a millisecond.
        assertThat(idle.delays.stream().max(Long::compare).orElseThrow()).isLessThan(3 * MILLI);
    }

    @Test
    void withoutARateLimitASleeperWaitsForTheKickOnly() {
        Simulation host = new Simulation(2);
        host.pool().setRatelimitMicros(0);
        for (int id = 1; id <= 4; id++) {
            one(host.busy(id, 1));
        }
        Guest idle = one(host.domain(5, 1, 100_000, 10 * MILLI + 12_345));
        host.run(20 * SECOND);
        assertThat(Simulation.median(idle.delays)).isLessThan(50_000);
    }

    @Test
    void aGuestAloneIsNeverDisturbed() {
        Simulation host = new Simulation(2);
        one(host.busy(1, 1));
        one(host.busy(2, 1));
        host.run(MILLI);
        assertThat(host.scheduler.nextDeadline()).isEqualTo(Long.MAX_VALUE);
    }

    @Test
    void hardAffinityIsObeyedWhileOtherCpusAreIdle() {
        Simulation host = new Simulation(2);
        Guest a = one(host.busy(1, 1));
        Guest b = one(host.busy(2, 1));
        for (Guest guest : List.of(a, b)) {
            guest.unit.domain().setAffinity(0, CpuSet.of(1), null);
        }
        host.run(SECOND);
        double[] shares = shares(host, 10 * SECOND, a, b);
        assertThat(shares[0]).isCloseTo(0.5, within(0.02));
        assertThat(shares[1]).isCloseTo(0.5, within(0.02));
        assertThat(host.scheduler.cpus().get(0).running()).isEmpty();
        a.unit.domain().setAffinity(0, CpuSet.of(0), null);
        assertThat(shares(host, SECOND, a)[0]).isGreaterThan(0.99);
        assertThat(host.scheduler.cpus().get(0).running()).isEqualTo("d1v0");
    }

    @Test
    void softAffinityIsFollowedWhenItsCpuIsFreeAndGivesWayOtherwise() {
        Simulation host = new Simulation(2);
        Guest a = one(host.busy(1, 1));
        a.unit.domain().setAffinity(0, null, CpuSet.of(1));
        host.run(20 * MILLI);
        assertThat(host.scheduler.cpus().get(1).running()).isEqualTo("d1v0");
        Guest b = one(host.busy(2, 1));
        b.unit.domain().setAffinity(0, null, CpuSet.of(1));
        double[] shares = shares(host, SECOND, a, b);
        assertThat(shares[0] + shares[1])
                .as("nobody waits for a CPU that is only preferred")
                .isGreaterThan(1.97);
    }

    @Test
    void loadIsSpreadOverRunQueues() {
        Simulation host = new Simulation(new int[] {0, 0, 1, 1});
        Guest[] guests = new Guest[8];
        for (int i = 0; i < guests.length; i++) {
            guests[i] = one(host.busy(i + 1, 1));
        }
        host.run(5 * SECOND);
        for (double share : shares(host, 20 * SECOND, guests)) {
            assertThat(share).isCloseTo(0.5, within(0.03));
        }
    }

    @Test
    void unevenLoadOfRunQueuesIsBalanced() {
        Simulation host = new Simulation(new int[] {0, 1});
        Guest[] guests = new Guest[4];
        for (int i = 0; i < guests.length; i++) {
            guests[i] = host.busy(i + 1, 1).getFirst();
            guests[i].unit.domain().setAffinity(0, CpuSet.of(i == 3 ? 1 : 0), null);
            guests[i].start();
        }
        host.run(5 * SECOND);
        for (Guest guest : guests) {
            guest.unit.domain().setAffinity(0, CpuSet.of(0, 1), null);
        }
        host.run(10 * SECOND);
        for (double share : shares(host, 20 * SECOND, guests)) {
            assertThat(share).isCloseTo(0.5, within(0.03));
        }
    }

    @Test
    void aCpuThatGoesIdleTakesWorkFromAnotherQueue() {
        Simulation host = new Simulation(new int[] {0, 1});
        Guest a = one(host.busy(1, 1));
        Guest b = one(host.busy(2, 1));
        Guest c = one(host.busy(3, 1));
        host.run(SECOND);
        (a.unit.cpu == null ? b : a).stop();
        c.stop();
        host.run(SECOND);
        assertThat(host.scheduler.cpus())
                .filteredOn(cpu -> cpu.running().isEmpty())
                .hasSize(1);
    }

    @Test
    void whoYieldsLetsOthersRunFirst() {
        Simulation host = new Simulation(1);
        Guest a = one(host.busy(1, 1));
        assertThat(a.unit.yieldCpu()).as("nobody waits").isFalse();
        Guest b = one(host.busy(2, 1));
        host.run(100_000);
        Guest runs = a.unit.running ? a : b;
        Guest waits = runs == a ? b : a;
        assertThat(runs.unit.yieldCpu()).isTrue();
        assertThat(runs.unit.mayRun()).isFalse();
        assertThat(runs.unit.tryAcquire()).isFalse();
        host.run(100_000);
        assertThat(waits.unit.running).isTrue();
    }

    @Test
    void parametersOutOfRangeAreRefusedAndChangeNothing() {
        Simulation host = new Simulation(2);
        SchedDomain domain = host.busy(1, 2).getFirst().unit.domain();
        for (Credit2Parameters wrong : List.of(
                new Credit2Parameters(0, 0),
                new Credit2Parameters(65536, 0),
                new Credit2Parameters(256, -1),
                new Credit2Parameters(256, 201))) {
            assertThatThrownBy(() -> domain.setCredit2(wrong))
                    .isInstanceOfSatisfying(
                            SchedulingException.class,
                            e -> assertThat(e.errno()).isEqualTo(Errno.EINVAL));
        }
        assertThat(domain.credit2()).isEqualTo(Credit2Parameters.DEFAULT);
        domain.setCredit2(new Credit2Parameters(65535, 200));
        assertThat(domain.credit2()).isEqualTo(new Credit2Parameters(65535, 200));
        assertThatThrownBy(() -> domain.rtds(0)).hasMessage("pool Pool-0 does not use rtds");
        assertThatThrownBy(() -> host.pool().setRatelimitMicros(99)).hasMessageContaining("100 to 500000");
        assertThatThrownBy(() -> host.pool().setRatelimitMicros(500_001)).hasMessageContaining("rate limit");
        assertThatThrownBy(() -> domain.setAffinity(2, CpuSet.of(0), null)).hasMessageContaining("no virtual CPU 2");
        assertThatThrownBy(() -> domain.setAffinity(0, CpuSet.of(2), null))
                .hasMessage("hard affinity {2} of d1v0 has no CPU of pool Pool-0, which has {0-1}");
        assertThatThrownBy(() -> domain.setAffinity(0, null, CpuSet.none())).hasMessageContaining("soft affinity {}");
    }
}
