package org.xenolith.cpu.semantics;

import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.GuestFault;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.softfloat.F80;
import org.xenolith.memory.Raw;

/**
 * The x87's register stack, status word and exception rules, for the instruction families {@code X87*}.
 *
 * <p>An instruction begins with {@link #begin}, which raises #NM and a pending #MF, computes, and ends with
 * {@link #finish}, which merges its exception flags into the status word. With CR0.NE = 0 a processor signals FERR# and
 * an external interrupt controller answers with IRQ 13; this machine has no such wire, so #MF is raised there too.
 */
final class X87 {
    /** Status word bits. */
    static final int SF = 0x40;

    static final int ES = 0x80;
    static final int C0 = 0x100;
    static final int C1 = 0x200;
    static final int C2 = 0x400;
    static final int C3 = 0x4000;
    static final int BUSY = 0x8000;
    private static final int EXCEPTIONS = 0x3f;

    private X87() {}

    // ---------------------------------------------------------------- control and status

    static int fcw(Cpu c) {
        return Raw.getShort(c.base + VcpuState.FCW) & 0xffff;
    }

    static int fsw(Cpu c) {
        return Raw.getShort(c.base + VcpuState.FSW) & 0xffff;
    }

    static void setFsw(Cpu c, int value) {
        Raw.putShort(c.base + VcpuState.FSW, (short) value);
    }

    static int tags(Cpu c) {
        return Raw.getByte(c.base + VcpuState.FTW) & 0xff;
    }

    static void setTags(Cpu c, int value) {
        Raw.putByte(c.base + VcpuState.FTW, (byte) value);
    }

    /** #NM when the unit is switched off; the whole check of an instruction that does not wait. */
    static void beginNoWait(Cpu c) {
        if (c.x87Blocked) {
            throw c.x87Fault(false);
        }
    }

    /** #NM, then #MF for an exception that an earlier instruction left pending. */
    static void begin(Cpu c) {
        if (c.x87Blocked) {
            throw c.x87Fault(false);
        }
        if ((fsw(c) & ES) != 0) {
            throw c.fault(GuestFault.MF);
        }
    }

    /**
     * Notes instruction and data address and opcode for the environment image, whether or not there is an exception, as
     * Zen 4 does; control instructions leave them alone. In 64-bit mode FIP and FDP are 64 bits wide and there is no
     * room for the selectors: they read as zero, as after an XRSTOR of the operating system.
     */
    static void note(Cpu c, Insn i) {
        long base = c.base;
        Raw.putShort(base + VcpuState.FOP, (short) ((i.opcode & 7) << 8 | i.mod << 6 | (i.reg & 7) << 3 | i.rm & 7));
        if (i.mode == 3) {
            Raw.putLong(base + VcpuState.FIP, i.thisRip(c));
            if (i.mem != null) {
                Raw.putLong(base + VcpuState.FDP, i.mem.offset(c));
            }
        } else {
            Raw.putLong(base + VcpuState.FIP, i.thisRip(c) | (long) c.state.selector(VcpuState.CS) << 32);
            if (i.mem != null) {
                long selector = c.state.selector(i.mem.segment);
                Raw.putLong(base + VcpuState.FDP, i.mem.offset(c) & 0xffffffffL | selector << 32);
            }
        }
    }

    /** Merges exception flags, and C1 as given, into the status word; C0, C2 and C3 stay. */
    static void finish(Cpu c, int flags) {
        finish(c, flags, C1);
    }

    /** Like {@link #finish(Cpu, int)}, taking the condition codes in {@code codes} from {@code flags}. */
    static void finish(Cpu c, int flags, int codes) {
        int fsw = fsw(c) & ~codes | flags & (codes | EXCEPTIONS | SF);
        setFsw(c, summarize(fsw, fcw(c)));
    }

    /** Sets or clears ES and B: some exception flag is set that the control word does not mask. */
    static int summarize(int fsw, int fcw) {
        return (fsw & ~fcw & EXCEPTIONS) != 0 ? fsw | ES | BUSY : fsw & ~(ES | BUSY);
    }

    // ---------------------------------------------------------------- register stack

    static int top(Cpu c) {
        return fsw(c) >>> 11 & 7;
    }

    /** Physical number of ST(n). */
    static int register(Cpu c, int n) {
        return top(c) + n & 7;
    }

    /** Host address of ST(n). */
    static long st(Cpu c, int n) {
        return c.base + VcpuState.ST + register(c, n) * 16L;
    }

    static long sig(long at) {
        return Raw.getLong(at);
    }

    static int se(long at) {
        return Raw.getShort(at + 8) & 0xffff;
    }

    static boolean empty(Cpu c, int n) {
        return (tags(c) >>> register(c, n) & 1) == 0;
    }

    static void setTop(Cpu c, int top) {
        setFsw(c, fsw(c) & ~0x3800 | (top & 7) << 11);
    }

    static void markFull(Cpu c, int n) {
        setTags(c, tags(c) | 1 << register(c, n));
    }

    static void markEmpty(Cpu c, int n) {
        setTags(c, tags(c) & ~(1 << register(c, n)));
    }

    /** Marks ST(0) empty and increments TOP. */
    static void pop(Cpu c) {
        markEmpty(c, 0);
        setTop(c, top(c) + 1);
    }

    /** Decrements TOP and marks the new ST(0) full. */
    static void push(Cpu c) {
        setTop(c, top(c) - 1);
        markFull(c, 0);
    }

    static void indefinite(long to) {
        F80.put(to, F80.INDEFINITE_SIG, F80.INDEFINITE_SE);
    }

    static boolean invalidMasked(Cpu c) {
        return (fcw(c) & F80.IE) != 0;
    }

    /**
     * Stack underflow with ST(n) as destination.
     *
     * @return true when the exception is masked, and ST(n) has become the indefinite NaN
     */
    static boolean underflow(Cpu c, int n) {
        boolean masked = invalidMasked(c);
        if (masked) {
            indefinite(st(c, n));
            markFull(c, n);
        }
        finish(c, F80.IE | SF);
        return masked;
    }

    /**
     * True when a push would overwrite a full register: the stack fault is then signalled and, when it is masked, the
     * indefinite NaN is pushed.
     */
    static boolean pushOverflows(Cpu c) {
        if (empty(c, 7)) {
            return false;
        }
        if (invalidMasked(c)) {
            push(c);
            indefinite(st(c, 0));
        }
        finish(c, F80.IE | SF | C1);
        return true;
    }
}
