package org.xenolith.cpu.core;

import org.xenolith.cpu.VcpuState;
import org.xenolith.memory.Raw;

/**
 * Segment and system descriptors in the GDT and the LDT (Intel SDM vol. 3, 3.4.5).
 *
 * <p>A descriptor is passed around as its raw 8 bytes; the accessors give its fields, access rights in the format of
 * {@link VcpuState}.
 */
public final class Descriptors {
    /** Bits of access rights. */
    public static final int ACCESSED = 1;

    public static final int WRITABLE = 2;
    /** Code segments: readable. */
    public static final int READABLE = 2;
    /** Code segments: conforming; data segments: expand down. */
    public static final int CONFORMING = 4;

    public static final int CODE = 8;
    /** Code or data, not a system descriptor. */
    public static final int SEGMENT = 0x10;

    public static final int PRESENT = 0x80;
    public static final int LONG = 0x2000;
    public static final int BIG = 0x4000;

    /** System descriptor types. */
    public static final int TSS_16 = 1;

    public static final int LDT = 2;
    public static final int TSS_16_BUSY = 3;
    public static final int CALL_GATE_16 = 4;
    public static final int TASK_GATE = 5;
    public static final int INTERRUPT_GATE_16 = 6;
    public static final int TRAP_GATE_16 = 7;
    public static final int TSS_32 = 9;
    public static final int TSS_32_BUSY = 11;
    public static final int CALL_GATE_32 = 12;
    public static final int INTERRUPT_GATE_32 = 14;
    public static final int TRAP_GATE_32 = 15;

    private Descriptors() {}

    public static long base(long d) {
        return d >>> 16 & 0xffffff | d >>> 32 & 0xff000000L;
    }

    /** Limit in bytes, after scaling. */
    public static int limit(long d) {
        int limit = (int) (d & 0xffff | d >>> 32 & 0xf0000);
        return (d >>> 55 & 1) != 0 ? limit << 12 | 0xfff : limit;
    }

    public static int access(long d) {
        return (int) (d >>> 40) & 0xF0FF;
    }

    public static int dpl(long d) {
        return (int) (d >>> 45) & 3;
    }

    public static boolean present(long d) {
        return (d >>> 47 & 1) != 0;
    }

    /** Code or data. */
    public static boolean isSegment(long d) {
        return (d >>> 44 & 1) != 0;
    }

    public static boolean isCode(long d) {
        return (d >>> 43 & 3) == 3;
    }

    public static boolean isWritableData(long d) {
        return (d >>> 41 & 0xd) == 9;
    }

    public static boolean isConforming(long d) {
        return (d >>> 42 & 1) != 0;
    }

    /** The type field of a system descriptor, or -1 for code and data. */
    public static int systemType(long d) {
        return isSegment(d) ? -1 : (int) (d >>> 40) & 15;
    }

    public static boolean isLong(long d) {
        return (d >>> 53 & 1) != 0;
    }

    public static boolean isBig(long d) {
        return (d >>> 54 & 1) != 0;
    }

    /** Offset of a gate: 16 or 32 bits. */
    public static long gateOffset(long d) {
        return (d >>> 43 & 1) == 0 ? d & 0xffff : d & 0xffff | d >>> 32 & 0xffff0000L;
    }

    public static int gateSelector(long d) {
        return (int) (d >>> 16) & 0xffff;
    }

    /** True for the null selectors 0..3. */
    public static boolean isNull(int selector) {
        return (selector & 0xfffc) == 0;
    }

    /** Error code that names a selector. */
    public static int error(int selector) {
        return selector & 0xfffc;
    }

    /** Linear address of a selector's descriptor, or -1 when {@code bytes} bytes of it are beyond the table's limit. */
    public static long address(Cpu c, int selector, int bytes) {
        long table;
        long limit;
        if ((selector & 4) == 0) {
            table = c.control(VcpuState.GDTR_BASE);
            limit = Raw.getInt(c.base + VcpuState.GDTR_LIMIT) & 0xffff;
        } else {
            if ((c.state.access(VcpuState.LDTR) & VcpuState.UNUSABLE) != 0) {
                return -1;
            }
            table = c.state.segmentBase(VcpuState.LDTR);
            limit = c.state.segmentLimit(VcpuState.LDTR) & 0xffffffffL;
        }
        int offset = selector & 0xfff8;
        return offset + bytes - 1 > limit ? -1 : c.wrapLinear(table + offset);
    }

    /** Reads the descriptor of a selector that is not null; raises {@code vector} with it beyond the table. */
    public static long fetch(Cpu c, int selector, int vector) {
        long at = address(c, selector, 8);
        if (at == -1) {
            throw c.fault(vector, error(selector));
        }
        return c.systemLoad(3, at);
    }

    /** Reads the upper half of a 16-byte descriptor (long mode). */
    public static long fetchUpper(Cpu c, int selector, int vector) {
        long at = address(c, selector, 16);
        if (at == -1) {
            throw c.fault(vector, error(selector));
        }
        return c.systemLoad(3, at + 8);
    }

    /** Sets the accessed bit in the table and in the value returned. May fault: to be called before a commit. */
    public static long markAccessed(Cpu c, int selector, long d) {
        if ((d >>> 40 & ACCESSED) == 0) {
            setType(c, selector, (int) (d >>> 40) & 0xff | ACCESSED);
        }
        return d | (long) ACCESSED << 40;
    }

    /** Rewrites the byte of type, S, DPL and P in the table. */
    public static void setType(Cpu c, int selector, int accessByte) {
        long at = address(c, selector, 8);
        c.systemStore(0, c.wrapLinear(at + 5), accessByte);
    }

    /** True when an address is canonical for 48 bits. */
    public static boolean canonical(long va) {
        return va << 16 >> 16 == va;
    }
}
