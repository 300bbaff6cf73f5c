package org.xenolith.cpu.core;

import org.xenolith.cpu.VcpuState;
import org.xenolith.memory.Raw;

/**
 * Delivery of interrupts and exceptions through the IVT or the IDT, in every mode (Intel SDM vol. 3, chapter 6; vol. 2,
 * INT n).
 *
 * <p>Everything is checked, and the frame is written, before a register changes; a {@link GuestFault} that leaves
 * {@link #deliver} therefore finds the processor as it was, and the engine decides between a second delivery, a double
 * fault and shutdown.
 */
public final class Interrupts {
    /** Where an event comes from, which decides about privilege checks and the EXT bit. */
    public enum Kind {
        /** An exception that an instruction raised. */
        FAULT_OR_TRAP,
        /** INT n, INT3, INTO: the gate's DPL is checked, and errors are the program's own. */
        SOFTWARE,
        /** An interrupt from outside, or an NMI. */
        EXTERNAL,
        /** INT1. */
        ICEBP
    }

    private static final int IDT_ERROR = 2;
    private static final long DR7_GD = 1 << 13;
    private static final int IST_OFFSET = 0x24;

    private Interrupts() {}

    /**
     * Delivers an event: afterwards the processor stands at the first instruction of the handler.
     *
     * @param errorCode pushed when {@code hasError}
     * @param returnRip instruction pointer to push: the faulting instruction, or the next one
     * @throws GuestFault when the delivery itself faults; no register has changed then
     */
    public static void deliver(Cpu c, int vector, int errorCode, boolean hasError, Kind kind, long returnRip) {
        try {
            if ((c.control(VcpuState.CR0) & Cr0.PE) == 0) {
                deliverReal(c, vector, kind, returnRip);
            } else if (c.longMode) {
                deliverLong(c, vector, errorCode, hasError, kind, returnRip);
            } else {
                deliverProtected(c, vector, errorCode, hasError, kind, returnRip);
            }
        } catch (GuestFault f) {
            if (f.vector == GuestFault.GP && f.errorCode == Cpu.NON_CANONICAL) {
                f.vector = GuestFault.SS;
                f.errorCode = 0;
            }
            if (kind != Kind.SOFTWARE && f.vector >= GuestFault.TS && f.vector <= GuestFault.GP) {
                f.errorCode |= 1;
            }
            throw f;
        }
        if (vector == GuestFault.NMI && kind == Kind.EXTERNAL) {
            c.state.setInt(VcpuState.NMI_BLOCKED, 1);
        }
        if (vector == GuestFault.DB && kind == Kind.FAULT_OR_TRAP) {
            int dr7 = VcpuState.DR + 7 * 8;
            c.setControl(dr7, c.control(dr7) & ~DR7_GD);
        }
        c.state.setInt(VcpuState.SHADOW, 0);
    }

    /** The flags image that is pushed. RF tells a fault's IRET not to hit the same code breakpoint again. */
    private static long savedFlags(Cpu c, int vector, Kind kind) {
        long flags = Flags.get(c);
        return switch (kind) {
            case SOFTWARE, ICEBP -> flags & ~Flags.RF;
            case EXTERNAL -> flags;
            case FAULT_OR_TRAP ->
                switch (vector) {
                    case GuestFault.DB, GuestFault.BP, GuestFault.OF, GuestFault.DF, GuestFault.MC -> flags;
                    default -> flags | Flags.RF;
                };
        };
    }

    private static GuestFault gateFault(Cpu c, int vector) {
        return c.generalProtection(vector * 8 + IDT_ERROR);
    }

    private static long idtLimit(Cpu c) {
        return Raw.getInt(c.base + VcpuState.IDTR_LIMIT) & 0xffff;
    }

    // ---------------------------------------------------------------- real mode

    private static void deliverReal(Cpu c, int vector, Kind kind, long returnRip) {
        if (vector * 4 + 3 > idtLimit(c)) {
            throw gateFault(c, vector);
        }
        long entry = c.systemLoad(2, c.control(VcpuState.IDTR_BASE) + vector * 4L & 0xffffffffL);
        long saved = savedFlags(c, vector, kind);
        PendingStack stack = PendingStack.current(c);
        stack.push(1, saved);
        stack.push(1, c.state.selector(VcpuState.CS));
        stack.push(1, returnRip);
        stack.commit();
        Segments.loadReal(c, VcpuState.CS, (int) (entry >>> 16));
        c.setRip(entry & 0xffff);
        Flags.set(c, saved & ~(Flags.IF | Flags.TF | Flags.AC | Flags.RF));
        c.refresh();
    }

    // ---------------------------------------------------------------- long mode

    private static void deliverLong(Cpu c, int vector, int errorCode, boolean hasError, Kind kind, long returnRip) {
        if (vector * 16 + 15 > idtLimit(c)) {
            throw gateFault(c, vector);
        }
        long at = c.control(VcpuState.IDTR_BASE) + vector * 16L;
        long gate = c.systemLoad(3, at);
        long upper = c.systemLoad(3, at + 8);
        int type = (int) (gate >>> 40) & 0x1f;
        if (type != Descriptors.INTERRUPT_GATE_32 && type != Descriptors.TRAP_GATE_32) {
            throw gateFault(c, vector);
        }
        if (kind == Kind.SOFTWARE && Descriptors.dpl(gate) < c.cpl) {
            throw gateFault(c, vector);
        }
        if (!Descriptors.present(gate)) {
            throw c.fault(GuestFault.NP, vector * 8 + IDT_ERROR);
        }
        int selector = Descriptors.gateSelector(gate);
        long target = Descriptors.gateOffset(gate) | upper << 32;
        long d = handlerSegment(c, selector);
        if (!Descriptors.isLong(d) || Descriptors.isBig(d)) {
            throw c.generalProtection(Descriptors.error(selector));
        }
        int level = Descriptors.isConforming(d) ? c.cpl : Descriptors.dpl(d);
        int ist = (int) (gate >>> 32) & 7;
        long oldRsp = c.gpr(VcpuState.RSP);
        long rsp;
        if (ist != 0) {
            rsp = Segments.tssStack64(c, IST_OFFSET + (ist - 1) * 8);
        } else if (level < c.cpl) {
            rsp = Segments.tssStack64(c, 4 + level * 8);
        } else {
            rsp = oldRsp;
        }
        rsp &= -16L;
        if (!Descriptors.canonical(rsp - 8)) {
            throw c.fault(GuestFault.SS, 0);
        }
        if (!Descriptors.canonical(target)) {
            throw c.generalProtection(0);
        }
        long saved = savedFlags(c, vector, kind);
        long sp = rsp - 40;
        pushLong(c, level, rsp - 8, c.state.selector(VcpuState.SS));
        pushLong(c, level, rsp - 16, oldRsp);
        pushLong(c, level, rsp - 24, saved);
        pushLong(c, level, rsp - 32, c.state.selector(VcpuState.CS));
        pushLong(c, level, sp, returnRip);
        if (hasError) {
            sp -= 8;
            pushLong(c, level, sp, errorCode & 0xffffffffL);
        }
        Segments.set(c, VcpuState.CS, selector & ~3 | level, d);
        if (level != c.cpl) {
            Segments.setNullStack(c, level, level);
        }
        c.setGpr(VcpuState.RSP, sp);
        c.setRip(target);
        enterHandler(c, saved, type == Descriptors.INTERRUPT_GATE_32);
    }

    private static void pushLong(Cpu c, int level, long va, long value) {
        if (level == 3) {
            c.store64(va, value);
        } else {
            c.systemStore(3, va, value);
        }
    }

    /** The handler's code segment: present, and not less privileged than the interrupted code. */
    private static long handlerSegment(Cpu c, int selector) {
        if (Descriptors.isNull(selector)) {
            throw c.generalProtection(0);
        }
        long d = Descriptors.fetch(c, selector, GuestFault.GP);
        if (!Descriptors.isCode(d) || Descriptors.dpl(d) > c.cpl) {
            throw c.generalProtection(Descriptors.error(selector));
        }
        if (!Descriptors.present(d)) {
            throw c.fault(GuestFault.NP, Descriptors.error(selector));
        }
        return Descriptors.markAccessed(c, selector, d);
    }

    private static void enterHandler(Cpu c, long saved, boolean interruptGate) {
        long cleared = Flags.TF | Flags.NT | Flags.RF | Flags.VM | (interruptGate ? Flags.IF : 0);
        Flags.set(c, saved & ~cleared);
        c.refresh();
    }

    // ---------------------------------------------------------------- protected and virtual-8086 mode

    private static void deliverProtected(
            Cpu c, int vector, int errorCode, boolean hasError, Kind kind, long returnRip) {
        if (vector * 8 + 7 > idtLimit(c)) {
            throw gateFault(c, vector);
        }
        long gate = c.systemLoad(3, c.wrapLinear(c.control(VcpuState.IDTR_BASE) + vector * 8L));
        int type = Descriptors.systemType(gate);
        switch (type) {
            case Descriptors.TASK_GATE,
                    Descriptors.INTERRUPT_GATE_16,
                    Descriptors.TRAP_GATE_16,
                    Descriptors.INTERRUPT_GATE_32,
                    Descriptors.TRAP_GATE_32 -> {}
            default -> throw gateFault(c, vector);
        }
        if (kind == Kind.SOFTWARE && Descriptors.dpl(gate) < c.cpl) {
            throw gateFault(c, vector);
        }
        if (!Descriptors.present(gate)) {
            throw c.fault(GuestFault.NP, vector * 8 + IDT_ERROR);
        }
        int selector = Descriptors.gateSelector(gate);
        long saved = savedFlags(c, vector, kind);
        if (type == Descriptors.TASK_GATE) {
            TaskSwitch.throughGate(c, selector, saved, returnRip);
            if (hasError) {
                c.push((c.state.access(VcpuState.TR) & 8) != 0 ? 2 : 1, errorCode);
            }
            return;
        }
        long d = handlerSegment(c, selector);
        long target = Descriptors.gateOffset(gate);
        int w = (type & 8) != 0 ? 2 : 1;
        boolean toInner = !Descriptors.isConforming(d) && Descriptors.dpl(d) < c.cpl;
        if (c.v86 && (!toInner || Descriptors.dpl(d) != 0)) {
            throw c.generalProtection(Descriptors.error(selector));
        }
        int level = toInner ? Descriptors.dpl(d) : c.cpl;
        boolean fromV86 = c.v86;
        PendingStack stack = toInner ? Segments.innerStack(c, level) : PendingStack.current(c);
        if (toInner) {
            if (fromV86) {
                stack.push(w, c.state.selector(VcpuState.GS));
                stack.push(w, c.state.selector(VcpuState.FS));
                stack.push(w, c.state.selector(VcpuState.DS));
                stack.push(w, c.state.selector(VcpuState.ES));
            }
            stack.push(w, c.state.selector(VcpuState.SS));
            stack.push(w, c.gpr(VcpuState.RSP));
        }
        stack.push(w, saved);
        stack.push(w, c.state.selector(VcpuState.CS));
        stack.push(w, returnRip);
        if (hasError) {
            stack.push(w, errorCode);
        }
        if (target > (Descriptors.limit(d) & 0xffffffffL)) {
            throw c.generalProtection(0);
        }
        stack.commit();
        Segments.set(c, VcpuState.CS, selector & ~3 | level, d);
        if (fromV86) {
            for (int segment : V86_DATA) {
                Segments.setNull(c, segment, 0);
            }
        }
        c.setRip(target);
        enterHandler(c, saved, (type & 1) == 0);
    }

    private static final int[] V86_DATA = {VcpuState.ES, VcpuState.DS, VcpuState.FS, VcpuState.GS};
}
