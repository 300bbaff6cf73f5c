package org.xenolith.cpu.semantics;

import org.xenolith.memory.Raw;

/**
 * Lanes of bytes, words and dwords inside one {@code long}: what MMX and SSE integer instructions share.
 *
 * <p>Functions without side effects. Most keep the carries of neighbouring lanes apart by treating the top bit of each lane separately,
 * so that eight bytes cost about as much as one.
 */
final class SseLanes {
    /** Top bit of each byte, word, dword. */
    static final long H8 = 0x8080808080808080L;

    static final long H16 = 0x8000800080008000L;
    static final long H32 = 0x8000000080000000L;

    private SseLanes() {}

    // ---------------------------------------------------------------- wrapping

    private static long add(long a, long b, long h) {
        return (a & ~h) + (b & ~h) ^ (a ^ b) & h;
    }

    private static long sub(long a, long b, long h) {
        return (a | h) - (b & ~h) ^ (a ^ ~b) & h;
    }

    static long addBytes(long a, long b) {
        return add(a, b, H8);
    }

    static long addWords(long a, long b) {
        return add(a, b, H16);
    }

    static long addDwords(long a, long b) {
        return add(a, b, H32);
    }

    static long addQwords(long a, long b) {
        return a + b;
    }

    static long subBytes(long a, long b) {
        return sub(a, b, H8);
    }

    static long subWords(long a, long b) {
        return sub(a, b, H16);
    }

    static long subDwords(long a, long b) {
        return sub(a, b, H32);
    }

    static long subQwords(long a, long b) {
        return a - b;
    }

    // ---------------------------------------------------------------- masks from top bits

    /** All ones in each byte whose top bit is set in {@code tops}; other bits of {@code tops} do not count. */
    static long maskBytes(long tops) {
        return ((tops & H8) >>> 7) * 0xff;
    }

    static long maskWords(long tops) {
        return ((tops & H16) >>> 15) * 0xffff;
    }

    static long maskDwords(long tops) {
        return ((tops & H32) >>> 31) * 0xffffffffL;
    }

    /** {@code a} where the mask is set, {@code b} elsewhere. */
    static long select(long mask, long a, long b) {
        return b ^ (a ^ b) & mask;
    }

    // ---------------------------------------------------------------- saturating

    private static long carries(long a, long b, long sum) {
        return a & b | (a | b) & ~sum;
    }

    private static long borrows(long a, long b, long difference) {
        return ~a & b | (~a | b) & difference;
    }

    static long addUnsignedBytes(long a, long b) {
        long sum = add(a, b, H8);
        return sum | maskBytes(carries(a, b, sum));
    }

    static long addUnsignedWords(long a, long b) {
        long sum = add(a, b, H16);
        return sum | maskWords(carries(a, b, sum));
    }

    static long subUnsignedBytes(long a, long b) {
        long difference = sub(a, b, H8);
        return difference & ~maskBytes(borrows(a, b, difference));
    }

    static long subUnsignedWords(long a, long b) {
        long difference = sub(a, b, H16);
        return difference & ~maskWords(borrows(a, b, difference));
    }

    /** The value that a signed overflow saturates to: the largest, or the smallest where {@code a} is negative. */
    private static long extremeBytes(long a) {
        return ((a & H8) >>> 7) + ~H8;
    }

    private static long extremeWords(long a) {
        return ((a & H16) >>> 15) + ~H16;
    }

    static long addSignedBytes(long a, long b) {
        long sum = add(a, b, H8);
        return select(maskBytes((a ^ sum) & (b ^ sum)), extremeBytes(a), sum);
    }

    static long addSignedWords(long a, long b) {
        long sum = add(a, b, H16);
        return select(maskWords((a ^ sum) & (b ^ sum)), extremeWords(a), sum);
    }

    static long subSignedBytes(long a, long b) {
        long difference = sub(a, b, H8);
        return select(maskBytes((a ^ b) & (a ^ difference)), extremeBytes(a), difference);
    }

    static long subSignedWords(long a, long b) {
        long difference = sub(a, b, H16);
        return select(maskWords((a ^ b) & (a ^ difference)), extremeWords(a), difference);
    }

    static long averageBytes(long a, long b) {
        return (a | b) - (((a ^ b) & 0xFEFEFEFEFEFEFEFEL) >>> 1);
    }

    static long averageWords(long a, long b) {
        return (a | b) - (((a ^ b) & 0xFFFEFFFEFFFEFFFEL) >>> 1);
    }

    // ---------------------------------------------------------------- comparisons

    static long equalBytes(long a, long b) {
        long x = a ^ b;
        return maskBytes(~((x & ~H8) + ~H8 | x));
    }

    static long equalWords(long a, long b) {
        long x = a ^ b;
        return maskWords(~((x & ~H16) + ~H16 | x));
    }

    static long equalDwords(long a, long b) {
        long x = a ^ b;
        return maskDwords(~((x & ~H32) + ~H32 | x));
    }

    static long equalQwords(long a, long b) {
        return a == b ? -1 : 0;
    }

    /** Top bits: signed {@code b < a}, given the lanes' difference {@code b - a}. */
    private static long signedGreater(long a, long b, long difference) {
        return b & ~a | ~(a ^ b) & difference;
    }

    /** Top bits: unsigned {@code b < a}, given the lanes' difference {@code b - a}. */
    private static long unsignedGreater(long a, long b, long difference) {
        return a & ~b | ~(a ^ b) & difference;
    }

    static long greaterBytes(long a, long b) {
        return maskBytes(signedGreater(a, b, sub(b, a, H8)));
    }

    static long greaterWords(long a, long b) {
        return maskWords(signedGreater(a, b, sub(b, a, H16)));
    }

    static long greaterDwords(long a, long b) {
        return maskDwords(signedGreater(a, b, sub(b, a, H32)));
    }

    static long greaterQwords(long a, long b) {
        return a > b ? -1 : 0;
    }

    private static long aboveBytes(long a, long b) {
        return maskBytes(unsignedGreater(a, b, sub(b, a, H8)));
    }

    private static long aboveWords(long a, long b) {
        return maskWords(unsignedGreater(a, b, sub(b, a, H16)));
    }

    private static long aboveDwords(long a, long b) {
        return maskDwords(unsignedGreater(a, b, sub(b, a, H32)));
    }

    static long minSignedBytes(long a, long b) {
        return select(greaterBytes(a, b), b, a);
    }

    static long maxSignedBytes(long a, long b) {
        return select(greaterBytes(a, b), a, b);
    }

    static long minUnsignedBytes(long a, long b) {
        return select(aboveBytes(a, b), b, a);
    }

    static long maxUnsignedBytes(long a, long b) {
        return select(aboveBytes(a, b), a, b);
    }

    static long minSignedWords(long a, long b) {
        return select(greaterWords(a, b), b, a);
    }

    static long maxSignedWords(long a, long b) {
        return select(greaterWords(a, b), a, b);
    }

    static long minUnsignedWords(long a, long b) {
        return select(aboveWords(a, b), b, a);
    }

    static long maxUnsignedWords(long a, long b) {
        return select(aboveWords(a, b), a, b);
    }

    static long minSignedDwords(long a, long b) {
        return select(greaterDwords(a, b), b, a);
    }

    static long maxSignedDwords(long a, long b) {
        return select(greaterDwords(a, b), a, b);
    }

    static long minUnsignedDwords(long a, long b) {
        return select(aboveDwords(a, b), b, a);
    }

    static long maxUnsignedDwords(long a, long b) {
        return select(aboveDwords(a, b), a, b);
    }

    // ---------------------------------------------------------------- logic

    static long and(long a, long b) {
        return a & b;
    }

    static long andNot(long a, long b) {
        return ~a & b;
    }

    static long or(long a, long b) {
        return a | b;
    }

    static long xor(long a, long b) {
        return a ^ b;
    }

    // ---------------------------------------------------------------- multiplication

    private static int signedWord(long x, int shift) {
        return (short) (x >>> shift);
    }

    private static int unsignedWord(long x, int shift) {
        return (int) (x >>> shift) & 0xffff;
    }

    static long mulLowWords(long a, long b) {
        long r = 0;
        for (int i = 0; i < 64; i += 16) {
            r |= (signedWord(a, i) * signedWord(b, i) & 0xffffL) << i;
        }
        return r;
    }

    static long mulHighWords(long a, long b) {
        long r = 0;
        for (int i = 0; i < 64; i += 16) {
            r |= (signedWord(a, i) * signedWord(b, i) >>> 16 & 0xffffL) << i;
        }
        return r;
    }

    static long mulHighUnsignedWords(long a, long b) {
        long r = 0;
        for (int i = 0; i < 64; i += 16) {
            r |= (unsignedWord(a, i) * unsignedWord(b, i) >>> 16 & 0xffffL) << i;
        }
        return r;
    }

    static long mulHighRoundedWords(long a, long b) {
        long r = 0;
        for (int i = 0; i < 64; i += 16) {
            r |= ((signedWord(a, i) * signedWord(b, i) >> 14) + 1 >> 1 & 0xffffL) << i;
        }
        return r;
    }

    static long mulUnsignedDwords(long a, long b) {
        return (a & 0xffffffffL) * (b & 0xffffffffL);
    }

    static long mulSignedDwords(long a, long b) {
        return (long) (int) a * (int) b;
    }

    static long mulLowDwords(long a, long b) {
        return a * b & 0xffffffffL | (a >>> 32) * (b >>> 32) << 32;
    }

    static long mulAddWords(long a, long b) {
        int low = signedWord(a, 0) * signedWord(b, 0) + signedWord(a, 16) * signedWord(b, 16);
        int high = signedWord(a, 32) * signedWord(b, 32) + signedWord(a, 48) * signedWord(b, 48);
        return low & 0xffffffffL | (long) high << 32;
    }

    /** PMADDUBSW: unsigned bytes of {@code a} by signed bytes of {@code b}, neighbours added with saturation. */
    static long mulAddBytes(long a, long b) {
        long r = 0;
        for (int i = 0; i < 64; i += 16) {
            int low = ((int) (a >>> i) & 0xff) * (byte) (b >>> i);
            int high = ((int) (a >>> i + 8) & 0xff) * (byte) (b >>> i + 8);
            r |= (saturateWord(low + high) & 0xffffL) << i;
        }
        return r;
    }

    static long sumAbsoluteDifferences(long a, long b) {
        // Saturating differences both ways: one of them is zero in each lane.
        long x = subUnsignedBytes(a, b) | subUnsignedBytes(b, a);
        long pairs = (x & 0x00FF00FF00FF00FFL) + (x >>> 8 & 0x00FF00FF00FF00FFL);
        return pairs * 0x0001000100010001L >>> 48;
    }

    // ---------------------------------------------------------------- signs

    static long absBytes(long a) {
        long mask = maskBytes(a);
        return sub(a ^ mask, mask, H8);
    }

    static long absWords(long a) {
        long mask = maskWords(a);
        return sub(a ^ mask, mask, H16);
    }

    static long absDwords(long a) {
        long mask = maskDwords(a);
        return sub(a ^ mask, mask, H32);
    }

    static long signBytes(long a, long b) {
        long mask = maskBytes(b);
        return sub(a ^ mask, mask, H8) & ~equalBytes(b, 0);
    }

    static long signWords(long a, long b) {
        long mask = maskWords(b);
        return sub(a ^ mask, mask, H16) & ~equalWords(b, 0);
    }

    static long signDwords(long a, long b) {
        long mask = maskDwords(b);
        return sub(a ^ mask, mask, H32) & ~equalDwords(b, 0);
    }

    /** The top bits of the eight bytes. */
    static long signBits(long a) {
        return ((a & H8) >>> 7) * 0x0102040810204080L >>> 56;
    }

    // ---------------------------------------------------------------- shifts; any count, unsigned

    static long shiftLeftWords(long a, long count) {
        if (Long.compareUnsigned(count, 15) > 0) {
            return 0;
        }
        return a << count & (0xffffL << count & 0xffffL) * 0x0001000100010001L;
    }

    static long shiftLeftDwords(long a, long count) {
        if (Long.compareUnsigned(count, 31) > 0) {
            return 0;
        }
        return a << count & (0xffffffffL << count & 0xffffffffL) * 0x0000000100000001L;
    }

    static long shiftLeftQwords(long a, long count) {
        return Long.compareUnsigned(count, 63) > 0 ? 0 : a << count;
    }

    static long shiftRightWords(long a, long count) {
        if (Long.compareUnsigned(count, 15) > 0) {
            return 0;
        }
        return a >>> count & (0xffffL >>> count) * 0x0001000100010001L;
    }

    static long shiftRightDwords(long a, long count) {
        if (Long.compareUnsigned(count, 31) > 0) {
            return 0;
        }
        return a >>> count & (0xffffffffL >>> count) * 0x0000000100000001L;
    }

    static long shiftRightQwords(long a, long count) {
        return Long.compareUnsigned(count, 63) > 0 ? 0 : a >>> count;
    }

    static long shiftArithmeticWords(long a, long count) {
        int n = Long.compareUnsigned(count, 15) > 0 ? 15 : (int) count;
        long filled = 0xffffL & ~(0xffffL >>> n);
        return a >>> n & (0xffffL >>> n) * 0x0001000100010001L | ((a & H16) >>> 15) * filled;
    }

    static long shiftArithmeticDwords(long a, long count) {
        int n = Long.compareUnsigned(count, 31) > 0 ? 31 : (int) count;
        return (int) a >> n & 0xffffffffL | (long) ((int) (a >>> 32) >> n) << 32;
    }

    // ---------------------------------------------------------------- horizontal; a and b are neighbours in memory

    private static int saturateWord(int x) {
        return Math.clamp(x, Short.MIN_VALUE, Short.MAX_VALUE);
    }

    /** Even words of a then b. */
    private static long evenWords(long a, long b) {
        return squeezeWords(a) | squeezeWords(b) << 32;
    }

    private static long squeezeWords(long a) {
        long x = a & 0x0000FFFF0000FFFFL;
        return (x | x >>> 16) & 0xffffffffL;
    }

    static long horizontalAddWords(long a, long b) {
        return addWords(evenWords(a, b), evenWords(a >>> 16, b >>> 16));
    }

    static long horizontalAddSignedWords(long a, long b) {
        return addSignedWords(evenWords(a, b), evenWords(a >>> 16, b >>> 16));
    }

    static long horizontalSubWords(long a, long b) {
        return subWords(evenWords(a, b), evenWords(a >>> 16, b >>> 16));
    }

    static long horizontalSubSignedWords(long a, long b) {
        return subSignedWords(evenWords(a, b), evenWords(a >>> 16, b >>> 16));
    }

    static long horizontalAddDwords(long a, long b) {
        return (int) a + (int) (a >>> 32) & 0xffffffffL | (b + (b >>> 32)) << 32;
    }

    static long horizontalSubDwords(long a, long b) {
        return (int) a - (int) (a >>> 32) & 0xffffffffL | (b - (b >>> 32)) << 32;
    }

    // ---------------------------------------------------------------- packing; a fills the low half

    /** The low bytes of four words to the low half. */
    private static long squeezeBytes(long a) {
        long x = a & 0x00FF00FF00FF00FFL;
        x = (x | x >>> 8) & 0x0000FFFF0000FFFFL;
        return (x | x >>> 16) & 0xffffffffL;
    }

    static long packSignedWords(long a, long b) {
        return squeezeBytes(saturateWordsToBytes(a)) | squeezeBytes(saturateWordsToBytes(b)) << 32;
    }

    private static long saturateWordsToBytes(long a) {
        return maxSignedWords(minSignedWords(a, 0x007F007F007F007FL), 0xFF80FF80FF80FF80L);
    }

    static long packUnsignedWords(long a, long b) {
        return squeezeBytes(saturateWordsToUnsigned(a)) | squeezeBytes(saturateWordsToUnsigned(b)) << 32;
    }

    private static long saturateWordsToUnsigned(long a) {
        long positive = a & ~maskWords(a);
        // Adding 0x7F00 carries into the top bit from 256 up.
        return positive | maskWords(positive + 0x7F007F007F007F00L);
    }

    static long packSignedDwords(long a, long b) {
        return saturateWord((int) a) & 0xffffL
                | (saturateWord((int) (a >>> 32)) & 0xffffL) << 16
                | (saturateWord((int) b) & 0xffffL) << 32
                | (long) saturateWord((int) (b >>> 32)) << 48;
    }

    static long packUnsignedDwords(long a, long b) {
        return (long) Math.clamp((int) a, 0, 0xffff)
                | (long) Math.clamp((int) (a >>> 32), 0, 0xffff) << 16
                | (long) Math.clamp((int) b, 0, 0xffff) << 32
                | (long) Math.clamp((int) (b >>> 32), 0, 0xffff) << 48;
    }

    // ---------------------------------------------------------------- interleaving the low halves

    /** Four bytes to the even bytes. */
    static long spreadBytes(long x) {
        x &= 0xffffffffL;
        x = (x | x << 16) & 0x0000FFFF0000FFFFL;
        return (x | x << 8) & 0x00FF00FF00FF00FFL;
    }

    /** Two words to the even words. */
    static long spreadWords(long x) {
        x &= 0xffffffffL;
        return (x | x << 16) & 0x0000FFFF0000FFFFL;
    }

    static long interleaveLowBytes(long a, long b) {
        return spreadBytes(a) | spreadBytes(b) << 8;
    }

    static long interleaveLowWords(long a, long b) {
        return spreadWords(a) | spreadWords(b) << 16;
    }

    static long interleaveLowDwords(long a, long b) {
        return a & 0xffffffffL | b << 32;
    }

    // ---------------------------------------------------------------- selection

    /** Four words chosen by two bits each. */
    static long shuffleWords(long a, int imm) {
        return a >>> (imm & 3) * 16 & 0xffffL
                | (a >>> (imm >> 2 & 3) * 16 & 0xffffL) << 16
                | (a >>> (imm >> 4 & 3) * 16 & 0xffffL) << 32
                | a >>> (imm >> 6 & 3) * 16 << 48;
    }

    /** PSHUFB for eight index bytes and a table of eight: bits 0-2 choose a byte, bit 7 gives zero. */
    static long lookup(long table, long index) {
        long r = 0;
        for (int i = 0; i < 64; i += 8) {
            r |= (table >>> ((index >>> i & 7) << 3) & 0xff) << i;
        }
        return r & ~maskBytes(index);
    }

    /** PSHUFB for eight index bytes and a table of sixteen at a host address. */
    static long lookupAt(long table, long index) {
        long r = 0;
        for (int i = 0; i < 64; i += 8) {
            r |= (Raw.getByte(table + (index >>> i & 15)) & 0xffL) << i;
        }
        return r & ~maskBytes(index);
    }
}
