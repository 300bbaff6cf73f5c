package org.xenolith.cpu.semantics;

import org.xenolith.cpu.core.Cpu;
import org.xenolith.memory.Raw;

/**
 * AES rounds (FIPS 197), carry-less multiplication, and SHA-1 and SHA-256 steps (FIPS 180-4).
 *
 * <p>An AES state is 16 bytes, column by column, row 0 first. The four round tables hold a substituted byte multiplied
 * into a column, so that a round is sixteen look-ups; they are computed from the field's definition.
 */
public final class Crypto {
    private static final int[] SUBSTITUTE = new int[256];
    private static final int[] INVERSE = new int[256];
    /** Column (2s, s, s, 3s) of the substituted byte, row 0 in the low byte; other rows rotate it. */
    private static final int[] ENCRYPT = new int[256];
    /** Column (14s, 9s, 13s, 11s) of the inversely substituted byte. */
    private static final int[] DECRYPT = new int[256];

    static {
        for (int x = 0; x < 256; x++) {
            int inverse = x == 0 ? 0 : power(x, 254);
            int s = inverse;
            for (int i = 1; i < 5; i++) {
                s ^= (inverse << i | inverse >> 8 - i) & 0xff;
            }
            s ^= 0x63;
            SUBSTITUTE[x] = s;
            INVERSE[s] = x;
        }
        for (int x = 0; x < 256; x++) {
            ENCRYPT[x] = column(SUBSTITUTE[x], 2, 1, 1, 3);
            DECRYPT[x] = column(INVERSE[x], 14, 9, 13, 11);
        }
    }

    private Crypto() {}

    /** Multiplication in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1. */
    private static int multiply(int a, int b) {
        int r = 0;
        for (int i = 0; i < 8; i++) {
            if ((b >> i & 1) != 0) {
                r ^= a;
            }
            a = a << 1 ^ ((a & 0x80) != 0 ? 0x11B : 0);
        }
        return r;
    }

    private static int power(int x, int n) {
        int r = 1;
        for (int i = 0; i < n; i++) {
            r = multiply(r, x);
        }
        return r;
    }

    private static int column(int s, int r0, int r1, int r2, int r3) {
        return multiply(s, r0) | multiply(s, r1) << 8 | multiply(s, r2) << 16 | multiply(s, r3) << 24;
    }

    /** One column out of the four bytes that ShiftRows brings together. */
    private static int mix(int[] table, int a, int b, int c, int d) {
        return table[a & 0xff]
                ^ Integer.rotateLeft(table[b >>> 8 & 0xff], 8)
                ^ Integer.rotateLeft(table[c >>> 16 & 0xff], 16)
                ^ Integer.rotateLeft(table[d >>> 24], 24);
    }

    private static int substitute(int[] box, int a, int b, int c, int d) {
        return box[a & 0xff] | box[b >>> 8 & 0xff] << 8 | box[c >>> 16 & 0xff] << 16 | box[d >>> 24] << 24;
    }

    private static void putXor(long d, long s, int c0, int c1, int c2, int c3) {
        long low = (c0 & 0xffffffffL | (long) c1 << 32) ^ Raw.getLong(s);
        long high = (c2 & 0xffffffffL | (long) c3 << 32) ^ Raw.getLong(s + 8);
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** AESENC: ShiftRows, SubBytes, MixColumns, AddRoundKey. */
    public static void aesenc(Cpu c, long d, long s) {
        int a = Raw.getInt(d);
        int b = Raw.getInt(d + 4);
        int e = Raw.getInt(d + 8);
        int f = Raw.getInt(d + 12);
        putXor(
                d,
                s,
                mix(ENCRYPT, a, b, e, f),
                mix(ENCRYPT, b, e, f, a),
                mix(ENCRYPT, e, f, a, b),
                mix(ENCRYPT, f, a, b, e));
    }

    /** AESENCLAST: without MixColumns. */
    public static void aesenclast(Cpu c, long d, long s) {
        int a = Raw.getInt(d);
        int b = Raw.getInt(d + 4);
        int e = Raw.getInt(d + 8);
        int f = Raw.getInt(d + 12);
        int[] box = SUBSTITUTE;
        putXor(
                d,
                s,
                substitute(box, a, b, e, f),
                substitute(box, b, e, f, a),
                substitute(box, e, f, a, b),
                substitute(box, f, a, b, e));
    }

    /** AESDEC: the inverse round in its equivalent form. */
    public static void aesdec(Cpu c, long d, long s) {
        int a = Raw.getInt(d);
        int b = Raw.getInt(d + 4);
        int e = Raw.getInt(d + 8);
        int f = Raw.getInt(d + 12);
        putXor(
                d,
                s,
                mix(DECRYPT, a, f, e, b),
                mix(DECRYPT, b, a, f, e),
                mix(DECRYPT, e, b, a, f),
                mix(DECRYPT, f, e, b, a));
    }

    /** AESDECLAST. */
    public static void aesdeclast(Cpu c, long d, long s) {
        int a = Raw.getInt(d);
        int b = Raw.getInt(d + 4);
        int e = Raw.getInt(d + 8);
        int f = Raw.getInt(d + 12);
        int[] box = INVERSE;
        putXor(
                d,
                s,
                substitute(box, a, f, e, b),
                substitute(box, b, a, f, e),
                substitute(box, e, b, a, f),
                substitute(box, f, e, b, a));
    }

    /** AESIMC: InvMixColumns of a round key. */
    public static void aesimc(Cpu c, long d, long s) {
        for (int i = 0; i < 16; i += 4) {
            int x = Raw.getInt(s + i);
            // The table undoes a substitution first, so it gets substituted bytes.
            int substituted = substitute(SUBSTITUTE, x, x, x, x);
            Raw.putInt(d + i, mix(DECRYPT, substituted, substituted, substituted, substituted));
        }
    }

    /** AESKEYGENASSIST. */
    public static void aeskeygenassist(Cpu c, long d, long s, int imm) {
        int x1 = Raw.getInt(s + 4);
        int x3 = Raw.getInt(s + 12);
        int s1 = substitute(SUBSTITUTE, x1, x1, x1, x1);
        int s3 = substitute(SUBSTITUTE, x3, x3, x3, x3);
        int constant = imm & 0xff;
        Raw.putInt(d, s1);
        Raw.putInt(d + 4, Integer.rotateRight(s1, 8) ^ constant);
        Raw.putInt(d + 8, s3);
        Raw.putInt(d + 12, Integer.rotateRight(s3, 8) ^ constant);
    }

    /** PCLMULQDQ: bits 0 and 4 of the immediate choose the halves. */
    public static void pclmulqdq(Cpu c, long d, long s, int imm) {
        long a = Raw.getLong(d + (imm & 1) * 8);
        long b = Raw.getLong(s + (imm >> 4 & 1) * 8);
        long low = carrylessLow(a, b);
        // Reversing both factors reverses the 127-bit product.
        long high = Long.reverse(carrylessLow(Long.reverse(a), Long.reverse(b))) >>> 1;
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /**
     * Low 64 bits of a carry-less product. Ordinary multiplication of operands with three zeros between their bits
     * cannot carry into the next kept bit, as long as at most 15 partial products meet there.
     */
    private static long carrylessLow(long a, long b) {
        long m0 = 0x1111111111111111L;
        long m1 = m0 << 1;
        long m2 = m0 << 2;
        long m3 = m0 << 3;
        long a0 = a & m0;
        long a1 = a & m1;
        long a2 = a & m2;
        long a3 = a & m3;
        long b0 = b & m0;
        long b1 = b & m1;
        long b2 = b & m2;
        long b3 = b & m3;
        long r0 = a0 * b0 ^ a1 * b3 ^ a2 * b2 ^ a3 * b1;
        long r1 = a0 * b1 ^ a1 * b0 ^ a2 * b3 ^ a3 * b2;
        long r2 = a0 * b2 ^ a1 * b1 ^ a2 * b0 ^ a3 * b3;
        long r3 = a0 * b3 ^ a1 * b2 ^ a2 * b1 ^ a3 * b0;
        return r0 & m0 | r1 & m1 | r2 & m2 | r3 & m3;
    }

    // ---------------------------------------------------------------- SHA-1

    private static int word(long at, int i) {
        return Raw.getInt(at + i * 4);
    }

    private static void put(long d, int w0, int w1, int w2, int w3) {
        Raw.putLong(d, w0 & 0xffffffffL | (long) w1 << 32);
        Raw.putLong(d + 8, w2 & 0xffffffffL | (long) w3 << 32);
    }

    /** SHA1RNDS4: four rounds with the function and constant that bits 0-1 choose. */
    public static void sha1rnds4(Cpu c, long d, long s, int imm) {
        int a = word(d, 3);
        int b = word(d, 2);
        int e = word(d, 1);
        int f = word(d, 0);
        int g = 0;
        int constant = switch (imm & 3) {
            case 0 -> 0x5A827999;
            case 1 -> 0x6ED9EBA1;
            case 2 -> 0x8F1BBCDC;
            default -> 0xCA62C1D6;
        };
        for (int i = 3; i >= 0; i--) {
            int choice = switch (imm & 3) {
                case 0 -> b & e ^ ~b & f;
                case 2 -> b & e ^ b & f ^ e & f;
                default -> b ^ e ^ f;
            };
            // The caller has added E to the first message word.
            int next = choice + Integer.rotateLeft(a, 5) + word(s, i) + g + constant;
            g = f;
            f = e;
            e = Integer.rotateLeft(b, 30);
            b = a;
            a = next;
        }
        put(d, f, e, b, a);
    }

    /** SHA1NEXTE. */
    public static void sha1nexte(Cpu c, long d, long s) {
        int next = word(s, 3) + Integer.rotateLeft(word(d, 3), 30);
        put(d, word(s, 0), word(s, 1), word(s, 2), next);
    }

    /** SHA1MSG1. */
    public static void sha1msg1(Cpu c, long d, long s) {
        int w0 = word(d, 3);
        int w1 = word(d, 2);
        int w2 = word(d, 1);
        int w3 = word(d, 0);
        int w4 = word(s, 3);
        int w5 = word(s, 2);
        put(d, w5 ^ w3, w4 ^ w2, w3 ^ w1, w2 ^ w0);
    }

    /** SHA1MSG2. */
    public static void sha1msg2(Cpu c, long d, long s) {
        int w13 = word(s, 2);
        int w14 = word(s, 1);
        int w15 = word(s, 0);
        int w16 = Integer.rotateLeft(word(d, 3) ^ w13, 1);
        int w17 = Integer.rotateLeft(word(d, 2) ^ w14, 1);
        int w18 = Integer.rotateLeft(word(d, 1) ^ w15, 1);
        int w19 = Integer.rotateLeft(word(d, 0) ^ w16, 1);
        put(d, w19, w18, w17, w16);
    }

    // ---------------------------------------------------------------- SHA-256

    private static int rotations(int x, int i, int j, int k) {
        return Integer.rotateRight(x, i) ^ Integer.rotateRight(x, j) ^ Integer.rotateRight(x, k);
    }

    /** SHA256RNDS2: two rounds, message words plus constants in the low half of XMM0. */
    public static void sha256rnds2(Cpu c, long d, long s) {
        int a = word(s, 3);
        int b = word(s, 2);
        int e = word(s, 1);
        int f = word(s, 0);
        int cc = word(d, 3);
        int dd = word(d, 2);
        int g = word(d, 1);
        int h = word(d, 0);
        for (int i = 0; i < 2; i++) {
            int choice = e & f ^ ~e & g;
            int majority = a & b ^ a & cc ^ b & cc;
            int t = choice + rotations(e, 6, 11, 25) + word(c.xmm(0), i) + h;
            int next = t + majority + rotations(a, 2, 13, 22);
            h = g;
            g = f;
            f = e;
            e = t + dd;
            dd = cc;
            cc = b;
            b = a;
            a = next;
        }
        put(d, f, e, b, a);
    }

    private static int sigma0(int x) {
        return Integer.rotateRight(x, 7) ^ Integer.rotateRight(x, 18) ^ x >>> 3;
    }

    private static int sigma1(int x) {
        return Integer.rotateRight(x, 17) ^ Integer.rotateRight(x, 19) ^ x >>> 10;
    }

    /** SHA256MSG1. */
    public static void sha256msg1(Cpu c, long d, long s) {
        int w0 = word(d, 0);
        int w1 = word(d, 1);
        int w2 = word(d, 2);
        int w3 = word(d, 3);
        int w4 = word(s, 0);
        put(d, w0 + sigma0(w1), w1 + sigma0(w2), w2 + sigma0(w3), w3 + sigma0(w4));
    }

    /** SHA256MSG2. */
    public static void sha256msg2(Cpu c, long d, long s) {
        int w16 = word(d, 0) + sigma1(word(s, 2));
        int w17 = word(d, 1) + sigma1(word(s, 3));
        int w18 = word(d, 2) + sigma1(w16);
        int w19 = word(d, 3) + sigma1(w17);
        put(d, w16, w17, w18, w19);
    }
}
