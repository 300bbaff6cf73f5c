package org.xenolith.cpu.semantics;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;

class FloatMathTest {
    private static final int CASES = 4_000;
    private static final int MASKED = 0x1F80;

    private final VcpuState state = new VcpuState();
    private final Cpu cpu = new Cpu(state, null, null);

    @AfterEach
    void close() {
        cpu.close();
        state.close();
    }

    private interface Operation64 {
        long apply(Cpu c, int csr, long a, long b);
    }

    private interface Operation32 {
        int apply(Cpu c, int csr, int a, int b);
    }

    private interface Exact {
        BigDecimal apply(BigDecimal a, BigDecimal b);
    }

    private static long random64(Random random) {
        long sign = random.nextLong() & Long.MIN_VALUE;
        return switch (random.nextInt(5)) {
            case 0 -> sign | (random.nextLong() & 0xFFFFFFFFFFFFFL) >>> random.nextInt(52);
            case 1 -> sign | 1 + (long) random.nextInt(2046) << 52 | random.nextLong() & 0xFFFFFFFFFFFFFL;
            case 2 -> Double.doubleToRawLongBits(random.nextInt(4000) / 8.0 - 250);
            default -> sign | 1013 + (long) random.nextInt(20) << 52 | random.nextLong() & 0xFFFFFFFFFFFFFL;
        };
    }

    private static int random32(Random random) {
        int sign = random.nextInt() & Integer.MIN_VALUE;
        return switch (random.nextInt(5)) {
            case 0 -> sign | (random.nextInt() & 0x7FFFFF) >>> random.nextInt(23);
            case 1 -> sign | 1 + random.nextInt(254) << 23 | random.nextInt() & 0x7FFFFF;
            case 2 -> Float.floatToRawIntBits(random.nextInt(4000) / 8f - 250);
            default -> sign | 117 + random.nextInt(20) << 23 | random.nextInt() & 0x7FFFFF;
        };
    }

    /** Result and inexact flag against the exact value: the neighbour that the rounding mode wants. */
    private void check(String what, int csr, double r, double below, double above, double max, BigDecimal exact) {
        String text = what + " mode " + FloatMath.mode(csr) + " gives " + r;
        int mode = FloatMath.mode(csr);
        if (Double.isInfinite(r) || Math.abs(r) == max && (cpu.simdExceptions & FloatMath.OE) != 0) {
            assertThat(exact.abs()).as(text).isGreaterThan(new BigDecimal(max));
            assertThat(cpu.simdExceptions & (FloatMath.OE | FloatMath.PE))
                    .as(text)
                    .isEqualTo(0x28);
            return;
        }
        BigDecimal result = new BigDecimal(r);
        int order = result.compareTo(exact);
        assertThat((cpu.simdExceptions & FloatMath.PE) != 0).as(text).isEqualTo(order != 0);
        if (order == 0) {
            return;
        }
        BigDecimal error = result.subtract(exact).abs();
        double other = order < 0 ? above : below;
        switch (mode) {
            case FloatMath.DOWN -> assertThat(order).as(text).isNegative();
            case FloatMath.UP -> assertThat(order).as(text).isPositive();
            case FloatMath.TRUNCATE -> assertThat(result.abs()).as(text).isLessThan(exact.abs());
            default -> {}
        }
        if (!Double.isInfinite(other)) {
            BigDecimal otherError = new BigDecimal(other).subtract(exact).abs();
            if (mode == FloatMath.NEAREST) {
                assertThat(error).as(text).isLessThanOrEqualTo(otherError);
            } else {
                // The exact value lies between the result and its neighbour on that side.
                assertThat(error.add(otherError))
                        .as(text)
                        .isEqualByComparingTo(
                                result.subtract(new BigDecimal(other)).abs());
            }
        }
    }

    private void compare64(String name, Operation64 operation, Exact exact, boolean zeroDivisor) {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int i = 0; i < CASES; i++) {
            long a = random64(random);
            long b = random64(random);
            if (b << 1 == 0 && !zeroDivisor) {
                continue;
            }
            int csr = MASKED | random.nextInt(4) << 13 | random.nextInt(2) * FloatMath.PE;
            cpu.simdExceptions = 0;
            double r = Double.longBitsToDouble(operation.apply(cpu, csr, a, b));
            BigDecimal x = new BigDecimal(Double.longBitsToDouble(a));
            BigDecimal y = new BigDecimal(Double.longBitsToDouble(b));
            cpu.simdExceptions |= impliedInexact(csr, r, exact.apply(x, y));
            String what = "seed " + seed + ": " + name + " " + x.doubleValue() + ", " + y.doubleValue();
            check(what, csr, r, Math.nextDown(r), Math.nextUp(r), Double.MAX_VALUE, exact.apply(x, y));
        }
    }

    /** The fast way does not report the inexact flag again when it is set already. */
    private int impliedInexact(int csr, double r, BigDecimal exact) {
        boolean silent = (csr & FloatMath.PE) != 0 && !Double.isInfinite(r) && new BigDecimal(r).compareTo(exact) != 0;
        return silent ? FloatMath.PE : 0;
    }

    private void compare32(String name, Operation32 operation, Exact exact, boolean zeroDivisor) {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int i = 0; i < CASES; i++) {
            int a = random32(random);
            int b = random32(random);
            if (b << 1 == 0 && !zeroDivisor) {
                continue;
            }
            int csr = MASKED | random.nextInt(4) << 13 | random.nextInt(2) * FloatMath.PE;
            cpu.simdExceptions = 0;
            float r = Float.intBitsToFloat(operation.apply(cpu, csr, a, b));
            BigDecimal x = new BigDecimal(Float.intBitsToFloat(a));
            BigDecimal y = new BigDecimal(Float.intBitsToFloat(b));
            cpu.simdExceptions |= impliedInexact(csr, r, exact.apply(x, y));
            String what = "seed " + seed + ": " + name + " " + x.floatValue() + "f, " + y.floatValue() + "f";
            check(what, csr, r, Math.nextDown(r), Math.nextUp(r), Float.MAX_VALUE, exact.apply(x, y));
        }
    }

    @Test
    void sumsAndDifferencesAreRoundedAsTheModeSays() {
        compare64("add64", FloatMath::add64, BigDecimal::add, true);
        compare64("sub64", FloatMath::sub64, BigDecimal::subtract, true);
        compare32("add32", FloatMath::add32, BigDecimal::add, true);
        compare32("sub32", FloatMath::sub32, BigDecimal::subtract, true);
    }

    @Test
    void productsAreRoundedAsTheModeSays() {
        compare64("mul64", FloatMath::mul64, BigDecimal::multiply, true);
        compare32("mul32", FloatMath::mul32, BigDecimal::multiply, true);
    }

    @Test
    void quotientsAreRoundedAsTheModeSays() {
        // No quotient of two binary64 numbers is so near a rounding boundary that 1,200 digits cannot tell.
        MathContext digits = new MathContext(1200);
        compare32("div32", FloatMath::div32, (x, y) -> x.divide(y, digits), false);
        compare64("div64", FloatMath::div64, (x, y) -> x.divide(y, digits), false);
    }

    @Test
    void squareRootsAreRoundedAsTheModeSays() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int i = 0; i < CASES; i++) {
            long a = random64(random) & Long.MAX_VALUE;
            int csr = MASKED | random.nextInt(4) << 13;
            cpu.simdExceptions = 0;
            double r = Double.longBitsToDouble(FloatMath.sqrt64(cpu, csr, a));
            BigDecimal x = new BigDecimal(Double.longBitsToDouble(a));
            int order = new BigDecimal(r).pow(2).compareTo(x);
            String text = "seed " + seed + ": sqrt " + x.doubleValue() + " mode " + FloatMath.mode(csr) + " gives " + r;
            assertThat((cpu.simdExceptions & FloatMath.PE) != 0).as(text).isEqualTo(order != 0);
            switch (FloatMath.mode(csr)) {
                case FloatMath.NEAREST -> assertThat(r).as(text).isEqualTo(Math.sqrt(x.doubleValue()));
                case FloatMath.UP -> {
                    assertThat(order).as(text).isNotNegative();
                    if (r > 0) {
                        assertThat(new BigDecimal(Math.nextDown(r)).pow(2))
                                .as(text)
                                .isLessThan(x);
                    }
                }
                default -> {
                    assertThat(order).as(text).isNotPositive();
                    assertThat(new BigDecimal(Math.nextUp(r)).pow(2)).as(text).isGreaterThan(x);
                }
            }
        }
    }

    private long flags64(Operation64 operation, int csr, long a, long b) {
        cpu.simdExceptions = 0;
        return operation.apply(cpu, csr, a, b);
    }

    @Test
    void anInvalidOperationGivesTheNegativeDefaultNan() {
        long infinity = 0x7FF0000000000000L;
        assertThat(flags64(FloatMath::sub64, MASKED, infinity, infinity)).isEqualTo(0xFFF8000000000000L);
        assertThat(cpu.simdExceptions).isEqualTo(FloatMath.IE);
        assertThat(flags64(FloatMath::mul64, MASKED, infinity, 0)).isEqualTo(0xFFF8000000000000L);
        assertThat(flags64(FloatMath::div64, MASKED, 0, 0)).isEqualTo(0xFFF8000000000000L);
        assertThat(flags64((c, csr, a, b) -> FloatMath.sqrt64(c, csr, a), MASKED, 0xBFF0000000000000L, 0))
                .isEqualTo(0xFFF8000000000000L);
    }

    @Test
    void theFirstNanWinsAndIsQuieted() {
        long signaling = 0x7FF0000000000001L;
        long quiet = 0xFFF8000000000123L;
        long one = 0x3FF0000000000000L;
        assertThat(flags64(FloatMath::add64, MASKED, signaling, quiet)).isEqualTo(0x7FF8000000000001L);
        assertThat(cpu.simdExceptions).isEqualTo(FloatMath.IE);
        assertThat(flags64(FloatMath::add64, MASKED, quiet, signaling)).isEqualTo(quiet);
        assertThat(cpu.simdExceptions).isEqualTo(FloatMath.IE);
        assertThat(flags64(FloatMath::add64, MASKED, one, quiet)).isEqualTo(quiet);
        assertThat(cpu.simdExceptions).isZero();
    }

    @Test
    void divisionByZeroIsNotADenormalOperand() {
        assertThat(flags64(FloatMath::div64, MASKED, 1, Long.MIN_VALUE)).isEqualTo(0xFFF0000000000000L);
        assertThat(cpu.simdExceptions).isEqualTo(FloatMath.ZE);
    }

    @Test
    void anExactDenormalResultDoesNotUnderflowUnlessUnmaskedOrFlushed() {
        long smallest = 0x0010000000000000L;
        long half = 0x3FE0000000000000L;
        assertThat(flags64(FloatMath::mul64, MASKED, smallest, half)).isEqualTo(smallest >>> 1);
        assertThat(cpu.simdExceptions).isZero();
        flags64(FloatMath::mul64, MASKED & ~FloatMath.UM, smallest, half);
        assertThat(cpu.simdExceptions).isEqualTo(FloatMath.UE);
        assertThat(flags64(FloatMath::mul64, MASKED | FloatMath.FTZ, smallest | Long.MIN_VALUE, half))
                .isEqualTo(Long.MIN_VALUE);
        assertThat(cpu.simdExceptions).isEqualTo(FloatMath.UE | FloatMath.PE);
    }

    @Test
    void aResultThatRoundsUpToTheSmallestNormalNumberIsNotTiny() {
        long smallest = 0x0010000000000000L;
        // (1 - 2^-53) * 2^-1022 needs no rounding at full precision: it is tiny.
        flags64(FloatMath::mul64, MASKED | 0x4000, smallest, 0x3FEFFFFFFFFFFFFFL);
        assertThat(cpu.simdExceptions).isEqualTo(FloatMath.UE | FloatMath.PE);
        // A hair above 2^-1022 is not, wherever it rounds to.
        long r = flags64(FloatMath::mul64, MASKED | 0x4000, 0x001FFFFFFFFFFFFFL, 0x3FE0000000000001L);
        assertThat(r).isEqualTo(0x0010000000000001L);
        assertThat(cpu.simdExceptions).isEqualTo(FloatMath.PE);
    }

    @Test
    void denormalsAreZerosWhenMxcsrSaysSo() {
        assertThat(flags64(FloatMath::add64, MASKED | FloatMath.DAZ, 5, Long.MIN_VALUE | 7))
                .isZero();
        assertThat(cpu.simdExceptions).isZero();
        assertThat(flags64(FloatMath::add64, MASKED, 5, 7)).isEqualTo(12);
        assertThat(cpu.simdExceptions).isEqualTo(FloatMath.DE);
    }

    @Test
    void minimumAndMaximumGiveTheSecondOperandForNansAndZeros() {
        cpu.simdExceptions = 0;
        assertThat(FloatMath.minMax(cpu, MASKED, 3, 0, Long.MIN_VALUE, true)).isEqualTo(Long.MIN_VALUE);
        assertThat(FloatMath.minMax(cpu, MASKED, 3, Long.MIN_VALUE, 0, false)).isZero();
        assertThat(cpu.simdExceptions).isZero();
        assertThat(FloatMath.minMax(cpu, MASKED, 3, 0, 0x7FF0000000000001L, false))
                .isEqualTo(0x7FF0000000000001L);
        assertThat(cpu.simdExceptions).isEqualTo(FloatMath.IE);
    }
}
