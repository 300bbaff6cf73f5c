package org.xenolith.platform;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongConsumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.xenolith.cpu.Engine;
import org.xenolith.cpu.LinearMemory;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.VcpuState;
import org.xenolith.hypervisor.Domain;
import org.xenolith.hypervisor.DomainParts;
import org.xenolith.hypervisor.DomainSettings;
import org.xenolith.hypervisor.Domains;
import org.xenolith.hypervisor.Vcpu;
import org.xenolith.hypervisor.time.DomainClock;
import org.xenolith.hypervisor.time.TscScale;
import org.xenolith.memory.MachineMemory;

@Timeout(30)
class LocalApicTest {
    private static final int X2 = 0x800;
    private static final int TPR = 0x08;
    private static final int PPR = 0x0A;
    private static final int EOI = 0x0B;
    private static final int SVR = 0x0F;
    private static final int ISR = 0x10;
    private static final int IRR = 0x20;
    private static final int ESR = 0x28;
    private static final int ICR = 0x30;
    private static final int LVT_TIMER = 0x32;
    private static final int LVT_ERROR = 0x37;
    private static final int INITIAL = 0x38;
    private static final int CURRENT = 0x39;
    private static final int DIVIDE = 0x3E;
    private static final int SELF = 0x3F;

    private final MachineMemory machine = new MachineMemory(16 << 20);
    private final Clock clock = new Clock();
    private final Domain domain = new Domain(
            DomainSettings.pvh(1, "apic", 3, 16),
            new DomainParts(
                    machine,
                    new Domains(),
                    (state, world, memory) -> new Idle(state, new AtomicLong()),
                    LocalApic::new,
                    (leaf, subleaf, result) -> {},
                    clock,
                    () -> 0,
                    (bytes, offset, length) -> {},
                    null));
    private final Vcpu vcpu = domain.vcpus().getFirst();
    private final LocalApic apic = (LocalApic) vcpu.controller();

    /** A processor that spends its budget and takes no interrupt by itself. */
    private record Idle(VcpuState state, AtomicLong runs) implements Engine {
        @Override
        public VcpuExit run(long budget) {
            runs.incrementAndGet();
            return VcpuExit.BudgetSpent.INSTANCE;
        }

        @Override
        public void flushTlb() {
            // No TLB.
        }

        @Override
        public void forEachWritableFrame(LongConsumer hostFrame) {
            // No TLB.
        }

        @Override
        public void invalidateFrame(long gfn) {
            // No cache.
        }

        @Override
        public LinearMemory linear() {
            throw new UnsupportedOperationException("no hypercalls here");
        }

        @Override
        public String name() {
            return "idle";
        }

        @Override
        public String statistics() {
            return runs + " runs\n";
        }
    }

    private static final class Clock implements DomainClock {
        private volatile long now = 1;

        @Override
        public long now() {
            return now;
        }

        @Override
        public TscScale scale() {
            return TscScale.of(2_000_000_000L);
        }

        @Override
        public long epoch() {
            return 0;
        }

        @Override
        public long budget(long deadline) {
            return 1;
        }

        @Override
        public void idle(long deadline) {
            LockSupport.parkNanos(100_000);
        }

        @Override
        public Alarm alarm(Runnable action) {
            return new Alarm() {
                @Override
                public void set(long deadline) {
                    // The budget is short.
                }

                @Override
                public void close() {
                    // Nothing to stop.
                }
            };
        }
    }

    @AfterEach
    void tearDown() {
        domain.destroy();
        machine.close();
    }

    private void enableX2() {
        enableX2(vcpu);
    }

    private static void enableX2(Vcpu target) {
        long[] base = new long[1];
        assertThat(target.readMsr(0x1B, base)).isTrue();
        assertThat(target.writeMsr(0x1B, base[0] | 1 << 10)).isTrue();
        assertThat(target.writeMsr(X2 + SVR, 0x1FF)).isTrue();
    }

    private long read(int register) {
        long[] value = new long[1];
        assertThat(vcpu.readMsr(X2 + register, value))
                .as("register 0x%x", register)
                .isTrue();
        return value[0];
    }

    private boolean write(int register, long value) {
        return vcpu.writeMsr(X2 + register, value);
    }

    private long page(int register) {
        return vcpu.mmioRead(LocalApic.DEFAULT_BASE + register * 16L, 4);
    }

    private void page(int register, long value) {
        vcpu.mmioWrite(LocalApic.DEFAULT_BASE + register * 16L, 4, value);
    }

    @Test
    void identifiersAreTwiceTheVirtualCpus() {
        assertThat(page(2)).isZero();
        Vcpu second = domain.vcpus().get(1);
        assertThat(second.mmioRead(LocalApic.DEFAULT_BASE + 0x20, 4)).isEqualTo(2 << 24);
        enableX2(second);
        long[] value = new long[1];
        assertThat(second.readMsr(X2 + 2, value)).isTrue();
        assertThat(value[0]).isEqualTo(2);
        assertThat(second.readMsr(X2 + 0xD, value)).isTrue();
        assertThat(value[0]).isEqualTo(1 << 2);
        assertThat(page(3)).isEqualTo(0x50014);
    }

    @Test
    void theRegisterPageDisappearsInX2Mode() {
        assertThat(vcpu.readMsr(X2 + SVR, new long[1]))
                .as("no MSRs in xAPIC mode")
                .isFalse();
        assertThat(page(SVR)).isEqualTo(0xFF);
        enableX2();
        assertThat(page(SVR)).isEqualTo(0xffffffffL);
        assertThat(vcpu.writeMsr(0x1B, 0xFEE00900L))
                .as("back to xAPIC without going off")
                .isFalse();
        assertThat(vcpu.writeMsr(0x1B, 0xFEE00100L)).isTrue();
        assertThat(vcpu.writeMsr(0x1B, 0xFEE00D00L))
                .as("from off straight to x2APIC")
                .isFalse();
        assertThat(vcpu.writeMsr(0x1B, 0xFEE00900L)).isTrue();
        assertThat(vcpu.writeMsr(0x1B, 0xFEE00901L)).as("reserved bit").isFalse();
    }

    @Test
    void theMostUrgentInterruptGoesFirstAndHoldsBackItsClass() {
        enableX2();
        apic.raise(0x41);
        apic.raise(0x53);
        apic.raise(0x58);
        assertThat(vcpu.acknowledgeInterrupt()).isEqualTo(0x58);
        assertThat(read(PPR)).isEqualTo(0x50);
        assertThat(vcpu.acknowledgeInterrupt()).as("same class").isEqualTo(-1);
        apic.raise(0x60);
        assertThat(vcpu.acknowledgeInterrupt()).isEqualTo(0x60);
        assertThat(read(ISR + 3)).isEqualTo(1);
        assertThat(read(ISR + 2)).isEqualTo(1 << 0x18);
        assertThat(write(EOI, 0)).isTrue();
        assertThat(vcpu.acknowledgeInterrupt()).isEqualTo(-1);
        assertThat(write(EOI, 0)).isTrue();
        assertThat(vcpu.acknowledgeInterrupt()).isEqualTo(0x53);
        assertThat(write(EOI, 0)).isTrue();
        assertThat(vcpu.acknowledgeInterrupt()).isEqualTo(0x41);
        assertThat(read(IRR + 2)).isZero();
    }

    @Test
    void theTaskPriorityHoldsInterruptsBack() {
        enableX2();
        vcpu.setTaskPriority(5);
        assertThat(read(TPR)).isEqualTo(0x50);
        apic.raise(0x5F);
        assertThat(apic.pending()).isEqualTo(-1);
        assertThat(write(TPR, 0x4F)).isTrue();
        assertThat(vcpu.taskPriority()).isEqualTo(4);
        assertThat(vcpu.state().getInt(VcpuState.EVENTS) & VcpuState.EVENT_INTERRUPT)
                .isNotZero();
        assertThat(vcpu.acknowledgeInterrupt()).isEqualTo(0x5F);
        assertThat(write(TPR, 0x100)).isFalse();
    }

    @Test
    void aRequestBeforeTheApicIsEnabledIsDeliveredAfterwards() {
        apic.raise(0xF3);
        assertThat(vcpu.acknowledgeInterrupt()).isEqualTo(-1);
        page(SVR, 0x1FF);
        assertThat(vcpu.acknowledgeInterrupt()).isEqualTo(0xF3);
    }

    @Test
    void illegalX2AccessesFault() {
        enableX2();
        assertThat(write(EOI, 1)).isFalse();
        assertThat(write(ESR, 1)).isFalse();
        assertThat(write(2, 0)).as("identifier").isFalse();
        assertThat(write(3, 0)).isFalse();
        assertThat(write(PPR, 0)).isFalse();
        assertThat(write(0xE, 0)).as("DFR does not exist").isFalse();
        assertThat(write(0x31, 0)).as("upper half of ICR").isFalse();
        assertThat(write(CURRENT, 0)).isFalse();
        assertThat(write(SVR, 1L << 32)).isFalse();
        assertThat(write(SVR, 1 << 12)).isFalse();
        assertThat(write(LVT_TIMER, 1 << 20)).isFalse();
        assertThat(write(0x55, 0)).isFalse();
        for (int register : new int[] {EOI, SELF, 0xE, 0x31, 0x40, 0xFF, 0}) {
            assertThat(vcpu.readMsr(X2 + register, new long[1]))
                    .as("register 0x%x", register)
                    .isFalse();
        }
    }

    @Test
    void interprocessorInterruptsFindTheirTargets() {
        domain.vcpus().forEach(LocalApicTest::enableX2);
        LocalApic second = (LocalApic) domain.vcpus().get(1).controller();
        LocalApic third = (LocalApic) domain.vcpus().get(2).controller();
        assertThat(write(ICR, 2L << 32 | 0x70)).isTrue();
        assertThat(pending()).containsExactly(-1, 0x70, -1);
        second.acknowledge();
        assertThat(write(ICR, 3 << 18 | 0x80)).as("all but self").isTrue();
        assertThat(pending()).containsExactly(-1, 0x80, 0x80);
        second.acknowledge();
        third.acknowledge();
        assertThat(write(ICR, 2 << 18 | 0x90)).as("all").isTrue();
        assertThat(pending()).containsExactly(0x90, 0x90, 0x90);
        assertThat(write(ICR, 1 << 18 | 0xA0)).as("self").isTrue();
        assertThat(write(SELF, 0xB0)).isTrue();
        assertThat(apic.pending()).isEqualTo(0xB0);
        assertThat(write(ICR, (1L << 2 | 1L << 4) << 32 | 1 << 11 | 0xC0))
                .as("logical: both others")
                .isTrue();
        assertThat(pending()).containsExactly(0xB0, 0xC0, 0xC0);
        assertThat(write(ICR, 0xffffffffL << 32 | 0xD0)).as("broadcast").isTrue();
        assertThat(pending()).containsExactly(0xD0, 0xD0, 0xD0);
        assertThat(write(ICR, 1 << 20 | 0x70)).as("reserved bit").isFalse();
    }

    private int[] pending() {
        return domain.vcpus().stream().mapToInt(v -> v.controller().pending()).toArray();
    }

    @Test
    void lowestPriorityPicksTheIdlestProcessor() {
        domain.vcpus().forEach(LocalApicTest::enableX2);
        domain.vcpus().get(0).setTaskPriority(2);
        domain.vcpus().get(1).setTaskPriority(1);
        domain.vcpus().get(2).setTaskPriority(3);
        assertThat(write(ICR, 0xffffffffL << 32 | 1 << 8 | 0x77)).isTrue();
        assertThat(pending()).containsExactly(-1, 0x77, -1);
    }

    @Test
    void flatAndClusterDestinationsOfTheRegisterPageWork() {
        for (Vcpu target : domain.vcpus()) {
            target.mmioWrite(LocalApic.DEFAULT_BASE + 0xF0, 4, 0x1FF);
            target.mmioWrite(LocalApic.DEFAULT_BASE + 0xD0, 4, 1L << 24 + target.id());
        }
        page(0x31, 6L << 24);
        page(ICR, 1 << 11 | 0x61);
        assertThat(pending()).containsExactly(-1, 0x61, 0x61);
        page(0x31, 2L << 24);
        page(ICR, 0x71);
        assertThat(pending()).as("physical 2").containsExactly(-1, 0x71, 0x61);
        Vcpu third = domain.vcpus().get(2);
        third.mmioWrite(LocalApic.DEFAULT_BASE + 0xE0, 4, 0x0FFFFFFF);
        third.mmioWrite(LocalApic.DEFAULT_BASE + 0xD0, 4, 0x32L << 24);
        page(0x31, 0x32L << 24);
        page(ICR, 1 << 11 | 0x81);
        assertThat(third.controller().pending()).isEqualTo(0x81);
        assertThat(page(0x31)).isEqualTo(0x32L << 24);
    }

    @Test
    void aNonMaskableInterruptGoesToTheProcessor() {
        enableX2();
        assertThat(write(ICR, 2L << 32 | 4 << 8)).isTrue();
        assertThat(domain.vcpus().get(1).state().getInt(VcpuState.EVENTS) & VcpuState.EVENT_NMI)
                .isNotZero();
    }

    @Test
    void anIllegalErrorVectorIsReportedOnceAndRaisesNothing() {
        enableX2();
        assertThat(write(LVT_ERROR, 0x0F)).isTrue();
        assertThat(write(ICR, 0x0F)).isTrue();
        assertThat(write(ESR, 0)).isTrue();
        assertThat(read(ESR)).isEqualTo(1 << 5 | 1 << 6);
        assertThat(apic.pending()).isNegative();
    }

    @Test
    void illegalVectorsAreReportedInTheErrorStatus() {
        enableX2();
        assertThat(write(LVT_ERROR, 0xFE)).isTrue();
        assertThat(write(SELF, 0x05)).isTrue();
        assertThat(read(ESR)).as("latched by a write").isZero();
        assertThat(write(ESR, 0)).isTrue();
        assertThat(read(ESR)).isEqualTo(1 << 5);
        assertThat(vcpu.acknowledgeInterrupt()).isEqualTo(0xFE);
        assertThat(write(ESR, 0)).isTrue();
        assertThat(read(ESR)).isZero();
    }

    @Test
    void disablingMasksTheLocalVectorTable() {
        enableX2();
        assertThat(write(LVT_TIMER, 0x31)).isTrue();
        assertThat(write(SVR, 0xFF)).isTrue();
        assertThat(read(LVT_TIMER)).isEqualTo(1 << 16 | 0x31);
        assertThat(write(LVT_TIMER, 0x32)).isTrue();
        assertThat(read(LVT_TIMER)).as("stays masked").isEqualTo(1 << 16 | 0x32);
    }

    /** Lets time pass and the virtual CPU's thread look at its timers. */
    private void advance(long nanoseconds) throws InterruptedException {
        clock.now += nanoseconds;
        AtomicLong runs = ((Idle) vcpu.engine()).runs();
        long before = runs.get();
        domain.unpause();
        while (runs.get() < before + 2) {
            Thread.sleep(1);
        }
        domain.pause();
    }

    private void startPaused() {
        domain.start();
        domain.pause();
    }

    @Test
    void aOneShotTimerCountsDownAndFiresOnce() throws Exception {
        startPaused();
        enableX2();
        assertThat(write(DIVIDE, 3)).as("by 16").isTrue();
        assertThat(write(LVT_TIMER, 0x40)).isTrue();
        assertThat(write(INITIAL, 1000)).isTrue();
        assertThat(read(CURRENT)).isEqualTo(1000);
        advance(8000);
        assertThat(read(CURRENT)).isEqualTo(500);
        assertThat(apic.pending()).isEqualTo(-1);
        advance(8000);
        assertThat(read(CURRENT)).isZero();
        assertThat(vcpu.acknowledgeInterrupt()).isEqualTo(0x40);
        assertThat(write(EOI, 0)).isTrue();
        advance(100_000);
        assertThat(apic.pending()).isEqualTo(-1);
    }

    @Test
    void aPeriodicTimerKeepsItsGrid() throws Exception {
        startPaused();
        enableX2();
        assertThat(write(DIVIDE, 0xB)).as("by 1").isTrue();
        assertThat(write(LVT_TIMER, 1 << 17 | 0x40)).isTrue();
        assertThat(write(INITIAL, 10_000)).isTrue();
        advance(10_500);
        assertThat(vcpu.acknowledgeInterrupt()).isEqualTo(0x40);
        assertThat(write(EOI, 0)).isTrue();
        assertThat(read(CURRENT)).isEqualTo(9500);
        advance(9_000);
        assertThat(apic.pending()).isEqualTo(-1);
        advance(500);
        assertThat(apic.pending()).isEqualTo(0x40);
        assertThat(write(INITIAL, 0)).isTrue();
        apic.acknowledge();
        assertThat(write(EOI, 0)).isTrue();
        advance(50_000);
        assertThat(apic.pending()).isEqualTo(-1);
    }

    @Test
    void theDeadlineModeFollowsTheTimeStampCounter() throws Exception {
        startPaused();
        enableX2();
        long[] value = new long[1];
        assertThat(vcpu.writeMsr(0x6E0, 100)).as("ignored in other modes").isTrue();
        assertThat(vcpu.readMsr(0x6E0, value)).isTrue();
        assertThat(value[0]).isZero();
        assertThat(write(LVT_TIMER, 2 << 17 | 0x40)).isTrue();
        assertThat(vcpu.writeMsr(0x6E0, vcpu.timeStampCounter() + 20_000)).isTrue();
        advance(9_000);
        assertThat(apic.pending()).isEqualTo(-1);
        advance(1_000);
        assertThat(apic.pending()).isEqualTo(0x40);
        assertThat(vcpu.readMsr(0x6E0, value)).isTrue();
        assertThat(value[0]).isZero();
    }

    @Test
    void narrowReadsOfTheRegisterPageSeeItsBytes() {
        assertThat(vcpu.mmioRead(LocalApic.DEFAULT_BASE + 0x30, 1)).isEqualTo(0x14);
        assertThat(vcpu.mmioRead(LocalApic.DEFAULT_BASE + 0x32, 1)).isEqualTo(5);
        assertThat(vcpu.mmioRead(LocalApic.DEFAULT_BASE + 0x34, 4)).isZero();
        vcpu.mmioWrite(LocalApic.DEFAULT_BASE + 0xF1, 1, 1);
        assertThat(page(SVR)).isEqualTo(0xFF);
    }
}
