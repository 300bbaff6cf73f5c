package org.xenolith.hypervisor.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.xenolith.hypervisor.schedule.Simulation.MILLI;
import static org.xenolith.hypervisor.schedule.Simulation.SECOND;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.xenolith.abi.Errno;
import org.xenolith.abi.RunstateInfo;
import org.xenolith.hypervisor.schedule.Simulation.Guest;

class CpuPoolTest {
    private static void refuses(int errno, String message, ThrowingCallable call) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        SchedulingException.class, e -> assertThat(e.errno()).isEqualTo(errno))
                .hasMessage(message);
    }

    @Test
    void aNewHostHasOnePoolWithAllCpus() {
        Scheduler scheduler = new Simulation(4).scheduler;
        assertThat(scheduler.pools()).hasSize(1);
        assertThat(scheduler.pool(0).name()).isEqualTo("Pool-0");
        assertThat(scheduler.pool(0).kind()).isEqualTo(SchedulerKind.CREDIT2);
        assertThat(scheduler.pool(0).cpus()).hasToString("0-3");
        assertThat(scheduler.freeCpus().isEmpty()).isTrue();
        assertThat(scheduler.pool(0).ratelimitMicros()).isEqualTo(1000);
    }

    @Test
    void poolsAreCheckedAsXenDoes() {
        Simulation host = new Simulation(2);
        Scheduler scheduler = host.scheduler;
        CpuPool first = scheduler.pool(0);
        refuses(Errno.ENOENT, "there is no CPU pool 1", () -> scheduler.pool(1));
        refuses(Errno.ENOENT, "there is no CPU pool 'fast'", () -> scheduler.pool("fast"));
        CpuPool fast = scheduler.createPool("fast", SchedulerKind.NULL);
        assertThat(fast.id()).isEqualTo(1);
        assertThat(scheduler.pool("fast")).isSameAs(fast);
        refuses(Errno.EEXIST, "a CPU pool 'fast' exists", () -> scheduler.createPool("fast", SchedulerKind.RTDS));
        refuses(Errno.EINVAL, "a CPU pool needs a name", () -> scheduler.createPool("", SchedulerKind.RTDS));
        refuses(Errno.EBUSY, "CPU 1 belongs to pool Pool-0", () -> scheduler.addCpu(fast, 1));
        refuses(Errno.EINVAL, "there is no CPU 2: this host has {0-1}", () -> scheduler.addCpu(fast, 2));
        refuses(Errno.EINVAL, "CPU 1 does not belong to pool fast", () -> scheduler.removeCpu(fast, 1));
        refuses(Errno.EINVAL, "CPU 0 stays in pool Pool-0", () -> scheduler.removeCpu(first, 0));
        SchedDomain domain = host.busy(7, 1).getFirst().unit.domain();
        refuses(Errno.ENODEV, "pool fast has no CPUs", () -> domain.moveTo(fast));
        scheduler.removeCpu(first, 1);
        assertThat(scheduler.freeCpus()).hasToString("1");
        assertThat(scheduler.cpus().get(1).pool()).isEqualTo(-1);
        scheduler.addCpu(fast, 1);
        domain.moveTo(fast);
        assertThat(fast.domainIds()).containsExactly(7);
        refuses(Errno.EBUSY, "pool fast has domains: [7]", () -> scheduler.destroyPool(fast));
        refuses(
                Errno.EBUSY,
                "CPU 1 is the last one of pool fast, which has domains",
                () -> scheduler.removeCpu(fast, 1));
        domain.moveTo(first);
        refuses(Errno.EBUSY, "pool fast has CPUs: 1", () -> scheduler.destroyPool(fast));
        refuses(Errno.EBUSY, "pool Pool-0 cannot be destroyed", () -> scheduler.destroyPool(first));
        scheduler.removeCpu(fast, 1);
        scheduler.destroyPool(fast);
        refuses(Errno.ENOENT, "there is no CPU pool 1 (fast)", () -> scheduler.addCpu(fast, 1));
    }

    @ParameterizedTest
    @EnumSource(SchedulerKind.class)
    void aRunningDomainMovesIntoAnotherPoolAndBack(SchedulerKind kind) {
        Simulation host = new Simulation(2);
        Guest a = host.busy(1, 1).getFirst();
        Guest b = host.busy(2, 1).getFirst();
        CpuPool other = host.scheduler.createPool("other", kind);
        host.scheduler.removeCpu(host.pool(), 1);
        host.scheduler.addCpu(other, 1);
        a.start();
        b.start();
        host.run(SECOND);
        assertThat(a.unit.cpuNanos() + b.unit.cpuNanos()).isBetween(950 * MILLI, SECOND);
        for (int i = 0; i < 5; i++) {
            CpuPool target = i % 2 == 0 ? other : host.pool();
            // Simulated threads do not leave their engines while somebody waits for them: pause, as a host may.
            a.stop();
            a.unit.domain().moveTo(target);
            a.start();
            long before = a.unit.cpuNanos();
            host.run(SECOND);
            assertThat(a.share(SECOND, before)).isCloseTo(target == other ? 1.0 : 0.5, within(0.03));
        }
    }

    @Test
    void movingADomainTakesItToTheDefaultsOfThatPool() {
        Simulation host = new Simulation(2);
        SchedDomain domain = host.busy(1, 1).getFirst().unit.domain();
        domain.setCredit2(new Credit2Parameters(1000, 50));
        CpuPool other = host.scheduler.createPool("other", SchedulerKind.CREDIT2);
        host.scheduler.removeCpu(host.pool(), 1);
        host.scheduler.addCpu(other, 1);
        domain.moveTo(other);
        assertThat(domain.credit2()).isEqualTo(Credit2Parameters.DEFAULT);
    }

    @Test
    void anAffinityWhoseCpusHaveLeftThePoolIsSuspendedUntilTheyComeBack() {
        Simulation host = new Simulation(2);
        Guest guest = host.busy(1, 1).getFirst();
        guest.unit.domain().setAffinity(0, CpuSet.of(1), null);
        host.scheduler.removeCpu(host.pool(), 1);
        guest.start();
        host.run(MILLI);
        assertThat(guest.unit.domain().info(0).cpu()).isZero();
        assertThat(guest.unit.domain().hardAffinity(0)).hasToString("1");
        guest.stop();
        host.scheduler.addCpu(host.pool(), 1);
        guest.start();
        host.run(MILLI);
        assertThat(guest.unit.domain().info(0).cpu()).isEqualTo(1);
    }

    @Test
    void underTheNullSchedulerEachVirtualCpuHasOneCpuAndOthersWait() {
        Simulation host = new Simulation(3);
        CpuPool pool = host.scheduler.createPool("null", SchedulerKind.NULL);
        for (int cpu = 1; cpu <= 2; cpu++) {
            host.scheduler.removeCpu(host.pool(), cpu);
            host.scheduler.addCpu(pool, cpu);
        }
        List<Guest> guests = new ArrayList<>();
        for (int id = 1; id <= 3; id++) {
            Guest guest = host.busy(id, 1).getFirst();
            guest.unit.domain().moveTo(pool);
            guests.add(guest.start());
        }
        host.run(SECOND);
        assertThat(guests).extracting(guest -> guest.unit.running).containsExactly(true, true, false);
        Guest first = guests.getFirst();
        first.stop();
        host.run(MILLI);
        assertThat(guests.get(2).unit.running).as("a CPU stays its owner's").isFalse();
        first.unit.domain().remove();
        host.guests.remove(first);
        host.run(MILLI);
        assertThat(guests.get(2).unit.running).isTrue();
    }

    @ParameterizedTest
    @EnumSource(SchedulerKind.class)
    void aVirtualCpuThatWaitsCanBePausedUnpluggedAndDestroyed(SchedulerKind kind) {
        Simulation host = new Simulation(2);
        CpuPool pool = host.scheduler.createPool("small", kind);
        host.scheduler.removeCpu(host.pool(), 1);
        host.scheduler.addCpu(pool, 1);
        Guest a = host.busy(1, 1).getFirst();
        a.unit.domain().moveTo(pool);
        Guest b = host.busy(2, 1).getFirst();
        b.unit.domain().moveTo(pool);
        a.start();
        b.start();
        host.run(10 * MILLI);
        for (int i = 0; i < 20; i++) {
            Guest waits = a.unit.running ? b : a;
            assertThat(waits.unit.state).isEqualTo(RunstateInfo.RUNNABLE);
            switch (i % 2) {
                case 0 -> waits.stop();
                default -> waits.unit.offline();
            }
            assertThat(waits.unit.state).isEqualTo(RunstateInfo.OFFLINE);
            host.run(20 * MILLI);
            assertThat(waits.unit.cpu).isNull();
            waits.start();
            host.run(7 * MILLI);
        }
        Guest waits = a.unit.running ? b : a;
        Guest runs = waits == a ? b : a;
        waits.unit.domain().remove();
        host.guests.remove(waits);
        host.run(SECOND);
        assertThat(runs.unit.pool.domainIds())
                .containsExactly(runs.unit.domain().id());
        runs.stop();
        runs.unit.domain().remove();
        assertThat(pool.domainIds()).isEmpty();
    }

    @Test
    void idleTimeAndCpuTimeAddUp() {
        Simulation host = new Simulation(2);
        Guest a = host.domain(1, 1, 3 * MILLI, 7 * MILLI).getFirst().start();
        host.run(10 * SECOND);
        long idle = host.scheduler.cpus().stream().mapToLong(CpuInfo::idleNanos).sum();
        long starting = a.delays.size() * host.startDelay * 2;
        assertThat(idle + a.unit.cpuNanos()).isBetween(20 * SECOND - starting, 20 * SECOND + 1);
        assertThat(a.times[RunstateInfo.RUNNING]).isEqualTo(a.unit.cpuNanos());
        assertThat((double) a.unit.cpuNanos() / (10 * SECOND)).isCloseTo(0.3, within(0.01));
    }

    @Test
    void wakeUpsOfABlockedVirtualCpuAreIgnoredWhileItsDomainIsPaused() {
        Simulation host = new Simulation(1);
        Guest guest = host.domain(1, 1, MILLI, 1000 * SECOND).getFirst().start();
        host.run(2 * MILLI);
        assertThat(guest.unit.state).isEqualTo(RunstateInfo.BLOCKED);
        guest.unit.suspend();
        assertThat(guest.unit.wake()).as("the thread is told anyway").isTrue();
        assertThat(guest.unit.state).isEqualTo(RunstateInfo.BLOCKED);
        assertThat(guest.unit.cpu).isNull();
    }

    /** Everything at random, with all invariants checked after each step. */
    @Test
    void nothingIsLostWhateverToolsAndGuestsDo() {
        long seed = Long.getLong("xenolith.seed", System.nanoTime());
        System.out.println("CpuPoolTest seed " + seed);
        SplittableRandom random = new SplittableRandom(seed);
        Simulation host = new Simulation(new int[] {0, 0, 1, 1});
        host.jitter = random.split();
        List<CpuPool> pools = new ArrayList<>(List.of(host.pool()));
        pools.add(host.scheduler.createPool("rt", SchedulerKind.RTDS));
        pools.add(host.scheduler.createPool("null", SchedulerKind.NULL));
        for (int cpu = 2; cpu <= 3; cpu++) {
            host.scheduler.removeCpu(host.pool(), cpu);
            host.scheduler.addCpu(pools.get(cpu - 1), cpu);
        }
        int ids = 0;
        for (int step = 0; step < 3000; step++) {
            List<Guest> guests = host.guests;
            Guest any = guests.isEmpty() ? null : guests.get(random.nextInt(guests.size()));
            SchedDomain domain = any == null ? null : any.unit.domain();
            try {
                switch (random.nextInt(12)) {
                    case 0 -> {
                        if (guests.size() < 14) {
                            long run = random.nextInt(3) == 0 ? Long.MAX_VALUE : random.nextLong(10_000, 5 * MILLI);
                            host.domain(++ids, random.nextInt(1, 3), run, random.nextLong(1_000, 5 * MILLI))
                                    .forEach(Guest::start);
                        }
                    }
                    case 1 -> {
                        if (any != null) {
                            List<Guest> gone = guests.stream()
                                    .filter(guest -> guest.unit.domain() == domain)
                                    .toList();
                            gone.forEach(Guest::stop);
                            domain.remove();
                            guests.removeAll(gone);
                        }
                    }
                    case 2 -> {
                        if (any != null) {
                            CpuPool target = pools.get(random.nextInt(pools.size()));
                            List<Guest> moved = guests.stream()
                                    .filter(guest -> guest.unit.domain() == domain)
                                    .toList();
                            moved.forEach(Guest::stop);
                            try {
                                domain.moveTo(target);
                            } finally {
                                moved.forEach(Guest::start);
                            }
                        }
                    }
                    case 3 -> {
                        if (any != null) {
                            domain.setCredit2(new Credit2Parameters(random.nextInt(1, 65536), random.nextInt(0, 101)));
                        }
                    }
                    case 4 -> {
                        if (any != null) {
                            long period = random.nextLong(100, 20_000);
                            domain.setRtds(
                                    any.unit.vcpu(),
                                    new RtdsParameters(period, random.nextLong(10, period), random.nextBoolean()));
                        }
                    }
                    case 5, 6 -> {
                        if (any != null) {
                            domain.setAffinity(
                                    any.unit.vcpu(),
                                    CpuSet.ofBitmap(new byte[] {(byte) random.nextInt(1, 16)}),
                                    CpuSet.ofBitmap(new byte[] {(byte) random.nextInt(1, 16)}));
                        }
                    }
                    case 7 -> {
                        if (any != null) {
                            any.stop();
                        }
                    }
                    case 8 -> {
                        if (any != null && any.unit.state == RunstateInfo.OFFLINE) {
                            any.start();
                        }
                    }
                    case 9 -> host.pool().setRatelimitMicros(random.nextBoolean() ? 0 : random.nextInt(100, 5000));
                    default -> host.run(random.nextLong(10 * MILLI));
                }
            } catch (SchedulingException e) {
                assertThat(e.errno()).isIn(Errno.EINVAL, Errno.ENOSPC, Errno.ENODEV);
            }
            host.check();
            for (CpuPool pool : pools) {
                assertThat(pool.describe()).startsWith(pool.name());
            }
        }
        // Whoever can run does.
        for (Guest guest : List.copyOf(host.guests)) {
            guest.stop();
            guest.unit.domain().setAffinity(guest.unit.vcpu(), guest.unit.pool.cpus(), null);
            if (guest.unit.domain().pool() != host.pool()) {
                host.guests.stream()
                        .filter(other -> other.unit.domain() == guest.unit.domain())
                        .forEach(Guest::stop);
                guest.unit.domain().moveTo(host.pool());
            }
            guest.unit.domain().setCredit2(Credit2Parameters.DEFAULT);
        }
        host.pool().setRatelimitMicros(1000);
        host.guests.forEach(guest -> guest.unit.domain().setAffinity(guest.unit.vcpu(), CpuSet.first(4), null));
        host.guests.forEach(Guest::start);
        host.run(SECOND);
        for (Guest guest : host.guests) {
            long before = guest.unit.cpuNanos();
            host.run(SECOND);
            assertThat(guest.unit.cpuNanos())
                    .as("%s, seed %d", guest.unit, seed)
                    .isGreaterThan(before);
        }
    }

    @Test
    void setsOfCpusReadAndPrint() {
        assertThat(CpuSet.parse("0-3,6, 64").toList()).containsExactly(0, 1, 2, 3, 6, 64);
        assertThat(CpuSet.parse("0-3,6,64")).hasToString("0-3,6,64");
        assertThat(CpuSet.ofBitmap(CpuSet.of(9).toBitmap())).isEqualTo(CpuSet.of(9));
        assertThat(CpuSet.first(70).size()).isEqualTo(70);
        assertThat(CpuSet.none()).hasToString("");
        for (String wrong : List.of("", "a", "3-1", "1-2-3", "-1", "1,,2", "99999999")) {
            assertThatThrownBy(() -> CpuSet.parse(wrong)).isInstanceOf(IllegalArgumentException.class);
        }
    }
}
