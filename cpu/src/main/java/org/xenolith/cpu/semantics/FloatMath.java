package org.xenolith.cpu.semantics;

import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Cr4;
import org.xenolith.cpu.core.GuestFault;
import org.xenolith.memory.Raw;

/**
 * Scalar binary32 and binary64 arithmetic on bit patterns, exactly as SSE does it: four rounding modes, flush-to-zero,
 * denormals-are-zero, six exceptions (Intel SDM vol. 1, chapters 4.8, 4.9 and 11.5).
 *
 * <p>An operation gets the MXCSR of before the instruction and collects exceptions in {@link Cpu#simdExceptions}; the
 * instruction calls {@link #begin} first and {@link #finish} when all lanes are computed and before anything is
 * written.
 *
 * <p>Speed: while rounding is to nearest and inexact results are masked, which is how programs run nearly always, an
 * operation whose operands and result are ordinary normal numbers is one Java operation and a few tests. It can raise
 * nothing but the sticky inexact flag, which soon is set already; until then error-free transformations tell whether to
 * set it. All else goes the exact way: unpack, compute with a sticky bit, {@link #round}. Formats are told apart by
 * {@code w}, log2 of bytes: 2 or 3, and 1 for binary16, which is converted only.
 */
public final class FloatMath {
    public static final int IE = 1;
    public static final int DE = 2;
    public static final int ZE = 4;
    public static final int OE = 8;
    public static final int UE = 0x10;
    public static final int PE = 0x20;
    public static final int DAZ = 0x40;
    public static final int UM = 0x800;
    public static final int OM = 0x400;
    public static final int PM = 0x1000;
    public static final int FTZ = 0x8000;
    /** Bits of MXCSR that exist. */
    public static final int MXCSR_MASK = 0xFFFF;

    public static final int NEAREST = 0;
    public static final int DOWN = 1;
    public static final int UP = 2;
    public static final int TRUNCATE = 3;

    /** Rounding control and precision mask, and their values in the fast case. */
    private static final int FAST_BITS = 0x6000 | PM;

    private static final int FAST = PM;

    private static final int W16 = 1;
    private static final int W32 = 2;
    private static final int W64 = 3;
    private static final long EXP64 = 0x7FF0000000000000L;
    private static final int EXP32 = 0x7F800000;

    private FloatMath() {}

    // ---------------------------------------------------------------- around an instruction

    /** Starts an instruction and returns MXCSR. */
    static int begin(Cpu c) {
        if (!c.simdCollecting) {
            c.simdExceptions = 0;
        }
        return Raw.getInt(c.base + VcpuState.MXCSR);
    }

    /** Ends the computation of an instruction: accumulates flags, and raises #XM (or #UD) for an unmasked exception. */
    static void finish(Cpu c, int csr) {
        if ((c.simdExceptions & ~csr) != 0 || (c.simdExceptions & ~(csr >>> 7)) != 0) {
            report(c, csr);
        }
    }

    /** {@link #finish} for what several lanes have collected. */
    public static void finish(Cpu c) {
        finish(c, Raw.getInt(c.base + VcpuState.MXCSR));
    }

    private static void report(Cpu c, int csr) {
        if (c.simdCollecting) {
            return;
        }
        int met = c.simdExceptions;
        int unmasked = met & ~(csr >>> 7);
        if ((unmasked & (IE | DE | ZE)) != 0) {
            // Found before anything is computed: no lane gets as far as overflow, underflow or rounding.
            met &= IE | DE | ZE;
        }
        Raw.putInt(c.base + VcpuState.MXCSR, csr | met);
        if (unmasked != 0) {
            boolean handled = (c.control(VcpuState.CR4) & Cr4.OSXMMEXCPT) != 0;
            throw c.fault(handled ? GuestFault.XM : GuestFault.UD);
        }
    }

    /** The rounding mode in MXCSR. */
    static int mode(int csr) {
        return csr >>> 13 & 3;
    }

    // ---------------------------------------------------------------- tests of ordinary values

    /** Normal, and not the smallest exponent, where a result may have been tiny before it was rounded. */
    private static boolean ordinary(long r) {
        return Long.compareUnsigned((r & EXP64) - 0x0020000000000000L, 0x7FD0000000000000L) < 0;
    }

    private static boolean ordinary(int r) {
        return Integer.compareUnsigned((r & EXP32) - 0x01000000, 0x7E800000) < 0;
    }

    private static boolean denormal(long a) {
        return (a & EXP64) == 0 && a << 1 != 0;
    }

    private static boolean denormal(int a) {
        return (a & EXP32) == 0 && a << 1 != 0;
    }

    // ---------------------------------------------------------------- was an ordinary result rounded?

    private static void noteSum(Cpu c, double a, double b, double r) {
        double part = r - a;
        if (a - (r - part) + (b - part) != 0) {
            c.simdExceptions |= PE;
        }
    }

    private static void noteSum(Cpu c, float a, float b, float r) {
        float part = r - a;
        if (a - (r - part) + (b - part) != 0) {
            c.simdExceptions |= PE;
        }
    }

    /**
     * True when {@code r}, the rounded product of normal numbers, is exact: the zeros below both significands make up
     * for the bits that a product of 105 or 106 bits has too many.
     */
    private static boolean exactProduct(long a, long b, long r) {
        int zeros = Long.numberOfTrailingZeros(a | 1L << 52) + Long.numberOfTrailingZeros(b | 1L << 52);
        long carry = (r >>> 52 & 0x7ff) - (a >>> 52 & 0x7ff) - (b >>> 52 & 0x7ff) + 1023;
        return zeros >= 52 + carry;
    }

    private static boolean exactProduct(int a, int b, int r) {
        int zeros = Integer.numberOfTrailingZeros(a | 1 << 23) + Integer.numberOfTrailingZeros(b | 1 << 23);
        int carry = (r >>> 23 & 0xff) - (a >>> 23 & 0xff) - (b >>> 23 & 0xff) + 127;
        return zeros >= 23 + carry;
    }

    /** True when {@code a * b == product} without rounding. */
    private static boolean exactly(double a, double b, double product) {
        return a * b == product
                && exactProduct(
                        Double.doubleToRawLongBits(a),
                        Double.doubleToRawLongBits(b),
                        Double.doubleToRawLongBits(product));
    }

    // ---------------------------------------------------------------- arithmetic, binary64

    static long add64(Cpu c, int csr, long a, long b) {
        if ((csr & FAST_BITS) == FAST) {
            double x = Double.longBitsToDouble(a);
            double y = Double.longBitsToDouble(b);
            double z = x + y;
            long r = Double.doubleToRawLongBits(z);
            if ((ordinary(r) || r << 1 == 0) && !denormal(a) && !denormal(b)) {
                if ((csr & PE) == 0) {
                    noteSum(c, x, y, z);
                }
                return r;
            }
        }
        return add(c, csr, W64, a, b, 0);
    }

    static long sub64(Cpu c, int csr, long a, long b) {
        if ((csr & FAST_BITS) == FAST) {
            double x = Double.longBitsToDouble(a);
            double y = Double.longBitsToDouble(b);
            double z = x - y;
            long r = Double.doubleToRawLongBits(z);
            if ((ordinary(r) || r << 1 == 0) && !denormal(a) && !denormal(b)) {
                if ((csr & PE) == 0) {
                    noteSum(c, x, -y, z);
                }
                return r;
            }
        }
        return add(c, csr, W64, a, b, 1);
    }

    static long mul64(Cpu c, int csr, long a, long b) {
        if ((csr & FAST_BITS) == FAST) {
            double x = Double.longBitsToDouble(a);
            double y = Double.longBitsToDouble(b);
            double z = x * y;
            long r = Double.doubleToRawLongBits(z);
            if ((ordinary(r) || r << 1 == 0 && (a << 1 == 0 || b << 1 == 0)) && !denormal(a) && !denormal(b)) {
                if ((csr & PE) == 0 && z != 0 && !exactProduct(a, b, r)) {
                    c.simdExceptions |= PE;
                }
                return r;
            }
        }
        return mul(c, csr, W64, a, b);
    }

    static long div64(Cpu c, int csr, long a, long b) {
        if ((csr & FAST_BITS) == FAST) {
            double x = Double.longBitsToDouble(a);
            double y = Double.longBitsToDouble(b);
            double z = x / y;
            long r = Double.doubleToRawLongBits(z);
            if (ordinary(r) && !denormal(a) && !denormal(b)) {
                if ((csr & PE) == 0 && !exactly(z, y, x)) {
                    c.simdExceptions |= PE;
                }
                return r;
            }
        }
        return div(c, csr, W64, a, b);
    }

    static long sqrt64(Cpu c, int csr, long a) {
        if ((csr & FAST_BITS) == FAST) {
            double x = Double.longBitsToDouble(a);
            double z = Math.sqrt(x);
            long r = Double.doubleToRawLongBits(z);
            if ((ordinary(r) || r << 1 == 0) && !denormal(a)) {
                if ((csr & PE) == 0 && z != 0 && !exactly(z, z, x)) {
                    c.simdExceptions |= PE;
                }
                return r;
            }
        }
        return sqrt(c, csr, W64, a);
    }

    // ---------------------------------------------------------------- arithmetic, binary32

    static int add32(Cpu c, int csr, int a, int b) {
        if ((csr & FAST_BITS) == FAST) {
            float x = Float.intBitsToFloat(a);
            float y = Float.intBitsToFloat(b);
            float z = x + y;
            int r = Float.floatToRawIntBits(z);
            if ((ordinary(r) || r << 1 == 0) && !denormal(a) && !denormal(b)) {
                if ((csr & PE) == 0) {
                    noteSum(c, x, y, z);
                }
                return r;
            }
        }
        return (int) add(c, csr, W32, a & 0xffffffffL, b & 0xffffffffL, 0);
    }

    static int sub32(Cpu c, int csr, int a, int b) {
        if ((csr & FAST_BITS) == FAST) {
            float x = Float.intBitsToFloat(a);
            float y = Float.intBitsToFloat(b);
            float z = x - y;
            int r = Float.floatToRawIntBits(z);
            if ((ordinary(r) || r << 1 == 0) && !denormal(a) && !denormal(b)) {
                if ((csr & PE) == 0) {
                    noteSum(c, x, -y, z);
                }
                return r;
            }
        }
        return (int) add(c, csr, W32, a & 0xffffffffL, b & 0xffffffffL, 1);
    }

    static int mul32(Cpu c, int csr, int a, int b) {
        if ((csr & FAST_BITS) == FAST) {
            float x = Float.intBitsToFloat(a);
            float y = Float.intBitsToFloat(b);
            float z = x * y;
            int r = Float.floatToRawIntBits(z);
            if ((ordinary(r) || r << 1 == 0 && (a << 1 == 0 || b << 1 == 0)) && !denormal(a) && !denormal(b)) {
                if ((csr & PE) == 0 && z != 0 && !exactProduct(a, b, r)) {
                    c.simdExceptions |= PE;
                }
                return r;
            }
        }
        return (int) mul(c, csr, W32, a & 0xffffffffL, b & 0xffffffffL);
    }

    static int div32(Cpu c, int csr, int a, int b) {
        if ((csr & FAST_BITS) == FAST) {
            float x = Float.intBitsToFloat(a);
            float y = Float.intBitsToFloat(b);
            float z = x / y;
            int r = Float.floatToRawIntBits(z);
            if (ordinary(r) && !denormal(a) && !denormal(b)) {
                if ((csr & PE) == 0 && (double) z * y != x) {
                    c.simdExceptions |= PE;
                }
                return r;
            }
        }
        return (int) div(c, csr, W32, a & 0xffffffffL, b & 0xffffffffL);
    }

    static int sqrt32(Cpu c, int csr, int a) {
        if ((csr & FAST_BITS) == FAST) {
            float x = Float.intBitsToFloat(a);
            float z = (float) Math.sqrt(x);
            int r = Float.floatToRawIntBits(z);
            if ((ordinary(r) || r << 1 == 0) && !denormal(a)) {
                if ((csr & PE) == 0 && (double) z * z != x) {
                    c.simdExceptions |= PE;
                }
                return r;
            }
        }
        return (int) sqrt(c, csr, W32, a & 0xffffffffL);
    }

    // ---------------------------------------------------------------- formats

    private static int fractionBits(int w) {
        return w == W64 ? 52 : w == W32 ? 23 : 10;
    }

    private static int maxExponent(int w) {
        return w == W64 ? 0x7ff : w == W32 ? 0xff : 0x1f;
    }

    private static int bias(int w) {
        return w == W64 ? 1023 : w == W32 ? 127 : 15;
    }

    private static int signShift(int w) {
        return w == W64 ? 63 : w == W32 ? 31 : 15;
    }

    private static int sign(int w, long a) {
        return (int) (a >>> signShift(w)) & 1;
    }

    private static int exponent(int w, long a) {
        return (int) (a >>> fractionBits(w)) & maxExponent(w);
    }

    private static long fraction(int w, long a) {
        return a & (1L << fractionBits(w)) - 1;
    }

    private static boolean zero(int w, long a) {
        return exponent(w, a) == 0 && fraction(w, a) == 0;
    }

    private static boolean denormal(int w, long a) {
        return exponent(w, a) == 0 && fraction(w, a) != 0;
    }

    private static boolean infinite(int w, long a) {
        return exponent(w, a) == maxExponent(w) && fraction(w, a) == 0;
    }

    private static boolean nan(int w, long a) {
        return exponent(w, a) == maxExponent(w) && fraction(w, a) != 0;
    }

    private static boolean signaling(int w, long a) {
        return nan(w, a) && (a >>> fractionBits(w) - 1 & 1) == 0;
    }

    private static long quiet(int w, long a) {
        return a | 1L << fractionBits(w) - 1;
    }

    private static long packZero(int w, int sign) {
        return (long) sign << signShift(w);
    }

    private static long packInfinity(int w, int sign) {
        return (long) sign << signShift(w) | (long) maxExponent(w) << fractionBits(w);
    }

    /** The default NaN, which is negative. */
    private static long defaultNan(int w) {
        return w == W64 ? 0xFFF8000000000000L : 0xFFC00000L;
    }

    /** An operand as the operation sees it: a denormal is a zero where MXCSR.DAZ says so. */
    private static long operand(int csr, int w, long a) {
        return (csr & DAZ) != 0 && denormal(w, a) ? packZero(w, sign(w, a)) : a;
    }

    private static void noteDenormals(Cpu c, int w, long a, long b) {
        if (denormal(w, a) || denormal(w, b)) {
            c.simdExceptions |= DE;
        }
    }

    private static long invalid(Cpu c, int w) {
        c.simdExceptions |= IE;
        return defaultNan(w);
    }

    /** The result when at least one operand is a NaN: the first one that is. */
    private static long propagate(Cpu c, int w, long a, long b) {
        if (signaling(w, a) || signaling(w, b)) {
            c.simdExceptions |= IE;
        }
        return quiet(w, nan(w, a) ? a : b);
    }

    /** Significand of a finite non-zero number with its leading one at bit 62. */
    private static long significand(int w, long a) {
        long f = fraction(w, a);
        if (exponent(w, a) == 0) {
            return f << Long.numberOfLeadingZeros(f) - 1;
        }
        return (f | 1L << fractionBits(w)) << 62 - fractionBits(w);
    }

    /** Biased exponent that goes with {@link #significand}; zero or less for denormals. */
    private static int normalExponent(int w, long a) {
        int e = exponent(w, a);
        if (e == 0) {
            return 1 - (Long.numberOfLeadingZeros(fraction(w, a)) - (63 - fractionBits(w)));
        }
        return e;
    }

    /** Shifts right; ones that fall off stick to bit 0. */
    private static long shiftSticky(long x, int n) {
        if (n == 0) {
            return x;
        }
        if (n > 63) {
            return x != 0 ? 1 : 0;
        }
        return x >>> n | (x << 64 - n != 0 ? 1 : 0);
    }

    // ---------------------------------------------------------------- rounding

    /**
     * Rounds {@code significand * 2^(exponent - bias - 62)} to format {@code w}; bit 0 of the significand may be a
     * sticky bit.
     */
    private static long round(Cpu c, int csr, int w, int sign, int exponent, long significand) {
        if (significand == 0) {
            return packZero(w, sign);
        }
        int lead = Long.numberOfLeadingZeros(significand);
        if (lead == 0) {
            significand = significand >>> 1 | significand & 1;
            exponent++;
        } else {
            significand <<= lead - 1;
            exponent -= lead - 1;
        }
        int drop = 62 - fractionBits(w);
        long rest = significand & (1L << drop) - 1;
        long rounded = roundAt(csr, sign, significand, drop);
        if (exponent <= 0) {
            // Tiny after rounding as if exponents had no bounds: a carry may still lift it to the smallest normal
            // number.
            boolean tiny = exponent < 0 || rounded >= 0;
            if (tiny && (csr & UM) == 0) {
                c.simdExceptions |= rest != 0 ? UE | PE : UE;
                return packZero(w, sign);
            }
            if (tiny && (csr & FTZ) != 0) {
                c.simdExceptions |= UE | PE;
                return packZero(w, sign);
            }
            significand = shiftSticky(significand, 1 - exponent);
            if ((significand & (1L << drop) - 1) != 0) {
                c.simdExceptions |= tiny ? UE | PE : PE;
            }
            return packZero(w, sign) | roundAt(csr, sign, significand, drop) >>> drop;
        }
        if (rest != 0) {
            c.simdExceptions |= PE;
        }
        if (rounded < 0) {
            rounded >>>= 1;
            exponent++;
        }
        if (exponent >= maxExponent(w)) {
            return overflow(c, csr, w, sign);
        }
        return packZero(w, sign) | (long) exponent << fractionBits(w) | fraction(w, rounded >>> drop);
    }

    /** Rounds off the low {@code drop} bits; they are clear in the result. */
    private static long roundAt(int csr, int sign, long significand, int drop) {
        long mask = (1L << drop) - 1;
        long r = significand;
        switch (mode(csr)) {
            case NEAREST -> {
                long half = 1L << drop - 1;
                r += half;
                if ((significand & mask) == half) {
                    r &= ~(1L << drop);
                }
            }
            case DOWN -> r += sign != 0 ? mask : 0;
            case UP -> r += sign != 0 ? 0 : mask;
            default -> {}
        }
        return r & ~mask;
    }

    private static long overflow(Cpu c, int csr, int w, int sign) {
        // The masked response is inexact by definition.
        c.simdExceptions |= (csr & OM) != 0 ? OE | PE : OE;
        int mode = mode(csr);
        boolean infinity = mode == NEAREST || mode == (sign != 0 ? DOWN : UP);
        return infinity ? packInfinity(w, sign) : packInfinity(w, sign) - 1;
    }

    // ---------------------------------------------------------------- the exact way

    /** a + b, or a - b with {@code negate} 1. */
    private static long add(Cpu c, int csr, int w, long a, long b, int negate) {
        a = operand(csr, w, a);
        b = operand(csr, w, b);
        if (nan(w, a) || nan(w, b)) {
            return propagate(c, w, a, b);
        }
        int signA = sign(w, a);
        int signB = sign(w, b) ^ negate;
        boolean infiniteA = infinite(w, a);
        boolean infiniteB = infinite(w, b);
        if (infiniteA && infiniteB && signA != signB) {
            return invalid(c, w);
        }
        noteDenormals(c, w, a, b);
        if (infiniteA || infiniteB) {
            return packInfinity(w, infiniteA ? signA : signB);
        }
        if (zero(w, a) && zero(w, b)) {
            return packZero(w, signA == signB ? signA : mode(csr) == DOWN ? 1 : 0);
        }
        if (zero(w, a)) {
            return round(c, csr, w, signB, normalExponent(w, b), significand(w, b));
        }
        if (zero(w, b)) {
            return round(c, csr, w, signA, normalExponent(w, a), significand(w, a));
        }
        int exponentA = normalExponent(w, a);
        int exponentB = normalExponent(w, b);
        int exponent = Math.max(exponentA, exponentB);
        long x = shiftSticky(significand(w, a), exponent - exponentA);
        long y = shiftSticky(significand(w, b), exponent - exponentB);
        if (signA == signB) {
            return round(c, csr, w, signA, exponent, x + y);
        }
        if (x == y) {
            return packZero(w, mode(csr) == DOWN ? 1 : 0);
        }
        return x > y ? round(c, csr, w, signA, exponent, x - y) : round(c, csr, w, signB, exponent, y - x);
    }

    private static long mul(Cpu c, int csr, int w, long a, long b) {
        a = operand(csr, w, a);
        b = operand(csr, w, b);
        if (nan(w, a) || nan(w, b)) {
            return propagate(c, w, a, b);
        }
        boolean infinite = infinite(w, a) || infinite(w, b);
        boolean zero = zero(w, a) || zero(w, b);
        if (infinite && zero) {
            return invalid(c, w);
        }
        noteDenormals(c, w, a, b);
        int sign = sign(w, a) ^ sign(w, b);
        if (infinite) {
            return packInfinity(w, sign);
        }
        if (zero) {
            return packZero(w, sign);
        }
        long x = significand(w, a);
        long y = significand(w, b);
        long product = Math.multiplyHigh(x, y) | (x * y != 0 ? 1 : 0);
        return round(c, csr, w, sign, normalExponent(w, a) + normalExponent(w, b) - bias(w) + 2, product);
    }

    /** a * b + z, the product and then the addend negated if asked, in binary64. */
    static long fma64(Cpu c, int csr, long a, long b, long z, boolean negate, boolean subtract) {
        if ((csr & (FAST_BITS | PE)) == (FAST | PE) && !denormal(a) && !denormal(b) && !denormal(z)) {
            double x = Double.longBitsToDouble(negate ? a ^ Long.MIN_VALUE : a);
            double addend = Double.longBitsToDouble(subtract ? z ^ Long.MIN_VALUE : z);
            long r = Double.doubleToRawLongBits(Math.fma(x, Double.longBitsToDouble(b), addend));
            if (ordinary(r)) {
                return r;
            }
        }
        return fma(c, csr, W64, a, b, z, negate, subtract);
    }

    /** {@link #fma64} in binary32. */
    static int fma32(Cpu c, int csr, int a, int b, int z, boolean negate, boolean subtract) {
        if ((csr & (FAST_BITS | PE)) == (FAST | PE) && !denormal(a) && !denormal(b) && !denormal(z)) {
            float x = Float.intBitsToFloat(negate ? a ^ Integer.MIN_VALUE : a);
            float addend = Float.intBitsToFloat(subtract ? z ^ Integer.MIN_VALUE : z);
            int r = Float.floatToRawIntBits(Math.fma(x, Float.intBitsToFloat(b), addend));
            if (ordinary(r)) {
                return r;
            }
        }
        return (int) fma(c, csr, W32, a & 0xffffffffL, b & 0xffffffffL, z & 0xffffffffL, negate, subtract);
    }

    private static long fma(Cpu c, int csr, int w, long a, long b, long z, boolean negate, boolean subtract) {
        a = operand(csr, w, a);
        b = operand(csr, w, b);
        z = operand(csr, w, z);
        boolean infinite = infinite(w, a) || infinite(w, b);
        boolean zero = zero(w, a) || zero(w, b);
        if (nan(w, a) || nan(w, b) || nan(w, z)) {
            if (signaling(w, z)) {
                c.simdExceptions |= IE;
            }
            return nan(w, a) || nan(w, b) ? propagate(c, w, a, b) : quiet(w, z);
        }
        int sign = sign(w, a) ^ sign(w, b) ^ (negate ? 1 : 0);
        int signZ = sign(w, z) ^ (subtract ? 1 : 0);
        if (infinite && zero || infinite && infinite(w, z) && sign != signZ) {
            return invalid(c, w);
        }
        noteDenormals(c, w, a, b);
        noteDenormals(c, w, z, z);
        if (infinite || infinite(w, z)) {
            return packInfinity(w, infinite ? sign : signZ);
        }
        if (zero) {
            if (zero(w, z)) {
                return packZero(w, sign == signZ ? sign : mode(csr) == DOWN ? 1 : 0);
            }
            return round(c, csr, w, signZ, normalExponent(w, z), significand(w, z));
        }
        long x = significand(w, a);
        long y = significand(w, b);
        int exponent = normalExponent(w, a) + normalExponent(w, b) - bias(w);
        if (zero(w, z)) {
            return roundWide(c, csr, w, sign, exponent, Math.multiplyHigh(x, y), x * y);
        }
        return addWide(
                c,
                csr,
                w,
                exponent,
                Math.multiplyHigh(x, y),
                x * y,
                sign,
                normalExponent(w, z),
                significand(w, z) >>> 2,
                significand(w, z) << 62,
                signZ);
    }

    /**
     * Sum of two numbers of 128 bits, rounded. A number is {@code (high:low) * 2^(exponent - bias - 124)}, leading one at bit
     * 124 or 125. A significand and a product of two leave the low 20 bits free: nothing that counts falls off before
     * cancellation is out of the question.
     */
    private static long addWide(
            Cpu c,
            int csr,
            int w,
            int exponentA,
            long highA,
            long lowA,
            int signA,
            int exponentB,
            long highB,
            long lowB,
            int signB) {
        if (exponentA < exponentB) {
            return addWide(c, csr, w, exponentB, highB, lowB, signB, exponentA, highA, lowA, signA);
        }
        int shift = exponentA - exponentB;
        long low;
        long high;
        if (shift == 0) {
            low = lowB;
            high = highB;
        } else if (shift < 64) {
            boolean lost = lowB << 64 - shift != 0;
            low = lowB >>> shift | highB << 64 - shift | (lost ? 1 : 0);
            high = highB >>> shift;
        } else {
            boolean lost = lowB != 0 || shift > 64 && shift < 128 && highB << 128 - shift != 0;
            low = shift < 128 ? highB >>> shift - 64 | (lost ? 1 : 0) : 1;
            high = 0;
        }
        if (signA == signB) {
            long sum = lowA + low;
            long carry = Long.compareUnsigned(sum, low) < 0 ? 1 : 0;
            return roundWide(c, csr, w, signA, exponentA, highA + high + carry, sum);
        }
        boolean swap = highA != high ? highA < high : Long.compareUnsigned(lowA, low) < 0;
        long difference = swap ? low - lowA : lowA - low;
        long borrow = Long.compareUnsigned(swap ? low : lowA, swap ? lowA : low) < 0 ? 1 : 0;
        long highDifference = (swap ? high - highA : highA - high) - borrow;
        if ((difference | highDifference) == 0) {
            return packZero(w, mode(csr) == DOWN ? 1 : 0);
        }
        return roundWide(c, csr, w, swap ? signB : signA, exponentA, highDifference, difference);
    }

    /** Rounds a number of {@link #addWide}, whose leading one may be anywhere. */
    private static long roundWide(Cpu c, int csr, int w, int sign, int exponent, long high, long low) {
        int lead = high != 0 ? Long.numberOfLeadingZeros(high) : 64 + Long.numberOfLeadingZeros(low);
        int shift = lead - 1;
        // The leading one goes to bit 62 of the upper half: at bit 124 it means the exponent as it is.
        long top;
        long rest;
        if (shift < 0) {
            top = high >>> 1;
            rest = high & 1 | low;
        } else if (shift == 0) {
            top = high;
            rest = low;
        } else if (shift < 64) {
            top = high << shift | low >>> 64 - shift;
            rest = low << shift;
        } else {
            top = low << shift - 64;
            rest = 0;
        }
        return round(c, csr, w, sign, exponent + 2 - shift, top | (rest != 0 ? 1 : 0));
    }

    private static long div(Cpu c, int csr, int w, long a, long b) {
        a = operand(csr, w, a);
        b = operand(csr, w, b);
        if (nan(w, a) || nan(w, b)) {
            return propagate(c, w, a, b);
        }
        int sign = sign(w, a) ^ sign(w, b);
        if (infinite(w, a) && infinite(w, b) || zero(w, a) && zero(w, b)) {
            return invalid(c, w);
        }
        if (zero(w, b) && !infinite(w, a)) {
            c.simdExceptions |= ZE;
            return packInfinity(w, sign);
        }
        noteDenormals(c, w, a, b);
        if (infinite(w, a)) {
            return packInfinity(w, sign);
        }
        if (infinite(w, b) || zero(w, a)) {
            return packZero(w, sign);
        }
        // Both scaled to [1, 2): the quotient in 53 bits, and from the sign of its exact remainder what lies below.
        double x = unit(significand(w, a));
        double y = unit(significand(w, b));
        double q = x / y;
        return round(
                c,
                csr,
                w,
                sign,
                normalExponent(w, a) - normalExponent(w, b) + bias(w) + (int) exponentOf(q),
                withRemainder(q, Math.fma(-q, y, x)));
    }

    private static long sqrt(Cpu c, int csr, int w, long a) {
        a = operand(csr, w, a);
        if (nan(w, a)) {
            return propagate(c, w, a, a);
        }
        if (zero(w, a)) {
            return a;
        }
        if (sign(w, a) != 0) {
            return invalid(c, w);
        }
        noteDenormals(c, w, a, a);
        if (infinite(w, a)) {
            return a;
        }
        int exponent = normalExponent(w, a) - bias(w);
        double x = unit(significand(w, a));
        if ((exponent & 1) != 0) {
            x *= 2;
            exponent--;
        }
        double r = Math.sqrt(x);
        return round(c, csr, w, 0, exponent / 2 + bias(w), withRemainder(r, Math.fma(-r, r, x)));
    }

    /** A significand with its leading one at bit 62 as a number in [1, 2); exact for at most 53 bits. */
    private static double unit(long significand) {
        return Double.longBitsToDouble(0x3FF0000000000000L | significand >>> 10 & 0x000FFFFFFFFFFFFFL);
    }

    private static long exponentOf(double positive) {
        return (Double.doubleToRawLongBits(positive) >>> 52) - 1023;
    }

    /** The significand of {@code q}, leading one at bit 62, nudged towards where the exact value lies. */
    private static long withRemainder(double q, double remainder) {
        long significand = (Double.doubleToRawLongBits(q) & 0x000FFFFFFFFFFFFFL | 0x0010000000000000L) << 10;
        return significand + (remainder > 0 ? 1 : remainder < 0 ? -1 : 0);
    }

    // ---------------------------------------------------------------- minimum, maximum, comparisons

    /** MINxx, MAXxx: the second operand when either is a NaN or both are zero. */
    static long minMax(Cpu c, int csr, int w, long a, long b, boolean max) {
        a = operand(csr, w, a);
        b = operand(csr, w, b);
        if (nan(w, a) || nan(w, b)) {
            c.simdExceptions |= IE;
            return b;
        }
        noteDenormals(c, w, a, b);
        long x = ordered(w, a);
        long y = ordered(w, b);
        return (max ? x > y : x < y) ? a : b;
    }

    /** Integers in the same order as the numbers; both zeros are 0. */
    private static long ordered(int w, long a) {
        long magnitude = a & (1L << signShift(w)) - 1;
        return sign(w, a) != 0 ? -magnitude : magnitude;
    }

    /** Which of below (1), equal (2), above (4), unordered (8) make a predicate true. */
    private static final int[] HOLDS = {2, 1, 3, 8, 13, 14, 12, 7, 10, 9, 11, 0, 5, 6, 4, 15};

    /**
     * CMPxx and VCMPxx: predicates 0..7 are EQ LT LE UNORD NEQ NLT NLE ORD, 8..15 are EQ_UQ NGE NGT FALSE NEQ_OQ GE GT TRUE; 16
     * more exchanges whether quiet NaNs signal.
     */
    static boolean compare(Cpu c, int csr, int w, long a, long b, int predicate) {
        a = operand(csr, w, a);
        b = operand(csr, w, b);
        int holds = HOLDS[predicate & 15];
        if (nan(w, a) || nan(w, b)) {
            boolean signals = ((predicate & 3) == 1 || (predicate & 3) == 2) != ((predicate & 16) != 0);
            if (signals || signaling(w, a) || signaling(w, b)) {
                c.simdExceptions |= IE;
            }
            return (holds & 8) != 0;
        }
        noteDenormals(c, w, a, b);
        long x = ordered(w, a);
        long y = ordered(w, b);
        return (holds & (x < y ? 1 : x == y ? 2 : 4)) != 0;
    }

    /** COMISx, UCOMISx: 0 equal, -1 below, 1 above, 2 unordered. */
    static int order(Cpu c, int csr, int w, long a, long b, boolean quietNansSignal) {
        if (w == W64 && !denormal(a) && !denormal(b)) {
            double x = Double.longBitsToDouble(a);
            double y = Double.longBitsToDouble(b);
            if (x > y) {
                return 1;
            } else if (x < y) {
                return -1;
            } else if (x == y) {
                return 0;
            }
        }
        a = operand(csr, w, a);
        b = operand(csr, w, b);
        if (nan(w, a) || nan(w, b)) {
            if (quietNansSignal || signaling(w, a) || signaling(w, b)) {
                c.simdExceptions |= IE;
            }
            return 2;
        }
        noteDenormals(c, w, a, b);
        return Long.compare(ordered(w, a), ordered(w, b));
    }

    // ---------------------------------------------------------------- conversions

    /** CVTSS2SD. */
    static long widen(Cpu c, int csr, int bits) {
        long a = operand(csr, W32, bits & 0xffffffffL);
        if (nan(W32, a)) {
            if (signaling(W32, a)) {
                c.simdExceptions |= IE;
            }
            return (long) sign(W32, a) << 63 | EXP64 | fraction(W32, quiet(W32, a)) << 29;
        }
        noteDenormals(c, W32, a, a);
        return Double.doubleToRawLongBits(Float.intBitsToFloat((int) a));
    }

    /** CVTSD2SS. */
    static int narrow(Cpu c, int csr, long bits) {
        if ((csr & FAST_BITS) == FAST) {
            double x = Double.longBitsToDouble(bits);
            float z = (float) x;
            int r = Float.floatToRawIntBits(z);
            if (ordinary(r) || bits << 1 == 0) {
                if (z != x) {
                    c.simdExceptions |= PE;
                }
                return r;
            }
        }
        long a = operand(csr, W64, bits);
        int sign = sign(W64, a);
        if (nan(W64, a)) {
            if (signaling(W64, a)) {
                c.simdExceptions |= IE;
            }
            return sign << 31 | EXP32 | (int) (fraction(W64, quiet(W64, a)) >>> 29);
        }
        noteDenormals(c, W64, a, a);
        if (zero(W64, a)) {
            return sign << 31;
        }
        if (infinite(W64, a)) {
            return sign << 31 | EXP32;
        }
        return (int) round(c, csr, W32, sign, normalExponent(W64, a) - 1023 + 127, significand(W64, a));
    }

    /** VCVTPH2PS: exact, and denormals are never noted or flushed. */
    static int widenHalf(Cpu c, int bits) {
        if (nan(W16, bits)) {
            if (signaling(W16, bits)) {
                c.simdExceptions |= IE;
            }
            return sign(W16, bits) << 31 | EXP32 | (int) fraction(W16, quiet(W16, bits)) << 13;
        }
        return Float.floatToRawIntBits(Float.float16ToFloat((short) bits));
    }

    /** VCVTPS2PH: bit 2 of {@code imm} takes the mode from MXCSR, otherwise bits 0-1 are it; nothing flushes to zero. */
    static int narrowHalf(Cpu c, int csr, int bits, int imm) {
        long a = operand(csr, W32, bits & 0xffffffffL);
        int sign = sign(W32, a);
        if (nan(W32, a)) {
            if (signaling(W32, a)) {
                c.simdExceptions |= IE;
            }
            return sign << 15 | 0x7C00 | (int) (fraction(W32, quiet(W32, a)) >>> 13);
        }
        noteDenormals(c, W32, a, a);
        if (zero(W32, a)) {
            return sign << 15;
        }
        if (infinite(W32, a)) {
            return sign << 15 | 0x7C00;
        }
        int mode = (imm & 4) != 0 ? mode(csr) : imm & 3;
        int control = csr & ~(FTZ | 3 << 13) | mode << 13;
        return (int) round(c, control, W16, sign, normalExponent(W32, a) - 127 + 15, significand(W32, a));
    }

    /** CVTSI2SS from a 64-bit (or sign-extended 32-bit) integer. */
    static int fromInteger32(Cpu c, int csr, long value) {
        if ((csr & FAST_BITS) == FAST && (value == (int) value || (csr & PE) != 0)) {
            float z = value;
            if ((csr & PE) == 0 && (long) z != value) {
                c.simdExceptions |= PE;
            }
            return Float.floatToRawIntBits(z);
        }
        return (int) round(c, csr, W32, value < 0 ? 1 : 0, 127 + 62, Math.abs(value));
    }

    /** CVTSI2SD from a 64-bit (or sign-extended 32-bit) integer. */
    static long fromInteger64(Cpu c, int csr, long value) {
        if (value == (int) value || (csr & (FAST_BITS | PE)) == (FAST | PE)) {
            return Double.doubleToRawLongBits((double) value);
        }
        return round(c, csr, W64, value < 0 ? 1 : 0, 1023 + 62, Math.abs(value));
    }

    /**
     * A number to a signed integer of 32 or 64 bits; the "integer indefinite" value, the most negative one, where there
     * is none.
     */
    static long toInteger(Cpu c, int csr, double x, int mode, boolean wide) {
        if ((csr & DAZ) != 0 && Math.abs(x) < Double.MIN_NORMAL) {
            x = 0;
        }
        return toIntegerExact(c, x, mode, wide);
    }

    /** Like {@link #toInteger} for a binary32 number, whose denormals are other ones. */
    static long toInteger(Cpu c, int csr, float x, int mode, boolean wide) {
        if ((csr & DAZ) != 0 && Math.abs(x) < Float.MIN_NORMAL) {
            x = 0;
        }
        return toIntegerExact(c, x, mode, wide);
    }

    private static long toIntegerExact(Cpu c, double x, int mode, boolean wide) {
        double r = mode == TRUNCATE ? (double) (long) x : roundToIntegral(x, mode);
        // A NaN fails both comparisons. 2^63 and 2^31 are one too many.
        boolean fits = wide ? x >= -0x1p63 && x < 0x1p63 : r >= -0x1p31 && r <= 0x7fffffffL && !Double.isNaN(x);
        if (!fits) {
            c.simdExceptions |= IE;
            return wide ? Long.MIN_VALUE : 0x80000000L;
        }
        if (r != x) {
            c.simdExceptions |= PE;
        }
        return wide ? (long) r : (long) r & 0xffffffffL;
    }

    private static double roundToIntegral(double x, int mode) {
        return switch (mode) {
            case NEAREST -> Math.rint(x);
            case DOWN -> Math.floor(x);
            case UP -> Math.ceil(x);
            default -> x < 0 ? Math.ceil(x) : Math.floor(x);
        };
    }

    /** ROUNDSD: bit 3 of {@code imm} keeps inexact results quiet, bit 2 takes the mode from MXCSR. */
    static long roundToIntegral64(Cpu c, int csr, long bits, int imm) {
        long a = operand(csr, W64, bits);
        if (nan(W64, a)) {
            return propagate(c, W64, a, a);
        }
        double x = Double.longBitsToDouble(a);
        double r = roundToIntegral(x, (imm & 4) != 0 ? mode(csr) : imm & 3);
        if (r != x && (imm & 8) == 0) {
            c.simdExceptions |= PE;
        }
        return Double.doubleToRawLongBits(r);
    }

    /** ROUNDSS. */
    static int roundToIntegral32(Cpu c, int csr, int bits, int imm) {
        long a = operand(csr, W32, bits & 0xffffffffL);
        if (nan(W32, a)) {
            return (int) propagate(c, W32, a, a);
        }
        float x = Float.intBitsToFloat((int) a);
        float r = (float) roundToIntegral(x, (imm & 4) != 0 ? mode(csr) : imm & 3);
        if (r != x && (imm & 8) == 0) {
            c.simdExceptions |= PE;
        }
        return Float.floatToRawIntBits(r);
    }

    // ---------------------------------------------------------------- approximations

    /**
     * RCPPS: the reciprocal. Hardware is allowed a relative error of 1.5 * 2^-12 and each model errs its own way; this
     * is the nearest number. Denormals count as zeros, tiny results become zeros; no exceptions.
     */
    static int reciprocal(int bits) {
        long a = operand(DAZ, W32, bits & 0xffffffffL);
        if (nan(W32, a)) {
            return (int) quiet(W32, a);
        }
        int r = Float.floatToRawIntBits(1 / Float.intBitsToFloat((int) a));
        return denormal(r) ? r & 0x80000000 : r;
    }

    /** RSQRTPS: the reciprocal of the square root, as {@link #reciprocal}. */
    static int reciprocalSquareRoot(int bits) {
        long a = operand(DAZ, W32, bits & 0xffffffffL);
        if (nan(W32, a)) {
            return (int) quiet(W32, a);
        }
        if (zero(W32, a)) {
            return (int) a | EXP32;
        }
        if (sign(W32, a) != 0) {
            return (int) defaultNan(W32);
        }
        return Float.floatToRawIntBits((float) (1 / Math.sqrt(Float.intBitsToFloat((int) a))));
    }
}
