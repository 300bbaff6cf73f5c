package org.xenolith.cpu.core;

import org.xenolith.cpu.VcpuState;

/**
 * A stack that a control transfer writes its frame to before anything is committed: the current stack, or the inner one
 * that a TSS named. Legacy modes only; in 64-bit mode frames are simple enough to be stored directly.
 */
public final class PendingStack {
    private final Cpu c;
    private int selector;
    private long descriptor;
    private boolean inner;
    private long base;
    private long limit;
    private int access;
    private int error;

    /** Stack pointer, moved by {@link #push}. */
    public long sp;

    /** Privilege level of the stores. */
    public int cpl;

    PendingStack(Cpu c) {
        this.c = c;
    }

    /** The stack that the processor is using. */
    public static PendingStack current(Cpu c) {
        PendingStack stack = new PendingStack(c);
        stack.base = c.state.segmentBase(VcpuState.SS);
        stack.limit = c.state.segmentLimit(VcpuState.SS) & 0xffffffffL;
        stack.access = c.state.access(VcpuState.SS);
        stack.sp = c.stackPointer();
        stack.cpl = c.cpl;
        return stack;
    }

    void segment(int newSelector, long d, int errorCode) {
        selector = newSelector;
        descriptor = d;
        inner = true;
        base = Descriptors.base(d);
        limit = Descriptors.limit(d) & 0xffffffffL;
        access = Descriptors.access(d);
        error = errorCode;
        if ((access & Descriptors.BIG) == 0) {
            sp &= 0xffff;
        }
    }

    /** Pushes {@code 1 << w} bytes; raises #SS beyond the segment. */
    public void push(int w, long value) {
        int bytes = 1 << w;
        if (c.mode == 3 && !inner) {
            sp -= bytes;
            c.store(w, sp, value);
            return;
        }
        boolean big = (access & Descriptors.BIG) != 0;
        long offset = sp - bytes & (big ? 0xffffffffL : 0xffffL);
        long last = offset + bytes - 1;
        boolean down = (inner || c.protectedMode) && (access & Descriptors.CONFORMING) != 0;
        boolean outside = down ? offset <= limit || last > (big ? 0xffffffffL : 0xffffL) : last > limit;
        if (outside) {
            throw c.fault(GuestFault.SS, error);
        }
        long va = base + offset & 0xffffffffL;
        if (cpl == 3 || !inner && c.cpl == cpl) {
            c.store(w, va, value);
        } else {
            c.systemStore(w, va, value);
        }
        sp = offset;
    }

    /** Makes this the processor's stack: SS if it is an inner one, and the stack pointer. A refresh has to follow. */
    public void commit() {
        if (inner) {
            Segments.set(c, VcpuState.SS, selector, descriptor);
            c.put((access & Descriptors.BIG) != 0 ? 2 : 1, VcpuState.RSP * 8, sp);
        } else {
            c.setStackPointer(sp);
        }
    }
}
