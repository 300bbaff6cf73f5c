package org.xenolith.abi;

/**
 * How to turn a time-stamp counter into nanoseconds of system time ({@value #SIZE} bytes).
 *
 * <pre>
 *    0 u32 version          odd while the hypervisor updates the structure
 *    8 u64 tsc_timestamp    counter at the last update
 *   16 u64 system_time      nanoseconds at the last update
 *   24 u32 tsc_to_system_mul
 *   28 s8  tsc_shift
 *   29 u8  flags
 * </pre>
 *
 * <p>{@code ns = system_time + ((tsc - tsc_timestamp) << tsc_shift) * tsc_to_system_mul >> 32}, where a negative shift is
 * a shift to the right and the product has 96 bits. A reader repeats until it saw the same even version before and after.
 */
public final class VcpuTimeInfo {
    public static final int VERSION = 0;
    public static final int TSC_TIMESTAMP = 8;
    public static final int SYSTEM_TIME = 16;
    public static final int TSC_TO_SYSTEM_MUL = 24;
    public static final int TSC_SHIFT = 28;
    public static final int FLAGS = 29;
    public static final int SIZE = 32;

    /** Flag: the counters of all virtual CPUs agree, so user space may use them without asking. */
    public static final int TSC_STABLE = 1;
    /** Flag: the guest was stopped for a while. */
    public static final int GUEST_STOPPED = 2;

    private VcpuTimeInfo() {}
}
