package org.xenolith.cpu.semantics;

import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Descriptors;
import org.xenolith.cpu.core.Flags;
import org.xenolith.cpu.core.GuestFault;
import org.xenolith.cpu.core.Interrupts;
import org.xenolith.cpu.core.PendingStack;
import org.xenolith.cpu.core.Segments;
import org.xenolith.cpu.core.TaskSwitch;
import org.xenolith.cpu.decode.Insn;

/** Far jumps, calls and returns, software interrupts and IRET (Intel SDM vol. 2; vol. 3, 5.8 and 6.12). */
public final class FarControl {
    private FarControl() {}

    // ---------------------------------------------------------------- jumps

    public static void jmpf(Cpu c, Insn i) {
        jump(c, i, i.imm2 & 0xffff, i.imm);
    }

    public static void jmpfRm(Cpu c, Insn i) {
        int bytes = 1 << i.operandSize;
        long va = i.mem.linear(c, bytes + 2, false);
        long offset = c.load(i.operandSize, va);
        jump(c, i, (int) c.load16(c.wrapLinear(va + bytes)), offset);
    }

    private static void jump(Cpu c, Insn i, int selector, long offset) {
        if (!c.protectedMode) {
            realTransfer(c, selector, offset);
            return;
        }
        long d = target(c, selector);
        if (Descriptors.isSegment(d)) {
            checkDirect(c, selector, d);
            d = checkOffset(c, selector, d, offset);
            enterCode(c, selector, d, offset);
            return;
        }
        switch (Descriptors.systemType(d)) {
            case Descriptors.CALL_GATE_16, Descriptors.CALL_GATE_32 -> gateJump(c, selector, d);
            case Descriptors.TASK_GATE -> taskGate(c, i, selector, d, TaskSwitch.Reason.JUMP);
            case Descriptors.TSS_16, Descriptors.TSS_32 -> task(c, i, selector, d, TaskSwitch.Reason.JUMP);
            default -> throw selectorFault(c, selector);
        }
    }

    private static GuestFault selectorFault(Cpu c, int selector) {
        return c.generalProtection(Descriptors.error(selector));
    }

    private static long target(Cpu c, int selector) {
        if (Descriptors.isNull(selector)) {
            throw c.generalProtection(0);
        }
        return Descriptors.fetch(c, selector, GuestFault.GP);
    }

    /** Real and virtual-8086 mode. */
    private static void realTransfer(Cpu c, int selector, long offset) {
        checkRealOffset(c, offset);
        Segments.loadReal(c, VcpuState.CS, selector);
        c.setRip(offset);
        c.refresh();
    }

    private static void checkRealOffset(Cpu c, long offset) {
        if (offset > (c.state.segmentLimit(VcpuState.CS) & 0xffffffffL)) {
            throw c.generalProtection(0);
        }
    }

    /** Checks of a jump or call straight to a code segment. */
    private static void checkDirect(Cpu c, int selector, long d) {
        int dpl = Descriptors.dpl(d);
        boolean allowed = Descriptors.isCode(d)
                && (Descriptors.isConforming(d) ? dpl <= c.cpl : dpl == c.cpl && (selector & 3) <= c.cpl);
        if (!allowed) {
            throw selectorFault(c, selector);
        }
        if (!Descriptors.present(d)) {
            throw c.fault(GuestFault.NP, Descriptors.error(selector));
        }
    }

    /**
     * The target must lie in its segment, or be canonical when that is 64-bit code. The last check of a code segment:
     * returns the descriptor marked accessed.
     */
    private static long checkOffset(Cpu c, int selector, long d, long offset) {
        if (c.longMode && Descriptors.isLong(d)) {
            if (Descriptors.isBig(d)) {
                throw selectorFault(c, selector);
            }
            if (!Descriptors.canonical(offset)) {
                throw c.generalProtection(0);
            }
        } else if (Long.compareUnsigned(offset, Descriptors.limit(d) & 0xffffffffL) > 0) {
            throw c.generalProtection(0);
        }
        return Descriptors.markAccessed(c, selector, d);
    }

    private static void enterCode(Cpu c, int selector, long d, long offset) {
        Segments.set(c, VcpuState.CS, selector & ~3 | c.cpl, d);
        c.setRip(offset);
        c.refresh();
    }

    private static void taskGate(Cpu c, Insn i, int selector, long d, TaskSwitch.Reason reason) {
        checkSystem(c, selector, d);
        int tss = Descriptors.gateSelector(d);
        long tssDescriptor = TaskSwitch.checkGateTarget(c, tss);
        TaskSwitch.switchTo(c, tss, tssDescriptor, reason, Flags.get(c), i.nextRip(c));
    }

    private static void task(Cpu c, Insn i, int selector, long d, TaskSwitch.Reason reason) {
        checkSystem(c, selector, d);
        if ((selector & 4) != 0) {
            throw selectorFault(c, selector);
        }
        TaskSwitch.switchTo(c, selector, d, reason, Flags.get(c), i.nextRip(c));
    }

    /** Privilege and presence of a task gate or TSS; long mode has neither. */
    private static void checkSystem(Cpu c, int selector, long d) {
        if (c.longMode || Descriptors.dpl(d) < c.cpl || Descriptors.dpl(d) < (selector & 3)) {
            throw selectorFault(c, selector);
        }
        if (!Descriptors.present(d)) {
            throw c.fault(GuestFault.NP, Descriptors.error(selector));
        }
    }

    // ---------------------------------------------------------------- call gates

    /** Checks a call gate; returns the offset of its target. */
    private static long gateOffset(Cpu c, int selector, long gate) {
        int dpl = Descriptors.dpl(gate);
        if (dpl < c.cpl || dpl < (selector & 3)) {
            throw selectorFault(c, selector);
        }
        long offset = Descriptors.gateOffset(gate);
        if (c.longMode) {
            if (Descriptors.systemType(gate) == Descriptors.CALL_GATE_16) {
                throw selectorFault(c, selector);
            }
            long upper = Descriptors.fetchUpper(c, selector, GuestFault.GP);
            if ((upper >>> 40 & 0x1f) != 0) {
                throw selectorFault(c, selector);
            }
            offset |= upper << 32;
        }
        if (!Descriptors.present(gate)) {
            throw c.fault(GuestFault.NP, Descriptors.error(selector));
        }
        return offset;
    }

    /** The code segment that a gate names. */
    private static long gateTarget(Cpu c, int selector) {
        long d = target(c, selector);
        if (!Descriptors.isCode(d) || Descriptors.dpl(d) > c.cpl) {
            throw selectorFault(c, selector);
        }
        if (c.longMode && (!Descriptors.isLong(d) || Descriptors.isBig(d))) {
            throw selectorFault(c, selector);
        }
        if (!Descriptors.present(d)) {
            throw c.fault(GuestFault.NP, Descriptors.error(selector));
        }
        return d;
    }

    private static void gateJump(Cpu c, int selector, long gate) {
        long offset = gateOffset(c, selector, gate);
        int code = Descriptors.gateSelector(gate);
        long d = gateTarget(c, code);
        if (!Descriptors.isConforming(d) && Descriptors.dpl(d) != c.cpl) {
            throw selectorFault(c, code);
        }
        d = checkOffset(c, code, d, offset);
        enterCode(c, code, d, offset);
    }

    private static void gateCall(Cpu c, Insn i, int selector, long gate) {
        long offset = gateOffset(c, selector, gate);
        int code = Descriptors.gateSelector(gate);
        long d = gateTarget(c, code);
        d = checkOffset(c, code, d, offset);
        boolean inner = !Descriptors.isConforming(d) && Descriptors.dpl(d) < c.cpl;
        if (c.longMode) {
            gateCallLong(c, i, code, d, offset, inner);
            return;
        }
        int w = (gate >>> 43 & 1) != 0 ? 2 : 1;
        int level = inner ? Descriptors.dpl(d) : c.cpl;
        PendingStack stack = inner ? Segments.innerStack(c, level) : PendingStack.current(c);
        if (inner) {
            int parameters = (int) (gate >>> 32) & 31;
            stack.push(w, c.state.selector(VcpuState.SS));
            stack.push(w, c.gpr(VcpuState.RSP));
            for (int n = parameters - 1; n >= 0; n--) {
                stack.push(w, c.peek(w, (long) n << w));
            }
        }
        stack.push(w, c.state.selector(VcpuState.CS));
        stack.push(w, i.nextRip(c));
        stack.commit();
        Segments.set(c, VcpuState.CS, code & ~3 | level, d);
        c.setRip(offset);
        c.refresh();
    }

    private static void gateCallLong(Cpu c, Insn i, int code, long d, long offset, boolean inner) {
        long next = i.nextRip(c);
        int cs = c.state.selector(VcpuState.CS);
        if (inner) {
            int level = Descriptors.dpl(d);
            long rsp = Segments.tssStack64(c, 4 + level * 8);
            c.systemStore(3, rsp - 8, c.state.selector(VcpuState.SS));
            c.systemStore(3, rsp - 16, c.gpr(VcpuState.RSP));
            c.systemStore(3, rsp - 24, cs);
            c.systemStore(3, rsp - 32, next);
            Segments.set(c, VcpuState.CS, code & ~3 | level, d);
            Segments.setNullStack(c, level, level);
            c.setGpr(VcpuState.RSP, rsp - 32);
        } else {
            long sp = c.stackPointer();
            c.store64(c.stackLinear(sp - 8, 8, true), cs);
            c.store64(c.stackLinear(sp - 16, 8, true), next);
            Segments.set(c, VcpuState.CS, code & ~3 | c.cpl, d);
            c.setGpr(VcpuState.RSP, sp - 16);
        }
        c.setRip(offset);
        c.refresh();
    }

    // ---------------------------------------------------------------- calls

    public static void callf(Cpu c, Insn i) {
        call(c, i, i.imm2 & 0xffff, i.imm);
    }

    public static void callfRm(Cpu c, Insn i) {
        int bytes = 1 << i.operandSize;
        long va = i.mem.linear(c, bytes + 2, false);
        long offset = c.load(i.operandSize, va);
        call(c, i, (int) c.load16(c.wrapLinear(va + bytes)), offset);
    }

    private static void call(Cpu c, Insn i, int selector, long offset) {
        if (!c.protectedMode) {
            checkRealOffset(c, offset);
            pushReturn(c, i);
            realTransfer(c, selector, offset);
            return;
        }
        long d = target(c, selector);
        if (Descriptors.isSegment(d)) {
            checkDirect(c, selector, d);
            d = checkOffset(c, selector, d, offset);
            pushReturn(c, i);
            enterCode(c, selector, d, offset);
            return;
        }
        switch (Descriptors.systemType(d)) {
            case Descriptors.CALL_GATE_16, Descriptors.CALL_GATE_32 -> gateCall(c, i, selector, d);
            case Descriptors.TASK_GATE -> taskGate(c, i, selector, d, TaskSwitch.Reason.CALL);
            case Descriptors.TSS_16, Descriptors.TSS_32 -> task(c, i, selector, d, TaskSwitch.Reason.CALL);
            default -> throw selectorFault(c, selector);
        }
    }

    private static void pushReturn(Cpu c, Insn i) {
        PendingStack stack = PendingStack.current(c);
        stack.push(i.operandSize, c.state.selector(VcpuState.CS));
        stack.push(i.operandSize, i.nextRip(c));
        stack.commit();
    }

    // ---------------------------------------------------------------- returns

    public static void retf(Cpu c, Insn i) {
        farReturn(c, i, 0);
    }

    public static void retfImm(Cpu c, Insn i) {
        farReturn(c, i, (int) i.imm & 0xffff);
    }

    private static void farReturn(Cpu c, Insn i, int release) {
        int w = i.operandSize;
        int bytes = 1 << w;
        long rip = c.peek(w, 0);
        int selector = (int) c.peek(w, bytes) & 0xffff;
        if (!c.protectedMode) {
            checkRealOffset(c, rip);
            c.drop(2L * bytes + release);
            realTransfer(c, selector, rip);
            return;
        }
        long d = returnTarget(c, selector);
        int level = selector & 3;
        d = checkOffset(c, selector, d, rip);
        if (level == c.cpl) {
            c.drop(2L * bytes + release);
            enterCode(c, selector, d, rip);
            return;
        }
        long sp = c.peek(w, 2L * bytes + release);
        int ss = (int) c.peek(w, 3L * bytes + release) & 0xffff;
        long stack = returnStack(c, ss, level, Descriptors.isLong(d));
        commitOuter(c, selector, d, rip, ss, stack, sp + release, level);
    }

    /** The code segment that a return names: not more privileged than the current code. */
    private static long returnTarget(Cpu c, int selector) {
        long d = target(c, selector);
        int rpl = selector & 3;
        int dpl = Descriptors.dpl(d);
        boolean allowed =
                Descriptors.isCode(d) && rpl >= c.cpl && (Descriptors.isConforming(d) ? dpl <= rpl : dpl == rpl);
        if (!allowed) {
            throw selectorFault(c, selector);
        }
        if (!Descriptors.present(d)) {
            throw c.fault(GuestFault.NP, Descriptors.error(selector));
        }
        return d;
    }

    /** The stack segment of a return to {@code level}; 0 stands for the null segment that 64-bit mode allows. */
    private static long returnStack(Cpu c, int selector, int level, boolean toLong) {
        if (Descriptors.isNull(selector)) {
            if (!c.longMode || !toLong || level == 3 || (selector & 3) != level) {
                throw c.generalProtection(0);
            }
            return 0;
        }
        long d = Descriptors.fetch(c, selector, GuestFault.GP);
        if ((selector & 3) != level || Descriptors.dpl(d) != level || !Descriptors.isWritableData(d)) {
            throw selectorFault(c, selector);
        }
        if (!Descriptors.present(d)) {
            throw c.fault(GuestFault.SS, Descriptors.error(selector));
        }
        return Descriptors.markAccessed(c, selector, d);
    }

    private static void commitOuter(Cpu c, int selector, long d, long rip, int ss, long stack, long sp, int level) {
        boolean outer = level > c.cpl;
        Segments.set(c, VcpuState.CS, selector, d);
        if (stack == 0) {
            Segments.setNullStack(c, ss, level);
        } else {
            Segments.set(c, VcpuState.SS, ss, stack);
        }
        c.setRip(rip);
        if (outer) {
            Segments.dropPrivileged(c, level);
        }
        c.refresh();
        c.setStackPointer(sp);
    }

    // ---------------------------------------------------------------- software interrupts

    public static void int3(Cpu c, Insn i) {
        Interrupts.deliver(c, GuestFault.BP, 0, false, Interrupts.Kind.SOFTWARE, i.nextRip(c));
    }

    public static void intn(Cpu c, Insn i) {
        if (c.v86 && c.iopl() < 3) {
            throw c.generalProtection(0);
        }
        Interrupts.deliver(c, (int) i.imm & 0xff, 0, false, Interrupts.Kind.SOFTWARE, i.nextRip(c));
    }

    public static void into(Cpu c, Insn i) {
        long next = i.nextRip(c);
        if (Flags.of(c)) {
            Interrupts.deliver(c, GuestFault.OF, 0, false, Interrupts.Kind.SOFTWARE, next);
        } else {
            c.setRip(next);
        }
    }

    public static void int1(Cpu c, Insn i) {
        Interrupts.deliver(c, GuestFault.DB, 0, false, Interrupts.Kind.ICEBP, i.nextRip(c));
    }

    // ---------------------------------------------------------------- IRET

    private static final long IRET_FLAGS = Flags.ARITHMETIC | Flags.TF | Flags.DF | Flags.NT;

    public static void iret(Cpu c, Insn i) {
        if (!c.protectedMode) {
            iretReal(c, i);
        } else if (c.longMode) {
            if (c.flag(Flags.NT)) {
                throw c.generalProtection(0);
            }
            iretProtected(c, i);
        } else if (c.flag(Flags.NT)) {
            TaskSwitch.back(c, i.nextRip(c));
        } else {
            iretProtected(c, i);
        }
        c.state.setInt(VcpuState.NMI_BLOCKED, 0);
        c.serialize();
    }

    private static void iretReal(Cpu c, Insn i) {
        if (c.v86 && c.iopl() < 3) {
            throw c.generalProtection(0);
        }
        int w = i.operandSize;
        int bytes = 1 << w;
        long rip = c.peek(w, 0);
        int selector = (int) c.peek(w, bytes) & 0xffff;
        long popped = c.peek(w, 2L * bytes);
        checkRealOffset(c, rip);
        long mask = IRET_FLAGS | Flags.IF | (w == 2 ? Flags.RF | Flags.AC | Flags.ID : 0);
        if (!c.v86) {
            mask |= Flags.IOPL;
        }
        c.drop(3L * bytes);
        Flags.set(c, Flags.get(c) & ~mask | popped & mask);
        realTransfer(c, selector, rip);
    }

    private static void iretProtected(Cpu c, Insn i) {
        int w = i.operandSize;
        int bytes = 1 << w;
        long rip = c.peek(w, 0);
        int selector = (int) c.peek(w, bytes) & 0xffff;
        long popped = c.peek(w, 2L * bytes);
        if (w == 2 && !c.longMode && c.cpl == 0 && (popped & Flags.VM) != 0) {
            iretToV86(c, rip, selector, popped);
            return;
        }
        long d = returnTarget(c, selector);
        int level = selector & 3;
        long mask = IRET_FLAGS | (w >= 2 ? Flags.RF | Flags.AC | Flags.ID : 0);
        if (c.cpl <= c.iopl()) {
            mask |= Flags.IF;
        }
        if (c.cpl == 0) {
            mask |= Flags.IOPL | (w >= 2 ? Flags.VIF | Flags.VIP : 0);
        }
        d = checkOffset(c, selector, d, rip);
        if (level == c.cpl && c.mode != 3) {
            c.drop(3L * bytes);
            Flags.set(c, Flags.get(c) & ~mask | popped & mask);
            enterCode(c, selector, d, rip);
            return;
        }
        long sp = c.peek(w, 3L * bytes);
        int ss = (int) c.peek(w, 4L * bytes) & 0xffff;
        long stack = returnStack(c, ss, level, Descriptors.isLong(d));
        Flags.set(c, Flags.get(c) & ~mask | popped & mask);
        commitOuter(c, selector, d, rip, ss, stack, sp, level);
    }

    private static void iretToV86(Cpu c, long rip, int selector, long popped) {
        long sp = c.peek(2, 12);
        int ss = (int) c.peek(2, 16) & 0xffff;
        int es = (int) c.peek(2, 20) & 0xffff;
        int ds = (int) c.peek(2, 24) & 0xffff;
        int fs = (int) c.peek(2, 28) & 0xffff;
        int gs = (int) c.peek(2, 32) & 0xffff;
        if (rip > 0xffff) {
            throw c.generalProtection(0);
        }
        Flags.set(c, popped);
        c.refresh();
        Segments.loadReal(c, VcpuState.CS, selector);
        Segments.loadReal(c, VcpuState.SS, ss);
        Segments.loadReal(c, VcpuState.ES, es);
        Segments.loadReal(c, VcpuState.DS, ds);
        Segments.loadReal(c, VcpuState.FS, fs);
        Segments.loadReal(c, VcpuState.GS, gs);
        c.setRip(rip);
        c.refresh();
        c.put(2, VcpuState.RSP * 8, sp);
    }
}
