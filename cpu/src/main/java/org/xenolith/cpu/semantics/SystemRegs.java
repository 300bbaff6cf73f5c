package org.xenolith.cpu.semantics;

import org.xenolith.cpu.CpuidPolicy;
import org.xenolith.cpu.Efer;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Cr0;
import org.xenolith.cpu.core.Cr4;
import org.xenolith.cpu.core.Descriptors;
import org.xenolith.cpu.core.Flags;
import org.xenolith.cpu.core.GuestFault;
import org.xenolith.cpu.core.Segments;
import org.xenolith.cpu.decode.Insn;

/** Moves to and from segment, control and debug registers, and the descriptor-table registers. */
public final class SystemRegs {
    private static final int SHADOW_MOV_SS = 2;
    private static final int DR6 = VcpuState.DR + 6 * 8;
    private static final int DR7 = VcpuState.DR + 7 * 8;
    private static final long DR6_FIXED = 0xFFFF0FF0L;
    private static final long DR6_WRITABLE = 0xE00FL;
    private static final long DR6_BD = 1 << 13;
    private static final long DR7_FIXED = 0x400;
    private static final long DR7_WRITABLE = 0xFFFF23FFL;
    private static final long DR7_GD = 1 << 13;
    private static final long CR0_DEFINED =
            Cr0.PE | Cr0.MP | Cr0.EM | Cr0.TS | Cr0.ET | Cr0.NE | Cr0.WP | Cr0.AM | Cr0.NW | Cr0.CD | Cr0.PG;
    private static final long CR3_NO_FLUSH = 1L << 63;

    private SystemRegs() {}

    static void requireCpl0(Cpu c) {
        if (c.cpl != 0) {
            throw c.generalProtection(0);
        }
    }

    // ---------------------------------------------------------------- segment registers

    /** A register takes the selector zero-extended to the operand size; memory always 16 bits. */
    public static void fromSegment(Cpu c, Insn i) {
        storeSelector(c, i, c.state.selector(i.reg & 7));
    }

    private static void storeSelector(Cpu c, Insn i, int selector) {
        i.writeRm(c, i.mem == null ? i.operandSize : 1, selector);
    }

    public static void toSegment(Cpu c, Insn i) {
        int segment = i.reg & 7;
        Segments.load(c, segment, (int) i.readRm(c, 1));
        c.setRip(i.nextRip(c));
        if (segment == VcpuState.SS) {
            c.refresh();
            c.state.setInt(VcpuState.SHADOW, SHADOW_MOV_SS);
        }
    }

    /** LES, LSS, LDS, LFS, LGS. */
    public static void loadFar(Cpu c, Insn i, int segment) {
        int w = i.operandSize;
        int bytes = 1 << w;
        long va = i.mem.linear(c, bytes + 2, false);
        long offset = c.load(w, va);
        Segments.load(c, segment, (int) c.load16(c.wrapLinear(va + bytes)));
        c.setReg(w, i.reg, offset);
        c.setRip(i.nextRip(c));
        if (segment == VcpuState.SS) {
            c.refresh();
        }
    }

    // ---------------------------------------------------------------- control registers

    private static int registerWidth(Insn i) {
        return i.is64() ? 3 : 2;
    }

    public static void fromControl(Cpu c, Insn i) {
        requireCpl0(c);
        long value = switch (i.reg) {
            case 0 -> c.control(VcpuState.CR0);
            case 2 -> c.control(VcpuState.CR2);
            case 3 -> c.control(VcpuState.CR3);
            case 4 -> c.control(VcpuState.CR4);
            default -> c.world.taskPriority();
        };
        c.setReg(registerWidth(i), i.rm, value);
    }

    public static void toControl(Cpu c, Insn i) {
        requireCpl0(c);
        long value = c.reg(registerWidth(i), i.rm);
        long next = i.nextRip(c);
        switch (i.reg) {
            case 0 -> setCr0(c, value);
            case 2 -> c.setControl(VcpuState.CR2, value);
            case 3 -> setCr3(c, value);
            case 4 -> setCr4(c, value);
            default -> {
                if ((value & ~15L) != 0) {
                    throw c.generalProtection(0);
                }
                c.world.setTaskPriority((int) value);
            }
        }
        c.serialize();
        c.setRip(next);
    }

    private static void setCr0(Cpu c, long value) {
        if (value >>> 32 != 0
                || (value & Cr0.PG) != 0 && (value & Cr0.PE) == 0
                || (value & Cr0.NW) != 0 && (value & Cr0.CD) == 0) {
            throw c.generalProtection(0);
        }
        long old = c.control(VcpuState.CR0);
        long cr4 = c.control(VcpuState.CR4);
        long efer = c.control(VcpuState.EFER);
        value = value & CR0_DEFINED | Cr0.ET;
        long changed = old ^ value;
        if ((changed & Cr0.PG) != 0) {
            if ((value & Cr0.PG) != 0) {
                if ((efer & Efer.LME) != 0) {
                    if ((cr4 & Cr4.PAE) == 0 || (c.state.access(VcpuState.CS) & Descriptors.LONG) != 0) {
                        throw c.generalProtection(0);
                    }
                    efer |= Efer.LMA;
                } else if ((cr4 & Cr4.PAE) != 0) {
                    checkPdptes(c, c.control(VcpuState.CR3));
                }
            } else {
                if (c.mode == 3 || (cr4 & Cr4.PCIDE) != 0) {
                    throw c.generalProtection(0);
                }
                efer &= ~Efer.LMA;
            }
        }
        c.setControl(VcpuState.CR0, value);
        c.setControl(VcpuState.EFER, efer);
        if ((changed & (Cr0.PG | Cr0.WP | Cr0.PE)) != 0) {
            c.flushTlb();
        }
        c.refresh();
    }

    /** PAE paging outside long mode: the four entries behind CR3 must not have reserved bits set. */
    private static void checkPdptes(Cpu c, long cr3) {
        long table = cr3 & 0xFFFFFFE0L;
        long frame = c.memory.frameForRead(table >>> 12);
        if (frame == 0) {
            return;
        }
        long reserved = -1L << c.physicalBits | 0x1E6;
        for (int n = 0; n < 4; n++) {
            long entry = Cpu.readHost(3, frame + (table & 0xfff) + n * 8L);
            if ((entry & 1) != 0 && (entry & reserved) != 0) {
                throw c.generalProtection(0);
            }
        }
    }

    private static void setCr3(Cpu c, long value) {
        boolean pcid = (c.control(VcpuState.CR4) & Cr4.PCIDE) != 0;
        if (c.longMode) {
            if (pcid) {
                value &= ~CR3_NO_FLUSH;
            }
            if ((value & -1L << c.physicalBits) != 0) {
                throw c.generalProtection(0);
            }
        } else if ((c.control(VcpuState.CR4) & Cr4.PAE) != 0 && (c.control(VcpuState.CR0) & Cr0.PG) != 0) {
            checkPdptes(c, value);
        }
        c.setControl(VcpuState.CR3, value);
        // The TLB has no tags for address spaces, so that "no flush" has to flush as well.
        c.flushTlbNonGlobal();
    }

    private static void setCr4(Cpu c, long value) {
        long old = c.control(VcpuState.CR4);
        long changed = old ^ value;
        if ((value & changed) != 0 && (value & changed & ~CpuidPolicy.cr4Mask(c.world)) != 0) {
            throw c.generalProtection(0);
        }
        long cr3 = c.control(VcpuState.CR3);
        if (c.longMode && (value & Cr4.PAE) == 0) {
            throw c.generalProtection(0);
        }
        if ((value & changed & Cr4.PCIDE) != 0 && (!c.longMode || (cr3 & 0xfff) != 0)) {
            throw c.generalProtection(0);
        }
        boolean paging = (c.control(VcpuState.CR0) & Cr0.PG) != 0;
        if (paging
                && !c.longMode
                && (value & Cr4.PAE) != 0
                && (changed & (Cr4.PAE | Cr4.PGE | Cr4.PSE | Cr4.SMEP)) != 0) {
            checkPdptes(c, cr3);
        }
        c.setControl(VcpuState.CR4, value);
        if ((changed & (Cr4.PSE | Cr4.PAE | Cr4.PGE | Cr4.PCIDE | Cr4.SMEP | Cr4.SMAP)) != 0) {
            c.flushTlb();
        }
        c.refresh();
    }

    public static void clts(Cpu c, Insn i) {
        requireCpl0(c);
        c.setControl(VcpuState.CR0, c.control(VcpuState.CR0) & ~Cr0.TS);
        c.refresh();
        c.setRip(i.nextRip(c));
    }

    public static void smsw(Cpu c, Insn i) {
        checkUmip(c);
        i.writeRm(c, i.mem == null ? i.operandSize : 1, c.control(VcpuState.CR0));
    }

    /** LMSW changes PE, MP, EM and TS, and cannot clear PE. */
    public static void lmsw(Cpu c, Insn i) {
        requireCpl0(c);
        long low = i.readRm(c, 1) & 15;
        long next = i.nextRip(c);
        long cr0 = c.control(VcpuState.CR0);
        setCr0(c, cr0 & ~(Cr0.MP | Cr0.EM | Cr0.TS) | low);
        c.setRip(next);
    }

    // ---------------------------------------------------------------- debug registers

    private static void checkDebugAccess(Cpu c, int register) {
        if ((register == 4 || register == 5) && (c.control(VcpuState.CR4) & Cr4.DE) != 0) {
            throw c.undefined();
        }
        requireCpl0(c);
        if ((c.control(DR7) & DR7_GD) != 0) {
            c.setControl(DR6, c.control(DR6) | DR6_BD);
            throw c.fault(GuestFault.DB);
        }
    }

    /** DR4 and DR5 stand for DR6 and DR7. */
    private static int debugRegister(int register) {
        return VcpuState.DR + (register == 4 || register == 5 ? register + 2 : register) * 8;
    }

    public static void fromDebug(Cpu c, Insn i) {
        checkDebugAccess(c, i.reg);
        c.setReg(registerWidth(i), i.rm, c.control(debugRegister(i.reg)));
    }

    public static void toDebug(Cpu c, Insn i) {
        checkDebugAccess(c, i.reg);
        long value = c.reg(registerWidth(i), i.rm);
        int register = debugRegister(i.reg);
        if (register >= DR6 && value >>> 32 != 0) {
            throw c.generalProtection(0);
        }
        if (register == DR6) {
            value = value & DR6_WRITABLE | DR6_FIXED;
        } else if (register == DR7) {
            value = value & DR7_WRITABLE | DR7_FIXED;
        }
        c.setControl(register, value);
        if (register == DR7) {
            if ((value & 0xff) != 0) {
                c.state.raise(VcpuState.EVENT_STEP);
            }
            c.refreshAccessClass();
        }
        c.setRip(i.nextRip(c));
    }

    // ---------------------------------------------------------------- GDTR, IDTR

    private static void checkUmip(Cpu c) {
        if (c.cpl != 0 && (c.control(VcpuState.CR4) & Cr4.UMIP) != 0) {
            throw c.generalProtection(0);
        }
    }

    public static void sgdt(Cpu c, Insn i) {
        storeTable(c, i, VcpuState.GDTR_BASE, VcpuState.GDTR_LIMIT);
    }

    public static void sidt(Cpu c, Insn i) {
        storeTable(c, i, VcpuState.IDTR_BASE, VcpuState.IDTR_LIMIT);
    }

    private static void storeTable(Cpu c, Insn i, int base, int limit) {
        checkUmip(c);
        int w = registerWidth(i);
        long va = i.mem.linear(c, 2 + (1 << w), true);
        c.checkWritable(va, 2 + (1 << w));
        c.store16(va, c.state.getInt(limit));
        c.store(w, c.wrapLinear(va + 2), c.control(base));
    }

    public static void lgdt(Cpu c, Insn i) {
        loadTable(c, i, VcpuState.GDTR_BASE, VcpuState.GDTR_LIMIT);
    }

    public static void lidt(Cpu c, Insn i) {
        loadTable(c, i, VcpuState.IDTR_BASE, VcpuState.IDTR_LIMIT);
    }

    private static void loadTable(Cpu c, Insn i, int base, int limit) {
        requireCpl0(c);
        int w = registerWidth(i);
        long va = i.mem.linear(c, 2 + (1 << w), false);
        long newLimit = c.load16(va);
        long newBase = c.load(w, c.wrapLinear(va + 2));
        if (w == 2 && i.operandSize == 1) {
            newBase &= 0xffffff;
        }
        if (!Descriptors.canonical(newBase)) {
            throw c.generalProtection(0);
        }
        c.setControl(base, newBase);
        c.state.setInt(limit, (int) newLimit);
    }

    // ---------------------------------------------------------------- LDTR, TR

    private static void requireProtected(Cpu c) {
        if (!c.protectedMode) {
            throw c.undefined();
        }
    }

    public static void sldt(Cpu c, Insn i) {
        requireProtected(c);
        checkUmip(c);
        storeSelector(c, i, c.state.selector(VcpuState.LDTR));
    }

    public static void str(Cpu c, Insn i) {
        requireProtected(c);
        checkUmip(c);
        storeSelector(c, i, c.state.selector(VcpuState.TR));
    }

    public static void lldt(Cpu c, Insn i) {
        requireProtected(c);
        requireCpl0(c);
        int selector = (int) i.readRm(c, 1);
        if (Descriptors.isNull(selector)) {
            c.state.setSegment(VcpuState.LDTR, selector, 0, 0, VcpuState.UNUSABLE);
            return;
        }
        long d = systemDescriptor(c, selector);
        if (Descriptors.systemType(d) != Descriptors.LDT) {
            throw c.generalProtection(Descriptors.error(selector));
        }
        loadSystem(c, VcpuState.LDTR, selector, d);
    }

    public static void ltr(Cpu c, Insn i) {
        requireProtected(c);
        requireCpl0(c);
        int selector = (int) i.readRm(c, 1);
        if (Descriptors.isNull(selector)) {
            throw c.generalProtection(0);
        }
        long d = systemDescriptor(c, selector);
        int type = Descriptors.systemType(d);
        if (type != Descriptors.TSS_32 && (type != Descriptors.TSS_16 || c.longMode)) {
            throw c.generalProtection(Descriptors.error(selector));
        }
        loadSystem(c, VcpuState.TR, selector, d);
    }

    private static long systemDescriptor(Cpu c, int selector) {
        if ((selector & 4) != 0) {
            throw c.generalProtection(Descriptors.error(selector));
        }
        return Descriptors.fetch(c, selector, GuestFault.GP);
    }

    private static void loadSystem(Cpu c, int register, int selector, long d) {
        if (!Descriptors.present(d)) {
            throw c.fault(GuestFault.NP, Descriptors.error(selector));
        }
        long base = Descriptors.base(d);
        if (c.longMode) {
            long upper = Descriptors.fetchUpper(c, selector, GuestFault.GP);
            base |= upper << 32;
            if ((upper >>> 40 & 0x1f) != 0 || !Descriptors.canonical(base)) {
                throw c.generalProtection(Descriptors.error(selector));
            }
        }
        int access = Descriptors.access(d);
        if (register == VcpuState.TR) {
            access |= 2;
            Descriptors.setType(c, selector, access & 0xff);
        }
        c.state.setSegment(register, selector, base, Descriptors.limit(d), access);
    }

    // ---------------------------------------------------------------- LAR, LSL, VERR, VERW, ARPL

    private static void setZf(Cpu c, boolean zf) {
        Flags.setArithmetic(c, Flags.arithmetic(c) & ~Flags.ZF | (zf ? Flags.ZF : 0));
    }

    /** The descriptor of a selector that may be looked at from here, or 0 (which is no valid descriptor). */
    private static long visible(Cpu c, int selector) {
        if (Descriptors.isNull(selector)) {
            return 0;
        }
        long at = Descriptors.address(c, selector, 8);
        if (at == -1) {
            return 0;
        }
        long d = c.systemLoad(3, at);
        boolean conforming = Descriptors.isCode(d) && Descriptors.isConforming(d);
        int dpl = Descriptors.dpl(d);
        return !conforming && (dpl < c.cpl || dpl < (selector & 3)) ? 0 : d;
    }

    public static void lar(Cpu c, Insn i) {
        requireProtected(c);
        long d = visible(c, (int) i.readRm(c, 1) & 0xffff);
        boolean valid = d != 0
                && switch (Descriptors.systemType(d)) {
                    case -1, Descriptors.LDT, Descriptors.TSS_32, Descriptors.TSS_32_BUSY, Descriptors.CALL_GATE_32 ->
                        true;
                    case Descriptors.TSS_16, Descriptors.TSS_16_BUSY, Descriptors.CALL_GATE_16, Descriptors.TASK_GATE ->
                        !c.longMode;
                    default -> false;
                };
        setZf(c, valid);
        if (valid) {
            long rights = d >>> 32;
            c.setReg(i.operandSize, i.reg, i.operandSize == 1 ? rights & 0xff00 : rights & 0xf0ff00);
        }
    }

    public static void lsl(Cpu c, Insn i) {
        requireProtected(c);
        long d = visible(c, (int) i.readRm(c, 1) & 0xffff);
        boolean valid = d != 0
                && switch (Descriptors.systemType(d)) {
                    case -1, Descriptors.LDT, Descriptors.TSS_32, Descriptors.TSS_32_BUSY -> true;
                    case Descriptors.TSS_16, Descriptors.TSS_16_BUSY -> !c.longMode;
                    default -> false;
                };
        setZf(c, valid);
        if (valid) {
            c.setReg(i.operandSize, i.reg, Descriptors.limit(d) & 0xffffffffL);
        }
    }

    public static void verr(Cpu c, Insn i) {
        requireProtected(c);
        long d = visible(c, (int) i.readRm(c, 1) & 0xffff);
        setZf(
                c,
                d != 0
                        && Descriptors.isSegment(d)
                        && (!Descriptors.isCode(d) || (Descriptors.access(d) & Descriptors.READABLE) != 0));
    }

    public static void verw(Cpu c, Insn i) {
        requireProtected(c);
        long d = visible(c, (int) i.readRm(c, 1) & 0xffff);
        setZf(c, d != 0 && Descriptors.isWritableData(d));
    }

    public static void arpl(Cpu c, Insn i) {
        requireProtected(c);
        int destination = (int) i.readRm(c, 1);
        int rpl = (int) c.reg(1, i.reg) & 3;
        boolean raise = (destination & 3) < rpl;
        if (raise) {
            i.writeRm(c, 1, destination & ~3 | rpl);
        }
        setZf(c, raise);
    }

    // ---------------------------------------------------------------- FS and GS bases

    private static final int FS_BASE = VcpuState.SEGMENTS + VcpuState.FS * VcpuState.SEGMENT_SIZE;
    private static final int GS_BASE = VcpuState.SEGMENTS + VcpuState.GS * VcpuState.SEGMENT_SIZE;

    public static void rdfsbase(Cpu c, Insn i) {
        readBase(c, i, FS_BASE);
    }

    public static void rdgsbase(Cpu c, Insn i) {
        readBase(c, i, GS_BASE);
    }

    public static void wrfsbase(Cpu c, Insn i) {
        writeBase(c, i, FS_BASE);
    }

    public static void wrgsbase(Cpu c, Insn i) {
        writeBase(c, i, GS_BASE);
    }

    private static void checkBaseAccess(Cpu c) {
        if ((c.control(VcpuState.CR4) & Cr4.FSGSBASE) == 0) {
            throw c.undefined();
        }
    }

    private static int baseWidth(Insn i) {
        return i.operandSize == 3 ? 3 : 2;
    }

    private static void readBase(Cpu c, Insn i, int register) {
        checkBaseAccess(c);
        c.setReg(baseWidth(i), i.rm, c.control(register));
    }

    private static void writeBase(Cpu c, Insn i, int register) {
        checkBaseAccess(c);
        long value = c.reg(baseWidth(i), i.rm);
        if (!Descriptors.canonical(value)) {
            throw c.generalProtection(0);
        }
        c.setControl(register, value);
    }
}
