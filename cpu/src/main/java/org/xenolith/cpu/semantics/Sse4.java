package org.xenolith.cpu.semantics;

import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Flags;
import org.xenolith.memory.Raw;

/**
 * SSE4.1 and SSE4.2, but for the floating-point part ({@link SseFloat}) and the string comparisons ({@link
 * SseStrings}).
 *
 * <p>{@code d} is the address of the destination, {@code s} that of the source; no more than the operand's bytes are
 * touched.
 */
public final class Sse4 {
    private Sse4() {}

    /** PMINSB. */
    public static void pminsb(Cpu c, long d, long s) {
        long low = SseLanes.minSignedBytes(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.minSignedBytes(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PMAXSB. */
    public static void pmaxsb(Cpu c, long d, long s) {
        long low = SseLanes.maxSignedBytes(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.maxSignedBytes(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PMINUW. */
    public static void pminuw(Cpu c, long d, long s) {
        long low = SseLanes.minUnsignedWords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.minUnsignedWords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PMAXUW. */
    public static void pmaxuw(Cpu c, long d, long s) {
        long low = SseLanes.maxUnsignedWords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.maxUnsignedWords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PMINSD. */
    public static void pminsd(Cpu c, long d, long s) {
        long low = SseLanes.minSignedDwords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.minSignedDwords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PMAXSD. */
    public static void pmaxsd(Cpu c, long d, long s) {
        long low = SseLanes.maxSignedDwords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.maxSignedDwords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PMINUD. */
    public static void pminud(Cpu c, long d, long s) {
        long low = SseLanes.minUnsignedDwords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.minUnsignedDwords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PMAXUD. */
    public static void pmaxud(Cpu c, long d, long s) {
        long low = SseLanes.maxUnsignedDwords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.maxUnsignedDwords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PMULLD. */
    public static void pmulld(Cpu c, long d, long s) {
        long low = SseLanes.mulLowDwords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.mulLowDwords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PMULDQ. */
    public static void pmuldq(Cpu c, long d, long s) {
        long low = SseLanes.mulSignedDwords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.mulSignedDwords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PCMPEQQ. */
    public static void pcmpeqq(Cpu c, long d, long s) {
        long low = SseLanes.equalQwords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.equalQwords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PCMPGTQ, signed. */
    public static void pcmpgtq(Cpu c, long d, long s) {
        long low = SseLanes.greaterQwords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.greaterQwords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PMOVSXBW. */
    public static void pmovsxbw(Cpu c, long d, long s) {
        long x = Raw.getLong(s);
        Raw.putLong(d, signedWords(SseLanes.spreadBytes(x)));
        Raw.putLong(d + 8, signedWords(SseLanes.spreadBytes(x >>> 32)));
    }

    /** Sign-extends the even bytes into words. */
    private static long signedWords(long x) {
        return x | ((x & 0x0080008000800080L) << 1) * 0xff;
    }

    /** PMOVZXBW. */
    public static void pmovzxbw(Cpu c, long d, long s) {
        long x = Raw.getLong(s);
        Raw.putLong(d, SseLanes.spreadBytes(x));
        Raw.putLong(d + 8, SseLanes.spreadBytes(x >>> 32));
    }

    /** PMOVSXBD. */
    public static void pmovsxbd(Cpu c, long d, long s) {
        long x = Raw.getInt(s);
        Raw.putLong(d, (long) (byte) x & 0xffffffffL | ((long) (byte) (x >>> 8)) << 32);
        Raw.putLong(d + 8, (long) (byte) (x >>> 16) & 0xffffffffL | ((long) (byte) (x >>> 24)) << 32);
    }

    /** PMOVZXBD. */
    public static void pmovzxbd(Cpu c, long d, long s) {
        long x = Raw.getInt(s);
        Raw.putLong(d, x & 0xffL | (x >>> 8 & 0xffL) << 32);
        Raw.putLong(d + 8, x >>> 16 & 0xffL | (x >>> 24 & 0xffL) << 32);
    }

    /** PMOVSXBQ. */
    public static void pmovsxbq(Cpu c, long d, long s) {
        long x = Raw.getShort(s);
        Raw.putLong(d, (long) (byte) x);
        Raw.putLong(d + 8, (long) (byte) (x >>> 8));
    }

    /** PMOVZXBQ. */
    public static void pmovzxbq(Cpu c, long d, long s) {
        long x = Raw.getShort(s);
        Raw.putLong(d, x & 0xffL);
        Raw.putLong(d + 8, x >>> 8 & 0xffL);
    }

    /** PMOVSXWD. */
    public static void pmovsxwd(Cpu c, long d, long s) {
        long x = Raw.getLong(s);
        Raw.putLong(d, (long) (short) x & 0xffffffffL | ((long) (short) (x >>> 16)) << 32);
        Raw.putLong(d + 8, (long) (short) (x >>> 32) & 0xffffffffL | ((long) (short) (x >>> 48)) << 32);
    }

    /** PMOVZXWD. */
    public static void pmovzxwd(Cpu c, long d, long s) {
        long x = Raw.getLong(s);
        Raw.putLong(d, x & 0xffffL | (x >>> 16 & 0xffffL) << 32);
        Raw.putLong(d + 8, x >>> 32 & 0xffffL | (x >>> 48 & 0xffffL) << 32);
    }

    /** PMOVSXWQ. */
    public static void pmovsxwq(Cpu c, long d, long s) {
        long x = Raw.getInt(s);
        Raw.putLong(d, (long) (short) x);
        Raw.putLong(d + 8, (long) (short) (x >>> 16));
    }

    /** PMOVZXWQ. */
    public static void pmovzxwq(Cpu c, long d, long s) {
        long x = Raw.getInt(s);
        Raw.putLong(d, x & 0xffffL);
        Raw.putLong(d + 8, x >>> 16 & 0xffffL);
    }

    /** PMOVSXDQ. */
    public static void pmovsxdq(Cpu c, long d, long s) {
        long x = Raw.getLong(s);
        Raw.putLong(d, (long) (int) x);
        Raw.putLong(d + 8, (long) (int) (x >>> 32));
    }

    /** PMOVZXDQ. */
    public static void pmovzxdq(Cpu c, long d, long s) {
        long x = Raw.getLong(s);
        Raw.putLong(d, x & 0xffffffffL);
        Raw.putLong(d + 8, x >>> 32 & 0xffffffffL);
    }

    /** PTEST: ZF when source and destination share no bit, CF when the source has none outside the destination. */
    public static void ptest(Cpu c, long d, long s) {
        long s0 = Raw.getLong(s);
        long s1 = Raw.getLong(s + 8);
        long d0 = Raw.getLong(d);
        long d1 = Raw.getLong(d + 8);
        long flags = ((s0 & d0 | s1 & d1) == 0 ? Flags.ZF : 0) | ((s0 & ~d0 | s1 & ~d1) == 0 ? Flags.CF : 0);
        Flags.setArithmetic(c, flags);
    }

    /** PHMINPOSUW: the smallest word and its index, the first of equals. */
    public static void phminposuw(Cpu c, long d, long s) {
        long best = Raw.getShort(s) & 0xffffL;
        for (int i = 1; i < 8; i++) {
            long word = Raw.getShort(s + i * 2) & 0xffffL;
            if (word < (best & 0xffff)) {
                best = word | (long) i << 16;
            }
        }
        Raw.putLong(d, best);
        Raw.putLong(d + 8, 0);
    }

    /** MPSADBW: one group of four source bytes against eight overlapping groups of the destination. */
    public static void mpsadbw(Cpu c, long d, long s, int imm) {
        int group = Raw.getInt(s + (imm & 3) * 4);
        long from = d + (imm & 4);
        long low = 0;
        long high = 0;
        for (int i = 0; i < 4; i++) {
            low |= differences(Raw.getInt(from + i), group) << i * 16;
            high |= differences(Raw.getInt(from + i + 4), group) << i * 16;
        }
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    private static long differences(int a, int b) {
        return SseLanes.sumAbsoluteDifferences(a & 0xffffffffL, b & 0xffffffffL);
    }

    /** PBLENDVB: source bytes where the top bits of XMM0's bytes are set. */
    public static void pblendvb(Cpu c, long d, long s) {
        long mask = c.xmm(0);
        long low = SseLanes.select(SseLanes.maskBytes(Raw.getLong(mask)), Raw.getLong(s), Raw.getLong(d));
        long high = SseLanes.select(SseLanes.maskBytes(Raw.getLong(mask + 8)), Raw.getLong(s + 8), Raw.getLong(d + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** BLENDVPS: source dwords where the signs of XMM0's dwords are set. */
    public static void blendvps(Cpu c, long d, long s) {
        long mask = c.xmm(0);
        long low = SseLanes.select(SseLanes.maskDwords(Raw.getLong(mask)), Raw.getLong(s), Raw.getLong(d));
        long high = SseLanes.select(SseLanes.maskDwords(Raw.getLong(mask + 8)), Raw.getLong(s + 8), Raw.getLong(d + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** BLENDVPD: source qwords where the signs of XMM0's qwords are set. */
    public static void blendvpd(Cpu c, long d, long s) {
        long mask = c.xmm(0);
        long low = SseLanes.select(Raw.getLong(mask) >> 63, Raw.getLong(s), Raw.getLong(d));
        long high = SseLanes.select(Raw.getLong(mask + 8) >> 63, Raw.getLong(s + 8), Raw.getLong(d + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** BLENDPS: source dwords where the immediate's bits are set. */
    public static void blendps(Cpu c, long d, long s, int imm) {
        for (int i = 0; i < 4; i++) {
            if ((imm >> i & 1) != 0) {
                Raw.putInt(d + i * 4, Raw.getInt(s + i * 4));
            }
        }
    }

    /** BLENDPD: source qwords where the immediate's bits are set. */
    public static void blendpd(Cpu c, long d, long s, int imm) {
        for (int i = 0; i < 2; i++) {
            if ((imm >> i & 1) != 0) {
                Raw.putLong(d + i * 8, Raw.getLong(s + i * 8));
            }
        }
    }

    /** PBLENDW: source words where the immediate's bits are set. */
    public static void pblendw(Cpu c, long d, long s, int imm) {
        for (int i = 0; i < 8; i++) {
            if ((imm >> i & 1) != 0) {
                Raw.putShort(d + i * 2, Raw.getShort(s + i * 2));
            }
        }
    }

    /** PEXTRB to a general register. */
    public static void pextrb(Cpu c, long d, long s, int imm) {
        Raw.putLong(d, Raw.getByte(s + (imm & 15)) & 0xffL);
    }

    /** PEXTRB to memory. */
    public static void pextrbStore(Cpu c, long d, long s, int imm) {
        Raw.putByte(d, Raw.getByte(s + (imm & 15)));
    }

    /** PEXTRW to memory. */
    public static void pextrwStore(Cpu c, long d, long s, int imm) {
        Raw.putShort(d, Raw.getShort(s + (imm & 7) * 2));
    }

    /** PEXTRD, EXTRACTPS. */
    public static void pextrd(Cpu c, long d, long s, int imm) {
        Raw.putInt(d, Raw.getInt(s + (imm & 3) * 4));
    }

    /** PEXTRQ. */
    public static void pextrq(Cpu c, long d, long s, int imm) {
        Raw.putLong(d, Raw.getLong(s + (imm & 1) * 8));
    }

    /** PINSRB. */
    public static void pinsrb(Cpu c, long d, long s, int imm) {
        Raw.putByte(d + (imm & 15), Raw.getByte(s));
    }

    /** PINSRD. */
    public static void pinsrd(Cpu c, long d, long s, int imm) {
        Raw.putInt(d + (imm & 3) * 4, Raw.getInt(s));
    }

    /** PINSRQ. */
    public static void pinsrq(Cpu c, long d, long s, int imm) {
        Raw.putLong(d + (imm & 1) * 8, Raw.getLong(s));
    }

    /** INSERTPS from a register: bits 6-7 choose the source lane. */
    public static void insertps(Cpu c, long d, long s, int imm) {
        insert(d, Raw.getInt(s + (imm >> 6 & 3) * 4), imm);
    }

    /** INSERTPS from memory. */
    public static void insertpsLoad(Cpu c, long d, long s, int imm) {
        insert(d, Raw.getInt(s), imm);
    }

    private static void insert(long d, int value, int imm) {
        Raw.putInt(d + (imm >> 4 & 3) * 4, value);
        for (int i = 0; i < 4; i++) {
            if ((imm >> i & 1) != 0) {
                Raw.putInt(d + i * 4, 0);
            }
        }
    }
}
