package org.xenolith.cpu.semantics;

import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.softfloat.F80;
import org.xenolith.cpu.softfloat.F80Functions;

/** x87 transcendental instructions. */
public final class X87Functions {
    private X87Functions() {}

    /** F2XM1. */
    public static void f2xm1(Cpu c, Insn i) {
        X87.begin(c);
        X87.note(c, i);
        if (X87.empty(c, 0)) {
            X87.underflow(c, 0);
            return;
        }
        long a = X87.st(c, 0);
        X87.finish(c, F80Functions.exp2m1(X87.fcw(c), X87.sig(a), X87.se(a), a));
    }

    private static boolean twoOperands(Cpu c, Insn i) {
        X87.begin(c);
        X87.note(c, i);
        if (X87.empty(c, 0) || X87.empty(c, 1)) {
            if (X87.underflow(c, 1)) {
                X87.pop(c);
            }
            return false;
        }
        return true;
    }

    private static void finishPop(Cpu c, int flags) {
        if ((flags & F80.NO_RESULT) == 0) {
            X87.pop(c);
        }
        X87.finish(c, flags);
    }

    /** FYL2X. */
    public static void fyl2x(Cpu c, Insn i) {
        if (twoOperands(c, i)) {
            long x = X87.st(c, 0);
            long y = X87.st(c, 1);
            finishPop(c, F80Functions.yl2x(X87.fcw(c), X87.sig(x), X87.se(x), X87.sig(y), X87.se(y), y));
        }
    }

    /** FYL2XP1. */
    public static void fyl2xp1(Cpu c, Insn i) {
        if (twoOperands(c, i)) {
            long x = X87.st(c, 0);
            long y = X87.st(c, 1);
            finishPop(c, F80Functions.yl2xp1(X87.fcw(c), X87.sig(x), X87.se(x), X87.sig(y), X87.se(y), y));
        }
    }

    /** FPATAN. */
    public static void fpatan(Cpu c, Insn i) {
        if (twoOperands(c, i)) {
            long x = X87.st(c, 0);
            long y = X87.st(c, 1);
            finishPop(c, F80Functions.atan(X87.fcw(c), X87.sig(x), X87.se(x), X87.sig(y), X87.se(y), y));
        }
    }

    /** FSIN. */
    public static void fsin(Cpu c, Insn i) {
        X87.begin(c);
        X87.note(c, i);
        if (X87.empty(c, 0)) {
            X87.underflow(c, 0);
            X87.finish(c, 0, X87.C1 | X87.C2);
            return;
        }
        long a = X87.st(c, 0);
        X87.finish(c, F80Functions.sin(X87.fcw(c), X87.sig(a), X87.se(a), a), X87.C1 | X87.C2);
    }

    /** FCOS. */
    public static void fcos(Cpu c, Insn i) {
        X87.begin(c);
        X87.note(c, i);
        if (X87.empty(c, 0)) {
            X87.underflow(c, 0);
            X87.finish(c, 0, X87.C1 | X87.C2);
            return;
        }
        long a = X87.st(c, 0);
        X87.finish(c, F80Functions.cos(X87.fcw(c), X87.sig(a), X87.se(a), a), X87.C1 | X87.C2);
    }

    /** True when the instruction can push a second result; otherwise the stack fault has been dealt with. */
    private static boolean pushing(Cpu c, Insn i) {
        X87.begin(c);
        X87.note(c, i);
        if (X87.empty(c, 0)) {
            if (X87.underflow(c, 0)) {
                X87.push(c);
                X87.indefinite(X87.st(c, 0));
            }
            X87.finish(c, 0, X87.C1 | X87.C2);
            return false;
        }
        if (!X87.empty(c, 7)) {
            if (X87.invalidMasked(c)) {
                X87.indefinite(X87.st(c, 0));
            }
            X87.pushOverflows(c);
            X87.finish(c, 0, X87.C2);
            return false;
        }
        return true;
    }

    /** FPTAN: the tangent, then 1 is pushed; after an invalid operand or a NaN that is pushed in the place of 1. */
    public static void fptan(Cpu c, Insn i) {
        if (!pushing(c, i)) {
            return;
        }
        long a = X87.st(c, 0);
        boolean special = (X87.se(a) & F80.SPECIAL) == F80.SPECIAL || F80.isUnsupported(X87.sig(a), X87.se(a));
        int flags = F80Functions.tan(X87.fcw(c), X87.sig(a), X87.se(a), a);
        if ((flags & F80.NO_RESULT) == 0) {
            X87.push(c);
            if (special) {
                F80.put(X87.st(c, 0), X87.sig(a), X87.se(a));
            } else {
                F80.put(X87.st(c, 0), F80.INTEGER_BIT, F80.BIAS);
            }
        }
        X87.finish(c, flags, X87.C1 | X87.C2);
    }

    /** FSINCOS: the sine, then the cosine is pushed. */
    public static void fsincos(Cpu c, Insn i) {
        if (!pushing(c, i)) {
            return;
        }
        long a = X87.st(c, 0);
        long sig = X87.sig(a);
        int se = X87.se(a);
        int cw = X87.fcw(c);
        int flags = F80Functions.cos(cw, sig, se, X87.st(c, 7));
        if ((flags & F80.NO_RESULT) == 0) {
            int sine = F80Functions.sin(cw, sig, se, a);
            flags = flags & ~F80.C1 | sine;
            X87.push(c);
        }
        X87.finish(c, flags, X87.C1 | X87.C2);
    }
}
