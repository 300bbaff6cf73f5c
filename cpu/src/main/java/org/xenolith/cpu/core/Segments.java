package org.xenolith.cpu.core;

import org.xenolith.cpu.VcpuState;

/** Loads of segment registers, with the checks of each mode (Intel SDM vol. 2, MOV and POP; vol. 3, 5.5 to 5.8). */
public final class Segments {
    /** Access rights of every segment in virtual-8086 mode. */
    public static final int V86_ACCESS = 0xF3;

    private Segments() {}

    /** Loads ES, SS, DS, FS or GS. */
    public static void load(Cpu c, int segment, int selector) {
        selector &= 0xffff;
        if (!c.protectedMode) {
            loadReal(c, segment, selector);
        } else if (segment == VcpuState.SS) {
            loadStack(c, selector);
        } else {
            loadData(c, segment, selector);
        }
    }

    /** Real mode replaces selector and base only, which is how unreal mode keeps its limits. */
    public static void loadReal(Cpu c, int segment, int selector) {
        if (c.v86) {
            c.state.setSegment(segment, selector, (long) selector << 4, 0xffff, V86_ACCESS);
            return;
        }
        int access = c.state.access(segment);
        if ((access & VcpuState.UNUSABLE) != 0) {
            c.state.setSegment(segment, selector, (long) selector << 4, 0xffff, 0x93);
        } else {
            c.state.setSegment(segment, selector, (long) selector << 4, c.state.segmentLimit(segment), access);
        }
    }

    private static void loadStack(Cpu c, int selector) {
        int rpl = selector & 3;
        if (Descriptors.isNull(selector)) {
            if (c.mode != 3 || c.cpl == 3 || rpl != c.cpl) {
                throw c.generalProtection(0);
            }
            setNullStack(c, selector, c.cpl);
            c.refresh();
            return;
        }
        long d = Descriptors.fetch(c, selector, GuestFault.GP);
        if (rpl != c.cpl || !Descriptors.isWritableData(d) || Descriptors.dpl(d) != c.cpl) {
            throw c.generalProtection(Descriptors.error(selector));
        }
        if (!Descriptors.present(d)) {
            throw c.fault(GuestFault.SS, Descriptors.error(selector));
        }
        set(c, VcpuState.SS, selector, Descriptors.markAccessed(c, selector, d));
        c.refresh();
    }

    private static void loadData(Cpu c, int segment, int selector) {
        if (Descriptors.isNull(selector)) {
            setNull(c, segment, selector);
            return;
        }
        long d = Descriptors.fetch(c, selector, GuestFault.GP);
        checkData(c, selector, d, c.cpl, GuestFault.GP);
        set(c, segment, selector, Descriptors.markAccessed(c, selector, d));
    }

    /** The checks of a load of ES, DS, FS or GS at a privilege level. */
    static void checkData(Cpu c, int selector, long d, int cpl, int vector) {
        boolean code = Descriptors.isCode(d);
        if (!Descriptors.isSegment(d) || code && (Descriptors.access(d) & Descriptors.READABLE) == 0) {
            throw c.fault(vector, Descriptors.error(selector));
        }
        if (!(code && Descriptors.isConforming(d))) {
            int dpl = Descriptors.dpl(d);
            if ((selector & 3) > dpl || cpl > dpl) {
                throw c.fault(vector, Descriptors.error(selector));
            }
        }
        if (!Descriptors.present(d)) {
            throw c.fault(GuestFault.NP, Descriptors.error(selector));
        }
    }

    /** Makes a data segment register null: any use of it faults outside 64-bit mode. */
    public static void setNull(Cpu c, int segment, int selector) {
        c.state.setSegment(segment, selector, 0, 0, VcpuState.UNUSABLE);
    }

    /** The null SS of 64-bit mode, which still carries the privilege level. */
    public static void setNullStack(Cpu c, int selector, int cpl) {
        c.state.setSegment(VcpuState.SS, selector, 0, 0, VcpuState.UNUSABLE | cpl << 5);
    }

    /** Commits a descriptor, checked and marked accessed, to a segment register. */
    public static void set(Cpu c, int segment, int selector, long d) {
        c.state.setSegment(
                segment,
                selector,
                Descriptors.base(d),
                Descriptors.limit(d),
                Descriptors.access(d) | Descriptors.ACCESSED);
    }

    /** After a return to an outer level: data segments that the new level may not use become null. */
    public static void dropPrivileged(Cpu c, int cpl) {
        dropPrivileged(c, VcpuState.ES, cpl);
        dropPrivileged(c, VcpuState.DS, cpl);
        dropPrivileged(c, VcpuState.FS, cpl);
        dropPrivileged(c, VcpuState.GS, cpl);
    }

    private static void dropPrivileged(Cpu c, int segment, int cpl) {
        int access = c.state.access(segment);
        if ((access & VcpuState.UNUSABLE) != 0) {
            return;
        }
        boolean conforming =
                (access & (Descriptors.CODE | Descriptors.CONFORMING)) == (Descriptors.CODE | Descriptors.CONFORMING);
        if (!conforming && (access >>> 5 & 3) < cpl) {
            // The base stays: in 64-bit mode FS and GS keep addressing with it.
            c.state.setSegment(segment, 0, c.state.segmentBase(segment), 0, VcpuState.UNUSABLE);
        }
    }

    /**
     * The inner stack that the TSS names for a privilege level, checked; long mode gives the pointer only.
     */
    public static PendingStack innerStack(Cpu c, int level) {
        int tr = Descriptors.error(c.state.selector(VcpuState.TR));
        long tss = c.state.segmentBase(VcpuState.TR);
        long limit = c.state.segmentLimit(VcpuState.TR) & 0xffffffffL;
        PendingStack stack = new PendingStack(c);
        stack.cpl = level;
        int selector;
        if ((c.state.access(VcpuState.TR) & 8) != 0) {
            int at = 4 + level * 8;
            if (at + 5 > limit) {
                throw c.fault(GuestFault.TS, tr);
            }
            stack.sp = c.systemLoad(2, c.wrapLinear(tss + at));
            selector = (int) c.systemLoad(1, c.wrapLinear(tss + at + 4));
        } else {
            int at = 2 + level * 4;
            if (at + 3 > limit) {
                throw c.fault(GuestFault.TS, tr);
            }
            stack.sp = c.systemLoad(1, c.wrapLinear(tss + at));
            selector = (int) c.systemLoad(1, c.wrapLinear(tss + at + 2));
        }
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
        stack.segment(selector, Descriptors.markAccessed(c, selector, d), error);
        return stack;
    }

    /** The stack pointer that a 64-bit TSS holds at byte {@code at}. */
    public static long tssStack64(Cpu c, int at) {
        if (at + 7 > (c.state.segmentLimit(VcpuState.TR) & 0xffffffffL)) {
            throw c.fault(GuestFault.TS, Descriptors.error(c.state.selector(VcpuState.TR)));
        }
        long rsp = c.systemLoad(3, c.state.segmentBase(VcpuState.TR) + at);
        if (!Descriptors.canonical(rsp)) {
            throw c.fault(GuestFault.SS, 0);
        }
        return rsp;
    }
}
