package org.xenolith.cpu.semantics;

import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Flags;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.memory.Raw;

/**
 * String instructions. With a repeat prefix each iteration is committed by itself, so that a fault or an event in the middle
 * leaves registers from which the same instruction goes on. In 64-bit mode MOVS, STOS and their like move page by page.
 */
public final class Strings {
    /** Constant of the table for "operand size". */
    private static final int BY_OPERAND = 9;

    /**
     * Work, in elements moved one by one, after which a repeated instruction ends unfinished: about a millisecond. Then it
     * counts as one instruction, and events are looked at as behind any other. It does not look at events itself: they
     * come from other threads too, and instructions must not be counted differently when they do.
     */
    private static final int MOST_WORK = 1 << 16;

    /** What a chunk of up to a page costs, in elements. */
    private static final int CHUNK_WORK = 16;

    /** Iterations of INS and OUTS: each is a call to a device. */
    private static final int MOST_PORT_ACCESSES = 1 << 8;

    private Strings() {}

    private static int width(Insn i, int k) {
        return k == BY_OPERAND ? i.operandSize : k;
    }

    private static long step(Cpu c, int w) {
        return c.flag(Flags.DF) ? -(1L << w) : 1L << w;
    }

    private static long counter(Cpu c, Insn i) {
        return c.reg(i.addressSize, VcpuState.RCX);
    }

    private static long destination(Cpu c, Insn i, int bytes, boolean write) {
        long offset = c.reg(i.addressSize, VcpuState.RDI);
        return i.is64() ? offset : c.segmentLinear(VcpuState.ES, offset, bytes, write);
    }

    private static void advance(Cpu c, Insn i, int register, long step) {
        c.setReg(i.addressSize, register, c.reg(i.addressSize, register) + step);
    }

    /** Work of a repeated instruction in one go. The step trap and breakpoints come after each iteration. */
    private static int most(Cpu c) {
        return (Raw.getIntVolatile(c.base + VcpuState.EVENTS) & VcpuState.EVENT_STEP) != 0 ? 1 : MOST_WORK;
    }

    /** Ends the instruction, or leaves rip on it when iterations are left. */
    private static void finish(Cpu c, Insn i, boolean done) {
        c.setRip(done ? i.nextRip(c) : i.thisRip(c));
    }

    private static boolean repeated(Insn i) {
        return i.rep || i.repne;
    }

    // ---------------------------------------------------------------- MOVS

    public static void movs(Cpu c, Insn i, int k) {
        int w = width(i, k);
        long step = step(c, w);
        if (!repeated(i)) {
            move(c, i, w, step);
            finish(c, i, true);
            return;
        }
        int most = most(c);
        boolean chunks = step > 0 && i.is64() && most > 1;
        for (int work = 0; counter(c, i) != 0 && work < most; ) {
            if (chunks && moveChunk(c, i, w)) {
                work += CHUNK_WORK;
            } else {
                move(c, i, w, step);
                advance(c, i, VcpuState.RCX, -1);
                work++;
            }
        }
        finish(c, i, counter(c, i) == 0);
    }

    private static void move(Cpu c, Insn i, int w, long step) {
        long value = c.load(w, i.mem.linear(c, 1 << w, false));
        c.store(w, destination(c, i, 1 << w, true), value);
        advance(c, i, VcpuState.RSI, step);
        advance(c, i, VcpuState.RDI, step);
    }

    /** Moves what fits in the current source and destination pages; false when the elements must go one by one. */
    private static boolean moveChunk(Cpu c, Insn i, int w) {
        long from = i.mem.linear(c, 1 << w, false);
        long to = destination(c, i, 1 << w, true);
        long bytes = chunk(counter(c, i) << w, w, from, to);
        if (bytes <= 1L << w || i.addressSize != 3) {
            return false;
        }
        c.requireAlignment(from, 1 << w);
        long source = c.readable(from, (int) bytes);
        if (source == 0) {
            return false;
        }
        c.requireAlignment(to, 1 << w);
        long target = c.writable(to, (int) bytes);
        if (target == 0) {
            return false;
        }
        long distance = target - source;
        if (distance > 0 && distance < bytes) {
            // Overlapping upwards replicates the beginning: memmove would not.
            if (distance < 1L << w) {
                return false;
            }
            for (long at = 0; at < bytes; at += distance) {
                Raw.copy(source + at, target + at, Math.min(distance, bytes - at));
            }
        } else {
            Raw.copy(source, target, bytes);
        }
        advance(c, i, VcpuState.RSI, bytes);
        advance(c, i, VcpuState.RDI, bytes);
        advance(c, i, VcpuState.RCX, -(bytes >> w));
        return true;
    }

    /** Bytes, in whole elements, up to the nearer page end; an element across a page end counts as none. */
    private static long chunk(long bytes, int w, long from, long to) {
        if (bytes < 0) {
            bytes = 1 << 30;
        }
        long room = Math.min(4096 - (from & 4095), 4096 - (to & 4095));
        return Math.min(bytes, room) >> w << w;
    }

    // ---------------------------------------------------------------- STOS

    public static void stos(Cpu c, Insn i, int k) {
        int w = width(i, k);
        long step = step(c, w);
        if (!repeated(i)) {
            store(c, i, w, step);
            finish(c, i, true);
            return;
        }
        int most = most(c);
        boolean chunks = step > 0 && i.is64() && most > 1;
        for (int work = 0; counter(c, i) != 0 && work < most; ) {
            if (chunks && storeChunk(c, i, w)) {
                work += CHUNK_WORK;
            } else {
                store(c, i, w, step);
                advance(c, i, VcpuState.RCX, -1);
                work++;
            }
        }
        finish(c, i, counter(c, i) == 0);
    }

    private static void store(Cpu c, Insn i, int w, long step) {
        c.store(w, destination(c, i, 1 << w, true), c.reg(w, VcpuState.RAX));
        advance(c, i, VcpuState.RDI, step);
    }

    private static boolean storeChunk(Cpu c, Insn i, int w) {
        long to = destination(c, i, 1 << w, true);
        long bytes = chunk(counter(c, i) << w, w, to, to);
        if (bytes <= 1L << w || i.addressSize != 3) {
            return false;
        }
        c.requireAlignment(to, 1 << w);
        long target = c.writable(to, (int) bytes);
        if (target == 0) {
            return false;
        }
        long value = c.gpr(VcpuState.RAX);
        byte low = (byte) value;
        if (w == 0 || Flags.zeroExtend(w, value) == Flags.zeroExtend(w, (value & 0xff) * 0x0101010101010101L)) {
            Raw.fill(target, bytes, low);
        } else {
            for (long at = 0; at < bytes; at += 1L << w) {
                Cpu.writeHost(w, target + at, value);
            }
        }
        advance(c, i, VcpuState.RDI, bytes);
        advance(c, i, VcpuState.RCX, -(bytes >> w));
        return true;
    }

    // ---------------------------------------------------------------- LODS, SCAS, CMPS

    public static void lods(Cpu c, Insn i, int k) {
        int w = width(i, k);
        long step = step(c, w);
        int most = most(c);
        int n = 0;
        while (!repeated(i) || counter(c, i) != 0 && n < most) {
            c.setReg(w, VcpuState.RAX, c.load(w, i.mem.linear(c, 1 << w, false)));
            advance(c, i, VcpuState.RSI, step);
            if (!repeated(i)) {
                break;
            }
            advance(c, i, VcpuState.RCX, -1);
            n++;
        }
        finish(c, i, !repeated(i) || counter(c, i) == 0);
    }

    public static void scas(Cpu c, Insn i, int k) {
        compare(c, i, width(i, k), false);
    }

    public static void cmps(Cpu c, Insn i, int k) {
        compare(c, i, width(i, k), true);
    }

    private static void compare(Cpu c, Insn i, int w, boolean twoStrings) {
        long step = step(c, w);
        boolean done = !repeated(i) || counter(c, i) == 0;
        if (!repeated(i)) {
            compareOne(c, i, w, step, twoStrings);
        }
        int most = most(c);
        for (int n = 0; !done && n < most; n++) {
            compareOne(c, i, w, step, twoStrings);
            advance(c, i, VcpuState.RCX, -1);
            done = counter(c, i) == 0 || Flags.zf(c) != i.rep;
        }
        finish(c, i, done);
    }

    private static void compareOne(Cpu c, Insn i, int w, long step, boolean twoStrings) {
        long a = twoStrings ? c.load(w, i.mem.linear(c, 1 << w, false)) : c.reg(w, VcpuState.RAX);
        long b = c.load(w, destination(c, i, 1 << w, false));
        Flags.sub(c, w, a - b, a, b);
        if (twoStrings) {
            advance(c, i, VcpuState.RSI, step);
        }
        advance(c, i, VcpuState.RDI, step);
    }

    // ---------------------------------------------------------------- INS, OUTS

    public static void ins(Cpu c, Insn i, int k) {
        int w = Math.min(width(i, k), 2);
        long step = step(c, w);
        int port = (int) c.reg(1, VcpuState.RDX);
        SystemInsns.checkPort(c, port, 1 << w);
        int most = Math.min(most(c), MOST_PORT_ACCESSES);
        int n = 0;
        while (!repeated(i) || counter(c, i) != 0 && n < most) {
            long va = destination(c, i, 1 << w, true);
            c.checkWritable(va, 1 << w);
            c.store(w, va, c.world.portIn(port, 1 << w) & 0xffffffffL);
            advance(c, i, VcpuState.RDI, step);
            if (!repeated(i)) {
                break;
            }
            advance(c, i, VcpuState.RCX, -1);
            n++;
        }
        finish(c, i, !repeated(i) || counter(c, i) == 0);
    }

    public static void outs(Cpu c, Insn i, int k) {
        int w = Math.min(width(i, k), 2);
        long step = step(c, w);
        int port = (int) c.reg(1, VcpuState.RDX);
        SystemInsns.checkPort(c, port, 1 << w);
        int most = Math.min(most(c), MOST_PORT_ACCESSES);
        int n = 0;
        while (!repeated(i) || counter(c, i) != 0 && n < most) {
            c.world.portOut(port, 1 << w, (int) c.load(w, i.mem.linear(c, 1 << w, false)));
            advance(c, i, VcpuState.RSI, step);
            if (!repeated(i)) {
                break;
            }
            advance(c, i, VcpuState.RCX, -1);
            n++;
        }
        finish(c, i, !repeated(i) || counter(c, i) == 0);
    }
}
