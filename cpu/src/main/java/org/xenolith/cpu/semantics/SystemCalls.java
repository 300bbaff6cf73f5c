package org.xenolith.cpu.semantics;

import org.xenolith.cpu.CpuidPolicy;
import org.xenolith.cpu.Efer;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Descriptors;
import org.xenolith.cpu.core.Flags;
import org.xenolith.cpu.decode.Insn;

/**
 * SYSCALL, SYSRET, SYSENTER, SYSEXIT and SWAPGS. Intel and AMD differ outside 64-bit mode: Intel has no SYSCALL there,
 * AMD has no SYSENTER in long mode; the vendor in CPUID decides.
 */
public final class SystemCalls {
    private static final int CODE_64 = 0xA09B;
    private static final int CODE_32 = 0xC09B;
    private static final int DATA = 0xC093;
    private static final int DPL_3 = 0x60;
    private static final long SYSRET_FLAGS = 0x3C7FD7L;
    private static final int R11 = 11;

    private SystemCalls() {}

    private static void flatCode(Cpu c, int selector, int access) {
        c.state.setSegment(VcpuState.CS, selector & 0xffff, 0, -1, access);
    }

    private static void flatStack(Cpu c, int selector, int access) {
        c.state.setSegment(VcpuState.SS, selector & 0xffff, 0, -1, access);
    }

    private static void checkSyscall(Cpu c) {
        if ((c.control(VcpuState.EFER) & Efer.SCE) == 0
                || c.mode != 3 && (!c.protectedMode || !CpuidPolicy.isAmd(c.world))) {
            throw c.undefined();
        }
    }

    public static void syscall(Cpu c, Insn i) {
        checkSyscall(c);
        long star = c.control(VcpuState.STAR);
        int selector = (int) (star >>> 32) & 0xfffc;
        long next = i.nextRip(c);
        long flags = Flags.get(c);
        if (c.longMode) {
            c.setGpr(VcpuState.RCX, next);
            c.setGpr(R11, flags & ~Flags.RF);
            c.setRip(c.control(c.mode == 3 ? VcpuState.LSTAR : VcpuState.CSTAR));
            Flags.set(c, flags & ~(c.control(VcpuState.SFMASK) | Flags.RF));
            flatCode(c, selector, CODE_64);
        } else {
            c.setReg(2, VcpuState.RCX, next);
            c.setRip(star & 0xffffffffL);
            Flags.set(c, flags & ~(Flags.VM | Flags.IF | Flags.RF));
            flatCode(c, selector, CODE_32);
        }
        flatStack(c, selector + 8, DATA);
        c.refresh();
    }

    public static void sysret(Cpu c, Insn i) {
        checkSyscall(c);
        SystemRegs.requireCpl0(c);
        int selector = (int) (c.control(VcpuState.STAR) >>> 48);
        if (c.mode == 3 && i.operandSize == 3) {
            long rip = c.gpr(VcpuState.RCX);
            if (!Descriptors.canonical(rip)) {
                throw c.generalProtection(0);
            }
            c.setRip(rip);
            flatCode(c, selector + 16 | 3, CODE_64 | DPL_3);
        } else {
            c.setRip(c.reg(2, VcpuState.RCX));
            flatCode(c, selector | 3, CODE_32 | DPL_3);
        }
        flatStack(c, selector + 8 | 3, DATA | DPL_3);
        if (c.longMode) {
            Flags.set(c, c.gpr(R11) & SYSRET_FLAGS);
        } else {
            Flags.set(c, Flags.get(c) | Flags.IF);
        }
        c.refresh();
    }

    private static int sysenterSelector(Cpu c) {
        int selector = (int) c.control(VcpuState.SYSENTER_CS) & 0xfffc;
        if (!c.protectedMode && !c.v86 || selector == 0) {
            throw c.generalProtection(0);
        }
        if (c.longMode && CpuidPolicy.isAmd(c.world)) {
            throw c.undefined();
        }
        return selector;
    }

    public static void sysenter(Cpu c, Insn i) {
        int selector = sysenterSelector(c);
        boolean wide = c.longMode;
        long rsp = c.control(VcpuState.SYSENTER_ESP);
        long rip = c.control(VcpuState.SYSENTER_EIP);
        Flags.set(c, Flags.get(c) & ~(Flags.VM | Flags.IF | Flags.RF));
        c.setGpr(VcpuState.RSP, wide ? rsp : rsp & 0xffffffffL);
        c.setRip(wide ? rip : rip & 0xffffffffL);
        flatCode(c, selector, wide ? CODE_64 : CODE_32);
        flatStack(c, selector + 8, DATA);
        c.refresh();
    }

    public static void sysexit(Cpu c, Insn i) {
        int selector = sysenterSelector(c);
        SystemRegs.requireCpl0(c);
        if (c.mode == 3 && i.operandSize == 3) {
            long rsp = c.gpr(VcpuState.RCX);
            long rip = c.gpr(VcpuState.RDX);
            if (!Descriptors.canonical(rsp) || !Descriptors.canonical(rip)) {
                throw c.generalProtection(0);
            }
            c.setGpr(VcpuState.RSP, rsp);
            c.setRip(rip);
            flatCode(c, selector + 32 | 3, CODE_64 | DPL_3);
            flatStack(c, selector + 40 | 3, DATA | DPL_3);
        } else {
            c.setGpr(VcpuState.RSP, c.reg(2, VcpuState.RCX));
            c.setRip(c.reg(2, VcpuState.RDX));
            flatCode(c, selector + 16 | 3, CODE_32 | DPL_3);
            flatStack(c, selector + 24 | 3, DATA | DPL_3);
        }
        c.refresh();
    }

    public static void swapgs(Cpu c, Insn i) {
        SystemRegs.requireCpl0(c);
        int gs = VcpuState.SEGMENTS + VcpuState.GS * VcpuState.SEGMENT_SIZE + VcpuState.SEG_BASE;
        long base = c.control(gs);
        c.setControl(gs, c.control(VcpuState.KERNEL_GS_BASE));
        c.setControl(VcpuState.KERNEL_GS_BASE, base);
    }
}
