package org.xenolith.cpu.semantics;

import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Flags;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.softfloat.F80;
import org.xenolith.cpu.softfloat.F80Convert;
import org.xenolith.memory.Raw;

/**
 * x87 loads, stores, constants, exchanges and conditional moves. A last argument {@code pop} is 1 for the popping form.
 */
public final class X87Moves {
    /** Significands rounded down, and sign-and-exponent words, of 1, log2(10), log2(e), pi, log10(2), ln(2), 0. */
    private static final long[] CONSTANT_SIG = {
        0x8000000000000000L,
        0xD49A784BCD1B8AFEL,
        0xB8AA3B295C17F0BBL,
        0xC90FDAA22168C234L,
        0x9A209A84FBCFF798L,
        0xB17217F7D1CF79ABL,
        0
    };

    private static final int[] CONSTANT_SE = {0x3FFF, 0x4000, 0x3FFF, 0x4000, 0x3FFD, 0x3FFE, 0};

    private X87Moves() {}

    // ---------------------------------------------------------------- loads

    private static void load(Cpu c, Insn i, long sig, int se, int denormal) {
        X87.note(c, i);
        if (X87.pushOverflows(c)) {
            return;
        }
        int flags = F80Convert.load(X87.fcw(c) | denormal, sig, se, X87.st(c, 7));
        if ((flags & F80.NO_RESULT) == 0) {
            X87.push(c);
        }
        X87.finish(c, flags);
    }

    /** FLD m32. */
    public static void fld32(Cpu c, Insn i) {
        X87.begin(c);
        int bits = (int) c.load32(i.mem.linear(c, 4, false));
        load(c, i, F80Convert.singleSig(bits), F80Convert.singleSe(bits), F80Convert.singleDenormal(bits));
    }

    /** FLD m64. */
    public static void fld64(Cpu c, Insn i) {
        X87.begin(c);
        long bits = c.load64(i.mem.linear(c, 8, false));
        load(c, i, F80Convert.doubleSig(bits), F80Convert.doubleSe(bits), F80Convert.doubleDenormal(bits));
    }

    private static void push(Cpu c, Insn i, long sig, int se) {
        X87.note(c, i);
        if (X87.pushOverflows(c)) {
            return;
        }
        X87.push(c);
        F80.put(X87.st(c, 0), sig, se);
        X87.finish(c, 0);
    }

    private static void loadTen(Cpu c, Insn i, long to) {
        long va = i.mem.linear(c, 10, false);
        c.requireAlignment(va, 8);
        c.loadBytes(va, to, 10);
    }

    /** FLD m80: any encoding, no exceptions but a stack fault. */
    public static void fld80(Cpu c, Insn i) {
        X87.begin(c);
        long scratch = c.scratch();
        loadTen(c, i, scratch);
        push(c, i, X87.sig(scratch), X87.se(scratch));
    }

    /** FILD m16. */
    public static void fild16(Cpu c, Insn i) {
        X87.begin(c);
        long value = (short) c.load16(i.mem.linear(c, 2, false));
        push(c, i, F80Convert.integerSig(value), F80Convert.integerSe(value));
    }

    /** FILD m32. */
    public static void fild32(Cpu c, Insn i) {
        X87.begin(c);
        long value = (int) c.load32(i.mem.linear(c, 4, false));
        push(c, i, F80Convert.integerSig(value), F80Convert.integerSe(value));
    }

    /** FILD m64. */
    public static void fild64(Cpu c, Insn i) {
        X87.begin(c);
        long value = c.load64(i.mem.linear(c, 8, false));
        push(c, i, F80Convert.integerSig(value), F80Convert.integerSe(value));
    }

    /** FBLD. */
    public static void fbld(Cpu c, Insn i) {
        X87.begin(c);
        long scratch = c.scratch();
        loadTen(c, i, scratch);
        F80Convert.loadBcd(scratch, scratch + 16);
        push(c, i, X87.sig(scratch + 16), X87.se(scratch + 16));
    }

    /** FLD ST(i). */
    public static void fld(Cpu c, Insn i) {
        X87.begin(c);
        int n = i.rm & 7;
        if (X87.empty(c, n)) {
            // Underflow wins over the overflow of a full stack.
            X87.note(c, i);
            if (X87.invalidMasked(c)) {
                X87.push(c);
                X87.indefinite(X87.st(c, 0));
            }
            X87.finish(c, F80.IE | X87.SF);
            return;
        }
        long at = X87.st(c, n);
        push(c, i, X87.sig(at), X87.se(at));
    }

    /**
     * FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2, FLDZ: rounded by the rounding control, without precision exception.
     */
    public static void constant(Cpu c, Insn i, int which) {
        X87.begin(c);
        long sig = CONSTANT_SIG[which];
        int rc = X87.fcw(c) >>> 10 & 3;
        // log2(10) is the only inexact one that lies nearer to its lower neighbour.
        if (which >= 1 && which <= 5 && (rc == 2 || rc == 0 && which != 1)) {
            sig++;
        }
        push(c, i, sig, CONSTANT_SE[which]);
    }

    // ---------------------------------------------------------------- stores

    private static void finishStore(Cpu c, int flags, int pop) {
        if (pop != 0 && (flags & F80.NO_RESULT) == 0) {
            X87.pop(c);
        }
        X87.finish(c, flags);
    }

    private static void store(Cpu c, Insn i, int kind, int bytes, int pop) {
        X87.begin(c);
        long va = i.mem.linear(c, bytes, true);
        long scratch = c.scratch();
        int cw = X87.fcw(c);
        int flags;
        if (X87.empty(c, 0)) {
            flags = F80.IE | X87.SF | ((cw & F80.IE) == 0 ? F80.NO_RESULT : 0);
            convert(cw, kind, F80.INDEFINITE_SIG, F80.INDEFINITE_SE, scratch);
        } else {
            long at = X87.st(c, 0);
            flags = convert(cw, kind, X87.sig(at), X87.se(at), scratch);
        }
        if ((flags & F80.NO_RESULT) != 0) {
            c.checkWritable(va, bytes);
        } else {
            switch (bytes) {
                case 2 -> c.store16(va, Raw.getShort(scratch));
                case 4 -> c.store32(va, Raw.getInt(scratch));
                case 8 -> c.store64(va, Raw.getLong(scratch));
                default -> {
                    c.requireAlignment(va, 8);
                    c.storeBytes(va, scratch, bytes);
                }
            }
        }
        X87.note(c, i);
        finishStore(c, flags, pop);
    }

    private static int convert(int cw, int kind, long sig, int se, long to) {
        return switch (kind) {
            case 0 -> F80Convert.storeSingle(cw, sig, se, to);
            case 1 -> F80Convert.storeDouble(cw, sig, se, to);
            case 2 -> {
                F80.put(to, sig, se);
                yield 0;
            }
            case 3 -> F80Convert.storeBcd(cw, sig, se, to);
            case 4, 5, 6 -> F80Convert.storeInteger(cw, sig, se, kind - 3, false, to);
            default -> F80Convert.storeInteger(cw, sig, se, kind - 7, true, to);
        };
    }

    /** FST and FSTP m32. */
    public static void fst32(Cpu c, Insn i, int pop) {
        store(c, i, 0, 4, pop);
    }

    /** FST and FSTP m64. */
    public static void fst64(Cpu c, Insn i, int pop) {
        store(c, i, 1, 8, pop);
    }

    /** FSTP m80. */
    public static void fstp80(Cpu c, Insn i) {
        store(c, i, 2, 10, 1);
    }

    /** FBSTP. */
    public static void fbstp(Cpu c, Insn i) {
        store(c, i, 3, 10, 1);
    }

    /** FIST and FISTP m16. */
    public static void fist16(Cpu c, Insn i, int pop) {
        store(c, i, 4, 2, pop);
    }

    /** FIST and FISTP m32. */
    public static void fist32(Cpu c, Insn i, int pop) {
        store(c, i, 5, 4, pop);
    }

    /** FISTP m64. */
    public static void fistp64(Cpu c, Insn i) {
        store(c, i, 6, 8, 1);
    }

    /** FISTTP: {@code w} is log2 of the bytes stored. */
    public static void fisttp(Cpu c, Insn i, int w) {
        store(c, i, 7 + w, 1 << w, 1);
    }

    /** FST and FSTP ST(i). */
    public static void fst(Cpu c, Insn i, int pop) {
        X87.begin(c);
        X87.note(c, i);
        int n = i.rm & 7;
        if (X87.empty(c, 0)) {
            if (X87.underflow(c, n) && pop != 0) {
                X87.pop(c);
            }
            return;
        }
        long at = X87.st(c, 0);
        F80.put(X87.st(c, n), X87.sig(at), X87.se(at));
        X87.markFull(c, n);
        finishStore(c, 0, pop);
    }

    /** D9 D8: FSTP ST(i) without stack fault; from an empty ST(0) nothing is stored. */
    public static void fstpnce(Cpu c, Insn i) {
        if (X87.empty(c, 0)) {
            X87.begin(c);
            X87.note(c, i);
            X87.pop(c);
            X87.finish(c, 0);
        } else {
            fst(c, i, 1);
        }
    }

    // ---------------------------------------------------------------- exchanges and moves between registers

    /** FXCH. */
    public static void fxch(Cpu c, Insn i) {
        X87.begin(c);
        X87.note(c, i);
        int n = i.rm & 7;
        int flags = 0;
        if (X87.empty(c, 0) || X87.empty(c, n)) {
            flags = F80.IE | X87.SF;
            if (!X87.invalidMasked(c)) {
                X87.finish(c, flags);
                return;
            }
            if (X87.empty(c, 0)) {
                X87.indefinite(X87.st(c, 0));
                X87.markFull(c, 0);
            }
            if (X87.empty(c, n)) {
                X87.indefinite(X87.st(c, n));
                X87.markFull(c, n);
            }
        }
        long a = X87.st(c, 0);
        long b = X87.st(c, n);
        long sig = X87.sig(a);
        int se = X87.se(a);
        F80.put(a, X87.sig(b), X87.se(b));
        F80.put(b, sig, se);
        X87.finish(c, flags);
    }

    /**
     * FCMOVcc: {@code condition} is the condition code of Jcc: 2 B, 4 E, 6 BE, 10 U, and their inverses. C1 stays as it
     * is.
     */
    public static void fcmov(Cpu c, Insn i, int condition) {
        X87.begin(c);
        X87.note(c, i);
        int n = i.rm & 7;
        if (X87.empty(c, 0) || X87.empty(c, n)) {
            X87.underflow(c, 0);
            return;
        }
        if (Flags.condition(c, condition)) {
            Raw.copy(X87.st(c, n), X87.st(c, 0), 10);
        }
    }
}
