package org.xenolith.cpu.semantics;

import org.xenolith.cpu.CpuidPolicy;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Cr0;
import org.xenolith.cpu.core.Cr4;
import org.xenolith.cpu.core.Flags;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.memory.Raw;

/** Translation control, interrupts, ports, MSR and CPUID instructions, hypercalls. */
public final class SystemInsns {
    private static final int SHADOW_STI = 1;
    private static final int CPUID1_ECX_OSXSAVE = 1 << 27;
    /** MISC_FEATURES_ENABLES: CPUID faults outside ring 0. */
    static final long CPUID_FAULTING = 1;

    private static final int DR7 = VcpuState.DR + 7 * 8;
    private static final int TSS_IO_MAP = 0x66;
    private static final int TSS_MIN_LIMIT = 0x67;

    private SystemInsns() {}

    // ---------------------------------------------------------------- translation and caches

    public static void invlpg(Cpu c, Insn i) {
        SystemRegs.requireCpl0(c);
        // No access is made, so no limit applies.
        int segment = i.mem.segment;
        long base = c.mode == 3 && segment < VcpuState.FS ? 0 : c.state.segmentBase(segment);
        c.flushPage(c.wrapLinear(base + i.mem.offset(c)));
        c.serialize();
        c.setRip(i.nextRip(c));
    }

    public static void invpcid(Cpu c, Insn i) {
        SystemRegs.requireCpl0(c);
        long va = i.mem.linear(c, 16, false);
        long descriptor = c.load64(va);
        long address = c.load64(c.wrapLinear(va + 8));
        long type = c.reg(i.is64() ? 3 : 2, i.reg);
        boolean pcids = (c.control(VcpuState.CR4) & Cr4.PCIDE) != 0;
        if (Long.compareUnsigned(type, 3) > 0 || type < 2 && (descriptor & ~0xfffL) != 0) {
            throw c.generalProtection(0);
        }
        if (type < 2 && !pcids && (descriptor & 0xfff) != 0 || type == 0 && address << 16 >> 16 != address) {
            throw c.generalProtection(0);
        }
        switch ((int) type) {
            case 0 -> c.flushPage(address);
            case 2 -> c.flushTlb();
            default -> c.flushTlbNonGlobal();
        }
        c.setRip(i.nextRip(c));
    }

    /** INVD and WBINVD: there is no cache that software could notice. */
    public static void wbinvd(Cpu c, Insn i) {
        SystemRegs.requireCpl0(c);
    }

    // ---------------------------------------------------------------- interrupts

    public static void hlt(Cpu c, Insn i) {
        SystemRegs.requireCpl0(c);
        c.setRip(i.nextRip(c));
        c.exit = VcpuExit.Halt.INSTANCE;
    }

    public static void pause(Cpu c, Insn i) {
        c.world.pause();
    }

    private static void checkIopl(Cpu c) {
        if (c.cpl > c.iopl()) {
            throw c.generalProtection(0);
        }
    }

    public static void cli(Cpu c, Insn i) {
        checkIopl(c);
        c.setControl(VcpuState.RFLAGS, c.systemFlags() & ~Flags.IF);
        c.setRip(i.nextRip(c));
    }

    public static void sti(Cpu c, Insn i) {
        checkIopl(c);
        if (!c.flag(Flags.IF)) {
            c.setControl(VcpuState.RFLAGS, c.systemFlags() | Flags.IF);
            c.state.setInt(VcpuState.SHADOW, SHADOW_STI);
        }
        c.setRip(i.nextRip(c));
    }

    public static void clac(Cpu c, Insn i) {
        setAc(c, i, 0);
    }

    public static void stac(Cpu c, Insn i) {
        setAc(c, i, Flags.AC);
    }

    private static void setAc(Cpu c, Insn i, long ac) {
        if (c.cpl != 0) {
            throw c.undefined();
        }
        c.setControl(VcpuState.RFLAGS, c.systemFlags() & ~Flags.AC | ac);
        c.refreshAccessClass();
        c.setRip(i.nextRip(c));
    }

    // ---------------------------------------------------------------- ports

    /** Raises #GP(0) unless IOPL or the TSS's I/O permission bitmap allows an access to {@code bytes} ports. */
    public static void checkPort(Cpu c, int port, int bytes) {
        checkPermission(c, port, bytes);
        if ((c.control(DR7) & 0xff) != 0 && (c.control(VcpuState.CR4) & Cr4.DE) != 0) {
            matchBreakpoints(c, port, bytes);
        }
    }

    /** Breakpoints on ports trap behind the instruction. */
    private static void matchBreakpoints(Cpu c, int port, int bytes) {
        long dr7 = c.control(DR7);
        for (int n = 0; n < 4; n++) {
            if ((dr7 >>> n * 2 & 3) == 0 || (dr7 >>> 16 + n * 4 & 3) != 2) {
                continue;
            }
            int length = (int) (dr7 >>> 18 + n * 4 & 3) + 1;
            long from = c.control(VcpuState.DR + n * 8) & -length;
            if (port < from + length && from < port + bytes) {
                c.pendingDebug |= 1L << n;
            }
        }
    }

    private static void checkPermission(Cpu c, int port, int bytes) {
        if ((c.control(VcpuState.CR0) & Cr0.PE) == 0 || !c.v86 && c.cpl <= c.iopl()) {
            return;
        }
        long limit = c.state.segmentLimit(VcpuState.TR) & 0xffffffffL;
        int access = c.state.access(VcpuState.TR);
        if ((access & 8) == 0 || (access & VcpuState.UNUSABLE) != 0 || limit < TSS_MIN_LIMIT) {
            throw c.generalProtection(0);
        }
        long tss = c.state.segmentBase(VcpuState.TR);
        long at = c.systemLoad(1, c.wrapLinear(tss + TSS_IO_MAP)) + (port >>> 3);
        // Two bytes are read even when the ports lie in one.
        if (at + 1 > limit) {
            throw c.generalProtection(0);
        }
        long denied = c.systemLoad(1, c.wrapLinear(tss + at)) >>> (port & 7);
        if ((denied & (1 << bytes) - 1) != 0) {
            throw c.generalProtection(0);
        }
    }

    public static void inImm(Cpu c, Insn i, int width) {
        input(c, i, width, (int) i.imm & 0xff);
    }

    public static void in(Cpu c, Insn i, int width) {
        input(c, i, width, (int) c.reg(1, VcpuState.RDX));
    }

    public static void outImm(Cpu c, Insn i, int width) {
        output(c, i, width, (int) i.imm & 0xff);
    }

    public static void out(Cpu c, Insn i, int width) {
        output(c, i, width, (int) c.reg(1, VcpuState.RDX));
    }

    /** 0 for bytes, anything else for the operand size, at most 32 bits. */
    private static int portWidth(Insn i, int width) {
        return width == 0 ? 0 : Math.min(i.operandSize, 2);
    }

    private static void input(Cpu c, Insn i, int width, int port) {
        int w = portWidth(i, width);
        checkPort(c, port, 1 << w);
        c.setReg(w, VcpuState.RAX, c.world.portIn(port, 1 << w) & 0xffffffffL);
        c.setRip(i.nextRip(c));
    }

    private static void output(Cpu c, Insn i, int width, int port) {
        int w = portWidth(i, width);
        checkPort(c, port, 1 << w);
        c.setRip(i.nextRip(c));
        c.world.portOut(port, 1 << w, (int) c.reg(w, VcpuState.RAX));
    }

    // ---------------------------------------------------------------- MSRs, CPUID, time

    public static void rdmsr(Cpu c, Insn i) {
        SystemRegs.requireCpl0(c);
        long value = Msrs.read(c, (int) c.reg(2, VcpuState.RCX));
        c.setReg(2, VcpuState.RAX, value & 0xffffffffL);
        c.setReg(2, VcpuState.RDX, value >>> 32);
    }

    public static void wrmsr(Cpu c, Insn i) {
        SystemRegs.requireCpl0(c);
        long value = c.reg(2, VcpuState.RDX) << 32 | c.reg(2, VcpuState.RAX);
        long next = i.nextRip(c);
        Msrs.write(c, (int) c.reg(2, VcpuState.RCX), value);
        c.serialize();
        c.setRip(next);
    }

    public static void cpuid(Cpu c, Insn i) {
        if (c.cpl != 0 && (c.control(VcpuState.MISC_FEATURES) & CPUID_FAULTING) != 0) {
            throw c.generalProtection(0);
        }
        int[] result = new int[4];
        int leaf = (int) c.reg(2, VcpuState.RAX);
        c.world.cpuid(leaf, (int) c.reg(2, VcpuState.RCX), result);
        if (leaf == 1 && (c.control(VcpuState.CR4) & Cr4.OSXSAVE) != 0) {
            result[2] |= CPUID1_ECX_OSXSAVE;
        }
        if (leaf == CpuidPolicy.EXTENDED_STATE && result[1] != 0 && ((int) c.reg(2, VcpuState.RCX) & ~1) == 0) {
            // The size of the area for what is enabled now.
            result[1] = Fxsave.imageBytes(c.control(VcpuState.XCR0));
        }
        c.setReg(2, VcpuState.RAX, result[0] & 0xffffffffL);
        c.setReg(2, VcpuState.RBX, result[1] & 0xffffffffL);
        c.setReg(2, VcpuState.RCX, result[2] & 0xffffffffL);
        c.setReg(2, VcpuState.RDX, result[3] & 0xffffffffL);
        c.serialize();
        c.setRip(i.nextRip(c));
    }

    private static void readTime(Cpu c) {
        if (c.cpl != 0 && (c.control(VcpuState.CR4) & Cr4.TSD) != 0) {
            throw c.generalProtection(0);
        }
        long tsc = c.world.timeStampCounter();
        c.setReg(2, VcpuState.RAX, tsc & 0xffffffffL);
        c.setReg(2, VcpuState.RDX, tsc >>> 32);
    }

    public static void rdtsc(Cpu c, Insn i) {
        readTime(c);
    }

    public static void rdtscp(Cpu c, Insn i) {
        readTime(c);
        c.setReg(2, VcpuState.RCX, Raw.getInt(c.base + VcpuState.TSC_AUX) & 0xffffffffL);
    }

    public static void rdpid(Cpu c, Insn i) {
        c.setReg(i.is64() ? 3 : 2, i.rm, Raw.getInt(c.base + VcpuState.TSC_AUX) & 0xffffffffL);
    }

    /** Ends a block, so that code which another processor has changed is looked up anew. */
    public static void serialize(Cpu c, Insn i) {
        c.setRip(i.nextRip(c));
    }

    /** There are no performance counters. */
    public static void rdpmc(Cpu c, Insn i) {
        throw c.generalProtection(0);
    }

    // ---------------------------------------------------------------- leaving, and nothing

    /** VMCALL and VMMCALL: who may make which call is the hypervisor's business. */
    public static void hypercall(Cpu c, Insn i) {
        c.setRip(i.nextRip(c));
        c.exit = VcpuExit.Hypercall.INSTANCE;
    }

    public static void undefined(Cpu c, Insn i) {
        throw c.undefined();
    }
}
