package org.xenolith.cpu.oracle;

import java.util.SplittableRandom;

/**
 * Interesting values: edge cases of every number format, and random ones. Fixtures depend on {@link BaseState}, which
 * uses these.
 */
final class Values {
    private static final int[] FLOATS = {
        0,
        0x80000000,
        0x3F800000,
        0xBF800000,
        1,
        0x80000001,
        0x007FFFFF,
        0x00800000,
        0x7F7FFFFF,
        0xFF7FFFFF,
        0x7F800000,
        0xFF800000,
        0x7FC00000,
        0xFFC00000,
        0x7F800001,
        0xFFBFFFFF,
        0x4F000000,
        0xCF000000,
        0x5F000000,
        0x3F000000,
        0x3FC00000,
        0x40200000,
        0x4EFFFFFF,
        0x34000000
    };
    private static final long[] DOUBLES = {
        0,
        0x8000000000000000L,
        0x3FF0000000000000L,
        0xBFF0000000000000L,
        1,
        0x8000000000000001L,
        0x000FFFFFFFFFFFFFL,
        0x0010000000000000L,
        0x7FEFFFFFFFFFFFFFL,
        0xFFEFFFFFFFFFFFFFL,
        0x7FF0000000000000L,
        0xFFF0000000000000L,
        0x7FF8000000000000L,
        0xFFF8000000000000L,
        0x7FF0000000000001L,
        0xFFF7FFFFFFFFFFFFL,
        0x41E0000000000000L,
        0xC1E0000000000000L,
        0x43E0000000000000L,
        0xC3E0000000000000L,
        0x3FE0000000000000L,
        0x3FF8000000000000L,
        0x4004000000000000L,
        0x36A0000000000000L,
        0x47EFFFFFE0000000L,
        0x47EFFFFFF0000000L,
        0x380FFFFFFFFFFFFFL,
        0x41DFFFFFFFC00000L
    };
    private static final long[] INTEGERS = {
        0,
        1,
        -1,
        2,
        0x7F,
        0x80,
        0xFF,
        0x7FFF,
        0x8000,
        0xFFFF,
        0x7FFFFFFFL,
        0x80000000L,
        0xFFFFFFFFL,
        0x100000000L,
        0x7FFFFFFFFFFFFFFFL,
        0x8000000000000000L,
        0x5555555555555555L,
        0xAAAAAAAAAAAAAAAAL,
        0x8080808080808080L,
        0x7F7F7F7F7F7F7F7FL
    };
    private static final int[] EXPONENTS = {
        0, 1, 0x3FFE, 0x3FFF, 0x4000, 0x401E, 0x403E, 0x403D, 0x7FFE, 0x7FFF, 0x3C01, 0x43FE, 0x3F81, 0x407E, 0x3F6A,
        0x3BCD
    };
    private static final long[] SIGNIFICANDS = {
        0, 0x8000000000000000L, 0xC000000000000000L, 0xFFFFFFFFFFFFFFFFL, 0x8000000000000001L, 1, 0xC90FDAA22168C235L
    };

    private Values() {}

    static long integer(SplittableRandom r) {
        return switch (r.nextInt(8)) {
            case 0, 1 -> INTEGERS[r.nextInt(INTEGERS.length)];
            case 2 -> 1L << r.nextInt(64);
            case 3 -> (1L << r.nextInt(64)) - 1;
            case 4 -> r.nextInt(256) - 128;
            case 5 -> r.nextInt();
            default -> r.nextLong();
        };
    }

    static int float32(SplittableRandom r) {
        return switch (r.nextInt(6)) {
            case 0, 1 -> FLOATS[r.nextInt(FLOATS.length)];
            case 2 -> Float.floatToRawIntBits(r.nextInt(2001) - 1000);
            case 3 -> r.nextInt() & 0x807FFFFF | 100 + r.nextInt(54) << 23;
            case 4 -> r.nextInt() & 0x80FFFFFF;
            default -> r.nextInt();
        };
    }

    static long float64(SplittableRandom r) {
        return switch (r.nextInt(6)) {
            case 0, 1 -> DOUBLES[r.nextInt(DOUBLES.length)];
            case 2 -> Double.doubleToRawLongBits(r.nextInt(2001) - 1000);
            case 3 -> r.nextLong() & 0x800FFFFFFFFFFFFFL | (long) (960 + r.nextInt(128)) << 52;
            case 4 -> Double.doubleToRawLongBits(Float.intBitsToFloat(float32(r)));
            default -> r.nextLong();
        };
    }

    /** Significand in [0], sign and exponent in [1]. */
    static long[] float80(SplittableRandom r) {
        long sign = r.nextInt(2) << 15;
        return switch (r.nextInt(8)) {
            case 0 ->
                new long[] {SIGNIFICANDS[r.nextInt(SIGNIFICANDS.length)], sign | EXPONENTS[r.nextInt(EXPONENTS.length)]
                };
            case 1 -> new long[] {r.nextLong() | Long.MIN_VALUE, sign | EXPONENTS[r.nextInt(EXPONENTS.length)]};
            case 2 -> {
                long n = r.nextInt(1 << 1 + r.nextInt(30)) + 1L;
                int shift = Long.numberOfLeadingZeros(n);
                yield new long[] {n << shift, sign | 0x3FFF + 63 - shift};
            }
            case 3, 4, 5 -> new long[] {r.nextLong() | Long.MIN_VALUE, sign | 0x3FFF - 70 + r.nextInt(140)};
            case 6 ->
                r.nextInt(3) == 0
                        ? new long[] {r.nextLong() >>> r.nextInt(64), sign}
                        : new long[] {0, r.nextInt(2) == 0 ? sign : sign | 0x7FFF};
            default -> new long[] {r.nextLong() | (r.nextInt(16) == 0 ? 0 : Long.MIN_VALUE), r.nextInt(0x10000)};
        };
    }

    /** Sixteen bytes as XMM registers and memory operands hold them. */
    static void vector(SplittableRandom r, byte[] to, int at) {
        switch (r.nextInt(6)) {
            case 0, 1 -> {
                for (int i = 0; i < 4; i++) {
                    put(to, at + i * 4, float32(r), 4);
                }
            }
            case 2, 3 -> {
                put(to, at, float64(r), 8);
                put(to, at + 8, float64(r), 8);
            }
            case 4 -> {
                put(to, at, integer(r), 8);
                put(to, at + 8, integer(r), 8);
            }
            default -> {
                put(to, at, r.nextLong(), 8);
                put(to, at + 8, r.nextLong(), 8);
            }
        }
    }

    static void put(byte[] to, int at, long value, int bytes) {
        for (int i = 0; i < bytes; i++) {
            to[at + i] = (byte) (value >>> i * 8);
        }
    }
}
