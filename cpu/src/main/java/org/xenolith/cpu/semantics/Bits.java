package org.xenolith.cpu.semantics;

import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Flags;
import org.xenolith.cpu.decode.Insn;

/** Bit tests, scans, counts, CRC32, and the BMI instructions. */
public final class Bits {
    private Bits() {}

    public static void bt(Cpu c, Insn i) {
        int w = i.operandSize;
        long index = Flags.signExtend(w, c.reg(w, i.reg));
        long value = i.mem == null ? c.reg(w, i.rm) : c.load(w, i.mem.linearAt(c, delta(w, index), 1 << w, false));
        Flags.setCf(c, (value >>> (index & (8 << w) - 1) & 1) != 0);
    }

    public static void bts(Cpu c, Insn i) {
        change(c, i, Atomics.Operator.OR);
    }

    public static void btr(Cpu c, Insn i) {
        change(c, i, Atomics.Operator.AND_NOT);
    }

    public static void btc(Cpu c, Insn i) {
        change(c, i, Atomics.Operator.XOR);
    }

    /** A bit index in a register reaches beyond the operand in memory: signed, in units of the operand. */
    private static long delta(int w, long index) {
        return index >> 3 + w << w;
    }

    private static void change(Cpu c, Insn i, Atomics.Operator operator) {
        int w = i.operandSize;
        long index = Flags.signExtend(w, c.reg(w, i.reg));
        long bit = 1L << (index & (8 << w) - 1);
        long old;
        if (i.mem == null) {
            old = c.reg(w, i.rm);
            c.setReg(w, i.rm, operator.apply(old, bit));
        } else {
            old = Atomics.updateAt(c, i.mem.linearAt(c, delta(w, index), 1 << w, true), w, operator, bit, i.lock);
        }
        Flags.setCf(c, (old & bit) != 0);
    }

    public static void btImm(Cpu c, int w, long a, long index) {
        Flags.setCf(c, (a >>> (index & (8 << w) - 1) & 1) != 0);
    }

    public static long btsImm(Cpu c, int w, long a, long index) {
        long bit = 1L << (index & (8 << w) - 1);
        Flags.setCf(c, (a & bit) != 0);
        return a | bit;
    }

    public static long btrImm(Cpu c, int w, long a, long index) {
        long bit = 1L << (index & (8 << w) - 1);
        Flags.setCf(c, (a & bit) != 0);
        return a & ~bit;
    }

    public static long btcImm(Cpu c, int w, long a, long index) {
        long bit = 1L << (index & (8 << w) - 1);
        Flags.setCf(c, (a & bit) != 0);
        return a ^ bit;
    }

    /** BSF and BSR of zero leave the destination alone, its upper half too, as the processors of both makers do. */
    public static void bsf(Cpu c, Insn i) {
        long a = i.readRm(c, i.operandSize);
        if (a != 0) {
            c.setReg(i.operandSize, i.reg, Long.numberOfTrailingZeros(a));
        }
        zf(c, a == 0);
    }

    public static void bsr(Cpu c, Insn i) {
        long a = i.readRm(c, i.operandSize);
        if (a != 0) {
            c.setReg(i.operandSize, i.reg, 63 - Long.numberOfLeadingZeros(a));
        }
        zf(c, a == 0);
    }

    private static void zf(Cpu c, boolean zf) {
        Flags.setArithmetic(c, Flags.arithmetic(c) & ~Flags.ZF | (zf ? Flags.ZF : 0));
    }

    public static long tzcnt(Cpu c, int w, long a) {
        long r = a == 0 ? 8 << w : Long.numberOfTrailingZeros(a);
        counted(c, r, a);
        return r;
    }

    public static long lzcnt(Cpu c, int w, long a) {
        long r = Long.numberOfLeadingZeros(a) - (64 - (8 << w));
        counted(c, r, a);
        return r;
    }

    private static void counted(Cpu c, long r, long a) {
        long flags = Flags.arithmetic(c) & ~(Flags.ZF | Flags.CF);
        Flags.setArithmetic(c, flags | (r == 0 ? Flags.ZF : 0) | (a == 0 ? Flags.CF : 0));
    }

    public static long popcnt(Cpu c, int w, long a) {
        Flags.setArithmetic(c, a == 0 ? Flags.ZF : 0);
        return Long.bitCount(a);
    }

    public static long crc32(Cpu c, int w, long crc, long a, int sourceWidth) {
        return castagnoli((int) crc, a, 1 << sourceWidth) & 0xffffffffL;
    }

    /** The source has the operand size, the destination is 4 or 8 bytes. */
    public static void crc32v(Cpu c, Insn i) {
        long value = i.readRm(c, i.operandSize);
        long crc = castagnoli((int) c.gpr(i.reg), value, 1 << i.operandSize) & 0xffffffffL;
        c.setGpr(i.reg, crc);
    }

    private static int castagnoli(int crc, long value, int bytes) {
        for (int n = 0; n < bytes; n++) {
            crc = CRC_TABLE[(crc ^ (int) value) & 0xff] ^ crc >>> 8;
            value >>>= 8;
        }
        return crc;
    }

    /** CRC-32C (Castagnoli), reflected polynomial 0x82F63B78. */
    private static final int[] CRC_TABLE = new int[256];

    static {
        for (int n = 0; n < 256; n++) {
            int crc = n;
            for (int k = 0; k < 8; k++) {
                crc = (crc & 1) != 0 ? crc >>> 1 ^ 0x82F63B78 : crc >>> 1;
            }
            CRC_TABLE[n] = crc;
        }
    }

    // ---------------------------------------------------------------- BMI

    public static long andn(Cpu c, int w, long a, long b) {
        long r = ~a & b;
        Flags.logic(c, w, r);
        return r;
    }

    public static long bextr(Cpu c, int w, long a, long control) {
        int start = (int) control & 0xff;
        int length = (int) control >>> 8 & 0xff;
        long r = start >= 8 << w ? 0 : a >>> start;
        if (length < 64) {
            r &= (1L << length) - 1;
        }
        r = Flags.zeroExtend(w, r);
        Flags.logic(c, w, r);
        return r;
    }

    public static long blsr(Cpu c, int w, long a) {
        long r = a & a - 1;
        Flags.result(c, w, r, a == 0, false);
        return r;
    }

    public static long blsmsk(Cpu c, int w, long a) {
        long r = a ^ a - 1;
        Flags.result(c, w, r, a == 0, false);
        return r;
    }

    public static long blsi(Cpu c, int w, long a) {
        long r = a & -a;
        Flags.result(c, w, r, a != 0, false);
        return r;
    }

    public static long bzhi(Cpu c, int w, long a, long index) {
        int n = (int) index & 0xff;
        boolean beyond = n >= 8 << w;
        long r = beyond ? a : a & (1L << n) - 1;
        Flags.result(c, w, r, beyond, false);
        return r;
    }

    public static long pdep(Cpu c, int w, long a, long mask) {
        return Long.expand(a, mask);
    }

    public static long pext(Cpu c, int w, long a, long mask) {
        return Long.compress(a, mask);
    }
}
