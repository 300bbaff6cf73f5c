package org.xenolith.cpu.core;

import org.xenolith.cpu.VcpuState;
import org.xenolith.memory.Raw;

/**
 * The arithmetic flags, held lazily in three words of a {@link Cpu}.
 *
 * <pre>
 *   flagResult  the result, sign-extended from its width: ZF is result == 0
 *   flagCarry   bit 63: CF; OF is bit 63 xor bit 62 (the carry out of, and into, the sign position)
 *   flagAux     bit 4: AF; bit 63 is xored into the sign of the result for SF; bits 8..15 are xored into the
 *               result's low byte before its parity gives PF. The last two are zero after ordinary arithmetic.
 * </pre>
 *
 * So an addition costs a handful of moves and nobody ever dispatches on "what was the last operation", while POPF can
 * still set any combination. Widths are log2 of bytes: 0 byte, 1 word, 2 dword, 3 qword.
 */
public final class Flags {
    public static final long CF = 1;
    public static final long PF = 1 << 2;
    public static final long AF = 1 << 4;
    public static final long ZF = 1 << 6;
    public static final long SF = 1 << 7;
    public static final long TF = 1 << 8;
    public static final long IF = 1 << 9;
    public static final long DF = 1 << 10;
    public static final long OF = 1 << 11;
    public static final long IOPL = 3 << 12;
    public static final long NT = 1 << 14;
    public static final long RF = 1 << 16;
    public static final long VM = 1 << 17;
    public static final long AC = 1 << 18;
    public static final long VIF = 1 << 19;
    public static final long VIP = 1 << 20;
    public static final long ID = 1 << 21;
    /** The six flags that arithmetic changes. */
    public static final long ARITHMETIC = CF | PF | AF | ZF | SF | OF;

    private Flags() {}

    /** Sign-extends a value of width {@code w}. */
    public static long signExtend(int w, long value) {
        int shift = 64 - (8 << w);
        return value << shift >> shift;
    }

    /** Zero-extends a value of width {@code w}. */
    public static long zeroExtend(int w, long value) {
        int shift = 64 - (8 << w);
        return value << shift >>> shift;
    }

    /** After {@code r = a + b (+ carry)}; operands need not be clean above their width. */
    public static void add(Cpu c, int w, long r, long a, long b) {
        c.flagResult = signExtend(w, r);
        c.flagCarry = (a & b | (a | b) & ~r) << 64 - (8 << w);
        c.flagAux = (a ^ b ^ r) & AF;
    }

    /** After {@code r = a - b (- borrow)}. */
    public static void sub(Cpu c, int w, long r, long a, long b) {
        c.flagResult = signExtend(w, r);
        c.flagCarry = (~a & b | (~a | b) & r) << 64 - (8 << w);
        c.flagAux = (a ^ b ^ r) & AF;
    }

    /** After AND, OR, XOR, TEST: CF and OF clear, AF (undefined) clear. */
    public static void logic(Cpu c, int w, long r) {
        c.flagResult = signExtend(w, r);
        c.flagCarry = 0;
        c.flagAux = 0;
    }

    /** Result flags from {@code r}, and CF and OF as given; AF clear. For shifts and multiplications. */
    public static void result(Cpu c, int w, long r, boolean cf, boolean of) {
        c.flagResult = signExtend(w, r);
        c.flagAux = 0;
        setCarryOverflow(c, cf, of);
    }

    /** Replaces CF and OF and leaves the others. */
    public static void setCarryOverflow(Cpu c, boolean cf, boolean of) {
        c.flagCarry = (cf ? 1L << 63 : 0) ^ (cf != of ? 1L << 62 : 0);
    }

    /** Replaces CF and leaves the others. */
    public static void setCf(Cpu c, boolean cf) {
        setCarryOverflow(c, cf, of(c));
    }

    public static boolean cf(Cpu c) {
        return c.flagCarry < 0;
    }

    public static boolean zf(Cpu c) {
        return c.flagResult == 0;
    }

    public static boolean sf(Cpu c) {
        return (c.flagResult ^ c.flagAux) < 0;
    }

    public static boolean of(Cpu c) {
        return (c.flagCarry ^ c.flagCarry << 1) < 0;
    }

    public static boolean pf(Cpu c) {
        int low = (int) (c.flagResult ^ c.flagAux >>> 8) & 0xff;
        low ^= low >>> 4;
        return (0x9669 >>> (low & 15) & 1) != 0;
    }

    public static boolean af(Cpu c) {
        return (c.flagAux & AF) != 0;
    }

    /** CF as 0 or 1. */
    public static long carry(Cpu c) {
        return c.flagCarry >>> 63;
    }

    /** The condition of Jcc, SETcc, CMOVcc: {@code cc} is the low nibble of the opcode. */
    public static boolean condition(Cpu c, int cc) {
        boolean value = switch (cc >>> 1) {
            case 0 -> of(c);
            case 1 -> cf(c);
            case 2 -> zf(c);
            case 3 -> cf(c) | zf(c);
            case 4 -> sf(c);
            case 5 -> pf(c);
            case 6 -> sf(c) != of(c);
            default -> zf(c) | sf(c) != of(c);
        };
        return value != ((cc & 1) != 0);
    }

    /** The six arithmetic flags at their places in rflags. */
    public static long arithmetic(Cpu c) {
        return (cf(c) ? CF : 0)
                | (pf(c) ? PF : 0)
                | (c.flagAux & AF)
                | (zf(c) ? ZF : 0)
                | (sf(c) ? SF : 0)
                | (of(c) ? OF : 0);
    }

    /** Takes the six arithmetic flags from an rflags value. */
    public static void setArithmetic(Cpu c, long rflags) {
        boolean zf = (rflags & ZF) != 0;
        boolean sf = (rflags & SF) != 0;
        boolean pf = (rflags & PF) != 0;
        c.flagResult = zf ? 0 : 1;
        // The parity of 0 is even (PF set), that of 1 is odd: xor one bit in where PF should differ.
        long parityDelta = pf != zf ? 1L << 8 : 0;
        c.flagAux = rflags & AF | parityDelta | (sf ? 1L << 63 : 0);
        setCarryOverflow(c, (rflags & CF) != 0, (rflags & OF) != 0);
    }

    /** The complete rflags value. */
    public static long get(Cpu c) {
        return Raw.getLong(c.base + VcpuState.RFLAGS) & ~ARITHMETIC | arithmetic(c);
    }

    /** Sets the complete rflags value (bit 1 is forced to one, reserved bits to zero). */
    public static void set(Cpu c, long rflags) {
        Raw.putLong(c.base + VcpuState.RFLAGS, rflags & 0x3F7FD5L | 2);
        setArithmetic(c, rflags);
        if ((rflags & TF) != 0) {
            c.state.raise(VcpuState.EVENT_STEP);
        }
    }
}
