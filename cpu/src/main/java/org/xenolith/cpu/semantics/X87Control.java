package org.xenolith.cpu.semantics;

import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Cr0;
import org.xenolith.cpu.core.GuestFault;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.memory.Raw;

/** x87 control: control word, status word, environment, whole state, tags, FWAIT. */
public final class X87Control {
    /** Control word bits that can be changed; bit 6 always reads as one. */
    private static final int FCW_BITS = 0x1f3f;

    private static final int FCW_FIXED = 0x40;
    private static final int FCW_INITIAL = 0x37f;

    private X87Control() {}

    /** FWAIT: #NM only when CR0.MP and CR0.TS are both set. */
    public static void fwait(Cpu c, Insn i) {
        long both = Cr0.MP | Cr0.TS;
        if ((c.control(VcpuState.CR0) & both) == both) {
            throw c.fault(GuestFault.NM);
        }
        if ((X87.fsw(c) & X87.ES) != 0) {
            throw c.fault(GuestFault.MF);
        }
    }

    /** FNOP. */
    public static void fnop(Cpu c, Insn i) {
        X87.begin(c);
        X87.note(c, i);
    }

    /** FENI, FDISI, FSETPM: meant something to the 8087 and the 287 only. */
    public static void ignored(Cpu c, Insn i) {
        X87.beginNoWait(c);
    }

    /** FNINIT. */
    public static void fninit(Cpu c, Insn i) {
        X87.beginNoWait(c);
        initialize(c);
    }

    private static void initialize(Cpu c) {
        Raw.putShort(c.base + VcpuState.FCW, (short) FCW_INITIAL);
        X87.setFsw(c, 0);
        X87.setTags(c, 0);
        Raw.putShort(c.base + VcpuState.FOP, (short) 0);
        Raw.putLong(c.base + VcpuState.FIP, 0);
        Raw.putLong(c.base + VcpuState.FDP, 0);
    }

    /** FNCLEX. */
    public static void fnclex(Cpu c, Insn i) {
        X87.beginNoWait(c);
        X87.setFsw(c, X87.fsw(c) & 0x7f00);
    }

    private static void setFcw(Cpu c, int value) {
        int fcw = value & FCW_BITS | FCW_FIXED;
        Raw.putShort(c.base + VcpuState.FCW, (short) fcw);
        X87.setFsw(c, X87.summarize(X87.fsw(c), fcw));
    }

    /** FLDCW: may make an old exception pending. */
    public static void fldcw(Cpu c, Insn i) {
        X87.begin(c);
        setFcw(c, (int) c.load16(i.mem.linear(c, 2, false)));
    }

    /** FNSTCW. */
    public static void fnstcw(Cpu c, Insn i) {
        X87.beginNoWait(c);
        c.store16(i.mem.linear(c, 2, true), X87.fcw(c));
    }

    /** FNSTSW m16 and FNSTSW AX. */
    public static void fnstsw(Cpu c, Insn i) {
        X87.beginNoWait(c);
        if (i.mem == null) {
            c.put(1, VcpuState.RAX * 8, X87.fsw(c));
        } else {
            c.store16(i.mem.linear(c, 2, true), X87.fsw(c));
        }
    }

    /** FINCSTP (1) and FDECSTP (-1). */
    public static void rotate(Cpu c, Insn i, int by) {
        X87.begin(c);
        X87.note(c, i);
        X87.setTop(c, X87.top(c) + by);
        X87.finish(c, 0);
    }

    /** FFREE, and FFREEP when {@code pop} is 1. */
    public static void ffree(Cpu c, Insn i, int pop) {
        X87.begin(c);
        X87.note(c, i);
        X87.markEmpty(c, i.rm & 7);
        X87.finish(c, 0);
        if (pop != 0) {
            X87.pop(c);
        }
    }

    // ---------------------------------------------------------------- environment and state images

    /** The two-bit tags by physical register: 0 valid, 1 zero, 2 special, 3 empty. */
    private static int fullTags(Cpu c) {
        int abridged = X87.tags(c);
        int word = 0;
        for (int n = 0; n < 8; n++) {
            long at = c.base + VcpuState.ST + n * 16L;
            int exp = X87.se(at) & 0x7fff;
            int tag;
            if ((abridged >>> n & 1) == 0) {
                tag = 3;
            } else if (exp == 0) {
                tag = X87.sig(at) == 0 ? 1 : 2;
            } else {
                tag = exp == 0x7fff || X87.sig(at) >= 0 ? 2 : 0;
            }
            word |= tag << n * 2;
        }
        return word;
    }

    private static boolean wide(Insn i) {
        return i.operandSize >= 2;
    }

    /** Builds the environment at a host address: 14 or 28 bytes (Intel SDM vol. 1, figures 8-9 to 8-12). */
    private static void buildEnvironment(Cpu c, Insn i, long to) {
        long fip = Raw.getLong(c.base + VcpuState.FIP);
        long fdp = Raw.getLong(c.base + VcpuState.FDP);
        int fop = Raw.getShort(c.base + VcpuState.FOP) & 0x7ff;
        int cs = (int) (fip >>> 32) & 0xffff;
        int ds = (int) (fdp >>> 32) & 0xffff;
        if (c.mode == 3) {
            // Selectors are not kept in 64-bit mode: the upper halves are offset bits.
            cs = 0;
            ds = 0;
        }
        boolean real = !c.protectedMode;
        long ip = real ? (fip & 0xffffffffL) + ((long) cs << 4) : fip;
        long dp = real ? (fdp & 0xffffffffL) + ((long) ds << 4) : fdp;
        if (wide(i)) {
            Raw.putInt(to, 0xffff0000 | X87.fcw(c));
            Raw.putInt(to + 4, 0xffff0000 | X87.fsw(c));
            Raw.putInt(to + 8, 0xffff0000 | fullTags(c));
            if (real) {
                Raw.putInt(to + 12, 0xffff0000 | (int) ip & 0xffff);
                Raw.putInt(to + 16, ((int) (ip >>> 16) & 0xffff) << 12 | fop);
                Raw.putInt(to + 20, 0xffff0000 | (int) dp & 0xffff);
                Raw.putInt(to + 24, ((int) (dp >>> 16) & 0xffff) << 12);
            } else {
                Raw.putInt(to + 12, (int) ip);
                Raw.putInt(to + 16, cs | fop << 16);
                Raw.putInt(to + 20, (int) dp);
                Raw.putInt(to + 24, 0xffff0000 | ds);
            }
            return;
        }
        Raw.putShort(to, (short) X87.fcw(c));
        Raw.putShort(to + 2, (short) X87.fsw(c));
        Raw.putShort(to + 4, (short) fullTags(c));
        Raw.putShort(to + 6, (short) ip);
        Raw.putShort(to + 10, (short) dp);
        if (real) {
            Raw.putShort(to + 8, (short) ((ip >>> 16 & 15) << 12 | fop));
            Raw.putShort(to + 12, (short) ((dp >>> 16 & 15) << 12));
        } else {
            Raw.putShort(to + 8, (short) cs);
            Raw.putShort(to + 12, (short) ds);
        }
    }

    private static void takeEnvironment(Cpu c, Insn i, long from) {
        boolean real = !c.protectedMode;
        int fcw = Raw.getShort(from) & 0xffff;
        int fsw;
        int tags;
        long ip;
        long dp;
        int cs = 0;
        int ds = 0;
        int fop = Raw.getShort(c.base + VcpuState.FOP) & 0x7ff;
        if (wide(i)) {
            fsw = Raw.getShort(from + 4) & 0xffff;
            tags = Raw.getShort(from + 8) & 0xffff;
            int w3 = Raw.getInt(from + 12);
            int w4 = Raw.getInt(from + 16);
            int w5 = Raw.getInt(from + 20);
            int w6 = Raw.getInt(from + 24);
            if (real) {
                ip = w3 & 0xffff | (w4 >>> 12 & 0xffffL) << 16;
                dp = w5 & 0xffff | (w6 >>> 12 & 0xffffL) << 16;
                fop = w4 & 0x7ff;
            } else {
                ip = w3 & 0xffffffffL;
                dp = w5 & 0xffffffffL;
                cs = w4 & 0xffff;
                ds = w6 & 0xffff;
                fop = w4 >>> 16 & 0x7ff;
            }
        } else {
            fsw = Raw.getShort(from + 2) & 0xffff;
            tags = Raw.getShort(from + 4) & 0xffff;
            int w4 = Raw.getShort(from + 8) & 0xffff;
            int w6 = Raw.getShort(from + 12) & 0xffff;
            ip = Raw.getShort(from + 6) & 0xffffL;
            dp = Raw.getShort(from + 10) & 0xffffL;
            if (real) {
                ip |= (w4 >>> 12) << 16;
                dp |= (w6 >>> 12) << 16;
                fop = w4 & 0x7ff;
            } else {
                cs = w4;
                ds = w6;
            }
        }
        if (c.mode == 3) {
            cs = 0;
            ds = 0;
        }
        int abridged = 0;
        for (int n = 0; n < 8; n++) {
            abridged |= (tags >>> n * 2 & 3) != 3 ? 1 << n : 0;
        }
        X87.setFsw(c, fsw);
        setFcw(c, fcw);
        X87.setTags(c, abridged);
        Raw.putShort(c.base + VcpuState.FOP, (short) fop);
        Raw.putLong(c.base + VcpuState.FIP, ip | (long) cs << 32);
        Raw.putLong(c.base + VcpuState.FDP, dp | (long) ds << 32);
    }

    /** FNSTENV: stores the environment, then masks all exceptions. */
    public static void fnstenv(Cpu c, Insn i) {
        X87.beginNoWait(c);
        int bytes = wide(i) ? 28 : 14;
        long scratch = c.scratch();
        long va = i.mem.linear(c, bytes, true);
        c.requireAlignment(va, wide(i) ? 4 : 2);
        buildEnvironment(c, i, scratch);
        c.storeBytes(va, scratch, bytes);
        setFcw(c, X87.fcw(c) | 0x3f);
    }

    /** FLDENV. */
    public static void fldenv(Cpu c, Insn i) {
        X87.begin(c);
        int bytes = wide(i) ? 28 : 14;
        long scratch = c.scratch();
        long va = i.mem.linear(c, bytes, false);
        c.requireAlignment(va, wide(i) ? 4 : 2);
        c.loadBytes(va, scratch, bytes);
        takeEnvironment(c, i, scratch);
    }

    /** FNSAVE: environment, then ST(0) to ST(7), ten bytes each; then initializes. */
    public static void fnsave(Cpu c, Insn i) {
        X87.beginNoWait(c);
        int head = wide(i) ? 28 : 14;
        long scratch = c.scratch();
        long va = i.mem.linear(c, head + 80, true);
        c.requireAlignment(va, wide(i) ? 4 : 2);
        buildEnvironment(c, i, scratch);
        for (int n = 0; n < 8; n++) {
            Raw.copy(X87.st(c, n), scratch + head + n * 10L, 10);
        }
        c.storeBytes(va, scratch, head + 80);
        initialize(c);
    }

    /** FRSTOR. */
    public static void frstor(Cpu c, Insn i) {
        X87.begin(c);
        int head = wide(i) ? 28 : 14;
        long scratch = c.scratch();
        long va = i.mem.linear(c, head + 80, false);
        c.requireAlignment(va, wide(i) ? 4 : 2);
        c.loadBytes(va, scratch, head + 80);
        takeEnvironment(c, i, scratch);
        for (int n = 0; n < 8; n++) {
            Raw.copy(scratch + head + n * 10L, X87.st(c, n), 10);
        }
    }
}
