package org.xenolith.platform;

import org.xenolith.hypervisor.PortBus;
import org.xenolith.hypervisor.time.DomainClock;

/**
 * Eight read-only ports that show the wall clock: nanoseconds since 1970 UTC, little endian. Reading the first port latches
 * the value that all eight show, so that a guest reads them in order (in Linux: eight bytes of {@code /dev/port}).
 *
 * <p>Why: Linux reads the time from Xen once, early, and counts timer ticks until it switches to a proper clock source. On a
 * slow processor it loses ticks, and the time that passes before its first tick. An init that wants the right time sets
 * the clock from here.
 */
public final class WallClockPort implements PortBus.PortDevice {
    /** First port of eight; nothing on a PC has ever lived there. */
    public static final int FIRST = 0xE0;

    public static final int COUNT = 8;

    private final DomainClock clock;
    private long latched;

    /** The ports of a domain. */
    public WallClockPort(DomainClock clock) {
        this.clock = clock;
    }

    @Override
    public synchronized int read(int offset, int bytes) {
        if (offset == 0) {
            latched = clock.epoch() + clock.now();
        }
        return (int) (latched >>> offset * 8);
    }

    @Override
    public void write(int offset, int bytes, int value) {
        // Read-only.
    }
}
