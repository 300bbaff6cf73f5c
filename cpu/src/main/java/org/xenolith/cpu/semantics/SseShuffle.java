package org.xenolith.cpu.semantics;

import org.xenolith.cpu.core.Cpu;
import org.xenolith.memory.Raw;

/** Shuffles, packs, unpacks, inserts and extracts on XMM registers, SSE to SSSE3. */
public final class SseShuffle {
    private SseShuffle() {}

    /** PACKSSWB: the destination's lanes fill the low half, the source's the high half. */
    public static void packsswb(Cpu c, long d, long s) {
        long low = SseLanes.packSignedWords(Raw.getLong(d), Raw.getLong(d + 8));
        long high = SseLanes.packSignedWords(Raw.getLong(s), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PACKUSWB: the destination's lanes fill the low half, the source's the high half. */
    public static void packuswb(Cpu c, long d, long s) {
        long low = SseLanes.packUnsignedWords(Raw.getLong(d), Raw.getLong(d + 8));
        long high = SseLanes.packUnsignedWords(Raw.getLong(s), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PACKSSDW: the destination's lanes fill the low half, the source's the high half. */
    public static void packssdw(Cpu c, long d, long s) {
        long low = SseLanes.packSignedDwords(Raw.getLong(d), Raw.getLong(d + 8));
        long high = SseLanes.packSignedDwords(Raw.getLong(s), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PACKUSDW: the destination's lanes fill the low half, the source's the high half. */
    public static void packusdw(Cpu c, long d, long s) {
        long low = SseLanes.packUnsignedDwords(Raw.getLong(d), Raw.getLong(d + 8));
        long high = SseLanes.packUnsignedDwords(Raw.getLong(s), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PUNPCKLBW. */
    public static void punpcklbw(Cpu c, long d, long s) {
        long a = Raw.getLong(d);
        long b = Raw.getLong(s);
        Raw.putLong(d, SseLanes.interleaveLowBytes(a, b));
        Raw.putLong(d + 8, SseLanes.interleaveLowBytes(a >>> 32, b >>> 32));
    }

    /** PUNPCKLWD. */
    public static void punpcklwd(Cpu c, long d, long s) {
        long a = Raw.getLong(d);
        long b = Raw.getLong(s);
        Raw.putLong(d, SseLanes.interleaveLowWords(a, b));
        Raw.putLong(d + 8, SseLanes.interleaveLowWords(a >>> 32, b >>> 32));
    }

    /** PUNPCKLDQ, UNPCKLPS. */
    public static void punpckldq(Cpu c, long d, long s) {
        long a = Raw.getLong(d);
        long b = Raw.getLong(s);
        Raw.putLong(d, SseLanes.interleaveLowDwords(a, b));
        Raw.putLong(d + 8, SseLanes.interleaveLowDwords(a >>> 32, b >>> 32));
    }

    /** PUNPCKHBW. */
    public static void punpckhbw(Cpu c, long d, long s) {
        long a = Raw.getLong(d + 8);
        long b = Raw.getLong(s + 8);
        Raw.putLong(d, SseLanes.interleaveLowBytes(a, b));
        Raw.putLong(d + 8, SseLanes.interleaveLowBytes(a >>> 32, b >>> 32));
    }

    /** PUNPCKHWD. */
    public static void punpckhwd(Cpu c, long d, long s) {
        long a = Raw.getLong(d + 8);
        long b = Raw.getLong(s + 8);
        Raw.putLong(d, SseLanes.interleaveLowWords(a, b));
        Raw.putLong(d + 8, SseLanes.interleaveLowWords(a >>> 32, b >>> 32));
    }

    /** PUNPCKHDQ, UNPCKHPS. */
    public static void punpckhdq(Cpu c, long d, long s) {
        long a = Raw.getLong(d + 8);
        long b = Raw.getLong(s + 8);
        Raw.putLong(d, SseLanes.interleaveLowDwords(a, b));
        Raw.putLong(d + 8, SseLanes.interleaveLowDwords(a >>> 32, b >>> 32));
    }

    /** PUNPCKHQDQ, UNPCKHPD. */
    public static void punpckhqdq(Cpu c, long d, long s) {
        long low = Raw.getLong(d + 8);
        long high = Raw.getLong(s + 8);
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PSHUFD. */
    public static void pshufd(Cpu c, long d, long s, int imm) {
        long a = Raw.getInt(s + (imm & 3) * 4) & 0xffffffffL;
        long b = Raw.getInt(s + (imm >> 2 & 3) * 4);
        long e = Raw.getInt(s + (imm >> 4 & 3) * 4) & 0xffffffffL;
        long f = Raw.getInt(s + (imm >> 6 & 3) * 4);
        Raw.putLong(d, a | b << 32);
        Raw.putLong(d + 8, e | f << 32);
    }

    /** PSHUFLW. */
    public static void pshuflw(Cpu c, long d, long s, int imm) {
        long low = SseLanes.shuffleWords(Raw.getLong(s), imm);
        long high = Raw.getLong(s + 8);
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PSHUFHW. */
    public static void pshufhw(Cpu c, long d, long s, int imm) {
        long low = Raw.getLong(s);
        long high = SseLanes.shuffleWords(Raw.getLong(s + 8), imm);
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** SHUFPS: two lanes of the destination, then two of the source. */
    public static void shufps(Cpu c, long d, long s, int imm) {
        long a = Raw.getInt(d + (imm & 3) * 4) & 0xffffffffL;
        long b = Raw.getInt(d + (imm >> 2 & 3) * 4);
        long e = Raw.getInt(s + (imm >> 4 & 3) * 4) & 0xffffffffL;
        long f = Raw.getInt(s + (imm >> 6 & 3) * 4);
        Raw.putLong(d, a | b << 32);
        Raw.putLong(d + 8, e | f << 32);
    }

    /** SHUFPD: one lane of the destination, then one of the source. */
    public static void shufpd(Cpu c, long d, long s, int imm) {
        long low = Raw.getLong(d + (imm & 1) * 8);
        long high = Raw.getLong(s + (imm >> 1 & 1) * 8);
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PSHUFB. */
    public static void pshufb(Cpu c, long d, long s) {
        long low = SseLanes.lookupAt(d, Raw.getLong(s));
        long high = SseLanes.lookupAt(d, Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PALIGNR: 16 bytes out of destination:source, {@code imm} bytes up. */
    public static void palignr(Cpu c, long d, long s, int imm) {
        int bytes = imm & 0xff;
        long s0 = Raw.getLong(s);
        long s1 = Raw.getLong(s + 8);
        long d0 = Raw.getLong(d);
        long d1 = Raw.getLong(d + 8);
        int skip = bytes >>> 3;
        long a = skip == 0 ? s0 : skip == 1 ? s1 : skip == 2 ? d0 : skip == 3 ? d1 : 0;
        long b = skip == 0 ? s1 : skip == 1 ? d0 : skip == 2 ? d1 : 0;
        long e = skip == 0 ? d0 : skip == 1 ? d1 : 0;
        int bits = (bytes & 7) * 8;
        if (bits != 0) {
            a = a >>> bits | b << 64 - bits;
            b = b >>> bits | e << 64 - bits;
        }
        Raw.putLong(d, a);
        Raw.putLong(d + 8, b);
    }

    /** PINSRW. */
    public static void pinsrw(Cpu c, long d, long s, int imm) {
        Raw.putShort(d + (imm & 7) * 2, Raw.getShort(s));
    }

    /** PEXTRW to a general register. */
    public static void pextrw(Cpu c, long d, long s, int imm) {
        Raw.putLong(d, Raw.getShort(s + (imm & 7) * 2) & 0xffffL);
    }
}
