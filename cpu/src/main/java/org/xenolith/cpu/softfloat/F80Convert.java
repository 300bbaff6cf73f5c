package org.xenolith.cpu.softfloat;

import org.xenolith.memory.Raw;

/**
 * Conversions between the double-extended format and the x87's memory formats: single, double, 16-, 32- and 64-bit
 * integers, and packed BCD of 18 digits. Conventions as in {@link F80}.
 */
public final class F80Convert {
    private static final long BCD_LIMIT = 1_000_000_000_000_000_000L;

    private F80Convert() {}

    // ---------------------------------------------------------------- widening, always exact

    /**
     * Sign and exponent of a single-precision value; a denormal becomes a normal number, a signalling NaN stays one.
     */
    public static int singleSe(int bits) {
        int sign = bits >>> 16 & F80.SIGN;
        int exp = bits >>> 23 & 0xff;
        if (exp == 0xff) {
            return sign | F80.SPECIAL;
        }
        if (exp != 0) {
            return sign | exp + (F80.BIAS - 127);
        }
        int fraction = bits & 0x7fffff;
        return fraction == 0 ? sign : sign | F80.BIAS - 126 - (Integer.numberOfLeadingZeros(fraction) - 8);
    }

    /** Significand of a single-precision value. */
    public static long singleSig(int bits) {
        long fraction = (bits & 0x7fffffL) << 40;
        if ((bits & 0x7f800000) != 0) {
            return fraction | F80.INTEGER_BIT;
        }
        return fraction == 0 ? 0 : fraction << Long.numberOfLeadingZeros(fraction);
    }

    /** {@link F80#DENORMAL_OPERAND} for a denormal, else 0. */
    public static int singleDenormal(int bits) {
        return (bits & 0x7f800000) == 0 && (bits & 0x7fffff) != 0 ? F80.DENORMAL_OPERAND : 0;
    }

    /** Sign and exponent of a double-precision value. */
    public static int doubleSe(long bits) {
        int sign = (int) (bits >>> 48) & F80.SIGN;
        int exp = (int) (bits >>> 52) & 0x7ff;
        if (exp == 0x7ff) {
            return sign | F80.SPECIAL;
        }
        if (exp != 0) {
            return sign | exp + (F80.BIAS - 1023);
        }
        long fraction = bits & 0xfffffffffffffL;
        return fraction == 0 ? sign : sign | F80.BIAS - 1022 - (Long.numberOfLeadingZeros(fraction) - 11);
    }

    /** Significand of a double-precision value. */
    public static long doubleSig(long bits) {
        long fraction = (bits & 0xfffffffffffffL) << 11;
        if ((bits & 0x7ff0000000000000L) != 0) {
            return fraction | F80.INTEGER_BIT;
        }
        return fraction == 0 ? 0 : fraction << Long.numberOfLeadingZeros(fraction);
    }

    /** {@link F80#DENORMAL_OPERAND} for a denormal, else 0. */
    public static int doubleDenormal(long bits) {
        return (bits & 0x7ff0000000000000L) == 0 && bits << 1 != 0 ? F80.DENORMAL_OPERAND : 0;
    }

    /** Sign and exponent of an integer. */
    public static int integerSe(long value) {
        if (value == 0) {
            return 0;
        }
        int exp = F80.BIAS + 63 - Long.numberOfLeadingZeros(Math.abs(value));
        return value < 0 ? exp | F80.SIGN : exp;
    }

    /** Significand of an integer. */
    public static long integerSig(long value) {
        long magnitude = Math.abs(value);
        return magnitude == 0 ? 0 : magnitude << Long.numberOfLeadingZeros(magnitude);
    }

    /** FLD m32 and m64 of a value widened by the methods above. */
    public static int load(int cw, long sig, int se, long to) {
        if (F80.isBad(sig, se)) {
            return F80.nan(cw, sig, se, to);
        }
        // An unmasked denormal exception does not stop the load.
        F80.put(to, sig, se);
        return cw >>> 15 & F80.DE;
    }

    // ---------------------------------------------------------------- narrowing

    /** Stores four bytes at {@code to}. */
    public static int storeSingle(int cw, long sig, int se, long to) {
        return narrow(cw, sig, se, 24, 127, to);
    }

    /** Stores eight bytes at {@code to}. */
    public static int storeDouble(int cw, long sig, int se, long to) {
        return narrow(cw, sig, se, 53, 1023, to);
    }

    private static int narrow(int cw, long sig, int se, int bits, int bias, long to) {
        int sign = se & F80.SIGN;
        int exp = se & F80.SPECIAL;
        int special = bias * 2 + 1;
        if (F80.isBad(sig, se)) {
            int flags = F80.isUnsupported(sig, se) || F80.isSignalling(sig, se) ? F80.IE : 0;
            if (F80.unmasked(cw, flags, F80.IE)) {
                return F80.IE | F80.NO_RESULT;
            }
            if (F80.isUnsupported(sig, se)) {
                pack(F80.SIGN, special, F80.INDEFINITE_SIG, bits, to);
            } else {
                pack(sign, special, sig | F80.QUIET_BIT, bits, to);
            }
            return flags;
        }
        if (exp == F80.SPECIAL || sig == 0) {
            pack(sign, exp == 0 ? 0 : special, sig, bits, to);
            return 0;
        }
        int e = F80.normalExponent(sig, se) - F80.BIAS + bias;
        long s = F80.normalSignificand(sig);
        long ulp = 1L << 64 - bits;
        int flags = 0;
        if (e <= 0) {
            long rest = s << bits;
            boolean tiny = e < 0 || (s | ulp - 1) != -1 || !F80.roundsUp(cw, sign, true, rest);
            if (tiny && (cw & F80.UE) == 0) {
                return F80.UE | F80.NO_RESULT;
            }
            int shift = Math.min(1 - e, 66);
            long low = F80.shiftRightLo(s, 0, shift);
            s = F80.shiftRightHi(s, shift);
            rest = s << bits | (low != 0 ? 1 : 0);
            s &= -ulp;
            boolean up = rest != 0 && F80.roundsUp(cw, sign, (s & ulp) != 0, rest);
            if (up) {
                s += ulp;
            }
            if (rest != 0) {
                flags = F80.PE | (up ? F80.C1 : 0) | (tiny ? F80.UE : 0);
            }
            pack(sign, s < 0 ? 1 : 0, s, bits, to);
            return flags;
        }
        long rest = s << bits;
        s &= -ulp;
        boolean up = rest != 0 && F80.roundsUp(cw, sign, (s & ulp) != 0, rest);
        if (up) {
            s += ulp;
            if (s == 0) {
                s = F80.INTEGER_BIT;
                e++;
            }
        }
        if (rest != 0) {
            flags = F80.PE | (up ? F80.C1 : 0);
        }
        if (e >= special) {
            if ((cw & F80.OE) == 0) {
                return F80.OE | F80.NO_RESULT;
            }
            boolean infinite = F80.roundsUp(cw, sign, true, -1);
            pack(sign, infinite ? special : special - 1, infinite ? F80.INTEGER_BIT : -1, bits, to);
            return F80.OE | F80.PE | (infinite ? F80.C1 : 0);
        }
        pack(sign, e, s, bits, to);
        return flags;
    }

    private static void pack(int sign, int exp, long sig, int bits, long to) {
        long fraction = sig << 1 >>> 65 - bits;
        if (bits == 24) {
            Raw.putInt(to, sign << 16 | exp << 23 | (int) fraction);
        } else {
            Raw.putLong(to, (long) sign << 48 | (long) exp << 52 | fraction);
        }
    }

    /**
     * Stores an integer of {@code 1 << w} bytes (w = 1, 2, 3); what does not fit is invalid and becomes the smallest
     * one.
     *
     * @param chop round towards zero whatever the control word says (FISTTP)
     */
    public static int storeInteger(int cw, long sig, int se, int w, boolean chop, long to) {
        int top = (8 << w) - 1;
        int control = chop ? cw | 0xC00 : cw;
        long magnitude = 0;
        int flags = 0;
        int e = (se & F80.SPECIAL) - F80.BIAS;
        boolean valid = e <= 63 && !F80.isUnsupported(sig, se);
        if (valid) {
            int shift = 63 - e;
            magnitude = F80.shiftRightHi(sig, shift);
            long rest = F80.shiftRightLo(sig, 0, shift);
            if (rest != 0) {
                flags = F80.PE;
                if (F80.roundsUp(control, se & F80.SIGN, (magnitude & 1) != 0, rest)) {
                    magnitude++;
                    flags |= F80.C1;
                    valid = magnitude != 0;
                }
            }
            long limit = 1L << top;
            int order = Long.compareUnsigned(magnitude, limit);
            valid &= order < 0 || order == 0 && se >= F80.SIGN;
        }
        long value = se >= F80.SIGN ? -magnitude : magnitude;
        if (!valid) {
            if ((cw & F80.IE) == 0) {
                return F80.IE | F80.NO_RESULT;
            }
            flags = F80.IE;
            value = 1L << top;
        }
        switch (w) {
            case 1 -> Raw.putShort(to, (short) value);
            case 2 -> Raw.putInt(to, (int) value);
            default -> Raw.putLong(to, value);
        }
        return flags;
    }

    // ---------------------------------------------------------------- packed BCD

    /** FBLD: ten bytes at {@code from}; digits above nine count as what they are, as the hardware does it. */
    public static void loadBcd(long from, long to) {
        long digits = Raw.getLong(from);
        int high = Raw.getByte(from + 8) & 0xff;
        long value = (high >>> 4) * 10L + (high & 15);
        for (int i = 60; i >= 0; i -= 4) {
            value = value * 10 + (digits >>> i & 15);
        }
        F80.put(to, integerSig(value), integerSe(value) | (Raw.getByte(from + 9) & 0x80) << 8);
    }

    /** FBSTP: stores ten bytes at {@code to}. */
    public static int storeBcd(int cw, long sig, int se, long to) {
        int e = (se & F80.SPECIAL) - F80.BIAS;
        int flags = 0;
        long magnitude = 0;
        boolean valid = e < 63 && !F80.isUnsupported(sig, se);
        if (valid) {
            int shift = 63 - e;
            magnitude = F80.shiftRightHi(sig, shift);
            long rest = F80.shiftRightLo(sig, 0, shift);
            if (rest != 0) {
                flags = F80.PE;
                if (F80.roundsUp(cw, se & F80.SIGN, (magnitude & 1) != 0, rest)) {
                    magnitude++;
                    flags |= F80.C1;
                }
            }
            valid = magnitude < BCD_LIMIT && magnitude >= 0;
        }
        if (!valid) {
            if ((cw & F80.IE) == 0) {
                return F80.IE | F80.NO_RESULT;
            }
            putBcdIndefinite(to);
            return F80.IE;
        }
        long low = 0;
        for (int i = 0; i < 64; i += 4) {
            low |= magnitude % 10 << i;
            magnitude /= 10;
        }
        Raw.putLong(to, low);
        Raw.putByte(to + 8, (byte) (magnitude / 10 << 4 | magnitude % 10));
        Raw.putByte(to + 9, (byte) (se >>> 8 & 0x80));
        return flags;
    }

    /** The packed BCD code of "indefinite". */
    public static void putBcdIndefinite(long to) {
        Raw.putLong(to, 0xC000000000000000L);
        Raw.putShort(to + 8, (short) 0xffff);
    }
}
