package org.xenolith.cpu.softfloat;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.math.BigInteger;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.xenolith.memory.Raw;

/** The soft float against Java's own double arithmetic and against exact integer arithmetic. */
class F80Test {
    private static final int ROUNDS = 100_000;
    /** Everything masked, nearest: 53 and 64 bits of precision. */
    private static final int DOUBLE = 0x27F;

    private static final int EXTENDED = 0x37F;
    private static final int TO_ZERO = 0xF7F;

    private final Arena arena = Arena.ofConfined();
    private final long to = arena.allocate(32, 16).address();
    private final long seed = System.nanoTime();
    private final SplittableRandom random = new SplittableRandom(seed);

    @BeforeEach
    void printSeed() {
        System.out.println("F80Test seed " + seed);
    }

    @AfterEach
    void close() {
        arena.close();
    }

    /** Neither overflow nor underflow can come of two of these: there the x87's range is wider than that of double. */
    private double moderate() {
        long bits = random.nextLong();
        if (random.nextInt(3) == 0) {
            bits &= -1L << random.nextInt(52);
        }
        return Double.longBitsToDouble(bits & 0x800fffffffffffffL | random.nextLong(1023 - 200, 1023 + 200) << 52);
    }

    private static long sig(double d) {
        return F80Convert.doubleSig(Double.doubleToRawLongBits(d));
    }

    private static int se(double d) {
        return F80Convert.doubleSe(Double.doubleToRawLongBits(d));
    }

    private double result() {
        F80Convert.storeDouble(EXTENDED, Raw.getLong(to), Raw.getShort(to + 8) & 0xffff, to + 16);
        return Double.longBitsToDouble(Raw.getLong(to + 16));
    }

    @Test
    void withDoublePrecisionBasicArithmeticIsThatOfJava() {
        for (int i = 0; i < ROUNDS; i++) {
            double a = moderate();
            double b = random.nextInt(4) == 0 ? a * (1 + random.nextInt(16) * 0x1p-52) : moderate();
            F80.add(DOUBLE, sig(a), se(a), sig(b), se(b), to);
            assertThat(result()).as("%a + %a, seed %d", a, b, seed).isEqualTo(a + b);
            F80.sub(DOUBLE, sig(a), se(a), sig(b), se(b), to);
            assertThat(result()).as("%a - %a, seed %d", a, b, seed).isEqualTo(a - b);
            F80.mul(DOUBLE, sig(a), se(a), sig(b), se(b), to);
            assertThat(result()).as("%a * %a, seed %d", a, b, seed).isEqualTo(a * b);
            F80.div(DOUBLE, sig(a), se(a), sig(b), se(b), to);
            assertThat(result()).as("%a / %a, seed %d", a, b, seed).isEqualTo(a / b);
            F80.sqrt(DOUBLE, sig(Math.abs(a)), se(Math.abs(a)), to);
            assertThat(result()).as("sqrt %a, seed %d", a, seed).isEqualTo(Math.sqrt(Math.abs(a)));
        }
    }

    @Test
    void storingAsSingleIsJavasCast() {
        for (int i = 0; i < ROUNDS; i++) {
            double a = Double.longBitsToDouble(
                    random.nextLong() & 0x800fffffffffffffL | random.nextLong(1023 - 160, 1023 + 140) << 52);
            F80Convert.storeSingle(EXTENDED, sig(a), se(a), to);
            assertThat(Raw.getInt(to)).as("%a, seed %d", a, seed).isEqualTo(Float.floatToRawIntBits((float) a));
        }
    }

    @Test
    void divisionTowardsZeroIsIntegerDivision() {
        for (int i = 0; i < ROUNDS; i++) {
            long a = random.nextLong() | Long.MIN_VALUE;
            long b = random.nextLong() | Long.MIN_VALUE | random.nextInt(2) * (-1L << random.nextInt(64));
            int flags = F80.div(TO_ZERO, a, F80.BIAS, b, F80.BIAS, to);
            boolean below = Long.compareUnsigned(a, b) < 0;
            BigInteger[] want = unsigned(a).shiftLeft(below ? 64 : 63).divideAndRemainder(unsigned(b));
            assertThat(unsigned(Raw.getLong(to))).as("%x / %x", a, b).isEqualTo(want[0]);
            assertThat((flags & F80.PE) != 0).isEqualTo(want[1].signum() != 0);
        }
    }

    @Test
    void squareRootTowardsZeroIsIntegerSquareRoot() {
        for (int i = 0; i < ROUNDS; i++) {
            long a = i < 64 ? -1L - i : random.nextLong() | Long.MIN_VALUE;
            boolean odd = random.nextBoolean();
            int flags = F80.sqrt(TO_ZERO, a, odd ? F80.BIAS + 1 : F80.BIAS, to);
            BigInteger[] want = unsigned(a).shiftLeft(odd ? 64 : 63).sqrtAndRemainder();
            assertThat(unsigned(Raw.getLong(to))).as("sqrt %x %s", a, odd).isEqualTo(want[0]);
            assertThat((flags & F80.PE) != 0).isEqualTo(want[1].signum() != 0);
        }
    }

    @Test
    void anInvalidOperationThatIsNotMaskedStoresNothing() {
        F80.put(to, 42, 7);
        int flags = F80.div(EXTENDED & ~F80.IE, 0, 0, 0, 0, to);
        assertThat(flags).isEqualTo(F80.IE | F80.NO_RESULT);
        assertThat(Raw.getLong(to)).isEqualTo(42);
    }

    @Test
    void anUnmaskedOverflowWrapsTheExponent() {
        int flags = F80.mul(EXTENDED & ~F80.OE, Long.MIN_VALUE, 0x7ffe, Long.MIN_VALUE, 0x7ffe, to);
        assertThat(flags).isEqualTo(F80.OE);
        assertThat(Raw.getShort(to + 8)).isEqualTo((short) (0x7ffe * 2 - F80.BIAS - 0x6000));
    }

    @Test
    void bcdDigitsComeBackAsTheyWereStored() {
        for (int i = 0; i < 10_000; i++) {
            long value = random.nextLong(1_000_000_000_000_000_000L);
            int flags = F80Convert.storeBcd(EXTENDED, F80Convert.integerSig(value), F80Convert.integerSe(value), to);
            assertThat(flags).isZero();
            assertThat(String.format("%02x%016x", Raw.getByte(to + 8), Raw.getLong(to)))
                    .isEqualTo(String.format("%018d", value));
            F80Convert.loadBcd(to, to + 16);
            assertThat(Raw.getLong(to + 16)).isEqualTo(F80Convert.integerSig(value));
            assertThat(Raw.getShort(to + 24)).isEqualTo((short) F80Convert.integerSe(value));
        }
    }

    @Test
    void functionsAgreeWithJavasStrictMathToDoublePrecision() {
        for (int i = 0; i < 3000; i++) {
            double x = random.nextDouble(-1, 1) * Math.scalb(1, -random.nextInt(30));
            double y = moderate();
            F80Functions.exp2m1(EXTENDED, sig(x), se(x), to);
            assertNear(StrictMath.expm1(x * StrictMath.log(2)), 8, "2^x - 1", x);
            F80Functions.sin(EXTENDED, sig(x), se(x), to);
            assertNear(StrictMath.sin(x), 2, "sin", x);
            F80Functions.cos(EXTENDED, sig(x), se(x), to);
            assertNear(StrictMath.cos(x), 2, "cos", x);
            F80Functions.tan(EXTENDED, sig(x), se(x), to);
            assertNear(StrictMath.tan(x), 2, "tan", x);
            double z = moderate();
            F80Functions.atan(EXTENDED, sig(z), se(z), sig(y), se(y), to);
            assertNear(StrictMath.atan2(y, z), 3, "atan of " + y, z);
            double positive = Math.abs(z);
            F80Functions.yl2x(EXTENDED, sig(positive), se(positive), sig(1), se(1), to);
            assertNear(StrictMath.log(positive) / StrictMath.log(2), 4, "log2", positive);
            double small = x * 0.29;
            F80Functions.yl2xp1(EXTENDED, sig(small), se(small), sig(1), se(1), to);
            assertNear(StrictMath.log1p(small) / StrictMath.log(2), 4, "log2(1 + x)", small);
        }
    }

    private void assertNear(double want, int units, String what, double x) {
        assertThat(Math.abs(result() - want))
                .as("%s of %a, seed %d", what, x, seed)
                .isLessThanOrEqualTo(Math.ulp(want) * units);
    }

    private static BigInteger unsigned(long value) {
        return new BigInteger(Long.toUnsignedString(value));
    }
}
