package org.xenolith.hypervisor;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.xenolith.abi.Errno;
import org.xenolith.abi.HvmParam;
import org.xenolith.abi.HypercallNumber;
import org.xenolith.abi.RunstateInfo;
import org.xenolith.abi.SchedOp;
import org.xenolith.abi.ShutdownReason;
import org.xenolith.abi.VcpuOp;
import org.xenolith.abi.Virq;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.VcpuState;
import org.xenolith.hypervisor.events.HostPort;
import org.xenolith.hypervisor.time.DomainClock;
import org.xenolith.hypervisor.time.HostClock;
import org.xenolith.memory.Raw;

@Timeout(30)
class VcpuTest {
    private static final long VECTOR_CALLBACK = 2L << 56 | 0xF3;

    private final TestHost host = new TestHost();

    @AfterEach
    void tearDown() {
        host.close();
    }

    private static void await(BooleanSupplier condition) throws InterruptedException {
        long end = System.nanoTime() + 20_000_000_000L;
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("time is up").isLessThan(end);
            Thread.sleep(1);
        }
    }

    /** A program step that makes a hypercall. */
    private static VcpuExit hypercall(FakeEngine engine, int number, long... arguments) {
        int[] registers = {VcpuState.RDI, VcpuState.RSI, VcpuState.RDX};
        for (int i = 0; i < arguments.length; i++) {
            engine.state().setGpr(registers[i], arguments[i]);
        }
        engine.state().setGpr(VcpuState.RAX, number);
        return VcpuExit.Hypercall.INSTANCE;
    }

    private static VcpuExit halt(FakeEngine engine, boolean interrupts) {
        engine.state().setRflags(interrupts ? 0x202 : 2);
        return VcpuExit.Halt.INSTANCE;
    }

    @Test
    void haltingWithInterruptsOffOnTheLastProcessorPowersOff() throws Exception {
        Domain domain = host.domain(1, 2);
        TestHost.engine(domain).then(engine -> halt(engine, false));
        domain.start();
        ShutdownDetail end = domain.shutdownFuture().get(10, TimeUnit.SECONDS);
        assertThat(end.reason()).isEqualTo(ShutdownReason.POWEROFF);
        assertThat(end.message()).isEmpty();
    }

    @Test
    void aTripleFaultEndsTheDomainWithALine() throws Exception {
        Domain domain = host.domain(1, 1);
        TestHost.engine(domain).then(engine -> new VcpuExit.TripleFault("no IDT"));
        domain.start();
        ShutdownDetail end = domain.shutdownFuture().get(10, TimeUnit.SECONDS);
        assertThat(end).hasToString("crash: triple fault: no IDT");
    }

    @Test
    void aDefectOfOursCrashesTheDomainAndSaysSo() throws Exception {
        Domain domain = host.domain(1, 1);
        TestHost.engine(domain).then(engine -> {
            throw new IllegalStateException("oops");
        });
        domain.start();
        ShutdownDetail end = domain.shutdownFuture().get(10, TimeUnit.SECONDS);
        assertThat(end.reason()).isEqualTo(ShutdownReason.CRASH);
        assertThat(end.message()).contains("defect in Xenolith").contains("oops");
        assertThat(end.cause()).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void anEventWakesAHaltedProcessorThroughTheCallbackVector() throws Exception {
        Domain domain = host.domain(1, 1, new HostClock());
        domain.setHvmParam(HvmParam.CALLBACK_IRQ, VECTOR_CALLBACK);
        HostPort port = domain.eventChannels().bindHost(domain.eventChannels().allocUnbound(0), () -> {});
        FakeEngine engine = TestHost.engine(domain);
        engine.then(e -> halt(e, true));
        domain.start();
        Vcpu vcpu = domain.vcpus().getFirst();
        await(() -> vcpu.runstate()[0] == RunstateInfo.BLOCKED);
        port.notifyGuest();
        await(() -> !engine.interrupts.isEmpty());
        assertThat(engine.interrupts).containsExactly(0xF3);
        assertThat(vcpu.runstate()[2 + RunstateInfo.BLOCKED]).isPositive();
    }

    @Test
    void theCallbackVectorIsDeliveredAgainUntilTheGuestTakesTheUpcall() {
        Domain domain = host.domain(1, 1);
        domain.setHvmParam(HvmParam.CALLBACK_IRQ, VECTOR_CALLBACK);
        Vcpu vcpu = domain.vcpus().getFirst();
        assertThat(vcpu.acknowledgeInterrupt()).isEqualTo(-1);
        vcpu.markEventsPending();
        assertThat(vcpu.acknowledgeInterrupt()).isEqualTo(0xF3);
        assertThat(vcpu.state().getInt(VcpuState.EVENTS) & VcpuState.EVENT_INTERRUPT)
                .isNotZero();
        assertThat(vcpu.acknowledgeInterrupt()).isEqualTo(0xF3);
        TestHost.takeUpcall(vcpu);
        assertThat(vcpu.acknowledgeInterrupt()).isEqualTo(-1);
        assertThat(vcpu.state().getInt(VcpuState.EVENTS) & VcpuState.EVENT_INTERRUPT)
                .isZero();
    }

    @Test
    void theUpcallVectorGoesThroughTheInterruptControllerOnceForEachAnnouncement() {
        Domain domain = host.domain(1, 1);
        Vcpu vcpu = domain.vcpus().getFirst();
        long pointer = TestHost.struct(domain, 8, b -> b.putInt(0, 0).put(4, (byte) 0xF3));
        assertThat(TestHost.call(domain, HypercallNumber.HVM_OP, 23, pointer)).isZero();
        domain.setHvmParam(HvmParam.CALLBACK_IRQ, 1);
        vcpu.markEventsPending();
        vcpu.markEventsPending();
        assertThat(vcpu.acknowledgeInterrupt()).isEqualTo(0xF3);
        assertThat(vcpu.acknowledgeInterrupt()).isEqualTo(-1);
        TestHost.struct(domain, 8, b -> b.put(4, (byte) 0xF));
        assertThat(TestHost.call(domain, HypercallNumber.HVM_OP, 23, pointer)).isEqualTo(-Errno.EINVAL);
        TestHost.struct(domain, 8, b -> b.putInt(0, 1).put(4, (byte) 0xF3));
        assertThat(TestHost.call(domain, HypercallNumber.HVM_OP, 23, pointer)).isEqualTo(-Errno.ENOENT);
    }

    @Test
    void aSingleshotTimerFiresAtItsDeadlineWhileTheGuestRuns() throws Exception {
        singleshot(false);
    }

    @Test
    void aSingleshotTimerWakesAHaltedGuest() throws Exception {
        singleshot(true);
    }

    private void singleshot(boolean halted) throws Exception {
        HostClock clock = new HostClock();
        Domain domain = host.domain(1, 1, clock);
        domain.setHvmParam(HvmParam.CALLBACK_IRQ, VECTOR_CALLBACK);
        int port = domain.eventChannels().bindVirq(Virq.TIMER, 0);
        FakeEngine engine = TestHost.engine(domain);
        AtomicLong due = new AtomicLong();
        engine.then(e -> {
            due.set(clock.now() + 300_000_000);
            long pointer =
                    TestHost.struct(domain, 16, b -> b.putLong(0, due.get()).putInt(8, 1));
            return hypercall(e, HypercallNumber.VCPU_OP, VcpuOp.SET_SINGLESHOT_TIMER, 0, pointer);
        });
        AtomicLong result = new AtomicLong(1);
        engine.then(e -> {
            result.set(e.state().gpr(VcpuState.RAX));
            e.state().setRflags(0x202);
            return halted ? VcpuExit.Halt.INSTANCE : VcpuExit.BudgetSpent.INSTANCE;
        });
        domain.start();
        await(() -> !engine.interrupts.isEmpty());
        assertThat(result).hasValue(0);
        assertThat(clock.now()).isGreaterThanOrEqualTo(due.get());
        assertThat(TestHost.pendingBit(domain, port)).isTrue();
    }

    @Test
    void aTimerInThePastFiresAtOnceUnlessTheFutureWasAskedFor() {
        Domain domain = host.domain(1, 1);
        host.clock.now = 1_000_000;
        long pointer = TestHost.struct(domain, 16, b -> b.putLong(0, 5).putInt(8, VcpuOp.SINGLESHOT_FUTURE));
        assertThat(TestHost.call(domain, HypercallNumber.VCPU_OP, VcpuOp.SET_SINGLESHOT_TIMER, 0, pointer))
                .isEqualTo(-Errno.ETIME);
        TestHost.struct(domain, 16, b -> b.putLong(0, 5));
        assertThat(TestHost.call(domain, HypercallNumber.VCPU_OP, VcpuOp.SET_SINGLESHOT_TIMER, 0, pointer))
                .isZero();
        TestHost.struct(domain, 8, b -> b.putLong(0, 10));
        assertThat(TestHost.call(domain, HypercallNumber.VCPU_OP, VcpuOp.SET_PERIODIC_TIMER, 0, pointer))
                .isEqualTo(-Errno.EINVAL);
    }

    @Test
    void aPeriodicTimerKeepsFiring() throws Exception {
        Domain domain = host.domain(1, 1, new HostClock());
        domain.setHvmParam(HvmParam.CALLBACK_IRQ, VECTOR_CALLBACK);
        domain.eventChannels().bindVirq(Virq.TIMER, 0);
        FakeEngine engine = TestHost.engine(domain);
        engine.then(e -> {
            long pointer = TestHost.struct(domain, 8, b -> b.putLong(0, 2_000_000));
            return hypercall(e, HypercallNumber.VCPU_OP, VcpuOp.SET_PERIODIC_TIMER, 0, pointer);
        });
        AtomicInteger ticks = new AtomicInteger();
        for (int i = 0; i < 5; i++) {
            engine.then(e -> halt(e, true));
            engine.then(e -> {
                if (e.takeInterrupt() == 0xF3
                        && TestHost.takeUpcall(domain.vcpus().getFirst())) {
                    ticks.incrementAndGet();
                    TestHost.write(domain, 0, new byte[1]);
                    Raw.fill(domain.sharedInfo() + 2048, 512, (byte) 0);
                    Raw.putLong(domain.sharedInfo() + 8, 0);
                }
                return VcpuExit.BudgetSpent.INSTANCE;
            });
        }
        domain.start();
        await(() -> ticks.get() == 5);
    }

    @Test
    void aPollEndsWithItsEventOrItsTimeout() throws Exception {
        HostClock clock = new HostClock();
        Domain domain = host.domain(1, 1, clock);
        int number = domain.eventChannels().allocUnbound(0);
        HostPort port = domain.eventChannels().bindHost(number, () -> {});
        TestHost.mask(domain, number);
        FakeEngine engine = TestHost.engine(domain);
        CountDownLatch polling = new CountDownLatch(1);
        CountDownLatch first = new CountDownLatch(1);
        CountDownLatch second = new CountDownLatch(1);
        engine.then(e -> {
            TestHost.write(domain, 0x4000, 4, number);
            long pointer = TestHost.struct(domain, 24, b -> b.putLong(0, 0x4000).putInt(8, 1));
            polling.countDown();
            return hypercall(e, HypercallNumber.SCHED_OP, SchedOp.POLL, pointer);
        });
        engine.then(e -> {
            first.countDown();
            Raw.fill(domain.sharedInfo() + 2048, 512, (byte) 0);
            long timeout = clock.now() + 10_000_000;
            long pointer = TestHost.struct(
                    domain, 24, b -> b.putLong(0, 0x4000).putInt(8, 1).putLong(16, timeout));
            return hypercall(e, HypercallNumber.SCHED_OP, SchedOp.POLL, pointer);
        });
        engine.then(e -> {
            second.countDown();
            return VcpuExit.BudgetSpent.INSTANCE;
        });
        domain.start();
        assertThat(polling.await(10, TimeUnit.SECONDS)).isTrue();
        assertThat(first.await(30, TimeUnit.MILLISECONDS))
                .as("nothing has happened yet")
                .isFalse();
        port.notifyGuest();
        assertThat(first.await(10, TimeUnit.SECONDS)).isTrue();
        assertThat(second.await(10, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void aPollOfABadPortFails() {
        Domain domain = host.domain(1, 1);
        TestHost.write(domain, 0x4000, 4, 77);
        long pointer = TestHost.struct(domain, 24, b -> b.putLong(0, 0x4000).putInt(8, 1));
        assertThat(TestHost.call(domain, HypercallNumber.SCHED_OP, SchedOp.POLL, pointer))
                .isEqualTo(-Errno.EINVAL);
        TestHost.struct(domain, 24, b -> b.putLong(0, 0x4000).putInt(8, 129));
        assertThat(TestHost.call(domain, HypercallNumber.SCHED_OP, SchedOp.POLL, pointer))
                .isEqualTo(-Errno.EINVAL);
    }

    @Test
    void aPausedDomainRunsNothing() throws Exception {
        Domain domain = host.domain(1, 1);
        domain.start();
        VcpuState state = domain.vcpus().getFirst().state();
        await(() -> state.retired() > 10_000);
        domain.pause();
        long at = state.retired();
        Thread.sleep(20);
        assertThat(state.retired()).isEqualTo(at);
        domain.unpause();
        await(() -> state.retired() > at);
    }

    @Test
    void aStartupInterruptStartsAProcessorInRealModeAtItsVector() throws Exception {
        Domain domain = host.domain(1, 2);
        Vcpu second = domain.vcpus().get(1);
        CountDownLatch started = new CountDownLatch(1);
        ((FakeEngine) second.engine()).then(e -> {
            started.countDown();
            return VcpuExit.BudgetSpent.INSTANCE;
        });
        domain.start();
        assertThat(started.await(20, TimeUnit.MILLISECONDS)).isFalse();
        assertThat(second.isDown()).isTrue();
        second.requestInit();
        second.requestStartup(0x9A);
        assertThat(started.await(10, TimeUnit.SECONDS)).isTrue();
        domain.pause();
        assertThat(second.isDown()).isFalse();
        assertThat(second.state().selector(VcpuState.CS)).isEqualTo(0x9A00);
        assertThat(second.state().segmentBase(VcpuState.CS)).isEqualTo(0x9A000);
        assertThat(second.state().getLong(VcpuState.CR0) & 1).isZero();
        domain.unpause();
    }

    @Test
    void noStartupInterruptIsLostHoweverCloseItFollowsInit() throws Exception {
        Domain domain = host.domain(1, 2);
        Vcpu second = domain.vcpus().get(1);
        domain.start();
        for (int vector = 1; vector < 300; vector++) {
            int expected = vector << 8 & 0xffff;
            second.requestInit();
            second.requestStartup(expected >> 8);
            await(() -> !second.isDown() && second.state().selector(VcpuState.CS) == expected);
        }
    }

    @Test
    void aProcessorThatSpinsLeavesTheGuestToLetOthersRun() {
        Domain domain = host.domain(1, 2);
        Vcpu vcpu = domain.vcpus().getFirst();
        for (int i = 0; i < 31; i++) {
            vcpu.pause();
        }
        assertThat(vcpu.state().getInt(VcpuState.EVENTS) & VcpuState.EVENT_EXIT).isZero();
        vcpu.pause();
        assertThat(vcpu.state().getInt(VcpuState.EVENTS) & VcpuState.EVENT_EXIT).isNotZero();
    }

    @Test
    void aLoneProcessorSpinsWithoutLeavingTheGuest() {
        Domain domain = host.domain(1, 1);
        Vcpu vcpu = domain.vcpus().getFirst();
        for (int i = 0; i < 1000; i++) {
            vcpu.pause();
        }
        assertThat(vcpu.state().getInt(VcpuState.EVENTS) & VcpuState.EVENT_EXIT).isZero();
    }

    @Test
    void bringingUpAProcessorThatIsUpDoesNotWakeIt() throws Exception {
        Domain domain = host.domain(1, 2, new HostClock());
        TestHost.engine(domain).then(e -> halt(e, true));
        domain.start();
        Vcpu first = domain.vcpus().getFirst();
        await(() -> first.runstate()[0] == RunstateInfo.BLOCKED);
        first.comeUp();
        assertThat(first.state().getInt(VcpuState.ACTIVITY)).isEqualTo(VcpuState.HALTED);
    }

    @Test
    void whoeverLooksAtADomainThatStopsFindsAllProcessorsOutside() throws Exception {
        Domain domain = host.domain(1, 2);
        CountDownLatch inside = new CountDownLatch(1);
        Vcpu second = domain.vcpus().get(1);
        ((FakeEngine) second.engine()).then(e -> {
            inside.countDown();
            return VcpuExit.BudgetSpent.INSTANCE;
        });
        boolean[] outside = new boolean[1];
        domain.shutdownFuture().thenAccept(end -> outside[0] = domain.awaitOutside(20_000_000_000L));
        second.requestInit();
        second.requestStartup(1);
        TestHost.engine(domain).then(e -> {
            try {
                inside.await();
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
            return new VcpuExit.TripleFault("told to");
        });
        domain.start();
        domain.shutdownFuture().get(20, TimeUnit.SECONDS);
        await(() -> outside[0]);
    }

    @Test
    void eventsFromBeforeTheStartAreAnnouncedAfterIt() throws Exception {
        Domain domain = host.domain(1, 2);
        Vcpu second = domain.vcpus().get(1);
        second.setUpcallVector(0xF3);
        second.markEventsPending();
        domain.start();
        second.requestInit();
        await(() -> second.controller().pending() == -1);
        second.requestStartup(0x9A);
        await(() -> second.controller().pending() == 0xF3);
    }

    @Test
    void aVirtualCpuStartsInTheStateThatItWasInitialisedWith() throws Exception {
        Domain domain = host.domain(1, 2);
        Vcpu second = domain.vcpus().get(1);
        second.state().setInt(VcpuState.ACTIVITY, VcpuState.WAIT_FOR_SIPI);
        long pointer = TestHost.struct(
                domain,
                128,
                b -> b.putInt(0, 1)
                        .putLong(8 + 3 * 8, 0xB0B)
                        .putLong(8 + 8 * 8, 0xFFFFFFFF81000000L)
                        .putLong(8 + 10 * 8, 0x80000001L)
                        .putLong(8 + 11 * 8, 0x5000)
                        .putLong(8 + 12 * 8, 0x20)
                        .putLong(8 + 13 * 8, 0x500));
        assertThat(TestHost.call(domain, HypercallNumber.VCPU_OP, VcpuOp.INITIALISE, 1, pointer))
                .isZero();
        assertThat(TestHost.call(domain, HypercallNumber.VCPU_OP, VcpuOp.INITIALISE, 1, pointer))
                .isEqualTo(-Errno.EEXIST);
        assertThat(TestHost.call(domain, HypercallNumber.VCPU_OP, VcpuOp.INITIALISE, 0, pointer))
                .isEqualTo(-Errno.EEXIST);
        assertThat(TestHost.call(domain, HypercallNumber.VCPU_OP, VcpuOp.IS_UP, 1, 0))
                .isZero();
        assertThat(TestHost.call(domain, HypercallNumber.VCPU_OP, VcpuOp.UP, 1, 0))
                .isZero();
        assertThat(second.isDown()).isFalse();
        assertThat(second.state().in64BitMode()).isTrue();
        assertThat(second.state().rip()).isEqualTo(0xFFFFFFFF81000000L);
        assertThat(second.state().gpr(VcpuState.RBX)).isEqualTo(0xB0B);
        assertThat(second.state().cpl()).isZero();
    }

    @Test
    void aStateThatNoProcessorCanBeInIsRefused() {
        Domain domain = host.domain(1, 2);
        domain.vcpus().get(1).state().setInt(VcpuState.ACTIVITY, VcpuState.WAIT_FOR_SIPI);
        long pointer = TestHost.struct(domain, 128, b -> b.putInt(0, 2));
        assertThat(TestHost.call(domain, HypercallNumber.VCPU_OP, VcpuOp.INITIALISE, 1, pointer))
                .isEqualTo(-Errno.EINVAL);
        TestHost.struct(domain, 128, b -> b.putInt(0, 1));
        assertThat(TestHost.call(domain, HypercallNumber.VCPU_OP, VcpuOp.INITIALISE, 1, pointer))
                .as("64-bit without long mode")
                .isEqualTo(-Errno.EINVAL);
        assertThat(TestHost.call(domain, HypercallNumber.VCPU_OP, VcpuOp.UP, 1, 0))
                .isEqualTo(-Errno.EINVAL);
    }

    @Test
    void virtualCpusTellWhetherTheyAreUp() {
        Domain domain = host.domain(1, 2);
        assertThat(TestHost.call(domain, HypercallNumber.VCPU_OP, VcpuOp.IS_UP, 0, 0))
                .isEqualTo(1);
        assertThat(TestHost.call(domain, HypercallNumber.VCPU_OP, VcpuOp.IS_UP, 1, 0))
                .isZero();
        assertThat(TestHost.call(domain, HypercallNumber.VCPU_OP, VcpuOp.IS_UP, 2, 0))
                .isEqualTo(-Errno.ENOENT);
        assertThat(TestHost.call(domain, HypercallNumber.VCPU_OP, VcpuOp.UP, 1, 0))
                .isEqualTo(-Errno.EINVAL);
    }

    @Test
    void aWatchdogThatNobodyServesStopsTheDomain() throws Exception {
        HostClock clock = new HostClock();
        Domain domain = host.domain(1, 1, clock);
        FakeEngine engine = TestHost.engine(domain);
        engine.then(e -> {
            long pointer = TestHost.struct(domain, 8, b -> b.putInt(4, 1));
            return hypercall(e, HypercallNumber.SCHED_OP, SchedOp.WATCHDOG, pointer);
        });
        domain.start();
        assertThat(domain.shutdownFuture().get(10, TimeUnit.SECONDS).reason()).isEqualTo(ShutdownReason.WATCHDOG);
        assertThat(clock.now()).isGreaterThanOrEqualTo(1_000_000_000L);
    }

    @Test
    void watchdogsAreNumberedAndLimited() {
        Domain domain = host.domain(1, 1);
        assertThat(watchdog(domain, 0, 0)).isEqualTo(-Errno.EINVAL);
        assertThat(watchdog(domain, 1, 5)).isEqualTo(-Errno.EINVAL);
        assertThat(watchdog(domain, 0, 5)).isEqualTo(1);
        assertThat(watchdog(domain, 0, 5)).isEqualTo(2);
        assertThat(watchdog(domain, 0, 5)).isEqualTo(-Errno.ENOSPC);
        assertThat(watchdog(domain, 1, 0)).isZero();
        assertThat(watchdog(domain, 3, 1)).isEqualTo(-Errno.EINVAL);
        assertThat(watchdog(domain, 0, 5)).isEqualTo(1);
    }

    private long watchdog(Domain domain, int id, int seconds) {
        long pointer = TestHost.struct(domain, 8, b -> b.putInt(0, id).putInt(4, seconds));
        return TestHost.call(domain, HypercallNumber.SCHED_OP, SchedOp.WATCHDOG, pointer);
    }

    @Test
    void theMsrsOfAStockKernelAreThereAndOthersFault() {
        Vcpu vcpu = host.domain(1, 1).vcpus().getFirst();
        long[] value = new long[1];
        assertThat(vcpu.readMsr(0x2FF, value)).isTrue();
        assertThat(value[0]).isEqualTo(0x806);
        assertThat(vcpu.writeMsr(0x200, 0x123006)).isTrue();
        assertThat(vcpu.readMsr(0x200, value)).isTrue();
        assertThat(value[0]).isEqualTo(0x123006);
        assertThat(vcpu.writeMsr(0xFE, 0)).isFalse();
        assertThat(vcpu.readMsr(0x10A, value)).as("only with its CPUID bit").isFalse();
        assertThat(vcpu.readMsr(0xDEAD, value)).isFalse();
        assertThat(vcpu.writeMsr(0xDEAD, 0)).isFalse();
    }

    @Test
    void reservedBitsOfTheDefaultMemoryTypeFault() {
        Vcpu vcpu = host.domain(1, 1).vcpus().getFirst();
        assertThat(vcpu.writeMsr(0x2FF, 0xC06)).isTrue();
        assertThat(vcpu.writeMsr(0x2FF, 0x1006)).isFalse();
    }

    @Test
    void timersFireInTheOrderOfTheirDeadlines() throws Exception {
        Domain domain = host.domain(1, 1);
        StringBuffer order = new StringBuffer();
        Vcpu vcpu = domain.vcpus().getFirst();
        VcpuTimer late = vcpu.newTimer(() -> order.append("late "));
        VcpuTimer early = vcpu.newTimer(() -> order.append("early "));
        VcpuTimer never = vcpu.newTimer(() -> order.append("never "));
        late.set(3_000);
        early.set(2_000);
        never.set(2_500);
        never.cancel();
        assertThat(never.deadline()).isEqualTo(DomainClock.NEVER);
        host.clock.now = 10_000;
        domain.start();
        await(() -> order.length() >= 11);
        assertThat(order).hasToString("early late ");
    }
}
