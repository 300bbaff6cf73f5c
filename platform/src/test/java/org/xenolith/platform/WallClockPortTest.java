package org.xenolith.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;
import org.xenolith.hypervisor.PortBus;
import org.xenolith.hypervisor.time.HostClock;

class WallClockPortTest {
    private final PortBus ports = new PortBus();

    @Test
    void eightBytesAreTheTimeAtWhichTheFirstWasRead() throws InterruptedException {
        ports.attach(WallClockPort.FIRST, WallClockPort.COUNT, new WallClockPort(new HostClock()));
        long before = System.currentTimeMillis();
        long time = ports.read(WallClockPort.FIRST, 1);
        Thread.sleep(5);
        for (int i = 1; i < 8; i++) {
            time |= (long) ports.read(WallClockPort.FIRST + i, 1) << i * 8;
        }
        assertThat(time / 1_000_000).isCloseTo(before, within(2000L));
        long wide =
                ports.read(WallClockPort.FIRST, 4) & 0xffffffffL | (long) ports.read(WallClockPort.FIRST + 4, 4) << 32;
        assertThat(wide).isGreaterThan(time);
        ports.write(WallClockPort.FIRST, 1, 5);
        assertThat(ports.read(WallClockPort.FIRST + WallClockPort.COUNT, 1)).isEqualTo(0xFF);
    }
}
