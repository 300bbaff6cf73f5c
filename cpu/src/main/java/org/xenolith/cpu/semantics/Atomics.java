package org.xenolith.cpu.semantics;

import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Flags;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.memory.Raw;

/** Compare-and-exchange, exchange-and-add, and the read-modify-write that exchanges and bit tests share. */
public final class Atomics {
    private static final int RAX = VcpuState.RAX * 8;

    /** What a read-modify-write does with the old value and its operand. */
    enum Operator {
        SET,
        ADD,
        OR,
        AND_NOT,
        XOR;

        long apply(long old, long value) {
            return switch (this) {
                case SET -> value;
                case ADD -> old + value;
                case OR -> old | value;
                case AND_NOT -> old & ~value;
                case XOR -> old ^ value;
            };
        }
    }

    private Atomics() {}

    /** Atomically updates the memory operand; returns its old value. */
    static long update(Cpu c, Insn i, int w, Operator operator, long value) {
        return updateAt(c, i.mem.linear(c, 1 << w, true), w, operator, value, true);
    }

    /** Updates memory at a linear address, atomically if {@code locked}; returns the old value. */
    static long updateAt(Cpu c, long va, int w, Operator operator, long value, boolean locked) {
        c.requireAlignment(va, 1 << w);
        long host = c.writable(va, 1 << w);
        if (host == 0) {
            c.checkWritable(va, 1 << w);
            if (locked) {
                c.stopOthers();
            }
            try {
                long old = c.load(w, va);
                c.store(w, va, operator.apply(old, value));
                return old;
            } finally {
                if (locked) {
                    c.resumeOthers();
                }
            }
        }
        long old = Cpu.readHost(w, host);
        if (!locked) {
            Cpu.writeHost(w, host, operator.apply(old, value));
            return old;
        }
        while (true) {
            long seen = c.compareExchangeHost(w, host, old, operator.apply(old, value));
            if (seen == old) {
                return old;
            }
            old = seen;
        }
    }

    public static void xadd8(Cpu c, Insn i) {
        add(c, i, 0);
    }

    public static void xadd(Cpu c, Insn i) {
        add(c, i, i.operandSize);
    }

    private static void add(Cpu c, Insn i, int w) {
        int reg = i.register(w, i.reg);
        long value = c.get(w, reg);
        long old;
        if (i.mem == null) {
            int rm = i.register(w, i.rm);
            old = c.get(w, rm);
            c.put(w, reg, old);
            c.put(w, rm, old + value);
        } else {
            old = updateAt(c, i.mem.linear(c, 1 << w, true), w, Operator.ADD, value, i.lock);
            c.put(w, reg, old);
        }
        Flags.add(c, w, old + value, old, value);
    }

    public static void cmpxchg8(Cpu c, Insn i) {
        compareExchange(c, i, 0);
    }

    public static void cmpxchg(Cpu c, Insn i) {
        compareExchange(c, i, i.operandSize);
    }

    private static void compareExchange(Cpu c, Insn i, int w) {
        long value = c.get(w, i.register(w, i.reg));
        long expected = c.get(w, RAX);
        long old;
        if (i.mem == null) {
            int rm = i.register(w, i.rm);
            old = c.get(w, rm);
            if (old == expected) {
                c.put(w, rm, value);
            } else {
                c.put(w, RAX, old);
            }
        } else {
            old = compareExchangeMemory(c, i, w, expected, value);
            if (old != expected) {
                c.put(w, RAX, old);
            }
        }
        Flags.sub(c, w, expected - old, expected, old);
    }

    /** Returns what was there. The destination is written in any case, so a read-only page faults in any case. */
    private static long compareExchangeMemory(Cpu c, Insn i, int w, long expected, long value) {
        long va = i.mem.linear(c, 1 << w, true);
        c.requireAlignment(va, 1 << w);
        long host = c.writable(va, 1 << w);
        if (host == 0) {
            c.checkWritable(va, 1 << w);
            if (i.lock) {
                c.stopOthers();
            }
            try {
                long old = c.load(w, va);
                c.store(w, va, old == expected ? value : old);
                return old;
            } finally {
                if (i.lock) {
                    c.resumeOthers();
                }
            }
        }
        if (i.lock) {
            return c.compareExchangeHost(w, host, expected, value);
        }
        long old = Cpu.readHost(w, host);
        if (old == expected) {
            Cpu.writeHost(w, host, value);
        }
        return old;
    }

    public static void cmpxchg8b(Cpu c, Insn i) {
        long expected = c.reg(2, VcpuState.RAX) | c.reg(2, VcpuState.RDX) << 32;
        long value = c.reg(2, VcpuState.RBX) | c.reg(2, VcpuState.RCX) << 32;
        long old = compareExchangeMemory(c, i, 3, expected, value);
        if (old != expected) {
            c.setReg(2, VcpuState.RAX, old);
            c.setReg(2, VcpuState.RDX, old >>> 32);
        }
        setZf(c, old == expected);
    }

    public static void cmpxchg16b(Cpu c, Insn i) {
        long va = i.mem.linear(c, 16, true);
        if ((va & 15) != 0) {
            throw c.generalProtection(0);
        }
        long host = c.writable(va, 16);
        long operands = c.scratch();
        Raw.putLong(operands, c.gpr(VcpuState.RAX));
        Raw.putLong(operands + 8, c.gpr(VcpuState.RDX));
        Raw.putLong(operands + 16, c.gpr(VcpuState.RBX));
        Raw.putLong(operands + 24, c.gpr(VcpuState.RCX));
        boolean equal;
        if (host == 0) {
            equal = compareExchangeDevice(c, va, operands);
        } else {
            // Without LOCK it need not be atomic, and is.
            equal = c.compareExchangeHost16(host, operands);
        }
        if (!equal) {
            c.setGpr(VcpuState.RAX, Raw.getLong(operands));
            c.setGpr(VcpuState.RDX, Raw.getLong(operands + 8));
        }
        setZf(c, equal);
    }

    /** CMPXCHG16B where no memory is: two loads and two stores. */
    private static boolean compareExchangeDevice(Cpu c, long va, long operands) {
        long low = c.load64(va);
        long high = c.load64(va + 8);
        boolean equal = low == Raw.getLong(operands) && high == Raw.getLong(operands + 8);
        c.store64(va, equal ? Raw.getLong(operands + 16) : low);
        c.store64(va + 8, equal ? Raw.getLong(operands + 24) : high);
        Raw.putLong(operands, low);
        Raw.putLong(operands + 8, high);
        return equal;
    }

    private static void setZf(Cpu c, boolean zf) {
        Flags.setArithmetic(c, Flags.arithmetic(c) & ~Flags.ZF | (zf ? Flags.ZF : 0));
    }
}
