package org.xenolith.cpu.semantics;

import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.GuestFault;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.decode.Mem;
import org.xenolith.memory.Raw;

/**
 * Moves between XMM registers, MMX registers, general registers and memory, MXCSR, and EMMS.
 *
 * <p>Vector-style methods get host addresses: {@code d} of the destination and {@code s} of the source.
 */
public final class SseMoves {
    private SseMoves() {}

    /** 16 bytes: MOVAPS, MOVDQU, MOVNTPS and their kin. */
    public static void mov16(Cpu c, long d, long s) {
        long low = Raw.getLong(s);
        long high = Raw.getLong(s + 8);
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** 8 bytes; what lies above in the destination stays: MOVSD xmm, xmm; MOVLPS; stores. */
    public static void mov8(Cpu c, long d, long s) {
        Raw.putLong(d, Raw.getLong(s));
    }

    /** 4 bytes; what lies above in the destination stays: MOVSS xmm, xmm; stores. */
    public static void mov4(Cpu c, long d, long s) {
        Raw.putInt(d, Raw.getInt(s));
    }

    /** 8 bytes, zeroing the rest of the XMM register: MOVQ, MOVSD from memory, MOVQ2DQ. */
    public static void load8(Cpu c, long d, long s) {
        Raw.putLong(d, Raw.getLong(s));
        Raw.putLong(d + 8, 0);
    }

    /** 4 bytes, zeroing the rest of the XMM register: MOVD, MOVSS from memory. */
    public static void load4(Cpu c, long d, long s) {
        Raw.putLong(d, Raw.getInt(s) & 0xffffffffL);
        Raw.putLong(d + 8, 0);
    }

    /** MOVHPS, MOVHPD from memory, MOVLHPS, UNPCKLPD, PUNPCKLQDQ: the source's low qword to the high one. */
    public static void lowToHigh(Cpu c, long d, long s) {
        Raw.putLong(d + 8, Raw.getLong(s));
    }

    /** MOVHPS, MOVHPD to memory, MOVHLPS: the source's high qword to the low one. */
    public static void highToLow(Cpu c, long d, long s) {
        Raw.putLong(d, Raw.getLong(s + 8));
    }

    /** MOVSLDUP: even dwords doubled. */
    public static void movsldup(Cpu c, long d, long s) {
        long low = Raw.getInt(s) & 0xffffffffL;
        long high = Raw.getInt(s + 8) & 0xffffffffL;
        Raw.putLong(d, low | low << 32);
        Raw.putLong(d + 8, high | high << 32);
    }

    /** MOVSHDUP: odd dwords doubled. */
    public static void movshdup(Cpu c, long d, long s) {
        long low = Raw.getInt(s + 4) & 0xffffffffL;
        long high = Raw.getInt(s + 12) & 0xffffffffL;
        Raw.putLong(d, low | low << 32);
        Raw.putLong(d + 8, high | high << 32);
    }

    /** MOVDDUP: the low qword doubled. */
    public static void movddup(Cpu c, long d, long s) {
        long low = Raw.getLong(s);
        Raw.putLong(d, low);
        Raw.putLong(d + 8, low);
    }

    /** MOVMSKPS: the four sign bits. */
    public static void movmskps(Cpu c, long d, long s) {
        int low = Raw.getInt(s) >>> 31 | Raw.getInt(s + 4) >>> 31 << 1;
        int high = Raw.getInt(s + 8) >>> 31 << 2 | Raw.getInt(s + 12) >>> 31 << 3;
        Raw.putLong(d, low | high);
    }

    /** MOVMSKPD: the two sign bits. */
    public static void movmskpd(Cpu c, long d, long s) {
        Raw.putLong(d, Raw.getLong(s) >>> 63 | Raw.getLong(s + 8) >>> 63 << 1);
    }

    /** PMOVMSKB: the sixteen sign bits. */
    public static void pmovmskb(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.signBits(Raw.getLong(s)) | SseLanes.signBits(Raw.getLong(s + 8)) << 8);
    }

    /** MOVNTI: an ordinary store, for which no SSE state is needed. */
    public static long movnti(Cpu c, int w, long source) {
        return source;
    }

    /** MASKMOVDQU: stores the bytes whose mask byte has its top bit set. */
    public static void maskmovdqu(Cpu c, Insn i) {
        c.requireVectors(i.row.vex);
        long mask = c.xmm(i.rm);
        int selected = (int) (SseLanes.signBits(Raw.getLong(mask)) | SseLanes.signBits(Raw.getLong(mask + 8)) << 8);
        maskedStore(c, i, c.xmm(i.reg), selected, 16);
    }

    /** MASKMOVQ: the same on MMX registers. */
    public static void maskmovq(Cpu c, Insn i) {
        if (c.x87Blocked) {
            throw c.x87Fault(true);
        }
        pendingX87(c);
        long mask = Raw.getLong(c.base + VcpuState.ST + (i.rm & 7) * 16L);
        maskedStore(c, i, c.base + VcpuState.ST + (i.reg & 7) * 16L, (int) SseLanes.signBits(mask), 8);
        enterMmx(c);
    }

    private static void maskedStore(Cpu c, Insn i, long from, int selected, int bytes) {
        if (selected == 0) {
            return;
        }
        boolean overridden = i.segment >= 0 && !(i.is64() && i.segment < VcpuState.FS);
        int segment = overridden ? i.segment : VcpuState.DS;
        int base = VcpuState.RDI * 8;
        long to = new Mem(segment, base, VcpuState.ZERO, 0, 0, i.addressSize, i.is64()).linear(c, bytes, true);
        int first = Integer.numberOfTrailingZeros(selected);
        int last = 31 - Integer.numberOfLeadingZeros(selected);
        c.checkWritable(c.wrapLinear(to + first), last - first + 1);
        for (int k = first; k <= last; k++) {
            if ((selected >>> k & 1) != 0) {
                c.store8(c.wrapLinear(to + k), Raw.getByte(from + k));
            }
        }
    }

    /** The unmasked x87 exception that is waiting, if there is one: every MMX instruction reports it. */
    static void pendingX87(Cpu c) {
        if ((Raw.getShort(c.base + VcpuState.FSW) & 0x80) != 0) {
            throw c.fault(GuestFault.MF);
        }
    }

    /** What every MMX instruction but EMMS does to the x87 state: TOP = 0, all registers valid. */
    static void enterMmx(Cpu c) {
        long fsw = c.base + VcpuState.FSW;
        Raw.putShort(fsw, (short) (Raw.getShort(fsw) & ~0x3800));
        Raw.putByte(c.base + VcpuState.FTW, (byte) 0xff);
    }

    /** EMMS: all x87 registers empty; TOP = 0. */
    public static void emms(Cpu c, Insn i) {
        if (c.x87Blocked) {
            throw c.x87Fault(true);
        }
        pendingX87(c);
        enterMmx(c);
        Raw.putByte(c.base + VcpuState.FTW, (byte) 0);
    }

    /** LDMXCSR: #GP(0) for reserved bits. */
    public static void ldmxcsr(Cpu c, Insn i) {
        c.requireVectors(i.row.vex);
        int value = (int) c.load32(i.mem.linear(c, 4, false));
        if ((value & ~FloatMath.MXCSR_MASK) != 0) {
            throw c.generalProtection(0);
        }
        Raw.putInt(c.base + VcpuState.MXCSR, value);
    }

    /** STMXCSR. */
    public static void stmxcsr(Cpu c, Insn i) {
        c.requireVectors(i.row.vex);
        c.store32(i.mem.linear(c, 4, true), Raw.getInt(c.base + VcpuState.MXCSR) & 0xffffffffL);
    }
}
