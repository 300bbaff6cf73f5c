package org.xenolith.cpu.semantics;

import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Flags;
import org.xenolith.cpu.core.GuestFault;
import org.xenolith.cpu.core.Segments;
import org.xenolith.cpu.core.Uncounted;
import org.xenolith.cpu.decode.Insn;

/** Push, pop and frames. */
public final class Stack {
    private static final int SHADOW_MOV_SS = 2;

    private Stack() {}

    public static void push(Cpu c, int w, long value) {
        c.push(w, value);
    }

    public static void pushImm(Cpu c, Insn i) {
        c.push(i.operandSize, i.imm);
    }

    public static long pop(Cpu c, int w) {
        long value = c.peek(w, 0);
        c.drop(1L << w);
        return value;
    }

    /** The address of a memory destination counts from the stack pointer behind the pop. */
    public static void popRm(Cpu c, Insn i) {
        int w = i.operandSize;
        long value = c.peek(w, 0);
        if (i.mem == null) {
            c.drop(1L << w);
            c.setReg(w, i.rm, value);
            return;
        }
        long sp = c.gpr(VcpuState.RSP);
        c.drop(1L << w);
        try {
            c.store(w, i.mem.linear(c, 1 << w, true), value);
        } catch (GuestFault | Uncounted fault) {
            c.setGpr(VcpuState.RSP, sp);
            throw fault;
        }
    }

    public static void pushSegment(Cpu c, Insn i, int segment) {
        int w = i.operandSize;
        long selector = c.state.selector(segment);
        if (w == 2 && c.mode != 3) {
            // With a 32-bit operand only the low half of the slot is written.
            long sp = c.stackPointer() - 4;
            c.store16(c.stackLinear(sp, 4, true), selector);
            c.setStackPointer(sp);
        } else {
            c.push(w, selector);
        }
    }

    public static void popSegment(Cpu c, Insn i, int segment) {
        int selector = (int) c.peek(1, 0);
        if (c.mode != 3 || i.operandSize != 1) {
            c.peek(i.operandSize, 0);
        }
        int oldStack = c.stackSize;
        long sp = c.stackPointer() + (1L << i.operandSize);
        Segments.load(c, segment, selector);
        // The stack pointer moves at the width of the stack that was popped from.
        c.put(oldStack, VcpuState.RSP * 8, sp);
        if (segment == VcpuState.SS) {
            c.state.setInt(VcpuState.SHADOW, SHADOW_MOV_SS);
        }
        c.setRip(i.nextRip(c));
        c.refresh();
    }

    public static void pusha(Cpu c, Insn i) {
        int w = i.operandSize;
        long sp = c.stackPointer();
        long bytes = 8L << w;
        // The whole frame is checked before the first store.
        for (int n = 7; n >= 0; n--) {
            c.checkWritable(c.stackLinear(sp - bytes + (n << w), 1 << w, true), 1 << w);
        }
        for (int n = 0; n < 8; n++) {
            long value = n == VcpuState.RSP ? sp : c.reg(w, n);
            c.store(w, c.stackLinear(sp - ((n + 1L) << w), 1 << w, true), value);
        }
        c.setStackPointer(sp - bytes);
    }

    public static void popa(Cpu c, Insn i) {
        int w = i.operandSize;
        long[] values = new long[8];
        for (int n = 0; n < 8; n++) {
            values[7 - n] = c.peek(w, (long) n << w);
        }
        for (int n = 0; n < 8; n++) {
            if (n != VcpuState.RSP) {
                c.setReg(w, n, values[n]);
            }
        }
        c.drop(8L << w);
    }

    public static void pushf(Cpu c, Insn i) {
        if (c.v86 && c.iopl() < 3) {
            throw c.generalProtection(0);
        }
        c.push(i.operandSize, Flags.get(c) & ~(Flags.RF | Flags.VM));
    }

    public static void popf(Cpu c, Insn i) {
        if (c.v86 && c.iopl() < 3) {
            throw c.generalProtection(0);
        }
        int w = i.operandSize;
        long value = c.peek(w, 0);
        long old = Flags.get(c);
        long mask = Flags.ARITHMETIC | Flags.TF | Flags.DF | Flags.NT;
        if (w != 1) {
            mask |= Flags.AC | Flags.ID;
        }
        if (c.cpl == 0) {
            mask |= Flags.IOPL;
        }
        if (c.cpl <= c.iopl()) {
            mask |= Flags.IF;
        }
        c.drop(1L << w);
        Flags.set(c, (old & ~mask | value & mask) & ~Flags.RF);
        c.setRip(i.nextRip(c));
        c.refreshAccessClass();
    }

    public static void enter(Cpu c, Insn i) {
        int w = i.operandSize;
        int level = i.imm2 & 31;
        int allocate = (int) i.imm & 0xffff;
        long sp = c.stackPointer();
        long frame = sp - (1L << w);
        long bp = c.gpr(VcpuState.RBP);
        long bpMasked = c.stackSize == 3 ? bp : c.stackSize == 2 ? bp & 0xffffffffL : bp & 0xffff;
        // All accesses are checked first, in the order in which they will happen.
        c.checkWritable(c.stackLinear(frame, 1 << w, true), 1 << w);
        for (int n = 1; n < level; n++) {
            c.load(w, c.stackLinear(bpMasked - ((long) n << w), 1 << w, false));
            c.checkWritable(c.stackLinear(frame - ((long) n << w), 1 << w, true), 1 << w);
        }
        if (level > 0) {
            c.checkWritable(c.stackLinear(frame - ((long) level << w), 1 << w, true), 1 << w);
        }
        long end = frame - ((long) level << w) - allocate;
        c.checkWritable(c.stackLinear(end, 1 << w, true), 1 << w);
        c.store(w, c.stackLinear(frame, 1 << w, true), c.reg(w, VcpuState.RBP));
        for (int n = 1; n < level; n++) {
            // Loaded only now: the new frame may overlap the old one.
            long pointer = c.load(w, c.stackLinear(bpMasked - ((long) n << w), 1 << w, false));
            c.store(w, c.stackLinear(frame - ((long) n << w), 1 << w, true), pointer);
        }
        if (level > 0) {
            c.store(w, c.stackLinear(frame - ((long) level << w), 1 << w, true), frame);
        }
        c.put(w == 1 ? 1 : c.stackSize, VcpuState.RBP * 8, frame);
        c.setStackPointer(end);
    }

    public static void leave(Cpu c, Insn i) {
        int w = i.operandSize;
        long bp = c.gpr(VcpuState.RBP);
        long sp = c.stackSize == 3 ? bp : c.stackSize == 2 ? bp & 0xffffffffL : bp & 0xffff;
        long value = c.load(w, c.stackLinear(sp, 1 << w, false));
        c.setStackPointer(sp + (1L << w));
        c.put(w, VcpuState.RBP * 8, value);
    }
}
