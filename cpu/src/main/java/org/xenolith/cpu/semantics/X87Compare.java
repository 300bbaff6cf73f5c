package org.xenolith.cpu.semantics;

import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Flags;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.softfloat.F80;
import org.xenolith.cpu.softfloat.F80Convert;
import org.xenolith.cpu.softfloat.F80Misc;

/** x87 comparisons: FCOM, FUCOM, FICOM, FCOMI, FUCOMI, FTST, FXAM. A last argument {@code pops} counts the pops. */
public final class X87Compare {
    private static final int CODES = X87.C0 | X87.C1 | X87.C2 | X87.C3;
    private static final int UNORDERED = X87.C0 | X87.C2 | X87.C3;

    private X87Compare() {}

    private static void pops(Cpu c, int pops) {
        for (int n = 0; n < pops; n++) {
            X87.pop(c);
        }
    }

    /** Sets the condition codes, which an unmasked exception does not prevent; it only keeps the stack from popping. */
    private static void finish(Cpu c, int flags, int pops) {
        X87.finish(c, flags, CODES);
        if ((flags & F80.NO_RESULT) == 0) {
            pops(c, pops);
        }
    }

    private static void underflow(Cpu c, int pops) {
        finish(c, F80.IE | X87.SF | UNORDERED | (X87.invalidMasked(c) ? 0 : F80.NO_RESULT), pops);
    }

    private static void memory(Cpu c, Insn i, long bs, int be, int denormal, int pops) {
        X87.note(c, i);
        if (X87.empty(c, 0)) {
            underflow(c, pops);
            return;
        }
        long a = X87.st(c, 0);
        finish(c, F80Misc.compare(X87.fcw(c) | denormal, X87.sig(a), X87.se(a), bs, be, false), pops);
    }

    /** FCOM and FCOMP m32. */
    public static void fcom32(Cpu c, Insn i, int pops) {
        X87.begin(c);
        int bits = (int) c.load32(i.mem.linear(c, 4, false));
        memory(c, i, F80Convert.singleSig(bits), F80Convert.singleSe(bits), F80Convert.singleDenormal(bits), pops);
    }

    /** FCOM and FCOMP m64. */
    public static void fcom64(Cpu c, Insn i, int pops) {
        X87.begin(c);
        long bits = c.load64(i.mem.linear(c, 8, false));
        memory(c, i, F80Convert.doubleSig(bits), F80Convert.doubleSe(bits), F80Convert.doubleDenormal(bits), pops);
    }

    /** FICOM and FICOMP m16. */
    public static void ficom16(Cpu c, Insn i, int pops) {
        X87.begin(c);
        long value = (short) c.load16(i.mem.linear(c, 2, false));
        memory(c, i, F80Convert.integerSig(value), F80Convert.integerSe(value), 0, pops);
    }

    /** FICOM and FICOMP m32. */
    public static void ficom32(Cpu c, Insn i, int pops) {
        X87.begin(c);
        long value = (int) c.load32(i.mem.linear(c, 4, false));
        memory(c, i, F80Convert.integerSig(value), F80Convert.integerSe(value), 0, pops);
    }

    private static void registers(Cpu c, Insn i, boolean quiet, int pops) {
        X87.begin(c);
        X87.note(c, i);
        int n = i.rm & 7;
        if (X87.empty(c, 0) || X87.empty(c, n)) {
            underflow(c, pops);
            return;
        }
        long a = X87.st(c, 0);
        long b = X87.st(c, n);
        finish(c, F80Misc.compare(X87.fcw(c), X87.sig(a), X87.se(a), X87.sig(b), X87.se(b), quiet), pops);
    }

    /** FCOM, FCOMP, FCOMPP. */
    public static void fcom(Cpu c, Insn i, int pops) {
        registers(c, i, false, pops);
    }

    /** FUCOM, FUCOMP, FUCOMPP. */
    public static void fucom(Cpu c, Insn i, int pops) {
        registers(c, i, true, pops);
    }

    private static void toFlags(Cpu c, Insn i, boolean quiet, int pops) {
        X87.begin(c);
        X87.note(c, i);
        int n = i.rm & 7;
        int flags;
        if (X87.empty(c, 0) || X87.empty(c, n)) {
            flags = F80.IE | X87.SF | UNORDERED | (X87.invalidMasked(c) ? 0 : F80.NO_RESULT);
        } else {
            long a = X87.st(c, 0);
            long b = X87.st(c, n);
            flags = F80Misc.compare(X87.fcw(c), X87.sig(a), X87.se(a), X87.sig(b), X87.se(b), quiet);
        }
        long zf = (flags & X87.C3) != 0 ? Flags.ZF : 0;
        long pf = (flags & X87.C2) != 0 ? Flags.PF : 0;
        long cf = (flags & X87.C0) != 0 ? Flags.CF : 0;
        Flags.setArithmetic(c, zf | pf | cf);
        if ((flags & F80.NO_RESULT) == 0) {
            pops(c, pops);
        }
        // AMD processors leave C1 alone here unless there is a stack fault.
        X87.finish(c, flags, (flags & X87.SF) != 0 ? X87.C1 : 0);
    }

    /** FCOMI and FCOMIP. */
    public static void fcomi(Cpu c, Insn i, int pops) {
        toFlags(c, i, false, pops);
    }

    /** FUCOMI and FUCOMIP. */
    public static void fucomi(Cpu c, Insn i, int pops) {
        toFlags(c, i, true, pops);
    }

    /** FTST: against +0. */
    public static void ftst(Cpu c, Insn i) {
        X87.begin(c);
        memory(c, i, 0, 0, 0, 0);
    }

    /** FXAM: C1 is the sign even of an empty register. */
    public static void fxam(Cpu c, Insn i) {
        X87.begin(c);
        X87.note(c, i);
        long a = X87.st(c, 0);
        int sign = X87.se(a) >= F80.SIGN ? X87.C1 : 0;
        X87.finish(c, X87.empty(c, 0) ? X87.C0 | X87.C3 | sign : F80Misc.examine(X87.sig(a), X87.se(a)), CODES);
    }
}
