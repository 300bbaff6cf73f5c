package org.xenolith.cpu.semantics;

import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.softfloat.F80;
import org.xenolith.cpu.softfloat.F80Convert;
import org.xenolith.cpu.softfloat.F80Misc;

/**
 * x87 arithmetic: FADD, FMUL, FSUB(R), FDIV(R) in all forms, FSQRT, FABS, FCHS, FPREM(1), FRNDINT, FSCALE, FXTRACT.
 *
 * <p>{@code op} is the reg field of the opcode maps: 0 add, 1 multiply, 4 subtract, 5 reversed subtract, 6 divide, 7
 * reversed divide; in all forms the first operand is ST(0).
 */
public final class X87Arithmetic {
    private X87Arithmetic() {}

    private static int compute(int op, int cw, long as, int ae, long bs, int be, long to) {
        return switch (op) {
            case 0 -> F80.add(cw, as, ae, bs, be, to);
            case 1 -> F80.mul(cw, as, ae, bs, be, to);
            case 4 -> F80.sub(cw, as, ae, bs, be, to);
            case 5 -> F80.sub(cw, bs, be, as, ae, to);
            case 6 -> F80.div(cw, as, ae, bs, be, to);
            default -> F80.div(cw, bs, be, as, ae, to);
        };
    }

    private static void memory(Cpu c, Insn i, int op, long bs, int be, int denormal) {
        X87.note(c, i);
        if (X87.empty(c, 0)) {
            X87.underflow(c, 0);
            return;
        }
        long to = X87.st(c, 0);
        X87.finish(c, compute(op, X87.fcw(c) | denormal, X87.sig(to), X87.se(to), bs, be, to));
    }

    /** ST(0) and a single-precision operand. */
    public static void single(Cpu c, Insn i, int op) {
        X87.begin(c);
        int bits = (int) c.load32(i.mem.linear(c, 4, false));
        memory(c, i, op, F80Convert.singleSig(bits), F80Convert.singleSe(bits), F80Convert.singleDenormal(bits));
    }

    /** ST(0) and a double-precision operand. */
    public static void dual(Cpu c, Insn i, int op) {
        X87.begin(c);
        long bits = c.load64(i.mem.linear(c, 8, false));
        memory(c, i, op, F80Convert.doubleSig(bits), F80Convert.doubleSe(bits), F80Convert.doubleDenormal(bits));
    }

    /** ST(0) and a 16-bit integer. */
    public static void word(Cpu c, Insn i, int op) {
        X87.begin(c);
        long value = (short) c.load16(i.mem.linear(c, 2, false));
        memory(c, i, op, F80Convert.integerSig(value), F80Convert.integerSe(value), 0);
    }

    /** ST(0) and a 32-bit integer. */
    public static void dword(Cpu c, Insn i, int op) {
        X87.begin(c);
        long value = (int) c.load32(i.mem.linear(c, 4, false));
        memory(c, i, op, F80Convert.integerSig(value), F80Convert.integerSe(value), 0);
    }

    private static boolean registers(Cpu c, Insn i, int op, int target) {
        X87.begin(c);
        X87.note(c, i);
        int n = i.rm & 7;
        if (X87.empty(c, 0) || X87.empty(c, n)) {
            return X87.underflow(c, target);
        }
        long a = X87.st(c, 0);
        long b = X87.st(c, n);
        long to = target == 0 ? a : b;
        int flags = compute(op, X87.fcw(c), X87.sig(a), X87.se(a), X87.sig(b), X87.se(b), to);
        X87.finish(c, flags);
        return (flags & F80.NO_RESULT) == 0;
    }

    /** ST(0) := ST(0) op ST(i). */
    public static void toTop(Cpu c, Insn i, int op) {
        registers(c, i, op, 0);
    }

    /** ST(i) := ST(0) op ST(i). */
    public static void toRegister(Cpu c, Insn i, int op) {
        registers(c, i, op, i.rm & 7);
    }

    /** ST(i) := ST(0) op ST(i), and pop. */
    public static void toRegisterPop(Cpu c, Insn i, int op) {
        if (registers(c, i, op, i.rm & 7)) {
            X87.pop(c);
        }
    }

    /** FCHS. */
    public static void fchs(Cpu c, Insn i) {
        sign(c, i, false);
    }

    /** FABS. */
    public static void fabs(Cpu c, Insn i) {
        sign(c, i, true);
    }

    private static void sign(Cpu c, Insn i, boolean clear) {
        X87.begin(c);
        X87.note(c, i);
        if (X87.empty(c, 0)) {
            X87.underflow(c, 0);
            return;
        }
        long at = X87.st(c, 0);
        int se = X87.se(at);
        F80.put(at, X87.sig(at), clear ? se & ~F80.SIGN : se ^ F80.SIGN);
        X87.finish(c, 0);
    }

    /** FSQRT. */
    public static void fsqrt(Cpu c, Insn i) {
        X87.begin(c);
        X87.note(c, i);
        if (X87.empty(c, 0)) {
            X87.underflow(c, 0);
            return;
        }
        long at = X87.st(c, 0);
        X87.finish(c, F80.sqrt(X87.fcw(c), X87.sig(at), X87.se(at), at));
    }

    /** FRNDINT. */
    public static void frndint(Cpu c, Insn i) {
        X87.begin(c);
        X87.note(c, i);
        if (X87.empty(c, 0)) {
            X87.underflow(c, 0);
            return;
        }
        long at = X87.st(c, 0);
        X87.finish(c, F80Misc.roundToInteger(X87.fcw(c), X87.sig(at), X87.se(at), at));
    }

    /** FSCALE. */
    public static void fscale(Cpu c, Insn i) {
        X87.begin(c);
        X87.note(c, i);
        if (X87.empty(c, 0) || X87.empty(c, 1)) {
            X87.underflow(c, 0);
            return;
        }
        long a = X87.st(c, 0);
        long b = X87.st(c, 1);
        X87.finish(c, F80Misc.scale(X87.fcw(c), X87.sig(a), X87.se(a), X87.sig(b), X87.se(b), a));
    }

    /** FPREM (0) and FPREM1 (1). */
    public static void remainder(Cpu c, Insn i, int nearest) {
        X87.begin(c);
        X87.note(c, i);
        if (X87.empty(c, 0) || X87.empty(c, 1)) {
            X87.underflow(c, 0);
            X87.finish(c, 0, X87.C1 | X87.C2);
            return;
        }
        long a = X87.st(c, 0);
        long b = X87.st(c, 1);
        int flags = F80Misc.remainder(X87.fcw(c), X87.sig(a), X87.se(a), X87.sig(b), X87.se(b), nearest != 0, a);
        // Without a quotient, C0 and C3 stay as they are.
        boolean quotient = (flags & F80Misc.NO_QUOTIENT) == 0;
        X87.finish(c, flags, quotient ? X87.C0 | X87.C1 | X87.C2 | X87.C3 : X87.C1 | X87.C2);
    }

    /** FXTRACT: ST(0) becomes the exponent, and the significand is pushed. */
    public static void fxtract(Cpu c, Insn i) {
        X87.begin(c);
        X87.note(c, i);
        if (X87.empty(c, 0)) {
            if (X87.underflow(c, 0)) {
                X87.push(c);
                X87.indefinite(X87.st(c, 0));
            }
            return;
        }
        if (!X87.empty(c, 7)) {
            if (X87.invalidMasked(c)) {
                X87.indefinite(X87.st(c, 0));
            }
            X87.pushOverflows(c);
            return;
        }
        long at = X87.st(c, 0);
        int flags = F80Misc.extract(X87.fcw(c), X87.sig(at), X87.se(at), at, X87.st(c, 7));
        if ((flags & F80.NO_RESULT) == 0) {
            X87.push(c);
        }
        X87.finish(c, flags);
    }
}
