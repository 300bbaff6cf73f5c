package org.xenolith.hypervisor;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.xenolith.abi.Errno;
import org.xenolith.abi.HvmParam;
import org.xenolith.abi.HypercallNumber;
import org.xenolith.abi.RunstateInfo;
import org.xenolith.abi.SchedOp;
import org.xenolith.abi.SharedInfo;
import org.xenolith.abi.VcpuInfo;
import org.xenolith.abi.VcpuOp;
import org.xenolith.cpu.EngineFactory;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.World;
import org.xenolith.hypervisor.events.HostPort;
import org.xenolith.hypervisor.schedule.CpuPool;
import org.xenolith.hypervisor.schedule.CpuSet;
import org.xenolith.hypervisor.schedule.Credit2Parameters;
import org.xenolith.hypervisor.schedule.Scheduler;
import org.xenolith.hypervisor.schedule.SchedulerKind;
import org.xenolith.hypervisor.schedule.SchedulingException;
import org.xenolith.hypervisor.time.HostClock;
import org.xenolith.hypervisor.time.VirtualClock;
import org.xenolith.memory.GuestPhysical;
import org.xenolith.memory.MachineMemory;
import org.xenolith.memory.Raw;

/** Virtual CPUs with real threads on physical CPUs. */
@Timeout(120)
class SchedulingTest {
    private static final long VECTOR_CALLBACK = 2L << 56 | 0xF3;

    private final MachineMemory machine = new MachineMemory(64 << 20);
    private Domains domains;
    /** Engines that execute now, and the most that ever did. */
    private final AtomicInteger inside = new AtomicInteger();

    private final AtomicInteger most = new AtomicInteger();

    @AfterEach
    void tearDown() {
        if (domains != null) {
            domains.all().forEach(Domain::destroy);
        }
        machine.close();
    }

    private static void await(String what, BooleanSupplier condition) {
        long end = System.nanoTime() + 60_000_000_000L;
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("no end of waiting for %s", what).isLessThan(end);
            LockSupport.parkNanos(500_000);
        }
    }

    /** Counts who is inside, and halts whenever it has taken an interrupt, if it is to sleep at all. */
    private final class Worker extends FakeEngine {
        volatile boolean sleeps;
        volatile int served;

        Worker(VcpuState state, World world, GuestPhysical memory) {
            super(state, world, memory);
        }

        @Override
        public VcpuExit run(long budget) {
            int now = inside.incrementAndGet();
            most.accumulateAndGet(now, Math::max);
            try {
                if (!sleeps) {
                    return super.run(budget);
                }
                Vcpu vcpu = (Vcpu) world;
                Raw.putByte(vcpu.vcpuInfo() + VcpuInfo.UPCALL_PENDING, (byte) 0);
                Raw.putLongVolatile(vcpu.vcpuInfo() + VcpuInfo.PENDING_SEL, 0);
                Raw.putLongVolatile(vcpu.domain().sharedInfo() + SharedInfo.EVTCHN_PENDING, 0);
                served++;
                state().setRflags(0x202);
                return VcpuExit.Halt.INSTANCE;
            } finally {
                inside.decrementAndGet();
            }
        }
    }

    private Domain domain(int id, int vcpus, EngineFactory engines) {
        DomainParts parts = new DomainParts(
                machine,
                domains,
                engines,
                SimpleController::new,
                (leaf, subleaf, result) -> {},
                new HostClock(),
                () -> 4,
                (bytes, offset, length) -> {},
                null);
        Domain domain = new Domain(DomainSettings.pvh(id, "d" + id, vcpus, 64), parts);
        domains.add(domain);
        domain.memory().populate(0, 16);
        domain.vcpus().forEach(vcpu -> TestHost.enterLongMode(vcpu.state()));
        domain.setHvmParam(HvmParam.CALLBACK_IRQ, VECTOR_CALLBACK);
        return domain;
    }

    private static Worker worker(Domain domain) {
        return (Worker) domain.vcpus().getFirst().engine();
    }

    private static long running(Domain domain) {
        return domain.vcpus().getFirst().runstate()[2 + RunstateInfo.RUNNING];
    }

    @ParameterizedTest
    @EnumSource(
            value = SchedulerKind.class,
            names = {"CREDIT2", "RTDS"})
    void neverMoreRunThanThereAreCpusAndNoWakeUpIsLost(SchedulerKind kind) throws Exception {
        long seed = Long.getLong("xenolith.seed", System.nanoTime());
        System.out.println("SchedulingTest seed " + seed);
        domains = new Domains(Scheduler.ofHost(3));
        Scheduler scheduler = domains.scheduler();
        CpuPool pool = scheduler.createPool("work", kind);
        for (int cpu = 1; cpu <= 2; cpu++) {
            scheduler.removeCpu(scheduler.pool(0), cpu);
            scheduler.addCpu(pool, cpu);
        }
        List<Domain> busy = new ArrayList<>();
        List<Domain> sleepers = new ArrayList<>();
        List<HostPort> ports = new ArrayList<>();
        for (int id = 1; id <= 4; id++) {
            Domain domain = domain(id, 1, Worker::new);
            domain.scheduling().moveTo(pool);
            if (id <= 2) {
                busy.add(domain);
            } else {
                worker(domain).sleeps = true;
                ports.add(domain.eventChannels().bindHost(domain.eventChannels().allocUnbound(0), () -> {}));
                sleepers.add(domain);
            }
        }
        busy.forEach(Domain::start);
        sleepers.forEach(Domain::start);
        SplittableRandom random = new SplittableRandom(seed);
        List<Domain> all = new ArrayList<>(busy);
        all.addAll(sleepers);
        for (int i = 0; i < 400; i++) {
            for (int s = 0; s < sleepers.size(); s++) {
                Worker sleeper = worker(sleepers.get(s));
                int before = sleeper.served;
                await("sleep", () -> Raw.getByte(((Vcpu) sleeper.world()).vcpuInfo()) == 0);
                ports.get(s).notifyGuest();
                if (random.nextBoolean()) {
                    await("wake-up " + i + ", seed " + seed, () -> sleeper.served > before);
                }
            }
            Domain any = all.get(random.nextInt(all.size()));
            switch (random.nextInt(8)) {
                case 0 -> {
                    any.pause();
                    any.unpause();
                }
                case 1 -> {
                    try {
                        any.scheduling().moveTo(any.scheduling().pool() == pool ? scheduler.pool(0) : pool);
                    } catch (SchedulingException e) {
                        assertThat(e.errno()).as("reservations do not fit").isEqualTo(Errno.ENOSPC);
                    }
                }
                case 2 -> {
                    int cpu = random.nextInt(3);
                    try {
                        any.scheduling().setAffinity(0, CpuSet.of(cpu), null);
                    } catch (SchedulingException e) {
                        any.scheduling().setAffinity(0, CpuSet.first(3), null);
                    }
                }
                default -> {
                    // Most of the time, let them run.
                }
            }
        }
        assertThat(most.get()).isBetween(1, 3);
        for (Domain domain : busy) {
            long before = running(domain);
            await("progress", () -> running(domain) > before);
        }
        Domain gone = busy.getFirst();
        gone.destroy();
        assertThat(scheduler.pools()).noneMatch(p -> p.domainIds().contains(gone.id()));
    }

    @Test
    void oneCpuIsNeverHeldByTwo() {
        domains = new Domains(Scheduler.ofHost(1));
        List<Domain> busy = new ArrayList<>();
        for (int id = 1; id <= 3; id++) {
            busy.add(domain(id, 1, Worker::new));
        }
        busy.forEach(Domain::start);
        for (Domain domain : busy) {
            await("a turn of " + domain, () -> running(domain) > 20_000_000);
        }
        assertThat(most.get()).isEqualTo(1);
        // Whoever waits is runnable, and that is what the guest is told is stolen.
        for (Domain domain : busy) {
            assertThat(domain.vcpus().getFirst().runstate()[2 + RunstateInfo.RUNNABLE])
                    .isGreaterThan(20_000_000);
            assertThat(domain.vcpus().getFirst().runstate()[2 + RunstateInfo.BLOCKED])
                    .isZero();
        }
        for (Domain domain : busy) {
            long[] runstate = domain.vcpus().getFirst().runstate();
            assertThat(domain.vcpus().getFirst().cpuNanos()).isGreaterThanOrEqualTo(runstate[2]);
        }
    }

    @Test
    void aDomainThatWaitsForACpuIsPausedAndDestroyedAtOnce() {
        domains = new Domains(Scheduler.ofHost(1));
        Domain runs = domain(1, 1, Worker::new);
        Domain waits = domain(2, 1, Worker::new);
        runs.scheduling().setCredit2(new Credit2Parameters(65535, 0));
        waits.scheduling().setCredit2(new Credit2Parameters(1, 1));
        runs.start();
        waits.start();
        Vcpu vcpu = waits.vcpus().getFirst();
        await("somebody to wait", () -> vcpu.runstate()[0] == RunstateInfo.RUNNABLE);
        waits.pause();
        await("its thread to notice", () -> vcpu.runstate()[0] == RunstateInfo.OFFLINE);
        long before = vcpu.runstate()[2];
        long other = running(runs);
        await("the other one", () -> running(runs) > other + 5_000_000);
        assertThat(vcpu.runstate()[2]).isEqualTo(before);
        waits.unpause();
        await("it to be back", () -> vcpu.runstate()[0] != RunstateInfo.OFFLINE);
        waits.destroy();
        assertThat(domains.scheduler().pool(0).domainIds()).containsExactly(1);
    }

    @Test
    void aGuestSeesHowLongItHadToWait() {
        domains = new Domains(Scheduler.ofHost(1));
        Domain domain = domain(1, 1, Worker::new);
        Worker engine = worker(domain);
        engine.then(e -> call(e, HypercallNumber.VM_ASSIST, 0, 5));
        long pointer = 0x3000;
        TestHost.write(domain, pointer, 8, 0x4000);
        engine.then(e -> call(e, HypercallNumber.VCPU_OP, VcpuOp.REGISTER_RUNSTATE_MEMORY_AREA, 0, pointer));
        domain.scheduling().setCredit2(new Credit2Parameters(256, 20));
        domain.start();
        long runnable = 0x4000 + RunstateInfo.TIME + 8 * RunstateInfo.RUNNABLE;
        await("stolen time", () -> TestHost.read(domain, runnable, 8) > 100_000_000);
        domain.pause();
        Vcpu vcpu = domain.vcpus().getFirst();
        await("its thread to notice", () -> vcpu.runstate()[0] == RunstateInfo.OFFLINE);
        long[] told = vcpu.runstate();
        for (int state = 0; state < 3; state++) {
            assertThat(TestHost.read(domain, 0x4000 + RunstateInfo.TIME + 8 * state, 8))
                    .as("state %d", state)
                    .isEqualTo(told[2 + state]);
        }
        assertThat(TestHost.read(domain, 0x4000 + RunstateInfo.STATE, 4)).isEqualTo(RunstateInfo.OFFLINE);
        assertThat(TestHost.read(domain, 0x4000 + RunstateInfo.ENTRY_TIME, 8)).isEqualTo(told[1]);
    }

    private static VcpuExit call(FakeEngine engine, int number, long... arguments) {
        int[] registers = {VcpuState.RDI, VcpuState.RSI, VcpuState.RDX};
        for (int i = 0; i < arguments.length; i++) {
            engine.state().setGpr(registers[i], arguments[i]);
        }
        engine.state().setGpr(VcpuState.RAX, number);
        return VcpuExit.Hypercall.INSTANCE;
    }

    @Test
    void yieldingLetsTheOtherRun() {
        domains = new Domains(Scheduler.ofHost(1));
        domains.scheduler().pool(0).setRatelimitMicros(500_000);
        Domain first = domain(1, 1, (state, world, memory) -> new FakeEngine(state, world, memory) {
            @Override
            public VcpuExit run(long budget) {
                return call(this, HypercallNumber.SCHED_OP, SchedOp.YIELD, 0);
            }
        });
        Domain second = domain(2, 1, (state, world, memory) -> new FakeEngine(state, world, memory) {
            @Override
            public VcpuExit run(long budget) {
                return call(this, HypercallNumber.SCHED_OP, SchedOp.YIELD, 0);
            }
        });
        first.start();
        second.start();
        // In turns long before the rate limit would end one.
        await("turns", () -> running(first) > 1_000_000 && running(second) > 1_000_000);
    }

    @Test
    void inVirtualTimeNobodyWaitsForACpu() {
        domains = new Domains(Scheduler.ofHost(1));
        Domain other = domain(1, 1, Worker::new);
        VirtualClock clock = new VirtualClock(1_000_000_000L, 0);
        DomainParts parts = new DomainParts(
                machine,
                domains,
                Worker::new,
                SimpleController::new,
                (leaf, subleaf, result) -> {},
                clock,
                () -> 4,
                (bytes, offset, length) -> {},
                null);
        Domain domain = new Domain(DomainSettings.pvh(2, "virtual", 1, 64), parts);
        domains.add(domain);
        domain.memory().populate(0, 16);
        TestHost.enterLongMode(domain.vcpus().getFirst().state());
        other.start();
        domain.start();
        Vcpu vcpu = domain.vcpus().getFirst();
        await("turns of both", () -> vcpu.cpuNanos() > 30_000_000 && running(other) > 30_000_000);
        domain.pause();
        long[] runstate = vcpu.runstate();
        assertThat(runstate[0]).isEqualTo(RunstateInfo.RUNNING);
        assertThat(runstate[2]).isEqualTo(vcpu.state().retired());
        assertThat(runstate[3] + runstate[4] + runstate[5]).isZero();
    }
}
