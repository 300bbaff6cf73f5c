package org.xenolith.cpu.semantics;

import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Flags;
import org.xenolith.cpu.core.GuestFault;

/** Decimal adjustment, outside 64-bit mode only. */
public final class Decimal {
    private static final int AX = VcpuState.RAX * 8;

    private Decimal() {}

    public static void daa(Cpu c, int w) {
        adjust(c, 1);
    }

    public static void das(Cpu c, int w) {
        adjust(c, -1);
    }

    private static void adjust(Cpu c, int sign) {
        int old = (int) c.get(0, AX);
        boolean oldCarry = Flags.cf(c);
        int al = old;
        boolean carry = false;
        boolean adjust = (old & 15) > 9 || Flags.af(c);
        if (adjust) {
            al += 6 * sign;
            carry = oldCarry || al < 0 || al > 0xff;
        }
        if (old > 0x99 || oldCarry) {
            al += 0x60 * sign;
            carry = true;
        }
        c.put(0, AX, al);
        Flags.result(c, 0, al, carry, false);
        c.flagAux = adjust ? Flags.AF : 0;
    }

    public static void aaa(Cpu c, int w) {
        asciiAdjust(c, 0x106);
    }

    public static void aas(Cpu c, int w) {
        asciiAdjust(c, -0x106);
    }

    private static void asciiAdjust(Cpu c, int delta) {
        long ax = c.get(1, AX);
        boolean adjust = (ax & 15) > 9 || Flags.af(c);
        if (adjust) {
            ax += delta;
        }
        c.put(1, AX, ax & 0xff0f);
        Flags.result(c, 0, ax & 15, adjust, false);
        c.flagAux = adjust ? Flags.AF : 0;
    }

    public static void aam(Cpu c, int w, long base) {
        long divisor = base & 0xff;
        if (divisor == 0) {
            throw c.fault(GuestFault.DE);
        }
        long al = c.get(0, AX);
        c.put(1, AX, al / divisor << 8 | al % divisor);
        Flags.logic(c, 0, al % divisor);
    }

    public static void aad(Cpu c, int w, long base) {
        long ax = c.get(1, AX);
        long al = (ax & 0xff) + (ax >>> 8) * (base & 0xff) & 0xff;
        c.put(1, AX, al);
        Flags.logic(c, 0, al);
    }
}
