package org.xenolith.cpu.semantics;

import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Flags;
import org.xenolith.cpu.decode.Insn;

/** Moves, exchanges, extensions, conditional moves, and instructions that do nothing visible. */
public final class Moves {
    private static final int RAX = VcpuState.RAX * 8;
    private static final int RDX = VcpuState.RDX * 8;

    private Moves() {}

    public static long mov(Cpu c, int w, long value) {
        return value;
    }

    public static long lea(Cpu c, int w, long address) {
        return address;
    }

    public static long sx8(Cpu c, int w, long value) {
        return (byte) value;
    }

    public static long sx16(Cpu c, int w, long value) {
        return (short) value;
    }

    public static long sx32(Cpu c, int w, long value) {
        return (int) value;
    }

    public static long cmov(Cpu c, int w, long old, long value, int cc) {
        return Flags.condition(c, cc) ? value : old;
    }

    public static long setcc(Cpu c, int w, int cc) {
        return Flags.condition(c, cc) ? 1 : 0;
    }

    public static long bswap(Cpu c, int w, long value) {
        return w == 3 ? Long.reverseBytes(value) : w == 2 ? Integer.reverseBytes((int) value) : 0;
    }

    public static long movbe(Cpu c, int w, long value) {
        return w == 3
                ? Long.reverseBytes(value)
                : w == 2 ? Integer.reverseBytes((int) value) : Short.reverseBytes((short) value);
    }

    public static void xchg8(Cpu c, Insn i) {
        exchange(c, i, 0);
    }

    public static void xchg(Cpu c, Insn i) {
        exchange(c, i, i.operandSize);
    }

    private static void exchange(Cpu c, Insn i, int w) {
        int reg = i.register(w, i.reg);
        long value = c.get(w, reg);
        if (i.mem == null) {
            int rm = i.register(w, i.rm);
            long other = c.get(w, rm);
            c.put(w, rm, value);
            c.put(w, reg, other);
            return;
        }
        // With memory, an exchange is locked even without the prefix.
        c.put(w, reg, Atomics.update(c, i, w, Atomics.Operator.SET, value));
    }

    /** 90+r: an exchange with the accumulator; plain 90 does nothing, not even clear the upper half of rax. */
    public static void xchgAcc(Cpu c, Insn i) {
        if (i.rm == 0) {
            return;
        }
        int w = i.operandSize;
        long a = c.reg(w, 0);
        c.setReg(w, 0, c.reg(w, i.rm));
        c.setReg(w, i.rm, a);
    }

    /** CBW, CWDE, CDQE. */
    public static void cbw(Cpu c, int w) {
        c.put(w, RAX, Flags.signExtend(w - 1, c.get(w - 1, RAX)));
    }

    /** CWD, CDQ, CQO. */
    public static void cwd(Cpu c, int w) {
        c.put(w, RDX, Flags.signExtend(w, c.get(w, RAX)) >> 63);
    }

    public static void xlat(Cpu c, Insn i) {
        int segment = i.segment < 0 || i.is64() && i.segment < VcpuState.FS ? VcpuState.DS : i.segment;
        long offset = Flags.zeroExtend(i.addressSize, c.gpr(VcpuState.RBX) + c.get(0, RAX));
        long va = i.is64()
                ? offset + (segment >= VcpuState.FS ? c.state.segmentBase(segment) : 0)
                : c.segmentLinear(segment, offset, 1, false);
        c.put(0, RAX, c.load8(va));
    }

    public static void nop(Cpu c, int w) {}

    /** Hints with a ModRM byte: the operand is decoded and never touched. */
    public static void nopModrm(Cpu c, Insn i) {}

    public static void fence(Cpu c, int w) {
        java.lang.invoke.VarHandle.fullFence();
    }

    /** Caches are coherent here: only the access check of a load remains. */
    public static void clflush(Cpu c, Insn i) {
        c.load8(i.mem.linear(c, 1, false));
    }

    public static long rdrand(Cpu c, int w) {
        Flags.result(c, w, 1, true, false);
        c.flagAux = 0;
        c.flagResult = 1;
        return c.world.random();
    }
}
