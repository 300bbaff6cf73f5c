package org.xenolith.hypervisor.time;

import org.xenolith.abi.SharedInfo;
import org.xenolith.abi.VcpuTimeInfo;
import org.xenolith.memory.Raw;

/**
 * Writes the clock into memory that a guest reads, in the layouts of {@link VcpuTimeInfo} and {@link SharedInfo}.
 *
 * <p>The version is odd while a record changes. Writers of one record must exclude each other; all stores are volatile, so
 * that readers on other host threads see them in order.
 */
public final class SystemTimeRecord {
    private SystemTimeRecord() {}

    /** The content of a record: 32 bytes as four little-endian words, without the version. */
    public static long[] sample(DomainClock clock) {
        TscScale scale = clock.scale();
        long now = clock.now();
        long rates =
                scale.multiplier() & 0xffffffffL | (scale.shift() & 0xffL) << 32 | (long) VcpuTimeInfo.TSC_STABLE << 40;
        return new long[] {0, scale.ticks(now), now, rates};
    }

    /** Writes a time record at a host address aligned to 8. */
    public static void write(long address, DomainClock clock) {
        long[] words = sample(clock);
        int version = Raw.getInt(address) & ~1;
        Raw.putIntVolatile(address, version + 1);
        Raw.putLongVolatile(address + VcpuTimeInfo.TSC_TIMESTAMP, words[1]);
        Raw.putLongVolatile(address + VcpuTimeInfo.SYSTEM_TIME, words[2]);
        Raw.putLongVolatile(address + VcpuTimeInfo.TSC_TO_SYSTEM_MUL, words[3]);
        Raw.putIntVolatile(address, version + 2);
    }

    /** Writes the wall clock into a shared info page. */
    public static void writeWallClock(long sharedInfo, DomainClock clock) {
        long seconds = Math.floorDiv(clock.epoch(), 1_000_000_000L);
        int version = Raw.getInt(sharedInfo + SharedInfo.WC_VERSION) & ~1;
        Raw.putIntVolatile(sharedInfo + SharedInfo.WC_VERSION, version + 1);
        Raw.putIntVolatile(sharedInfo + SharedInfo.WC_SEC, (int) seconds);
        Raw.putIntVolatile(sharedInfo + SharedInfo.WC_NSEC, (int) Math.floorMod(clock.epoch(), 1_000_000_000L));
        Raw.putIntVolatile(sharedInfo + SharedInfo.WC_SEC_HI, (int) (seconds >>> 32));
        Raw.putIntVolatile(sharedInfo + SharedInfo.WC_VERSION, version + 2);
    }
}
