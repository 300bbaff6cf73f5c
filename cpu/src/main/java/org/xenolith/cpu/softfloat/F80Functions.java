package org.xenolith.cpu.softfloat;

import java.math.BigInteger;

/**
 * The transcendental functions: worked out to about 2^-150 in fixed point with big integers, then rounded once.
 * Conventions as in {@link F80}; precision control does not apply.
 *
 * <p>A Zen 4 gives the same result in 98 to 99.8 percent of random cases, and a neighbouring one in the others, in all
 * rounding modes.
 *
 * <p>Intermediate values are a big integer with {@value #F} fraction bits, or a big-integer mantissa with its own
 * exponent where relative precision of tiny values matters.
 */
public final class F80Functions {
    private static final int F = 192;
    private static final BigInteger ONE = BigInteger.ONE.shiftLeft(F);
    /** Fraction bits of the range reduction: enough for 63-bit quotients and remainders as small as 2^-70. */
    private static final int WIDE = 320;

    private static final BigInteger PI_WIDE = pi(WIDE);
    private static final BigInteger PI = PI_WIDE.shiftRight(WIDE - F);
    private static final BigInteger LN2 = naturalLog2();
    /** Half of the period quantum that the processor's argument reduction uses. */
    private static final BigInteger HALF_PI_WIDE = reductionPi().shiftRight(1);

    private static final int ATAN_STEPS = 32;
    private static final BigInteger[] ATAN = arctangents();

    private F80Functions() {}

    /**
     * Pi cut to 66 significant bits: x87 units reduce arguments with this value (Intel SDM vol. 1, 8.3.8; AMD
     * measured), and results for large arguments depend on it.
     */
    private static BigInteger reductionPi() {
        return PI_WIDE.shiftRight(WIDE - 64).shiftLeft(WIDE - 64);
    }

    // ---------------------------------------------------------------- constants, computed once

    /** arctan(1/n) times 2^bits. */
    private static BigInteger arctanOfInverse(int n, int bits) {
        BigInteger term = BigInteger.ONE.shiftLeft(bits).divide(BigInteger.valueOf(n));
        BigInteger square = BigInteger.valueOf((long) n * n);
        BigInteger sum = BigInteger.ZERO;
        for (int k = 1; term.signum() != 0; k += 2) {
            BigInteger part = term.divide(BigInteger.valueOf(k));
            sum = (k & 2) == 0 ? sum.add(part) : sum.subtract(part);
            term = term.divide(square);
        }
        return sum;
    }

    /** Machin's formula with 32 guard bits. */
    private static BigInteger pi(int bits) {
        BigInteger quarter = arctanOfInverse(5, bits + 32).shiftLeft(2).subtract(arctanOfInverse(239, bits + 32));
        return quarter.shiftRight(30);
    }

    /** ln 2 = 2 artanh(1/3). */
    private static BigInteger naturalLog2() {
        int bits = F + 32;
        BigInteger term = BigInteger.ONE.shiftLeft(bits).divide(BigInteger.valueOf(3));
        BigInteger sum = BigInteger.ZERO;
        BigInteger nine = BigInteger.valueOf(9);
        for (int k = 1; term.signum() != 0; k += 2) {
            sum = sum.add(term.divide(BigInteger.valueOf(k)));
            term = term.divide(nine);
        }
        return sum.shiftRight(31);
    }

    private static BigInteger[] arctangents() {
        BigInteger[] table = new BigInteger[ATAN_STEPS + 1];
        table[0] = BigInteger.ZERO;
        // atan(k/n) - atan((k-1)/n) = atan(n / (n*n + k*(k-1)))
        for (int k = 1; k <= ATAN_STEPS; k++) {
            BigInteger t = ONE.multiply(BigInteger.valueOf(ATAN_STEPS))
                    .divide(BigInteger.valueOf((long) ATAN_STEPS * ATAN_STEPS + (long) k * (k - 1)));
            table[k] = table[k - 1].add(mul(t, arctanSeries(t)));
        }
        return table;
    }

    // ---------------------------------------------------------------- fixed point

    private static BigInteger mul(BigInteger a, BigInteger b) {
        return a.multiply(b).shiftRight(F);
    }

    private static BigInteger significand(long sig) {
        return new BigInteger(Long.toUnsignedString(sig, 16), 16);
    }

    private static BigInteger shift(BigInteger a, int left) {
        return left >= 0 ? a.shiftLeft(left) : a.shiftRight(-left);
    }

    /** {@code m * 2^e} with F fraction bits, truncated. */
    private static BigInteger fixed(BigInteger m, int e) {
        return shift(m, Math.max(F + e, -4096));
    }

    /** Rounds {@code m * 2^e}, m positive; what the big integer does not hold is taken as a sticky bit unless exact. */
    private static int round(int cw, int sign, BigInteger m, int e, boolean exact, int flags, long to) {
        int length = m.bitLength();
        BigInteger top = shift(m, 128 - length);
        boolean sticky = !exact || length > 128 && m.getLowestSetBit() < length - 128;
        long hi = top.shiftRight(64).longValue();
        long lo = top.longValue() | (sticky ? 1 : 0);
        return F80.round(cw | F80.FULL_PRECISION, sign, F80.BIAS + e + length - 1, hi, lo, flags, to);
    }

    /** (e^t - 1) / t. */
    private static BigInteger expm1Series(BigInteger t) {
        BigInteger term = ONE;
        BigInteger sum = ONE;
        for (int k = 2; term.signum() != 0 && term.bitLength() > 1; k++) {
            term = mul(term, t).divide(BigInteger.valueOf(k));
            sum = sum.add(term);
        }
        return sum;
    }

    /** artanh(s) / s. */
    private static BigInteger artanhSeries(BigInteger s) {
        BigInteger square = mul(s, s);
        BigInteger power = ONE;
        BigInteger sum = ONE;
        for (int k = 3; power.signum() != 0; k += 2) {
            power = mul(power, square);
            sum = sum.add(power.divide(BigInteger.valueOf(k)));
        }
        return sum;
    }

    /** arctan(t) / t, less than one. */
    private static BigInteger arctanSeries(BigInteger t) {
        BigInteger square = mul(t, t);
        BigInteger power = ONE;
        BigInteger sum = ONE;
        for (int k = 3; power.signum() != 0; k += 2) {
            power = mul(power, square);
            BigInteger part = power.divide(BigInteger.valueOf(k));
            sum = (k & 2) != 0 ? sum.subtract(part) : sum.add(part);
        }
        return sum.equals(ONE) ? ONE.subtract(BigInteger.ONE) : sum;
    }

    /** sin(r) / r from r squared, less than one. */
    private static BigInteger sineSeries(BigInteger square) {
        BigInteger term = ONE;
        BigInteger sum = ONE;
        for (int k = 2; term.signum() != 0; k += 2) {
            term = mul(term, square).divide(BigInteger.valueOf((long) k * (k + 1)));
            sum = (k & 2) != 0 ? sum.subtract(term) : sum.add(term);
        }
        return sum.equals(ONE) ? ONE.subtract(BigInteger.ONE) : sum;
    }

    /** cos(r) from r squared, less than one. */
    private static BigInteger cosineSeries(BigInteger square) {
        BigInteger term = ONE;
        BigInteger sum = ONE;
        for (int k = 1; term.signum() != 0; k += 2) {
            term = mul(term, square).divide(BigInteger.valueOf((long) k * (k + 1)));
            sum = (k & 2) != 0 ? sum.add(term) : sum.subtract(term);
        }
        return sum.equals(ONE) ? ONE.subtract(BigInteger.ONE) : sum;
    }

    // ---------------------------------------------------------------- exponential and logarithm

    /** F2XM1: 2^x - 1 for -1 <= x <= 1. */
    public static int exp2m1(int cw, long sig, int se, long to) {
        int exp = se & F80.SPECIAL;
        if (F80.isBad(sig, se)) {
            return F80.nan(cw, sig, se, to);
        }
        if (exp == F80.SPECIAL) {
            F80.put(to, F80.INTEGER_BIT, se >= F80.SIGN ? F80.SIGN | F80.BIAS : F80.SPECIAL);
            return 0;
        }
        if (sig == 0) {
            F80.put(to, sig, se);
            return 0;
        }
        int flags = F80.denormalFlag(sig, se);
        if (F80.unmasked(cw, flags, F80.DE)) {
            return F80.DE | F80.NO_RESULT;
        }
        if (exp >= F80.BIAS) {
            if (sig == F80.INTEGER_BIT && se == F80.BIAS) {
                // The processor comes to 1 from below, and chops that where it is told to.
                return F80.round(cw | F80.FULL_PRECISION, 0, F80.BIAS - 1, -1L, -1L, flags, to);
            }
            if (sig == F80.INTEGER_BIT && exp == F80.BIAS) {
                F80.put(to, F80.INTEGER_BIT, F80.SIGN | F80.BIAS - 1);
                return flags | F80.PE;
            }
            // Outside the documented range the register keeps its value.
            F80.put(to, sig, se);
            return flags | F80.PE;
        }
        BigInteger m = significand(F80.normalSignificand(sig));
        int e = F80.normalExponent(sig, se) - F80.BIAS - 63;
        BigInteger tm = m.multiply(LN2);
        BigInteger t = fixed(tm, e - F);
        BigInteger series = expm1Series(se >= F80.SIGN ? t.negate() : t);
        return round(cw, se & F80.SIGN, tm.multiply(series), e - 2 * F, false, flags, to);
    }

    /** FYL2X: y * log2(x). */
    public static int yl2x(int cw, long xs, int xe, long ys, int ye, long to) {
        if (F80.isBad(xs, xe) || F80.isBad(ys, ye)) {
            return F80.nan(cw, ys, ye, xs, xe, to);
        }
        int sign = ye & F80.SIGN;
        boolean xInfinite = F80.isInfinite(xs, xe);
        boolean yInfinite = F80.isInfinite(ys, ye);
        boolean xZero = F80.isZero(xs, xe);
        boolean yZero = F80.isZero(ys, ye);
        boolean xOne = xs == F80.INTEGER_BIT && xe == F80.BIAS;
        if (xe >= F80.SIGN && !xZero || yZero && (xInfinite || xZero) || yInfinite && xOne) {
            return F80.invalid(cw, to);
        }
        if (xZero && !yInfinite) {
            if ((cw & F80.ZE) == 0) {
                return F80.ZE | F80.NO_RESULT;
            }
            F80.put(to, F80.INTEGER_BIT, (sign ^ F80.SIGN) | F80.SPECIAL);
            return F80.ZE;
        }
        int flags = F80.denormalFlag(xs, xe) | F80.denormalFlag(ys, ye);
        if (F80.unmasked(cw, flags, F80.DE)) {
            return F80.DE | F80.NO_RESULT;
        }
        boolean below = xZero || xe < F80.BIAS;
        int resultSign = below ? sign ^ F80.SIGN : sign;
        if (xInfinite || yInfinite) {
            F80.put(to, F80.INTEGER_BIT, resultSign | F80.SPECIAL);
            return flags;
        }
        if (yZero || xOne) {
            F80.put(to, 0, resultSign);
            return flags;
        }
        int k = F80.normalExponent(xs, xe) - F80.BIAS;
        long normal = F80.normalSignificand(xs);
        BigInteger m = significand(normal);
        BigInteger y = significand(F80.normalSignificand(ys));
        int yExp = F80.normalExponent(ys, ye) - F80.BIAS - 63;
        if (normal == F80.INTEGER_BIT) {
            // Exact powers of two are reported as inexact all the same.
            flags |= F80.PE;
            return round(cw, resultSign, y.multiply(BigInteger.valueOf(Math.abs(k))), yExp, true, flags, to);
        }
        // m in units of 2^-63 is in [1, 2); bring it to [0.7, 1.4].
        int unit = 63;
        if (Long.compareUnsigned(normal, 0xB504F333F9DE6484L) > 0) {
            k++;
            unit = 64;
        }
        BigInteger one = BigInteger.ONE.shiftLeft(unit);
        return logarithm(cw, resultSign, m.subtract(one), m.add(one), k, y, yExp, flags, to);
    }

    /** y * (k + log2((1 + s) / (1 - s))), s = p / q. */
    private static int logarithm(
            int cw, int sign, BigInteger p, BigInteger q, int k, BigInteger y, int yExp, int flags, long to) {
        int extra = F + 8 + q.bitLength() - p.bitLength();
        BigInteger s = p.shiftLeft(extra).divide(q);
        BigInteger series = artanhSeries(shift(s, F - extra));
        BigInteger log = s.multiply(series).shiftLeft(F + 1).divide(LN2);
        int e = -extra - F;
        if (k != 0) {
            log = log.add(shift(BigInteger.valueOf(k), -e));
        }
        return round(cw, sign, y.multiply(log.abs()), yExp + e, false, flags, to);
    }

    /** FYL2XP1: y * log2(x + 1). */
    public static int yl2xp1(int cw, long xs, int xe, long ys, int ye, long to) {
        if (F80.isBad(xs, xe) || F80.isBad(ys, ye)) {
            return F80.nan(cw, ys, ye, xs, xe, to);
        }
        int resultSign = (xe ^ ye) & F80.SIGN;
        boolean yInfinite = F80.isInfinite(ys, ye);
        boolean xInfinite = F80.isInfinite(xs, xe);
        if (yInfinite && F80.isZero(xs, xe) || xInfinite && (xe >= F80.SIGN || F80.isZero(ys, ye))) {
            return F80.invalid(cw, to);
        }
        int flags = F80.denormalFlag(xs, xe) | F80.denormalFlag(ys, ye);
        if (F80.unmasked(cw, flags, F80.DE)) {
            return F80.DE | F80.NO_RESULT;
        }
        if (yInfinite || xInfinite) {
            F80.put(to, F80.INTEGER_BIT, resultSign | F80.SPECIAL);
            return flags;
        }
        if (F80.isZero(xs, xe) || F80.isZero(ys, ye)) {
            F80.put(to, 0, resultSign);
            return flags;
        }
        int exp = F80.normalExponent(xs, xe) - F80.BIAS;
        if (exp >= 0 && xe >= F80.SIGN) {
            // Below the domain: the value stays and is called inexact.
            F80.put(to, xs, xe);
            return flags | F80.PE;
        }
        BigInteger x = significand(F80.normalSignificand(xs));
        BigInteger y = significand(F80.normalSignificand(ys));
        int yExp = F80.normalExponent(ys, ye) - F80.BIAS - 63;
        if (exp < -F) {
            // log2(1 + x) = x / ln 2 to all bits that matter.
            BigInteger log = x.shiftLeft(2 * F).divide(LN2);
            return round(cw, resultSign, y.multiply(log), yExp + exp - 63 - F, false, flags, to);
        }
        // 1 + x as an integer in units of 2^(exp - 63), or of 1 for huge x.
        int unit = Math.max(63 - exp, 0);
        BigInteger one = BigInteger.ONE.shiftLeft(unit);
        BigInteger signed = shift(xe >= F80.SIGN ? x.negate() : x, Math.max(exp - 63, 0));
        BigInteger sum = one.add(signed);
        int k = 0;
        if (exp >= -2) {
            k = sum.bitLength() - 1 - unit;
            if (sum.bitLength() > 64
                    ? sum.shiftRight(sum.bitLength() - 64).compareTo(significand(0xB504F333F9DE6484L)) > 0
                    : sum.shiftLeft(64 - sum.bitLength()).compareTo(significand(0xB504F333F9DE6484L)) > 0) {
                k++;
            }
        }
        BigInteger two = k + unit >= 0 ? BigInteger.ONE.shiftLeft(k + unit) : BigInteger.ONE;
        if (k + unit < 0) {
            sum = sum.shiftLeft(-k - unit);
        }
        if (sum.equals(two)) {
            flags |= F80.PE;
            return round(cw, resultSign, y.multiply(BigInteger.valueOf(Math.abs(k))), yExp, true, flags, to);
        }
        return logarithm(cw, resultSign, sum.subtract(two), sum.add(two), k, y, yExp, flags, to);
    }

    // ---------------------------------------------------------------- trigonometry

    /** A reduced argument, {@code m * 2^e}, and its square in fixed point. */
    private record Angle(BigInteger m, int e, BigInteger square, int quadrant) {
        /** Mantissa of the sine; its exponent is {@link #sineExp}. */
        BigInteger sine() {
            return m.multiply(sineSeries(square));
        }

        int sineExp() {
            return e - F;
        }

        BigInteger cosine() {
            return cosineSeries(square);
        }
    }

    private static Angle reduce(long sig, int se) {
        BigInteger m = significand(F80.normalSignificand(sig));
        int e = F80.normalExponent(sig, se) - F80.BIAS - 63;
        int quadrant = 0;
        if (e >= -64) {
            BigInteger x = m.shiftLeft(WIDE + e);
            BigInteger[] parts = x.divideAndRemainder(HALF_PI_WIDE);
            BigInteger r = parts[1];
            quadrant = parts[0].intValue() & 3;
            if (r.shiftLeft(1).compareTo(HALF_PI_WIDE) > 0) {
                r = r.subtract(HALF_PI_WIDE);
                quadrant = quadrant + 1 & 3;
            }
            m = r;
            e = -WIDE;
        }
        BigInteger r = fixed(m, e);
        BigInteger square = mul(r, r);
        return new Angle(m, e, square, quadrant);
    }

    /** Handles what is not a finite number below 2^63; -1 when the argument is ordinary. */
    private static int trigonometricSpecial(int cw, long sig, int se, long to) {
        int exp = se & F80.SPECIAL;
        if (F80.isBad(sig, se)) {
            return F80.nan(cw, sig, se, to);
        }
        if (exp == F80.SPECIAL) {
            return F80.invalid(cw, to);
        }
        if (exp >= F80.BIAS + 63) {
            return F80Misc.C2 | F80.NO_RESULT;
        }
        if (F80.unmasked(cw, F80.denormalFlag(sig, se), F80.DE)) {
            return F80.DE | F80.NO_RESULT;
        }
        return -1;
    }

    private static int roundSine(int cw, int sign, Angle a, int flags, long to) {
        int flip = a.m.signum() < 0 ? F80.SIGN : 0;
        return round(cw, sign ^ flip, a.sine().abs(), a.sineExp(), false, flags, to);
    }

    /** FSIN; C2 and NO_RESULT for an argument out of range. */
    public static int sin(int cw, long sig, int se, long to) {
        int special = trigonometricSpecial(cw, sig, se, to);
        if (special >= 0) {
            return special;
        }
        if (sig == 0) {
            F80.put(to, sig, se);
            return 0;
        }
        int flags = F80.denormalFlag(sig, se);
        Angle a = reduce(sig, se);
        int sign = se & F80.SIGN ^ (a.quadrant >= 2 ? F80.SIGN : 0);
        return (a.quadrant & 1) == 0
                ? roundSine(cw, sign, a, flags, to)
                : round(cw, sign, a.cosine(), -F, false, flags, to);
    }

    /** FCOS; C2 and NO_RESULT for an argument out of range. */
    public static int cos(int cw, long sig, int se, long to) {
        int special = trigonometricSpecial(cw, sig, se, to);
        if (special >= 0) {
            return special;
        }
        if (sig == 0) {
            F80.put(to, F80.INTEGER_BIT, F80.BIAS);
            return 0;
        }
        int flags = F80.denormalFlag(sig, se);
        Angle a = reduce(sig, se);
        int sign = a.quadrant == 1 || a.quadrant == 2 ? F80.SIGN : 0;
        return (a.quadrant & 1) != 0
                ? roundSine(cw, sign, a, flags, to)
                : round(cw, sign, a.cosine(), -F, false, flags, to);
    }

    /** The tangent of FPTAN; C2 and NO_RESULT for an argument out of range. */
    public static int tan(int cw, long sig, int se, long to) {
        int special = trigonometricSpecial(cw, sig, se, to);
        if (special >= 0) {
            return special;
        }
        if (sig == 0) {
            F80.put(to, sig, se);
            return 0;
        }
        int flags = F80.denormalFlag(sig, se);
        Angle a = reduce(sig, se);
        int sign = se & F80.SIGN ^ (a.m.signum() < 0 ? F80.SIGN : 0);
        BigInteger sine = a.sine().abs();
        if ((a.quadrant & 1) == 0) {
            return round(cw, sign, sine.shiftLeft(F).divide(a.cosine()), a.sineExp(), false, flags, to);
        }
        int extra = 2 * F + sine.bitLength();
        BigInteger quotient = a.cosine().shiftLeft(extra).divide(sine);
        return round(cw, sign ^ F80.SIGN, quotient, -F - extra - a.sineExp(), false, flags, to);
    }

    /** FPATAN: the angle of the point (x, y), -pi to pi. */
    public static int atan(int cw, long xs, int xe, long ys, int ye, long to) {
        if (F80.isBad(xs, xe) || F80.isBad(ys, ye)) {
            return F80.nan(cw, ys, ye, xs, xe, to);
        }
        int flags = F80.denormalFlag(xs, xe) | F80.denormalFlag(ys, ye);
        if (F80.unmasked(cw, flags, F80.DE)) {
            return F80.DE | F80.NO_RESULT;
        }
        int sign = ye & F80.SIGN;
        boolean left = xe >= F80.SIGN;
        boolean xInfinite = F80.isInfinite(xs, xe);
        boolean yInfinite = F80.isInfinite(ys, ye);
        if (F80.isZero(ys, ye) || xInfinite && !yInfinite) {
            if (left) {
                return round(cw, sign, PI, -F, false, flags, to);
            }
            F80.put(to, 0, sign);
            return flags;
        }
        if (yInfinite && xInfinite) {
            BigInteger quarters = left ? PI.multiply(BigInteger.valueOf(3)) : PI;
            return round(cw, sign, quarters, -F - 2, false, flags, to);
        }
        if (yInfinite || F80.isZero(xs, xe)) {
            return round(cw, sign, PI, -F - 1, false, flags, to);
        }
        BigInteger x = significand(F80.normalSignificand(xs));
        BigInteger y = significand(F80.normalSignificand(ys));
        int d = F80.normalExponent(ys, ye) - F80.normalExponent(xs, xe);
        boolean steep = d > 0 || d == 0 && y.compareTo(x) > 0;
        BigInteger p = steep ? x : y;
        BigInteger q = steep ? y : x;
        // The ratio p / q * 2^-|d|, at most one, and its arctangent as mantissa and exponent.
        int e = -Math.abs(d) - F - 64;
        BigInteger ratio = p.shiftLeft(F + 64).divide(q);
        BigInteger t = fixed(ratio, e);
        int step = t.multiply(BigInteger.valueOf(ATAN_STEPS))
                .add(ONE.shiftRight(1))
                .shiftRight(F)
                .intValue();
        BigInteger angle;
        if (step == 0) {
            angle = ratio.multiply(arctanSeries(t));
            e -= F;
        } else {
            BigInteger base = ONE.multiply(BigInteger.valueOf(step)).divide(BigInteger.valueOf(ATAN_STEPS));
            BigInteger r = t.subtract(base).shiftLeft(F).divide(ONE.add(mul(t, base)));
            angle = ATAN[step].add(mul(r, arctanSeries(r)));
            e = -F;
        }
        if (!steep && !left) {
            return round(cw, sign, angle, e, false, flags, to);
        }
        BigInteger small = fixed(angle, e).max(BigInteger.ONE);
        BigInteger whole =
                steep ? left ? PI.shiftRight(1).add(small) : PI.shiftRight(1).subtract(small) : PI.subtract(small);
        return round(cw, sign, whole, -F, false, flags, to);
    }
}
