package org.xenolith.hypervisor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.xenolith.abi.Errno;
import org.xenolith.abi.HypercallNumber;
import org.xenolith.abi.RunstateInfo;
import org.xenolith.abi.VcpuInfo;
import org.xenolith.abi.VcpuOp;
import org.xenolith.abi.VcpuTimeInfo;
import org.xenolith.hypervisor.time.DomainClock;
import org.xenolith.hypervisor.time.HostClock;
import org.xenolith.hypervisor.time.TscScale;
import org.xenolith.hypervisor.time.VirtualClock;
import org.xenolith.memory.Raw;

class TimeTest {
    private static final long[] FREQUENCIES = {
        1_000_000,
        10_000_000,
        999_999_999,
        1_000_000_000,
        1_000_000_001,
        2_399_999_000L,
        3_700_000_000L,
        10_000_000_000L
    };

    /** The guest's formula in exact arithmetic. */
    private static long guestNanoseconds(long ticks, long multiplier, int shift) {
        BigInteger delta = BigInteger.valueOf(ticks);
        delta = shift >= 0 ? delta.shiftLeft(shift) : delta.shiftRight(-shift);
        return delta.multiply(BigInteger.valueOf(multiplier)).shiftRight(32).longValueExact();
    }

    @Test
    void theScaleIsTheGuestsFormula() {
        long seed = System.nanoTime();
        System.out.println("seed " + seed);
        Random random = new Random(seed);
        for (long frequency : FREQUENCIES) {
            TscScale scale = TscScale.of(frequency);
            long multiplier = scale.multiplier() & 0xffffffffL;
            assertThat(multiplier).isGreaterThanOrEqualTo(1L << 31);
            for (int i = 0; i < 1000; i++) {
                long ticks = random.nextLong(1L << random.nextInt(10, 50));
                assertThat(scale.nanoseconds(ticks)).isEqualTo(guestNanoseconds(ticks, multiplier, scale.shift()));
            }
            long day = 86_400L * frequency;
            assertThat((double) scale.nanoseconds(day)).isCloseTo(86_400e9, within(86_400e9 / 1e8));
            assertThat(scale.ticks(86_400_000_000_000L)).isEqualTo(day);
        }
    }

    @Test
    void linuxDerivesTheRightFrequencyFromTheRecord() {
        for (long frequency : FREQUENCIES) {
            TscScale scale = TscScale.of(frequency);
            long kilohertz = Long.divideUnsigned(1_000_000L << 32, scale.multiplier() & 0xffffffffL);
            kilohertz = scale.shift() < 0 ? kilohertz << -scale.shift() : kilohertz >> scale.shift();
            assertThat(kilohertz).isCloseTo(frequency / 1000, within(Math.max(1, frequency / 1000 / 1_000_000)));
        }
    }

    @Test
    void oneGigahertzIsExact() {
        TscScale scale = TscScale.of(1_000_000_000L);
        assertThat(scale.nanoseconds(Long.MAX_VALUE >>> 1)).isEqualTo(Long.MAX_VALUE >>> 1);
        assertThat(scale.multiplier()).isEqualTo(0x80000000);
        assertThat(scale.shift()).isEqualTo(1);
    }

    @Test
    void frequenciesOutOfRangeAreRefused() {
        assertThatThrownBy(() -> TscScale.of(0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> TscScale.of(-5)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void theHostClockRunsWithTheHost() throws InterruptedException {
        HostClock clock = new HostClock(2_500_000_000L);
        long wall = System.currentTimeMillis();
        long ticks = clock.timeStampCounter();
        long start = clock.now();
        Thread.sleep(50);
        long passed = clock.now() - start;
        assertThat(passed).isBetween(50_000_000L, 5_000_000_000L);
        assertThat(clock.timeStampCounter() - ticks).isGreaterThanOrEqualTo(passed / 1000 * 2500);
        assertThat((clock.epoch() + start) / 1_000_000).isCloseTo(wall, within(1000L));
    }

    @Test
    void anAlarmRingsWhenItsTimeComesAndNotWhenItWasMoved() throws InterruptedException {
        HostClock clock = new HostClock();
        AtomicLong rang = new AtomicLong();
        try (DomainClock.Alarm late = clock.alarm(() -> rang.set(-1));
                DomainClock.Alarm alarm = clock.alarm(() -> rang.compareAndSet(0, clock.now()))) {
            late.set(clock.now() + 3_600_000_000_000L);
            long due = clock.now() + 20_000_000;
            alarm.set(due + 3_600_000_000_000L);
            alarm.set(due);
            for (int i = 0; i < 500 && rang.get() == 0; i++) {
                Thread.sleep(10);
            }
            assertThat(rang.get()).isGreaterThanOrEqualTo(due);
            alarm.set(DomainClock.NEVER);
        }
    }

    @Test
    void virtualTimeIsAFunctionOfRetiredInstructions() {
        VirtualClock clock = new VirtualClock(50_000_000, 0);
        AtomicLong retired = new AtomicLong();
        clock.follow(retired::get);
        retired.set(50_000_000L * 3 + 50);
        assertThat(clock.now()).isEqualTo(3_000_001_000L);
        long budget = clock.budget(4_000_000_000L);
        retired.addAndGet(budget);
        assertThat(clock.now()).isBetween(4_000_000_000L, 4_000_000_020L);
        clock.idle(9_000_000_000L);
        assertThat(clock.now()).isBetween(9_000_000_000L, 9_000_000_020L);
        assertThat(clock.budget(0)).as("a deadline that has passed").isEqualTo(1);
        assertThat(clock.budget(DomainClock.NEVER)).isEqualTo(Long.MAX_VALUE);
    }

    @Test
    void theTimeRecordIsValidFromTheFirstRead() {
        try (TestHost host = new TestHost()) {
            ManualClock clock = new ManualClock(2_000_000_000L);
            clock.now = 5_000;
            Domain domain = host.domain(1, 1, clock);
            long record = domain.sharedInfo() + VcpuInfo.TIME;
            assertThat(record(record)).containsExactly(2, 10_000, 5_000);
            assertThat(Raw.getByte(record + VcpuTimeInfo.FLAGS)).isEqualTo((byte) 1);
            // Later, by the guest's formula.
            clock.now = 123_456_789;
            long now = Raw.getLong(record + 16)
                    + clock.scale().nanoseconds(clock.timeStampCounter() - Raw.getLong(record + 8));
            assertThat(now).isEqualTo(clock.now);
        }
    }

    private static long[] record(long address) {
        return new long[] {Raw.getInt(address), Raw.getLong(address + 8), Raw.getLong(address + 16)};
    }

    @Test
    void aSecondTimeRecordMayCrossAPage() {
        try (TestHost host = new TestHost()) {
            Domain domain = host.domain(1, 1);
            for (long address : new long[] {0x5000, 0x5000 + 4096 - 12, 0x5000 + 4096 - 16, 0x5003}) {
                long pointer = TestHost.struct(domain, 8, b -> b.putLong(0, address));
                assertThat(TestHost.call(
                                domain, HypercallNumber.VCPU_OP, VcpuOp.REGISTER_VCPU_TIME_MEMORY_AREA, 0, pointer))
                        .isZero();
                byte[] bytes = new byte[32];
                assertThat(domain.memory().map().read(address, bytes, 0, 32)).isTrue();
                ByteBuffer b = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
                assertThat(b.getInt(0) & 1).isZero();
                assertThat(b.getLong(16)).isEqualTo(host.clock.now);
                assertThat(b.getInt(24)).isEqualTo(0x80000000);
                assertThat(b.get(28)).isEqualTo((byte) 1);
            }
        }
    }

    @Test
    void runstateTimesAddUpToTheTimeThatPassed() {
        try (TestHost host = new TestHost()) {
            Domain domain = host.domain(1, 1);
            long pointer = TestHost.struct(domain, 8, b -> b.putLong(0, 0x6000));
            assertThat(TestHost.call(domain, HypercallNumber.VCPU_OP, VcpuOp.REGISTER_RUNSTATE_MEMORY_AREA, 0, pointer))
                    .isZero();
            assertThat(TestHost.read(domain, 0x6000, 4)).isEqualTo(RunstateInfo.OFFLINE);
            host.clock.now = 9_001_000;
            assertThat(TestHost.call(domain, HypercallNumber.VCPU_OP, VcpuOp.GET_RUNSTATE_INFO, 0, 0x7000))
                    .isZero();
            assertThat(TestHost.read(domain, 0x7000 + 16 + 8 * RunstateInfo.OFFLINE, 8))
                    .isEqualTo(9_000_000);
            long bad = TestHost.struct(domain, 8, b -> b.putLong(0, 1L << 40));
            assertThat(TestHost.call(domain, HypercallNumber.VCPU_OP, VcpuOp.REGISTER_RUNSTATE_MEMORY_AREA, 0, bad))
                    .isEqualTo(-Errno.EFAULT);
        }
    }
}
