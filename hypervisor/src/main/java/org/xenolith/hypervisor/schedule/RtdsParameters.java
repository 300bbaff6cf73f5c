package org.xenolith.hypervisor.schedule;

import org.xenolith.abi.Errno;

/**
 * What a virtual CPU gets in a pool with {@link SchedulerKind#RTDS}: {@code budget} of CPU time in each {@code period}.
 *
 * @param periodMicros at least {@value #MIN_MICROS}
 * @param budgetMicros at least {@value #MIN_MICROS}, at most the period
 * @param extratime whether it may run beyond its budget when CPUs would be idle otherwise
 */
public record RtdsParameters(long periodMicros, long budgetMicros, boolean extratime) {
    public static final long MIN_MICROS = 10;
    /** What Xen's interface can carry: 32 bits. */
    public static final long MAX_MICROS = 0xffffffffL;

    /** What a virtual CPU has that nothing was said about: 4 of 10 ms. */
    public static final RtdsParameters DEFAULT = new RtdsParameters(10_000, 4_000, true);

    void check() {
        if (periodMicros < MIN_MICROS || periodMicros > MAX_MICROS) {
            throw new SchedulingException(
                    Errno.EINVAL,
                    "a period of " + periodMicros + " us: it must be " + MIN_MICROS + " to " + MAX_MICROS + " us");
        }
        if (budgetMicros < MIN_MICROS || budgetMicros > periodMicros) {
            throw new SchedulingException(
                    Errno.EINVAL,
                    "a budget of " + budgetMicros + " us: it must be " + MIN_MICROS + " us to the period, which is "
                            + periodMicros + " us");
        }
    }

    /** The part of a CPU that is reserved, 0..1. */
    public double utilization() {
        return (double) budgetMicros / periodMicros;
    }
}
