package org.xenolith.cpu.softfloat;

/**
 * Comparison, classification, remainder, rounding to integer, scaling and taking apart. Conventions as in {@link F80}.
 */
public final class F80Misc {
    /** Condition codes at their places in the status word; C1 is {@link F80#C1}. */
    public static final int C0 = 0x100;

    public static final int C2 = 0x400;
    public static final int C3 = 0x4000;
    /** From {@link #remainder}: there is no quotient, so C0 and C3 are not affected. */
    public static final int NO_QUOTIENT = 1 << 17;

    private F80Misc() {}

    /**
     * Compares; the result has C3 C2 C0 as FCOM sets them (and so ZF PF CF of FCOMI) besides the exception flags. They
     * are valid with {@link F80#NO_RESULT} too, which here means: do not pop.
     *
     * @param quiet quiet NaNs are not invalid (FUCOM)
     */
    public static int compare(int cw, long as, int ae, long bs, int be, boolean quiet) {
        if (F80.isBad(as, ae) || F80.isBad(bs, be)) {
            boolean invalid = !quiet
                    || F80.isUnsupported(as, ae)
                    || F80.isUnsupported(bs, be)
                    || F80.isSignalling(as, ae)
                    || F80.isSignalling(bs, be);
            int flags = invalid ? F80.IE : 0;
            return (F80.unmasked(cw, flags, F80.IE) ? flags | F80.NO_RESULT : flags) | C0 | C2 | C3;
        }
        int flags = cw >>> 15 & F80.DE | F80.denormalFlag(as, ae) | F80.denormalFlag(bs, be);
        if (F80.unmasked(cw, flags, F80.DE)) {
            flags |= F80.NO_RESULT;
        }
        if (as == 0 && bs == 0) {
            return flags | C3;
        }
        if (as == 0) {
            return be >= F80.SIGN ? flags : flags | C0;
        }
        if (bs == 0) {
            return ae >= F80.SIGN ? flags | C0 : flags;
        }
        if ((ae ^ be) >= F80.SIGN) {
            return ae >= F80.SIGN ? flags | C0 : flags;
        }
        // A pseudo-denormal has the value of exponent 1.
        int ea = Math.max(ae & F80.SPECIAL, 1);
        int eb = Math.max(be & F80.SPECIAL, 1);
        int order = ea != eb ? Integer.compare(ea, eb) : Long.compareUnsigned(as, bs);
        if (order == 0) {
            return flags | C3;
        }
        return order < 0 != ae >= F80.SIGN ? flags | C0 : flags;
    }

    /** FXAM's condition codes for a register that is not empty. */
    public static int examine(long sig, int se) {
        int sign = se >= F80.SIGN ? F80.C1 : 0;
        int exp = se & F80.SPECIAL;
        if (exp == 0) {
            return sign | (sig == 0 ? C3 : C3 | C2);
        }
        if (sig >= 0) {
            return sign;
        }
        if (exp == F80.SPECIAL) {
            return sign | (sig << 1 == 0 ? C2 | C0 : C0);
        }
        return sign | C2;
    }

    /** FRNDINT. */
    public static int roundToInteger(int cw, long sig, int se, long to) {
        int exp = se & F80.SPECIAL;
        int sign = se & F80.SIGN;
        if (F80.isBad(sig, se)) {
            return F80.nan(cw, sig, se, to);
        }
        if (exp >= F80.BIAS + 63 || sig == 0) {
            F80.put(to, sig, se);
            return 0;
        }
        int flags = F80.denormalFlag(sig, se);
        if (F80.unmasked(cw, flags, F80.DE)) {
            return F80.DE | F80.NO_RESULT;
        }
        int shift = F80.BIAS + 63 - exp;
        long whole = F80.shiftRightHi(sig, shift);
        long rest = F80.shiftRightLo(sig, 0, shift);
        if (rest == 0) {
            F80.put(to, sig, se);
            return flags;
        }
        flags |= F80.PE;
        if (F80.roundsUp(cw, sign, (whole & 1) != 0, rest)) {
            whole++;
            flags |= F80.C1;
        }
        if (whole == 0) {
            F80.put(to, 0, sign);
        } else {
            int n = Long.numberOfLeadingZeros(whole);
            F80.put(to, whole << n, sign | F80.BIAS + 63 - n);
        }
        return flags;
    }

    /** FSCALE: {@code a * 2^trunc(b)}. */
    public static int scale(int cw, long as, int ae, long bs, int be, long to) {
        int ea = ae & F80.SPECIAL;
        int eb = be & F80.SPECIAL;
        int sign = ae & F80.SIGN;
        if (F80.isBad(as, ae) || F80.isBad(bs, be)) {
            return F80.nan(cw, as, ae, bs, be, to);
        }
        if (eb == F80.SPECIAL) {
            boolean down = be >= F80.SIGN;
            if (ea == F80.SPECIAL && down || F80.isZero(as, ae) && !down) {
                return F80.invalid(cw, to);
            }
        }
        int flags = F80.denormalFlag(as, ae) | F80.denormalFlag(bs, be);
        if (F80.unmasked(cw, flags, F80.DE)) {
            return F80.DE | F80.NO_RESULT;
        }
        if (ea == F80.SPECIAL || as == 0) {
            F80.put(to, as, ae);
            return flags;
        }
        if (eb == F80.SPECIAL) {
            F80.put(to, be >= F80.SIGN ? 0 : F80.INTEGER_BIT, be >= F80.SIGN ? sign : sign | F80.SPECIAL);
            return flags;
        }
        int n = 0;
        if (eb >= F80.BIAS) {
            int shift = F80.BIAS + 63 - eb;
            n = shift <= 63 - 17 ? 1 << 17 : (int) (bs >>> shift);
            n = be >= F80.SIGN ? -n : n;
        }
        int exp = F80.normalExponent(as, ae) + n;
        // Where even the wrapped exponent of an unmasked exception does not fit, the result is infinity or zero.
        if (exp <= -F80.WRAP && (cw & F80.UE) == 0) {
            F80.put(to, 0, sign);
            return flags | F80.UE | F80.PE;
        }
        if (exp >= F80.SPECIAL + F80.WRAP && (cw & F80.OE) == 0) {
            F80.put(to, F80.INTEGER_BIT, sign | F80.SPECIAL);
            return flags | F80.OE | F80.PE | F80.C1;
        }
        return F80.round(cw | F80.FULL_PRECISION, sign, exp, F80.normalSignificand(as), 0, flags, to);
    }

    /**
     * FXTRACT: the exponent goes to {@code exponentTo}, the significand to {@code to}; both or none are written.
     */
    public static int extract(int cw, long sig, int se, long exponentTo, long to) {
        int sign = se & F80.SIGN;
        if (F80.isBad(sig, se)) {
            int flags = F80.nan(cw, sig, se, to);
            if ((flags & F80.NO_RESULT) == 0) {
                F80.nan(cw, sig, se, exponentTo);
            }
            return flags;
        }
        if ((se & F80.SPECIAL) == F80.SPECIAL) {
            F80.put(to, sig, se);
            F80.put(exponentTo, F80.INTEGER_BIT, F80.SPECIAL);
            return 0;
        }
        if (sig == 0) {
            if ((cw & F80.ZE) == 0) {
                return F80.ZE | F80.NO_RESULT;
            }
            F80.put(to, sig, se);
            F80.put(exponentTo, F80.INTEGER_BIT, F80.SIGN | F80.SPECIAL);
            return F80.ZE;
        }
        int flags = F80.denormalFlag(sig, se);
        if (F80.unmasked(cw, flags, F80.DE)) {
            return F80.DE | F80.NO_RESULT;
        }
        int e = F80.normalExponent(sig, se) - F80.BIAS;
        F80.put(to, F80.normalSignificand(sig), sign | F80.BIAS);
        F80.put(exponentTo, F80Convert.integerSig(e), F80Convert.integerSe(e));
        return flags;
    }

    /**
     * FPREM and FPREM1 with their condition codes (C0 C3 C1 are the quotient's bits 2 1 0, C2 says incomplete).
     *
     * @param nearest FPREM1: the quotient is rounded to nearest instead of chopped
     */
    public static int remainder(int cw, long as, int ae, long bs, int be, boolean nearest, long to) {
        int ea = ae & F80.SPECIAL;
        int eb = be & F80.SPECIAL;
        if (F80.isBad(as, ae) || F80.isBad(bs, be)) {
            return F80.nan(cw, as, ae, bs, be, to) | NO_QUOTIENT;
        }
        if (ea == F80.SPECIAL || F80.isZero(bs, be)) {
            return F80.invalid(cw, to) | NO_QUOTIENT;
        }
        int flags = F80.denormalFlag(as, ae) | F80.denormalFlag(bs, be);
        if (F80.unmasked(cw, flags, F80.DE)) {
            return F80.DE | F80.NO_RESULT | NO_QUOTIENT;
        }
        if (as == 0 || eb == F80.SPECIAL) {
            return store(cw, as, ae, flags, to);
        }
        ea = F80.normalExponent(as, ae);
        eb = F80.normalExponent(bs, be);
        long a = F80.normalSignificand(as);
        long b = F80.normalSignificand(bs);
        int sign = ae & F80.SIGN;
        int d = ea - eb;
        if (d < -1 || d < 0 && !nearest) {
            return F80.normalizeRound(cw | F80.FULL_PRECISION, sign, ea, a, 0, flags, to);
        }
        if (d >= 64) {
            // Incomplete: the exponents' difference shrinks by 32 to 63 a step.
            int n = d & 31 | 32;
            long r = Long.compareUnsigned(a, b) >= 0 ? a - b : a;
            for (int i = 0; i < n; i++) {
                boolean out = r < 0;
                r <<= 1;
                if (out || Long.compareUnsigned(r, b) >= 0) {
                    r -= b;
                }
            }
            return F80.normalizeRound(cw | F80.FULL_PRECISION, sign, ea - n, r, 0, flags | C2, to);
        }
        long q = 0;
        long r = a;
        int exp = eb;
        if (d < 0) {
            exp = ea;
        } else {
            if (Long.compareUnsigned(r, b) >= 0) {
                r -= b;
                q = 1;
            }
            for (int i = 0; i < d; i++) {
                boolean out = r < 0;
                r <<= 1;
                q <<= 1;
                if (out || Long.compareUnsigned(r, b) >= 0) {
                    r -= b;
                    q++;
                }
            }
        }
        if (nearest) {
            // Compare twice the remainder with the divisor; for d = -1 both are at the dividend's scale already.
            boolean up;
            if (d < 0) {
                up = Long.compareUnsigned(r, b) > 0;
                if (up) {
                    // b at this scale is 2b: the new remainder is 2b - a.
                    q = 1;
                    sign ^= F80.SIGN;
                    long lo = (b << 1) - r;
                    long hi = (b >>> 63) - (Long.compareUnsigned(b << 1, r) < 0 ? 1 : 0);
                    return finishRemainder(cw, sign, exp, hi, lo, q, flags, to);
                }
            } else {
                int order = r < 0 ? 1 : Long.compareUnsigned(r << 1, b);
                up = order > 0 || order == 0 && (q & 1) != 0;
                if (up) {
                    r = b - r;
                    q++;
                    sign ^= F80.SIGN;
                }
            }
        }
        return finishRemainder(cw, sign, exp, 0, r, q, flags, to);
    }

    /** {@code hi.lo} here counts units of the last place of a significand with exponent {@code exp}. */
    private static int finishRemainder(int cw, int sign, int exp, long hi, long lo, long q, int flags, long to) {
        flags |= ((q & 4) != 0 ? C0 : 0) | ((q & 2) != 0 ? C3 : 0);
        int result = F80.normalizeRound(cw | F80.FULL_PRECISION, sign, exp + 64, hi, lo, flags, to);
        return result | ((q & 1) != 0 ? F80.C1 : 0);
    }

    /** Stores an operand unchanged in value; a denormal one is an underflow where that is not masked. */
    private static int store(int cw, long sig, int se, int flags, long to) {
        if (sig == 0) {
            F80.put(to, sig, se);
            return flags;
        }
        return F80.round(
                cw | F80.FULL_PRECISION,
                se & F80.SIGN,
                F80.normalExponent(sig, se),
                F80.normalSignificand(sig),
                0,
                flags,
                to);
    }
}
