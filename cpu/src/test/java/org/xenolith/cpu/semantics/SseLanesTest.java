package org.xenolith.cpu.semantics;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import java.util.function.LongBinaryOperator;
import org.junit.jupiter.api.Test;

/** Every lane function against the same done one lane at a time. */
class SseLanesTest {
    private static final int CASES = 2_000;
    private static final long[] EDGES = {0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff};

    private static long random(Random random) {
        return random.nextInt(3) == 0
                ? EDGES[random.nextInt(EDGES.length)] * 0x0001000100010001L ^ 1L << random.nextInt(64)
                : random.nextLong();
    }

    private static long signed(long x, int at, int bits) {
        return x << 64 - bits - at >> 64 - bits;
    }

    private static long unsigned(long x, int at, int bits) {
        return x << 64 - bits - at >>> 64 - bits;
    }

    private static long clampSigned(long x, int bits) {
        return Math.max(-1L << bits - 1, Math.min((1L << bits - 1) - 1, x));
    }

    private static long clampUnsigned(long x, int bits) {
        return Math.max(0, Math.min((1L << bits) - 1, x));
    }

    private static void check(String name, int bits, boolean signed, LongBinaryOperator whole, LongBinaryOperator one) {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int i = 0; i < CASES; i++) {
            long a = random(random);
            long b = random.nextInt(5) == 0 ? a : random(random);
            long expected = 0;
            for (int at = 0; at < 64; at += bits) {
                long x = signed ? signed(a, at, bits) : unsigned(a, at, bits);
                long y = signed ? signed(b, at, bits) : unsigned(b, at, bits);
                expected |= unsigned(one.applyAsLong(x, y), 0, bits) << at;
            }
            assertThat(whole.applyAsLong(a, b))
                    .as("seed %d: %s %016x %016x", seed, name, a, b)
                    .isEqualTo(expected);
        }
    }

    @Test
    void wrappingArithmeticKeepsLanesApart() {
        check("paddb", 8, true, SseLanes::addBytes, Long::sum);
        check("paddw", 16, true, SseLanes::addWords, Long::sum);
        check("paddd", 32, true, SseLanes::addDwords, Long::sum);
        check("psubb", 8, true, SseLanes::subBytes, (x, y) -> x - y);
        check("psubw", 16, true, SseLanes::subWords, (x, y) -> x - y);
        check("psubd", 32, true, SseLanes::subDwords, (x, y) -> x - y);
    }

    @Test
    void saturatingArithmeticStopsAtTheLimits() {
        check("paddsb", 8, true, SseLanes::addSignedBytes, (x, y) -> clampSigned(x + y, 8));
        check("paddsw", 16, true, SseLanes::addSignedWords, (x, y) -> clampSigned(x + y, 16));
        check("psubsb", 8, true, SseLanes::subSignedBytes, (x, y) -> clampSigned(x - y, 8));
        check("psubsw", 16, true, SseLanes::subSignedWords, (x, y) -> clampSigned(x - y, 16));
        check("paddusb", 8, false, SseLanes::addUnsignedBytes, (x, y) -> clampUnsigned(x + y, 8));
        check("paddusw", 16, false, SseLanes::addUnsignedWords, (x, y) -> clampUnsigned(x + y, 16));
        check("psubusb", 8, false, SseLanes::subUnsignedBytes, (x, y) -> clampUnsigned(x - y, 8));
        check("psubusw", 16, false, SseLanes::subUnsignedWords, (x, y) -> clampUnsigned(x - y, 16));
    }

    @Test
    void averagesRoundUp() {
        check("pavgb", 8, false, SseLanes::averageBytes, (x, y) -> x + y + 1 >> 1);
        check("pavgw", 16, false, SseLanes::averageWords, (x, y) -> x + y + 1 >> 1);
    }

    @Test
    void comparisonsGiveMasks() {
        check("pcmpeqb", 8, true, SseLanes::equalBytes, (x, y) -> x == y ? -1 : 0);
        check("pcmpeqw", 16, true, SseLanes::equalWords, (x, y) -> x == y ? -1 : 0);
        check("pcmpeqd", 32, true, SseLanes::equalDwords, (x, y) -> x == y ? -1 : 0);
        check("pcmpgtb", 8, true, SseLanes::greaterBytes, (x, y) -> x > y ? -1 : 0);
        check("pcmpgtw", 16, true, SseLanes::greaterWords, (x, y) -> x > y ? -1 : 0);
        check("pcmpgtd", 32, true, SseLanes::greaterDwords, (x, y) -> x > y ? -1 : 0);
    }

    @Test
    void minimaAndMaximaAreSignedOrUnsigned() {
        check("pminsb", 8, true, SseLanes::minSignedBytes, Math::min);
        check("pmaxsb", 8, true, SseLanes::maxSignedBytes, Math::max);
        check("pminub", 8, false, SseLanes::minUnsignedBytes, Math::min);
        check("pmaxub", 8, false, SseLanes::maxUnsignedBytes, Math::max);
        check("pminsw", 16, true, SseLanes::minSignedWords, Math::min);
        check("pmaxsw", 16, true, SseLanes::maxSignedWords, Math::max);
        check("pminuw", 16, false, SseLanes::minUnsignedWords, Math::min);
        check("pmaxuw", 16, false, SseLanes::maxUnsignedWords, Math::max);
        check("pminsd", 32, true, SseLanes::minSignedDwords, Math::min);
        check("pmaxsd", 32, true, SseLanes::maxSignedDwords, Math::max);
        check("pminud", 32, false, SseLanes::minUnsignedDwords, Math::min);
        check("pmaxud", 32, false, SseLanes::maxUnsignedDwords, Math::max);
    }

    @Test
    void productsKeepTheirLowOrHighHalf() {
        check("pmullw", 16, true, SseLanes::mulLowWords, (x, y) -> x * y);
        check("pmulhw", 16, true, SseLanes::mulHighWords, (x, y) -> x * y >> 16);
        check("pmulhuw", 16, false, SseLanes::mulHighUnsignedWords, (x, y) -> x * y >> 16);
        check("pmulhrsw", 16, true, SseLanes::mulHighRoundedWords, (x, y) -> (x * y >> 14) + 1 >> 1);
        check("pmulld", 32, true, SseLanes::mulLowDwords, (x, y) -> x * y);
    }

    @Test
    void signsAreTakenFromTheSecondOperand() {
        check("psignb", 8, true, SseLanes::signBytes, (x, y) -> x * Long.signum(y));
        check("psignw", 16, true, SseLanes::signWords, (x, y) -> x * Long.signum(y));
        check("psignd", 32, true, SseLanes::signDwords, (x, y) -> x * Long.signum(y));
        check("pabsb", 8, true, (a, b) -> SseLanes.absBytes(a), (x, y) -> Math.abs(x));
        check("pabsw", 16, true, (a, b) -> SseLanes.absWords(a), (x, y) -> Math.abs(x));
        check("pabsd", 32, true, (a, b) -> SseLanes.absDwords(a), (x, y) -> Math.abs(x));
    }

    @Test
    void countsBeyondTheLaneShiftEverythingOut() {
        for (long count : new long[] {0, 1, 7, 15, 16, 31, 32, 63, 64, 255, -1}) {
            boolean words = Long.compareUnsigned(count, 15) <= 0;
            boolean dwords = Long.compareUnsigned(count, 31) <= 0;
            int n = (int) count;
            check("psllw", 16, false, (a, b) -> SseLanes.shiftLeftWords(a, count), (x, y) -> words ? x << n : 0);
            check("psrlw", 16, false, (a, b) -> SseLanes.shiftRightWords(a, count), (x, y) -> words ? x >> n : 0);
            check(
                    "psraw",
                    16,
                    true,
                    (a, b) -> SseLanes.shiftArithmeticWords(a, count),
                    (x, y) -> x >> (words ? n : 15));
            check("pslld", 32, false, (a, b) -> SseLanes.shiftLeftDwords(a, count), (x, y) -> dwords ? x << n : 0);
            check("psrld", 32, false, (a, b) -> SseLanes.shiftRightDwords(a, count), (x, y) -> dwords ? x >> n : 0);
            check(
                    "psrad",
                    32,
                    true,
                    (a, b) -> SseLanes.shiftArithmeticDwords(a, count),
                    (x, y) -> x >> (dwords ? n : 31));
        }
    }

    @Test
    void packingSaturates() {
        assertThat(SseLanes.packSignedWords(0x7FFF_8000_0080_FF7FL, 0x0001_FFFF_007F_FF80L))
                .isEqualTo(0x01FF_7F80_7F80_7F80L);
        assertThat(SseLanes.packUnsignedWords(0x7FFF_8000_0100_00FFL, 0x0001_FFFF_0080_0000L))
                .isEqualTo(0x0100_8000_FF00_FFFFL);
        assertThat(SseLanes.packSignedDwords(0x00008000_FFFF7FFFL, 0x00007FFF_FFFF8000L))
                .isEqualTo(0x7FFF_8000_7FFF_8000L);
        assertThat(SseLanes.packUnsignedDwords(0x00010000_FFFFFFFFL, 0x0000FFFF_00008000L))
                .isEqualTo(0xFFFF_8000_FFFF_0000L);
    }

    @Test
    void signBitsAreGatheredInOrder() {
        assertThat(SseLanes.signBits(0x80_00_00_80_00_FF_7F_80L)).isEqualTo(0b1001_0101);
    }
}
