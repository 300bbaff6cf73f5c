package org.xenolith.cpu.core;

import org.xenolith.cpu.VcpuState;

/**
 * Hardware task switches through 16- and 32-bit task-state segments (Intel SDM vol. 3, chapter 7). Long mode has none.
 *
 * <p>Up to the point where the new task's registers are in place, a fault belongs to the old task and leaves it
 * unchanged. Faults of loading the new task's segments belong to the new task; they are delivered here, because the
 * instruction that started the switch is not what they must return to.
 */
public final class TaskSwitch {
    /** What starts a switch: it decides about busy bits, NT and the back link. */
    public enum Reason {
        JUMP,
        /** CALL, interrupt or exception: the new task can return by IRET. */
        CALL,
        IRET
    }

    private static final int MIN_LIMIT_32 = 0x67;
    private static final int MIN_LIMIT_16 = 0x2B;
    private static final long DR6_BT = 1 << 15;
    /** The local breakpoint enables end with their task. */
    private static final long DR7_LOCAL = 0x155;

    private static final int BUSY = 2;

    /** Segment registers in the order of a TSS. */
    private static final int[] ORDER = {
        VcpuState.ES, VcpuState.CS, VcpuState.SS, VcpuState.DS, VcpuState.FS, VcpuState.GS
    };

    private TaskSwitch() {}

    /** An interrupt or exception that meets a task gate. */
    static void throughGate(Cpu c, int tssSelector, long savedFlags, long returnRip) {
        long d = checkGateTarget(c, tssSelector);
        switchTo(c, tssSelector, d, Reason.CALL, savedFlags, returnRip);
    }

    /** The TSS descriptor behind a task gate. */
    public static long checkGateTarget(Cpu c, int selector) {
        if (Descriptors.isNull(selector)) {
            throw c.generalProtection(0);
        }
        if ((selector & 4) != 0) {
            throw c.generalProtection(Descriptors.error(selector));
        }
        long d = Descriptors.fetch(c, selector, GuestFault.GP);
        int type = Descriptors.systemType(d);
        if (type != Descriptors.TSS_16 && type != Descriptors.TSS_32) {
            throw c.generalProtection(Descriptors.error(selector));
        }
        if (!Descriptors.present(d)) {
            throw c.fault(GuestFault.NP, Descriptors.error(selector));
        }
        return d;
    }

    /** IRET with NT set: returns to the task that the back link names. */
    public static void back(Cpu c, long returnRip) {
        int selector = (int) c.systemLoad(1, c.state.segmentBase(VcpuState.TR));
        int error = Descriptors.error(selector);
        if ((selector & 4) != 0 || Descriptors.isNull(selector)) {
            throw c.fault(GuestFault.TS, error);
        }
        long d = Descriptors.fetch(c, selector, GuestFault.TS);
        int type = Descriptors.systemType(d);
        if (type != Descriptors.TSS_16_BUSY && type != Descriptors.TSS_32_BUSY) {
            throw c.fault(GuestFault.TS, error);
        }
        if (!Descriptors.present(d)) {
            throw c.fault(GuestFault.NP, error);
        }
        switchTo(c, selector, d, Reason.IRET, Flags.get(c), returnRip);
    }

    /**
     * Switches tasks.
     *
     * @param d the new TSS's descriptor, checked for type and presence
     * @param flags the old task's flags to save
     * @param rip the old task's instruction pointer to save
     */
    public static void switchTo(Cpu c, int selector, long d, Reason reason, long flags, long rip) {
        boolean wide = (d >>> 43 & 1) != 0;
        long limit = Descriptors.limit(d) & 0xffffffffL;
        if (limit < (wide ? MIN_LIMIT_32 : MIN_LIMIT_16)) {
            throw c.fault(GuestFault.TS, Descriptors.error(selector));
        }
        long to = Descriptors.base(d);
        // The new image is read completely first: page faults must find the old task.
        int w = wide ? 2 : 1;
        long newCr3 = wide ? c.systemLoad(2, at(c, to, 0x1C)) : 0;
        long newRip = c.systemLoad(w, at(c, to, wide ? 0x20 : 0x0E));
        long newFlags = c.systemLoad(w, at(c, to, wide ? 0x24 : 0x10));
        long[] registers = new long[8];
        for (int n = 0; n < 8; n++) {
            registers[n] = c.systemLoad(w, at(c, to, wide ? 0x28 + n * 4 : 0x12 + n * 2));
        }
        int[] selectors = new int[6];
        for (int n = 0; n < (wide ? 6 : 4); n++) {
            selectors[n] = (int) c.systemLoad(1, at(c, to, wide ? 0x48 + n * 4 : 0x22 + n * 2));
        }
        int ldt = (int) c.systemLoad(1, at(c, to, wide ? 0x60 : 0x2A));
        boolean trap = wide && (c.systemLoad(1, at(c, to, 0x64)) & 1) != 0;

        saveOld(c, reason, flags, rip);
        if (reason == Reason.CALL) {
            c.systemStore(1, to, c.state.selector(VcpuState.TR));
            newFlags |= Flags.NT;
        }
        int oldTr = c.state.selector(VcpuState.TR);
        if (reason != Reason.CALL && Descriptors.address(c, oldTr, 8) != -1) {
            long old = Descriptors.fetch(c, oldTr, GuestFault.TS);
            Descriptors.setType(c, oldTr, (int) (old >>> 40) & 0xff & ~BUSY);
        }
        int access = Descriptors.access(d) | BUSY;
        if (reason != Reason.IRET) {
            Descriptors.setType(c, selector, access & 0xff);
        }
        c.state.setSegment(VcpuState.TR, selector & ~7, to, (int) limit, access);
        c.setControl(VcpuState.CR0, c.control(VcpuState.CR0) | Cr0.TS);
        if (wide && (c.control(VcpuState.CR0) & Cr0.PG) != 0 && newCr3 != c.control(VcpuState.CR3)) {
            c.setControl(VcpuState.CR3, newCr3);
            c.flushTlbNonGlobal();
        }
        int dr7 = VcpuState.DR + 7 * 8;
        c.setControl(dr7, c.control(dr7) & ~DR7_LOCAL);
        if (loadNew(c, wide, newRip, newFlags, registers, selectors, ldt) && trap) {
            int dr6 = VcpuState.DR + 6 * 8;
            c.setControl(dr6, c.control(dr6) | DR6_BT);
            Interrupts.deliver(c, GuestFault.DB, 0, false, Interrupts.Kind.FAULT_OR_TRAP, c.rip());
        }
    }

    private static long at(Cpu c, long tss, int offset) {
        return c.wrapLinear(tss + offset);
    }

    private static void saveOld(Cpu c, Reason reason, long flags, long rip) {
        long from = c.state.segmentBase(VcpuState.TR);
        boolean wide = (c.state.access(VcpuState.TR) & 8) != 0;
        int w = wide ? 2 : 1;
        long saved = reason == Reason.IRET ? flags & ~Flags.NT : flags;
        c.systemStore(w, at(c, from, wide ? 0x20 : 0x0E), rip);
        c.systemStore(w, at(c, from, wide ? 0x24 : 0x10), saved);
        for (int n = 0; n < 8; n++) {
            c.systemStore(w, at(c, from, wide ? 0x28 + n * 4 : 0x12 + n * 2), c.gpr(n));
        }
        for (int n = 0; n < (wide ? 6 : 4); n++) {
            c.systemStore(1, at(c, from, wide ? 0x48 + n * 4 : 0x22 + n * 2), c.state.selector(ORDER[n]));
        }
    }

    /** False when the new task began with a fault. */
    private static boolean loadNew(
            Cpu c, boolean wide, long rip, long flags, long[] registers, int[] selectors, int ldt) {
        for (int n = 0; n < 8; n++) {
            c.setGpr(n, wide ? registers[n] : registers[n] | 0xffff0000L);
        }
        long newFlags = wide ? flags : flags & 0xffff;
        boolean v86 = (newFlags & Flags.VM) != 0;
        int level = v86 ? 3 : selectors[1] & 3;
        for (int n = 0; n < 6; n++) {
            int segment = ORDER[n];
            if (v86) {
                c.state.setSegment(segment, selectors[n], (long) selectors[n] << 4, 0xffff, Segments.V86_ACCESS);
            } else if (segment == VcpuState.SS) {
                Segments.setNullStack(c, selectors[n], level);
            } else {
                Segments.setNull(c, segment, selectors[n]);
            }
        }
        c.state.setSegment(VcpuState.LDTR, ldt, 0, 0, VcpuState.UNUSABLE);
        Flags.set(c, newFlags);
        c.setRip(rip);
        c.refresh();
        try {
            loadLdt(c, ldt);
            if (!v86) {
                loadCode(c, selectors[1], rip);
                loadStack(c, selectors[2], level);
                c.refresh();
                for (int n : DATA) {
                    loadData(c, ORDER[n], selectors[n]);
                }
            }
            return true;
        } catch (GuestFault f) {
            Interrupts.deliver(
                    c, f.vector, f.errorCode, GuestFault.hasErrorCode(f.vector), Interrupts.Kind.FAULT_OR_TRAP, rip);
            return false;
        }
    }

    private static final int[] DATA = {0, 3, 4, 5};

    private static void loadLdt(Cpu c, int selector) {
        if (Descriptors.isNull(selector)) {
            return;
        }
        if ((selector & 4) != 0) {
            throw c.fault(GuestFault.TS, Descriptors.error(selector));
        }
        long d = Descriptors.fetch(c, selector, GuestFault.TS);
        if (Descriptors.systemType(d) != Descriptors.LDT || !Descriptors.present(d)) {
            throw c.fault(GuestFault.TS, Descriptors.error(selector));
        }
        c.state.setSegment(VcpuState.LDTR, selector, Descriptors.base(d), Descriptors.limit(d), Descriptors.access(d));
    }

    private static void loadCode(Cpu c, int selector, long rip) {
        int error = Descriptors.error(selector);
        if (Descriptors.isNull(selector)) {
            throw c.fault(GuestFault.TS, 0);
        }
        long d = Descriptors.fetch(c, selector, GuestFault.TS);
        int rpl = selector & 3;
        if (!Descriptors.isCode(d)
                || (Descriptors.isConforming(d) ? Descriptors.dpl(d) > rpl : Descriptors.dpl(d) != rpl)) {
            throw c.fault(GuestFault.TS, error);
        }
        if (!Descriptors.present(d)) {
            throw c.fault(GuestFault.NP, error);
        }
        Segments.set(c, VcpuState.CS, selector, Descriptors.markAccessed(c, selector, d));
        if (rip > (Descriptors.limit(d) & 0xffffffffL)) {
            throw c.generalProtection(0);
        }
    }

    private static void loadStack(Cpu c, int selector, int level) {
        int error = Descriptors.error(selector);
        if (Descriptors.isNull(selector)) {
            throw c.fault(GuestFault.TS, 0);
        }
        long d = Descriptors.fetch(c, selector, GuestFault.TS);
        if ((selector & 3) != level || Descriptors.dpl(d) != level || !Descriptors.isWritableData(d)) {
            throw c.fault(GuestFault.TS, error);
        }
        if (!Descriptors.present(d)) {
            throw c.fault(GuestFault.SS, error);
        }
        Segments.set(c, VcpuState.SS, selector, Descriptors.markAccessed(c, selector, d));
    }

    private static void loadData(Cpu c, int segment, int selector) {
        if (Descriptors.isNull(selector)) {
            return;
        }
        long d = Descriptors.fetch(c, selector, GuestFault.TS);
        Segments.checkData(c, selector, d, c.cpl, GuestFault.TS);
        Segments.set(c, segment, selector, Descriptors.markAccessed(c, selector, d));
    }
}
