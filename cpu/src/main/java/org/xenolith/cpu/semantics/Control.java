package org.xenolith.cpu.semantics;

import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Flags;
import org.xenolith.cpu.core.GuestFault;
import org.xenolith.cpu.decode.Insn;

/** Near branches. A branch outside 64-bit mode with a 16-bit operand cuts the instruction pointer to 16 bits. */
public final class Control {
    private static final int RCX = VcpuState.RCX * 8;

    private Control() {}

    public static void jcc(Cpu c, Insn i, int cc) {
        branch(c, i, Flags.condition(c, cc));
    }

    private static void branch(Cpu c, Insn i, boolean taken) {
        if (i.mode == 3) {
            c.setRip(c.rip() + (taken ? i.next + i.imm : i.next));
        } else if (taken) {
            go(c, i, c.rip() + i.next + i.imm);
        } else {
            c.setRip(i.nextRip(c));
        }
    }

    /** Commits a branch target; outside 64-bit mode checked against the code segment. */
    private static void go(Cpu c, Insn i, long target) {
        if (i.mode == 3) {
            c.setRip(target);
            return;
        }
        long ip = i.operandSize == 1 ? target & 0xffff : target & 0xffffffffL;
        checkLimit(c, ip);
        c.setRip(ip);
    }

    private static void checkLimit(Cpu c, long ip) {
        if (ip > (c.state.segmentLimit(VcpuState.CS) & 0xffffffffL)) {
            throw c.generalProtection(0);
        }
    }

    /** A computed target must be canonical, and inside the code segment, before anything changes. */
    private static long computed(Cpu c, Insn i, long target) {
        if (i.mode == 3) {
            if (target << 16 >> 16 != target) {
                throw c.generalProtection(0);
            }
            return target;
        }
        long ip = i.operandSize == 1 ? target & 0xffff : target & 0xffffffffL;
        checkLimit(c, ip);
        return ip;
    }

    public static void jmp(Cpu c, Insn i) {
        go(c, i, c.rip() + i.next + i.imm);
    }

    public static void jmpRm(Cpu c, Insn i) {
        c.setRip(computed(c, i, i.readRm(c, i.operandSize)));
    }

    public static void call(Cpu c, Insn i) {
        long next = c.rip() + i.next;
        if (i.mode == 3) {
            c.push(3, next);
            c.setRip(next + i.imm);
        } else {
            long target = computed(c, i, next + i.imm);
            c.push(i.operandSize, i.nextRip(c));
            c.setRip(target);
        }
    }

    public static void callRm(Cpu c, Insn i) {
        long target = computed(c, i, i.readRm(c, i.operandSize));
        c.push(i.operandSize, i.nextRip(c));
        c.setRip(target);
    }

    public static void ret(Cpu c, Insn i) {
        long target = computed(c, i, c.peek(i.operandSize, 0));
        c.drop(1L << i.operandSize);
        c.setRip(target);
    }

    public static void retImm(Cpu c, Insn i) {
        long target = computed(c, i, c.peek(i.operandSize, 0));
        c.drop((1L << i.operandSize) + (i.imm & 0xffff));
        c.setRip(target);
    }

    public static void loop(Cpu c, Insn i) {
        loopIf(c, i, true);
    }

    public static void loope(Cpu c, Insn i) {
        loopIf(c, i, Flags.zf(c));
    }

    public static void loopne(Cpu c, Insn i) {
        loopIf(c, i, !Flags.zf(c));
    }

    private static void loopIf(Cpu c, Insn i, boolean condition) {
        int w = i.addressSize;
        long count = Flags.zeroExtend(w, c.get(w, RCX) - 1);
        branch(c, i, condition && count != 0);
        c.put(w, RCX, count);
    }

    public static void jcxz(Cpu c, Insn i) {
        branch(c, i, c.get(i.addressSize, RCX) == 0);
    }

    public static void bound(Cpu c, Insn i) {
        int w = i.operandSize;
        long value = Flags.signExtend(w, c.reg(w, i.reg));
        long va = i.mem.linear(c, 2 << w, false);
        long low = Flags.signExtend(w, c.load(w, va));
        long high = Flags.signExtend(w, c.load(w, c.wrapLinear(va + (1L << w))));
        if (value < low || value > high) {
            throw c.fault(GuestFault.BR);
        }
    }
}
