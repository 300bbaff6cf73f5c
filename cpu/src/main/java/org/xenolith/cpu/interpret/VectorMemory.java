package org.xenolith.cpu.interpret;

import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.decode.Mem;
import org.xenolith.memory.Raw;

/** Memory operands of vector operations. Sizes and rules come from the callers' constants, so the branches fold away. */
final class VectorMemory {
    /** Larger operands are checked for alignment by their instruction's own rule, never by rflags.AC. */
    private static final int LARGEST_CHECKED = 8;

    private VectorMemory() {}

    /**
     * Host address of an operand's bytes: the guest's memory itself, or a copy at {@code spare} when that is not one piece
     * of memory.
     */
    static long source(Cpu c, Mem mem, int bytes, boolean aligned, long spare) {
        long va = mem.linear(c, bytes, false);
        if (aligned && (va & bytes - 1) != 0) {
            throw c.generalProtection(0);
        }
        if (bytes <= LARGEST_CHECKED) {
            c.requireAlignment(va, bytes);
        }
        long host = c.readable(va, bytes);
        if (host == 0) {
            c.loadBytes(va, spare, bytes);
            return spare;
        }
        return host;
    }

    /** Stores a result that lies at {@code from}. */
    static void store(Cpu c, Mem mem, int bytes, boolean aligned, long from) {
        long va = mem.linear(c, bytes, true);
        if (aligned && (va & bytes - 1) != 0) {
            throw c.generalProtection(0);
        }
        if (bytes <= LARGEST_CHECKED) {
            c.requireAlignment(va, bytes);
        }
        long host = c.writable(va, bytes);
        if (host == 0) {
            c.storeBytes(va, from, bytes);
            return;
        }
        switch (bytes) {
            case 1 -> Raw.putByte(host, Raw.getByte(from));
            case 2 -> Raw.putShort(host, Raw.getShort(from));
            case 4 -> Raw.putInt(host, Raw.getInt(from));
            default -> {
                for (int i = 0; i < bytes; i += 8) {
                    Raw.putLong(host + i, Raw.getLong(from + i));
                }
            }
        }
    }
}
