package org.xenolith.cpu.semantics;

import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Flags;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.decode.OperandSpec;
import org.xenolith.memory.Raw;

/**
 * AVX and AVX2 instructions that have no SSE form; those that have one share its method (Intel SDM vol. 2, chapter 5).
 *
 * <p>A method with addresses works on one 128-bit lane, or on whole vectors where the instruction table says {@code
 * whole}. {@code d} holds the first source, if there are several, and takes the result; it is never a register or guest
 * memory, but {@code s} and {@code m} may be.
 */
public final class Avx {
    private static final int LANE = 16;

    private Avx() {}

    // ---------------------------------------------------------------- register state

    /** VZEROUPPER. */
    public static void vzeroupper(Cpu c, Insn i) {
        c.requireVectors(true);
        Raw.fill(c.ymmHigh(0), registers(i) * 16L, (byte) 0);
    }

    /** VZEROALL. */
    public static void vzeroall(Cpu c, Insn i) {
        vzeroupper(c, i);
        Raw.fill(c.xmm(0), registers(i) * 16L, (byte) 0);
    }

    private static int registers(Insn i) {
        return i.is64() ? 16 : 8;
    }

    // ---------------------------------------------------------------- broadcasts, permutations

    private static void fill(long d, long value) {
        Raw.putLong(d, value);
        Raw.putLong(d + 8, value);
    }

    /** VPBROADCASTB. */
    public static void broadcast1(Cpu c, long d, long s) {
        fill(d, (Raw.getByte(s) & 0xff) * 0x0101010101010101L);
    }

    /** VPBROADCASTW. */
    public static void broadcast2(Cpu c, long d, long s) {
        fill(d, (Raw.getShort(s) & 0xffff) * 0x0001000100010001L);
    }

    /** VBROADCASTSS, VPBROADCASTD. */
    public static void broadcast4(Cpu c, long d, long s) {
        fill(d, (Raw.getInt(s) & 0xffffffffL) * 0x0000000100000001L);
    }

    /** VINSERTF128, VINSERTI128. */
    public static void insertHalf(Cpu c, long d, long s, int imm) {
        SseMoves.mov16(c, d + (imm & 1) * LANE, s);
    }

    /** VEXTRACTF128, VEXTRACTI128. */
    public static void extractHalf(Cpu c, long d, long s, int imm) {
        SseMoves.mov16(c, d, s + (imm & 1) * LANE);
    }

    /** VPERM2F128, VPERM2I128: each half of the result is one of four halves, or zero. */
    public static void permuteHalves(Cpu c, long d, long s, int imm) {
        long a0 = halfWord(d, s, imm, 0);
        long a1 = halfWord(d, s, imm, 8);
        long b0 = halfWord(d, s, imm >> 4, 0);
        long b1 = halfWord(d, s, imm >> 4, 8);
        Raw.putLong(d, a0);
        Raw.putLong(d + 8, a1);
        Raw.putLong(d + 16, b0);
        Raw.putLong(d + 24, b1);
    }

    private static long halfWord(long d, long s, int control, int at) {
        if ((control & 8) != 0) {
            return 0;
        }
        return Raw.getLong(((control & 2) == 0 ? d : s) + (control & 1) * LANE + at);
    }

    /** VPERMD, VPERMPS: dwords of the second source, chosen by the first. */
    public static void permuteDwords(Cpu c, long d, long s) {
        for (int i = 0; i < 32; i += 4) {
            Raw.putInt(d + i, Raw.getInt(s + (Raw.getInt(d + i) & 7) * 4));
        }
    }

    /** VPERMQ, VPERMPD. */
    public static void permuteQwords(Cpu c, long d, long s, int imm) {
        for (int i = 0; i < 4; i++) {
            Raw.putLong(d + i * 8, Raw.getLong(s + (imm >> i * 2 & 3) * 8));
        }
    }

    /** VPERMILPS by a vector. */
    public static void vpermilps(Cpu c, long d, long s) {
        int control = Raw.getInt(s) & 3
                | (Raw.getInt(s + 4) & 3) << 2
                | (Raw.getInt(s + 8) & 3) << 4
                | (Raw.getInt(s + 12) & 3) << 6;
        SseShuffle.pshufd(c, d, d, control);
    }

    /** VPERMILPD by a vector: bit 1 of each qword chooses. */
    public static void vpermilpd(Cpu c, long d, long s) {
        vpermilpdImm(c, d, d, Raw.getInt(s) >> 1 & 1 | Raw.getInt(s + 8) & 2);
    }

    /** VPERMILPD by an immediate. */
    public static void vpermilpdImm(Cpu c, long d, long s, int imm) {
        long low = Raw.getLong(s + (imm & 1) * 8);
        long high = Raw.getLong(s + (imm >> 1 & 1) * 8);
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    // ---------------------------------------------------------------- blends by a fourth operand

    /** VPBLENDVB. */
    public static void vpblendvb(Cpu c, long d, long s, long m) {
        for (int i = 0; i < LANE; i += 8) {
            long mask = SseLanes.maskBytes(Raw.getLong(m + i));
            Raw.putLong(d + i, SseLanes.select(mask, Raw.getLong(s + i), Raw.getLong(d + i)));
        }
    }

    /** VBLENDVPS. */
    public static void vblendvps(Cpu c, long d, long s, long m) {
        for (int i = 0; i < LANE; i += 8) {
            long mask = SseLanes.maskDwords(Raw.getLong(m + i));
            Raw.putLong(d + i, SseLanes.select(mask, Raw.getLong(s + i), Raw.getLong(d + i)));
        }
    }

    /** VBLENDVPD. */
    public static void vblendvpd(Cpu c, long d, long s, long m) {
        for (int i = 0; i < LANE; i += 8) {
            Raw.putLong(d + i, SseLanes.select(Raw.getLong(m + i) >> 63, Raw.getLong(s + i), Raw.getLong(d + i)));
        }
    }

    // ---------------------------------------------------------------- shifts, each element by its own count

    /** VPSLLVD. */
    public static void vpsllvd(Cpu c, long d, long s) {
        for (int i = 0; i < LANE; i += 4) {
            int count = Raw.getInt(s + i);
            Raw.putInt(d + i, Integer.compareUnsigned(count, 31) > 0 ? 0 : Raw.getInt(d + i) << count);
        }
    }

    /** VPSRLVD. */
    public static void vpsrlvd(Cpu c, long d, long s) {
        for (int i = 0; i < LANE; i += 4) {
            int count = Raw.getInt(s + i);
            Raw.putInt(d + i, Integer.compareUnsigned(count, 31) > 0 ? 0 : Raw.getInt(d + i) >>> count);
        }
    }

    /** VPSRAVD. */
    public static void vpsravd(Cpu c, long d, long s) {
        for (int i = 0; i < LANE; i += 4) {
            int count = Raw.getInt(s + i);
            Raw.putInt(d + i, Raw.getInt(d + i) >> (Integer.compareUnsigned(count, 31) > 0 ? 31 : count));
        }
    }

    /** VPSLLVQ. */
    public static void vpsllvq(Cpu c, long d, long s) {
        for (int i = 0; i < LANE; i += 8) {
            Raw.putLong(d + i, SseLanes.shiftLeftQwords(Raw.getLong(d + i), Raw.getLong(s + i)));
        }
    }

    /** VPSRLVQ. */
    public static void vpsrlvq(Cpu c, long d, long s) {
        for (int i = 0; i < LANE; i += 8) {
            Raw.putLong(d + i, SseLanes.shiftRightQwords(Raw.getLong(d + i), Raw.getLong(s + i)));
        }
    }

    // ---------------------------------------------------------------- masks and tests

    /** VMOVMSKPS of a YMM register. */
    public static void vmovmskps(Cpu c, long d, long s) {
        SseMoves.movmskps(c, d, s);
        SseMoves.movmskps(c, d + 8, s + LANE);
        Raw.putLong(d, Raw.getLong(d) | Raw.getLong(d + 8) << 4);
    }

    /** VMOVMSKPD of a YMM register. */
    public static void vmovmskpd(Cpu c, long d, long s) {
        SseMoves.movmskpd(c, d, s);
        SseMoves.movmskpd(c, d + 8, s + LANE);
        Raw.putLong(d, Raw.getLong(d) | Raw.getLong(d + 8) << 2);
    }

    /** VPMOVMSKB of a YMM register. */
    public static void vpmovmskb(Cpu c, long d, long s) {
        SseMoves.pmovmskb(c, d, s);
        SseMoves.pmovmskb(c, d + 8, s + LANE);
        Raw.putLong(d, Raw.getLong(d) | Raw.getLong(d + 8) << 16);
    }

    /** VPTEST of YMM registers. */
    public static void vptest(Cpu c, long d, long s) {
        test(c, d, s, 2 * LANE, -1);
    }

    /** VTESTPS: the signs of dwords. */
    public static void vtestps(Cpu c, long d, long s, int bytes) {
        test(c, d, s, bytes, SseLanes.H32);
    }

    /** VTESTPD: the signs of qwords. */
    public static void vtestpd(Cpu c, long d, long s, int bytes) {
        test(c, d, s, bytes, Long.MIN_VALUE);
    }

    private static void test(Cpu c, long d, long s, int bytes, long bits) {
        long both = 0;
        long sourceOnly = 0;
        for (int i = 0; i < bytes; i += 8) {
            both |= Raw.getLong(s + i) & Raw.getLong(d + i);
            sourceOnly |= Raw.getLong(s + i) & ~Raw.getLong(d + i);
        }
        Flags.setArithmetic(c, ((both & bits) == 0 ? Flags.ZF : 0) | ((sourceOnly & bits) == 0 ? Flags.CF : 0));
    }

    // ---------------------------------------------------------------- string comparisons that write XMM0

    /** VPCMPISTRM. */
    public static void vpcmpistrm(Cpu c, long d, long s, int imm) {
        SseStrings.pcmpistrm(c, d, s, imm);
        fill(c.ymmHigh(0), 0);
    }

    /** VPCMPESTRM. */
    public static void vpcmpestrm(Cpu c, long d, long s, int imm, int w) {
        SseStrings.pcmpestrm(c, d, s, imm, w);
        fill(c.ymmHigh(0), 0);
    }

    // ---------------------------------------------------------------- memory by elements

    /** Address of the bytes from {@code at} up of register {@code n} as a YMM register. */
    private static long element(Cpu c, int n, int at) {
        return at < LANE ? c.xmm(n) + at : c.ymmHigh(n) + at - LANE;
    }

    /** The sign of an element, which is what masks are made of. */
    private static boolean selected(Cpu c, int mask, int at, int size) {
        return Raw.getByte(element(c, mask, at + size - 1)) < 0;
    }

    private static int log2(int size) {
        return size == 8 ? 3 : 2;
    }

    private static void zeroFrom(Cpu c, int n, int at) {
        for (int i = at; i < 2 * LANE; i += 8) {
            Raw.putLong(element(c, n, i), 0);
        }
    }

    /** VMASKMOVPS, VMASKMOVPD, VPMASKMOVD, VPMASKMOVQ from memory: elements that are not selected are not looked at. */
    public static void maskedLoad(Cpu c, Insn i, int size) {
        c.requireVectors(true);
        int w = log2(size);
        int bytes = LANE << i.vexL;
        long loaded = c.scratch();
        for (int at = 0; at < bytes; at += size) {
            long value = selected(c, i.vvvv, at, size) ? c.load(w, i.mem.linearAt(c, at, size, false)) : 0;
            Cpu.writeHost(w, loaded + at, value);
        }
        for (int at = 0; at < bytes; at += 8) {
            Raw.putLong(element(c, i.reg, at), Raw.getLong(loaded + at));
        }
        zeroFrom(c, i.reg, bytes);
    }

    /** The same to memory: elements that are not selected are not touched. */
    public static void maskedStore(Cpu c, Insn i, int size) {
        c.requireVectors(true);
        int w = log2(size);
        int bytes = LANE << i.vexL;
        for (int at = 0; at < bytes; at += size) {
            if (selected(c, i.vvvv, at, size)) {
                c.checkWritable(i.mem.linearAt(c, at, size, true), size);
            }
        }
        for (int at = 0; at < bytes; at += size) {
            if (selected(c, i.vvvv, at, size)) {
                c.store(w, i.mem.linearAt(c, at, size, true), Cpu.readHost(w, element(c, i.reg, at)));
            }
        }
    }

    /**
     * VGATHERxxx, VPGATHERxx: loads selected elements in order and clears the mask behind it. So a fault leaves what came
     * before it, and the instruction goes on where it stopped.
     */
    public static void gather(Cpu c, Insn i) {
        c.requireVectors(true);
        int to = i.reg;
        int mask = i.vvvv;
        int index = i.vectorIndex;
        if (to == mask || to == index || mask == index) {
            throw c.undefined();
        }
        OperandSpec memory = i.row.operands.get(1);
        int size = memory.bytes();
        int w = log2(size);
        int indexSize = memory.kind() == OperandSpec.Kind.VSIB32 ? 4 : 8;
        int count = (LANE << i.vexL) / Math.max(size, indexSize);
        for (int n = 0; n < count; n++) {
            if (selected(c, mask, n * size, size)) {
                long indexAt = element(c, index, n * indexSize);
                long distance = indexSize == 4 ? Raw.getInt(indexAt) : Raw.getLong(indexAt);
                long value = c.load(w, i.mem.linearAt(c, distance << i.mem.scale(), size, false));
                Cpu.writeHost(w, element(c, to, n * size), value);
            }
            Cpu.writeHost(w, element(c, mask, n * size), 0);
        }
        zeroFrom(c, to, count * size);
        zeroFrom(c, mask, 0);
    }
}
