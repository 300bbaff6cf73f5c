package org.xenolith.cpu.softfloat;

import org.xenolith.memory.Raw;

/**
 * The double-extended format: representation, NaN rules, rounding, and the basic operations.
 *
 * <p>A value is a 64-bit significand with explicit integer bit and a 16-bit word of sign (bit 15) and exponent (bias
 * 16383), passed as {@code (long sig, int se)} with {@code se} in 0..0xffff. Each operation
 * {@code op(cw, operands..., to)} rounds as the x87 control word {@code cw} says, stores ten bytes at the host address
 * {@code to} and returns exception flags at their places in the status word, {@link #C1} when the significand was
 * rounded up, and {@link #NO_RESULT} when an unmasked exception keeps it from storing anything.
 *
 * <p>Source: Intel SDM vol. 1, chapters 4 and 8; where processors differ, AMD Zen 4 as measured.
 */
public final class F80 {
    public static final int IE = 1;
    public static final int DE = 2;
    public static final int ZE = 4;
    public static final int OE = 8;
    public static final int UE = 0x10;
    public static final int PE = 0x20;
    /** The result's magnitude was rounded up. */
    public static final int C1 = 0x200;
    /** An unmasked exception: nothing was stored. */
    public static final int NO_RESULT = 1 << 16;

    /** In a control word argument: an operand came from memory as a denormal of a shorter format. */
    public static final int DENORMAL_OPERAND = 1 << 16;
    /** In a control word argument: full precision whatever the precision control says. */
    public static final int FULL_PRECISION = 0x300;

    /** Sign and exponent of infinities and NaNs, without the sign. */
    public static final int SPECIAL = 0x7fff;

    public static final int BIAS = 16383;
    public static final int SIGN = 0x8000;
    public static final long INTEGER_BIT = 1L << 63;
    public static final long QUIET_BIT = 1L << 62;
    /** The NaN of invalid operations ("real indefinite"). */
    public static final long INDEFINITE_SIG = INTEGER_BIT | QUIET_BIT;

    public static final int INDEFINITE_SE = 0xffff;

    /** How far an exponent is moved when overflow or underflow is not masked. */
    static final int WRAP = 0x6000;

    private F80() {}

    // ---------------------------------------------------------------- representation

    /** Stores a value. */
    public static void put(long to, long sig, int se) {
        Raw.putLong(to, sig);
        Raw.putShort(to + 8, (short) se);
    }

    /** Exponent field not 0 and not the special one, and the integer bit set. */
    static boolean isNormal(long sig, int exp) {
        return sig < 0 && exp != 0 && exp != SPECIAL;
    }

    /** Encodings that the 387 and its successors reject: integer bit clear although the exponent is not zero. */
    public static boolean isUnsupported(long sig, int se) {
        return sig >= 0 && (se & SPECIAL) != 0;
    }

    public static boolean isNan(long sig, int se) {
        return (se & SPECIAL) == SPECIAL && sig << 1 != 0 && sig < 0;
    }

    public static boolean isSignalling(long sig, int se) {
        return isNan(sig, se) && (sig & QUIET_BIT) == 0;
    }

    public static boolean isInfinite(long sig, int se) {
        return (se & SPECIAL) == SPECIAL && sig == INTEGER_BIT;
    }

    public static boolean isZero(long sig, int se) {
        return sig == 0 && (se & SPECIAL) == 0;
    }

    /** Denormals and pseudo-denormals. */
    public static boolean isDenormal(long sig, int se) {
        return sig != 0 && (se & SPECIAL) == 0;
    }

    /** NaN or unsupported. */
    static boolean isBad(long sig, int se) {
        return (se & SPECIAL) != 0 && (sig >= 0 || (se & SPECIAL) == SPECIAL && sig != INTEGER_BIT);
    }

    static int denormalFlag(long sig, int se) {
        return isDenormal(sig, se) ? DE : 0;
    }

    /** True when {@code flags} hold one of {@code kinds} that the control word does not mask. */
    static boolean unmasked(int cw, int flags, int kinds) {
        return (flags & ~cw & kinds) != 0;
    }

    /** Response to an invalid operation. */
    static int invalid(int cw, long to) {
        if ((cw & IE) == 0) {
            return IE | NO_RESULT;
        }
        put(to, INDEFINITE_SIG, INDEFINITE_SE);
        return IE;
    }

    /** Result of an operation on one NaN or unsupported value. */
    static int nan(int cw, long sig, int se, long to) {
        if (isUnsupported(sig, se)) {
            return invalid(cw, to);
        }
        int flags = isSignalling(sig, se) ? IE : 0;
        if (unmasked(cw, flags, IE)) {
            return IE | NO_RESULT;
        }
        put(to, sig | QUIET_BIT, se);
        return flags;
    }

    /**
     * Result of an operation on two values of which at least one is a NaN or unsupported (SDM vol. 1, table 4-7): a
     * quiet one wins over a signalling one, then the larger significand, then the positive sign.
     */
    static int nan(int cw, long as, int ae, long bs, int be, long to) {
        if (isUnsupported(as, ae) || isUnsupported(bs, be)) {
            return invalid(cw, to);
        }
        boolean aNan = isNan(as, ae);
        boolean bNan = isNan(bs, be);
        boolean aSignals = isSignalling(as, ae);
        boolean bSignals = isSignalling(bs, be);
        int flags = aSignals || bSignals ? IE : 0;
        if (unmasked(cw, flags, IE)) {
            return IE | NO_RESULT;
        }
        boolean first;
        if (!aNan || !bNan) {
            first = aNan;
        } else if (aSignals != bSignals) {
            first = bSignals;
        } else if (as != bs) {
            first = Long.compareUnsigned(as, bs) > 0;
        } else {
            first = ae < be;
        }
        put(to, (first ? as : bs) | QUIET_BIT, first ? ae : be);
        return flags;
    }

    // ---------------------------------------------------------------- rounding

    /** True when a remainder {@code lo} (in units of 2^-64 of the last place) makes the magnitude go up. */
    static boolean roundsUp(int cw, int sign, boolean odd, long lo) {
        return switch (cw >>> 10 & 3) {
            case 0 -> lo < 0 && (lo != Long.MIN_VALUE || odd);
            case 1 -> lo != 0 && sign != 0;
            case 2 -> lo != 0 && sign == 0;
            default -> false;
        };
    }

    /** Bits of the significand that precision control drops. */
    private static int droppedBits(int cw) {
        return switch (cw >>> 8 & 3) {
            case 0 -> 40;
            case 2 -> 11;
            default -> 0;
        };
    }

    /**
     * Rounds {@code hi.lo}, whose top bit is set, with biased exponent {@code exp} (any size), under precision control,
     * and stores it.
     *
     * @param sign 0 or {@link #SIGN}
     * @param flags what is known already, returned with the rounding's own flags
     */
    static int round(int cw, int sign, int exp, long hi, long lo, int flags, long to) {
        int drop = droppedBits(cw);
        if (exp - 1 < 0x7ffd && exp > 0 && drop == 0) {
            // The common case: neither limit of the range can be reached.
            if (lo == 0) {
                put(to, hi, sign | exp);
                return flags;
            }
            if (!roundsUp(cw, sign, (hi & 1) != 0, lo)) {
                put(to, hi, sign | exp);
                return flags | PE;
            }
            hi++;
            if (hi == 0) {
                hi = INTEGER_BIT;
                exp++;
            }
            put(to, hi, sign | exp);
            return flags | PE | C1;
        }
        return roundSlow(cw, sign, exp, hi, lo, drop, flags, to);
    }

    private static int roundSlow(int cw, int sign, int exp, long hi, long lo, int drop, int flags, long to) {
        long ulp = 1L << drop;
        if (exp <= 0) {
            long rest = drop == 0 ? lo : hi << 64 - drop | (lo != 0 ? 1 : 0);
            // Tiny means: below the smallest normal number even after rounding with an unlimited exponent.
            boolean tiny = exp < 0 || (hi | ulp - 1) != -1 || !roundsUp(cw, sign, true, rest);
            if (tiny && (cw & UE) == 0) {
                exp += WRAP;
                flags |= UE;
            } else {
                return roundTiny(cw, sign, exp, hi, lo, drop, tiny, flags, to);
            }
        }
        long rest = drop == 0 ? lo : hi << 64 - drop | (lo != 0 ? 1 : 0);
        hi &= -ulp;
        boolean up = rest != 0 && roundsUp(cw, sign, (hi & ulp) != 0, rest);
        if (up) {
            hi += ulp;
            if (hi == 0) {
                hi = INTEGER_BIT;
                exp++;
            }
        }
        if (rest != 0) {
            flags |= up ? PE | C1 : PE;
        }
        if (exp >= SPECIAL) {
            flags |= OE;
            if ((cw & OE) != 0) {
                return overflow(cw, sign, drop, flags, to);
            }
            exp -= WRAP;
        }
        put(to, hi, sign | exp & SPECIAL);
        return flags;
    }

    private static int overflow(int cw, int sign, int drop, int flags, long to) {
        boolean infinite = switch (cw >>> 10 & 3) {
            case 0 -> true;
            case 1 -> sign != 0;
            case 2 -> sign == 0;
            default -> false;
        };
        if (infinite) {
            put(to, INTEGER_BIT, sign | SPECIAL);
            return flags | PE | C1;
        }
        put(to, -1L << drop, sign | SPECIAL - 1);
        return (flags | PE) & ~C1;
    }

    private static int roundTiny(
            int cw, int sign, int exp, long hi, long lo, int drop, boolean tiny, int flags, long to) {
        int shift = 1 - exp;
        long h = shiftRightHi(hi, shift);
        long l = shiftRightLo(hi, lo, shift);
        long ulp = 1L << drop;
        long rest = drop == 0 ? l : h << 64 - drop | (l != 0 ? 1 : 0);
        h &= -ulp;
        boolean up = rest != 0 && roundsUp(cw, sign, (h & ulp) != 0, rest);
        if (up) {
            h += ulp;
        }
        if (rest != 0) {
            flags |= PE | (up ? C1 : 0) | (tiny ? UE : 0);
        }
        put(to, h, sign | (h < 0 ? 1 : 0));
        return flags;
    }

    /** Upper half of {@code hi.lo >>> shift}, any shift from 0 up. */
    static long shiftRightHi(long hi, int shift) {
        return shift < 64 ? hi >>> shift : 0;
    }

    /** Lower half of {@code hi.lo >>> shift}; what falls out is or-ed into its last bit. */
    static long shiftRightLo(long hi, long lo, int shift) {
        if (shift == 0) {
            return lo;
        }
        if (shift < 64) {
            return hi << 64 - shift | lo >>> shift | (lo << 64 - shift != 0 ? 1 : 0);
        }
        if (shift == 64) {
            return hi | (lo != 0 ? 1 : 0);
        }
        if (shift < 128) {
            return hi >>> shift - 64 | (hi << 128 - shift != 0 || lo != 0 ? 1 : 0);
        }
        return (hi | lo) != 0 ? 1 : 0;
    }

    /** Rounds a value that may be zero or denormal already; {@code exp} may be any size. */
    static int normalizeRound(int cw, int sign, int exp, long hi, long lo, int flags, long to) {
        if (hi == 0) {
            if (lo == 0) {
                put(to, 0, sign);
                return flags;
            }
            hi = lo;
            lo = 0;
            exp -= 64;
        }
        int n = Long.numberOfLeadingZeros(hi);
        if (n != 0) {
            hi = hi << n | lo >>> 64 - n;
            lo <<= n;
            exp -= n;
        }
        return round(cw, sign, exp, hi, lo, flags, to);
    }

    /** Exponent of a finite non-zero value once its significand is normalized. */
    static int normalExponent(long sig, int se) {
        int exp = se & SPECIAL;
        return exp == 0 ? 1 - Long.numberOfLeadingZeros(sig) : exp;
    }

    static long normalSignificand(long sig) {
        return sig << Long.numberOfLeadingZeros(sig);
    }

    // ---------------------------------------------------------------- add, subtract

    /** {@code a + b}. */
    public static int add(int cw, long as, int ae, long bs, int be, long to) {
        return addSigned(cw, as, ae, bs, be, 0, to);
    }

    /** {@code a - b}. */
    public static int sub(int cw, long as, int ae, long bs, int be, long to) {
        return addSigned(cw, as, ae, bs, be, SIGN, to);
    }

    private static int addSigned(int cw, long as, int ae, long bs, int be, int flip, long to) {
        int ea = ae & SPECIAL;
        int eb = be & SPECIAL;
        int sa = ae & SIGN;
        int sb = be & SIGN ^ flip;
        int flags = cw >>> 15 & DE;
        if (!isNormal(as, ea) || !isNormal(bs, eb)) {
            if (isBad(as, ae) || isBad(bs, be)) {
                return nan(cw, as, ae, bs, be, to);
            }
            if (ea == SPECIAL && eb == SPECIAL && sa != sb) {
                return invalid(cw, to);
            }
            flags |= denormalFlag(as, ae) | denormalFlag(bs, be);
            if (unmasked(cw, flags, DE)) {
                return DE | NO_RESULT;
            }
            if (ea == SPECIAL) {
                put(to, as, ae);
                return flags;
            }
            if (eb == SPECIAL) {
                put(to, bs, be ^ flip);
                return flags;
            }
            if (as == 0 && bs == 0) {
                put(to, 0, sa == sb ? sa : zeroSign(cw));
                return flags;
            }
            if (as == 0) {
                return round(cw, sb, normalExponent(bs, be), normalSignificand(bs), 0, flags, to);
            }
            if (bs == 0) {
                return round(cw, sa, normalExponent(as, ae), normalSignificand(as), 0, flags, to);
            }
            ea = normalExponent(as, ae);
            eb = normalExponent(bs, be);
            as = normalSignificand(as);
            bs = normalSignificand(bs);
        } else if (unmasked(cw, flags, DE)) {
            return DE | NO_RESULT;
        }
        if (ea < eb || ea == eb && Long.compareUnsigned(as, bs) < 0) {
            long sig = as;
            as = bs;
            bs = sig;
            int swap = ea;
            ea = eb;
            eb = swap;
            swap = sa;
            sa = sb;
            sb = swap;
        }
        int d = ea - eb;
        long hi = shiftRightHi(bs, d);
        long lo = shiftRightLo(bs, 0, d);
        if (sa == sb) {
            hi += as;
            if (Long.compareUnsigned(hi, as) < 0) {
                lo = lo >>> 1 | lo & 1 | hi << 63;
                hi = hi >>> 1 | INTEGER_BIT;
                ea++;
            }
            return round(cw, sa, ea, hi, lo, flags, to);
        }
        hi = as - hi - (lo != 0 ? 1 : 0);
        lo = -lo;
        if ((hi | lo) == 0) {
            put(to, 0, zeroSign(cw));
            return flags;
        }
        return hi < 0 ? round(cw, sa, ea, hi, lo, flags, to) : normalizeRound(cw, sa, ea, hi, lo, flags, to);
    }

    /** Sign of an exact zero difference: minus only when rounding down. */
    private static int zeroSign(int cw) {
        return (cw >>> 10 & 3) == 1 ? SIGN : 0;
    }

    // ---------------------------------------------------------------- multiply, divide, square root

    /** {@code a * b}. */
    public static int mul(int cw, long as, int ae, long bs, int be, long to) {
        int ea = ae & SPECIAL;
        int eb = be & SPECIAL;
        int sign = (ae ^ be) & SIGN;
        int flags = cw >>> 15 & DE;
        if (!isNormal(as, ea) || !isNormal(bs, eb)) {
            if (isBad(as, ae) || isBad(bs, be)) {
                return nan(cw, as, ae, bs, be, to);
            }
            if (ea == SPECIAL && isZero(bs, be) || eb == SPECIAL && isZero(as, ae)) {
                return invalid(cw, to);
            }
            flags |= denormalFlag(as, ae) | denormalFlag(bs, be);
            if (unmasked(cw, flags, DE)) {
                return DE | NO_RESULT;
            }
            if (ea == SPECIAL || eb == SPECIAL) {
                put(to, INTEGER_BIT, sign | SPECIAL);
                return flags;
            }
            if (as == 0 || bs == 0) {
                put(to, 0, sign);
                return flags;
            }
            ea = normalExponent(as, ae);
            eb = normalExponent(bs, be);
            as = normalSignificand(as);
            bs = normalSignificand(bs);
        } else if (unmasked(cw, flags, DE)) {
            return DE | NO_RESULT;
        }
        long hi = Math.unsignedMultiplyHigh(as, bs);
        long lo = as * bs;
        int exp = ea + eb - BIAS + 1;
        if (hi >= 0) {
            hi = hi << 1 | lo >>> 63;
            lo <<= 1;
            exp--;
        }
        return round(cw, sign, exp, hi, lo, flags, to);
    }

    /** {@code a / b}. */
    public static int div(int cw, long as, int ae, long bs, int be, long to) {
        int ea = ae & SPECIAL;
        int eb = be & SPECIAL;
        int sign = (ae ^ be) & SIGN;
        int flags = cw >>> 15 & DE;
        if (!isNormal(as, ea) || !isNormal(bs, eb)) {
            if (isBad(as, ae) || isBad(bs, be)) {
                return nan(cw, as, ae, bs, be, to);
            }
            if (ea == SPECIAL && eb == SPECIAL || isZero(as, ae) && isZero(bs, be)) {
                return invalid(cw, to);
            }
            if (isZero(bs, be) && ea != SPECIAL) {
                if ((cw & ZE) == 0) {
                    return ZE | NO_RESULT;
                }
                put(to, INTEGER_BIT, sign | SPECIAL);
                return ZE;
            }
            flags |= denormalFlag(as, ae) | denormalFlag(bs, be);
            if (unmasked(cw, flags, DE)) {
                return DE | NO_RESULT;
            }
            if (ea == SPECIAL) {
                put(to, INTEGER_BIT, sign | SPECIAL);
                return flags;
            }
            if (eb == SPECIAL || as == 0) {
                put(to, 0, sign);
                return flags;
            }
            ea = normalExponent(as, ae);
            eb = normalExponent(bs, be);
            as = normalSignificand(as);
            bs = normalSignificand(bs);
        } else if (unmasked(cw, flags, DE)) {
            return DE | NO_RESULT;
        }
        int exp = ea - eb + BIAS;
        long hi;
        long lo;
        if (Long.compareUnsigned(as, bs) >= 0) {
            long q = divide128(as - bs, bs);
            hi = INTEGER_BIT | q >>> 1;
            lo = q << 63 | (q * bs != 0 ? 1 : 0);
        } else {
            hi = divide128(as, bs);
            long r = -(hi * bs);
            boolean half = r < 0 || Long.compareUnsigned(r << 1, bs) >= 0;
            lo = (half ? INTEGER_BIT : 0) | (r != 0 && r << 1 != bs ? 1 : 0);
            exp--;
        }
        return round(cw, sign, exp, hi, lo, flags, to);
    }

    /**
     * {@code floor(hi * 2^64 / d)} for {@code hi < d} and a normalized {@code d}, two 32-bit digits one after the
     * other.
     */
    static long divide128(long hi, long d) {
        return divide128(hi, 0, d);
    }

    /** {@code floor((hi * 2^64 + lo) / d)} for {@code hi < d} and {@code d >= 2^63}. */
    static long divide128(long hi, long lo, long d) {
        long dh = d >>> 32;
        long dl = d & 0xffffffffL;
        long q1 = Long.divideUnsigned(hi, dh);
        long r1 = hi - q1 * dh;
        while (q1 >>> 32 != 0 || Long.compareUnsigned(q1 * dl, r1 << 32 | lo >>> 32) > 0) {
            q1--;
            r1 += dh;
            if (r1 >>> 32 != 0) {
                break;
            }
        }
        long mid = (hi << 32 | lo >>> 32) - q1 * d;
        long q0 = Long.divideUnsigned(mid, dh);
        long r0 = mid - q0 * dh;
        while (q0 >>> 32 != 0 || Long.compareUnsigned(q0 * dl, r0 << 32 | lo & 0xffffffffL) > 0) {
            q0--;
            r0 += dh;
            if (r0 >>> 32 != 0) {
                break;
            }
        }
        return (q1 << 32) + q0;
    }

    /** Square root. */
    public static int sqrt(int cw, long as, int ae, long to) {
        int ea = ae & SPECIAL;
        int flags = 0;
        if (!isNormal(as, ea) || ae >= SIGN) {
            if (isBad(as, ae)) {
                return nan(cw, as, ae, to);
            }
            if (isZero(as, ae)) {
                put(to, as, ae);
                return 0;
            }
            if (ae >= SIGN) {
                return invalid(cw, to);
            }
            if (ea == SPECIAL) {
                put(to, as, ae);
                return 0;
            }
            flags = denormalFlag(as, ae);
            if (unmasked(cw, flags, DE)) {
                return DE | NO_RESULT;
            }
            ea = normalExponent(as, ae);
            as = normalSignificand(as);
        }
        // The radicand as a 128-bit integer, with an even power of two left over.
        boolean odd = (ea & 1) == 0;
        long nh = odd ? as : as >>> 1;
        long nl = odd ? 0 : as << 63;
        long root = squareRoot(nh, nl);
        long restLo = nl - root * root;
        long restHi = nh - Math.unsignedMultiplyHigh(root, root) - (Long.compareUnsigned(nl, root * root) < 0 ? 1 : 0);
        boolean half = restHi != 0 || Long.compareUnsigned(restLo, root) > 0;
        long lo = (half ? INTEGER_BIT : 0) | ((restHi | restLo) != 0 ? 1 : 0);
        return round(cw, 0, (ea - BIAS >> 1) + BIAS, root, lo, flags, to);
    }

    /** {@code floor(sqrt(nh * 2^64 + nl))} for {@code nh >= 2^62}. */
    static long squareRoot(long nh, long nl) {
        if (nh == -1L) {
            return -1L;
        }
        double estimate = Math.sqrt((nh >>> 1) * 0x1p1 + (nh & 1)) * 0x1p32;
        long x = estimate >= 0x1.fffffffffffp63 ? -1L : (long) (estimate * 0.5) << 1;
        // One step of Newton's iteration brings 52 bits to more than 64; the last unit is then put right.
        long q = divide128(nh, nl, x);
        long r = (x >>> 1) + (q >>> 1) + (x & q & 1);
        while (isAbove(r, nh, nl)) {
            r--;
        }
        while (r != -1L && !isAbove(r + 1, nh, nl)) {
            r++;
        }
        return r;
    }

    private static boolean isAbove(long r, long nh, long nl) {
        long hi = Math.unsignedMultiplyHigh(r, r);
        int order = Long.compareUnsigned(hi, nh);
        return order > 0 || order == 0 && Long.compareUnsigned(r * r, nl) > 0;
    }
}
