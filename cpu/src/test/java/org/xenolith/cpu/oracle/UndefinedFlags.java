package org.xenolith.cpu.oracle;

import org.xenolith.cpu.decode.Row;

/**
 * What the manuals leave undefined: the one place that says which result bits of a case are not compared. The static
 * part is the table's {@code undef:} attribute; here are the parts that depend on operands.
 */
final class UndefinedFlags {
    private static final long OF = 0x800;
    private static final long AF = 0x10;
    private static final long CF = 1;
    private static final long ZF = 0x40;

    private UndefinedFlags() {}

    /** The rflags bits that mean nothing after a case. */
    static long mask(Row row, TestCase c) {
        long mask = row.undefinedFlags;
        if (mask == 0) {
            return 0;
        }
        String name = row.semantics;
        if (name.startsWith("Shifts.") && !row.vex) {
            int count = count(row, c);
            int bits = bits(row, c);
            if (count == 0) {
                return 0;
            }
            if (count == 1) {
                mask &= ~OF;
            }
            if (count < bits) {
                mask &= ~CF;
            }
            if (name.startsWith("Shifts.sh") && name.endsWith("d") && count <= bits) {
                mask = AF | (count == 1 ? 0 : OF);
            }
        }
        if (name.equals("Bits.bzhi") || name.equals("Bits.bextr")) {
            mask &= ~ZF;
        }
        return mask;
    }

    /** True when the destination itself is undefined: double shifts of words by more than 16. */
    static boolean destination(Row row, TestCase c) {
        String name = row.semantics;
        return (name.equals("Shifts.shld") || name.equals("Shifts.shrd")) && count(row, c) > bits(row, c);
    }

    /** True when a fault may leave traces: stores that went through before it, or the MMX state entered. */
    static boolean partial(Row row) {
        return row.semantics.equals("Stack.enter")
                || row.semantics.equals("Stack.pusha")
                || row.semantics.equals("Stack.popa")
                || row.semantics.startsWith("SseMoves.maskmov");
    }

    private static int bits(Row row, TestCase c) {
        if (row.operands.getFirst().size() == 'b') {
            return 8;
        }
        return rexW(c) ? 64 : prefix(c, 0x66) ? 16 : 32;
    }

    private static int count(Row row, TestCase c) {
        boolean byRegister = row.operands.getLast().text().equals("CL");
        boolean one = row.operands.getLast().text().equals("1");
        int count = one ? 1 : byRegister ? (int) c.in.gpr[1] : c.code[c.code.length - 1];
        return count & (rexW(c) ? 63 : 31);
    }

    private static boolean rexW(TestCase c) {
        for (byte b : c.code) {
            if (CaseGenerator.isPrefix(b & 0xff)) {
                continue;
            }
            return c.mode == 3 && (b & 0xF8) == 0x48;
        }
        return false;
    }

    private static boolean prefix(TestCase c, int prefix) {
        for (byte b : c.code) {
            if ((b & 0xff) == prefix) {
                return true;
            }
            if (!CaseGenerator.isPrefix(b & 0xff)) {
                return false;
            }
        }
        return false;
    }
}
