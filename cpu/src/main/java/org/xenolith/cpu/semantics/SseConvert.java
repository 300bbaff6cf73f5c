package org.xenolith.cpu.semantics;

import org.xenolith.cpu.core.Cpu;
import org.xenolith.memory.Raw;

/**
 * Conversions between floating-point formats and integers, SSE and SSE2, on top of {@link FloatMath}.
 *
 * <p>{@code d} is the address of the destination, {@code s} that of the source; either may be an XMM register, an MMX
 * register, a general register's slot or memory, and no more than the operand's bytes are touched.
 */
public final class SseConvert {
    private SseConvert() {}

    private static long pair(int low, int high) {
        return low & 0xffffffffL | (long) high << 32;
    }

    private static long pair(long low, long high) {
        return low & 0xffffffffL | high << 32;
    }

    private static float float32(long at) {
        return Float.intBitsToFloat(Raw.getInt(at));
    }

    private static double float64(long at) {
        return Double.longBitsToDouble(Raw.getLong(at));
    }

    /** CVTSS2SD. */
    public static void cvtss2sd(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r = FloatMath.widen(c, csr, Raw.getInt(s));
        FloatMath.finish(c, csr);
        Raw.putLong(d, r);
    }

    /** CVTSD2SS. */
    public static void cvtsd2ss(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int r = FloatMath.narrow(c, csr, Raw.getLong(s));
        FloatMath.finish(c, csr);
        Raw.putInt(d, r);
    }

    /** CVTPS2PD: two lanes. */
    public static void cvtps2pd(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r0 = FloatMath.widen(c, csr, Raw.getInt(s));
        long r1 = FloatMath.widen(c, csr, Raw.getInt(s + 4));
        FloatMath.finish(c, csr);
        Raw.putLong(d, r0);
        Raw.putLong(d + 8, r1);
    }

    /** CVTPD2PS: two lanes, the rest cleared. */
    public static void cvtpd2ps(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int r0 = FloatMath.narrow(c, csr, Raw.getLong(s));
        int r1 = FloatMath.narrow(c, csr, Raw.getLong(s + 8));
        FloatMath.finish(c, csr);
        Raw.putLong(d, pair(r0, r1));
        Raw.putLong(d + 8, 0);
    }

    /** CVTSI2SS from 32 bits. */
    public static void cvtsi2ss32(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int r = FloatMath.fromInteger32(c, csr, Raw.getInt(s));
        FloatMath.finish(c, csr);
        Raw.putInt(d, r);
    }

    /** CVTSI2SD from 32 bits. */
    public static void cvtsi2sd32(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r = FloatMath.fromInteger64(c, csr, Raw.getInt(s));
        FloatMath.finish(c, csr);
        Raw.putLong(d, r);
    }

    /** CVTSS2SI to 32 bits. */
    public static void cvtss2si32(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r = FloatMath.toInteger(c, csr, float32(s), FloatMath.mode(csr), false);
        FloatMath.finish(c, csr);
        Raw.putLong(d, r);
    }

    /** CVTSD2SI to 32 bits. */
    public static void cvtsd2si32(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r = FloatMath.toInteger(c, csr, float64(s), FloatMath.mode(csr), false);
        FloatMath.finish(c, csr);
        Raw.putLong(d, r);
    }

    /** CVTTSS2SI to 32 bits. */
    public static void cvttss2si32(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r = FloatMath.toInteger(c, csr, float32(s), FloatMath.TRUNCATE, false);
        FloatMath.finish(c, csr);
        Raw.putLong(d, r);
    }

    /** CVTTSD2SI to 32 bits. */
    public static void cvttsd2si32(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r = FloatMath.toInteger(c, csr, float64(s), FloatMath.TRUNCATE, false);
        FloatMath.finish(c, csr);
        Raw.putLong(d, r);
    }

    /** CVTSI2SS from 64 bits. */
    public static void cvtsi2ss64(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int r = FloatMath.fromInteger32(c, csr, Raw.getLong(s));
        FloatMath.finish(c, csr);
        Raw.putInt(d, r);
    }

    /** CVTSI2SD from 64 bits. */
    public static void cvtsi2sd64(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r = FloatMath.fromInteger64(c, csr, Raw.getLong(s));
        FloatMath.finish(c, csr);
        Raw.putLong(d, r);
    }

    /** CVTSS2SI to 64 bits. */
    public static void cvtss2si64(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r = FloatMath.toInteger(c, csr, float32(s), FloatMath.mode(csr), true);
        FloatMath.finish(c, csr);
        Raw.putLong(d, r);
    }

    /** CVTSD2SI to 64 bits. */
    public static void cvtsd2si64(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r = FloatMath.toInteger(c, csr, float64(s), FloatMath.mode(csr), true);
        FloatMath.finish(c, csr);
        Raw.putLong(d, r);
    }

    /** CVTTSS2SI to 64 bits. */
    public static void cvttss2si64(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r = FloatMath.toInteger(c, csr, float32(s), FloatMath.TRUNCATE, true);
        FloatMath.finish(c, csr);
        Raw.putLong(d, r);
    }

    /** CVTTSD2SI to 64 bits. */
    public static void cvttsd2si64(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r = FloatMath.toInteger(c, csr, float64(s), FloatMath.TRUNCATE, true);
        FloatMath.finish(c, csr);
        Raw.putLong(d, r);
    }

    /** CVTDQ2PS. */
    public static void cvtdq2ps(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int r0 = FloatMath.fromInteger32(c, csr, Raw.getInt(s));
        int r1 = FloatMath.fromInteger32(c, csr, Raw.getInt(s + 4));
        int r2 = FloatMath.fromInteger32(c, csr, Raw.getInt(s + 8));
        int r3 = FloatMath.fromInteger32(c, csr, Raw.getInt(s + 12));
        FloatMath.finish(c, csr);
        Raw.putLong(d, pair(r0, r1));
        Raw.putLong(d + 8, pair(r2, r3));
    }

    /** CVTPI2PS: two lanes from an MMX register or memory; the high qword stays. */
    public static void cvtpi2ps(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int r0 = FloatMath.fromInteger32(c, csr, Raw.getInt(s));
        int r1 = FloatMath.fromInteger32(c, csr, Raw.getInt(s + 4));
        FloatMath.finish(c, csr);
        Raw.putLong(d, pair(r0, r1));
    }

    /** CVTDQ2PD, CVTPI2PD: always exact. */
    public static void cvtdq2pd(Cpu c, long d, long s) {
        long r0 = Double.doubleToRawLongBits(Raw.getInt(s));
        long r1 = Double.doubleToRawLongBits(Raw.getInt(s + 4));
        Raw.putLong(d, r0);
        Raw.putLong(d + 8, r1);
    }

    /** CVTPS2DQ. */
    public static void cvtps2dq(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int mode = FloatMath.mode(csr);
        long r0 = FloatMath.toInteger(c, csr, float32(s), mode, false);
        long r1 = FloatMath.toInteger(c, csr, float32(s + 4), mode, false);
        long r2 = FloatMath.toInteger(c, csr, float32(s + 8), mode, false);
        long r3 = FloatMath.toInteger(c, csr, float32(s + 12), mode, false);
        FloatMath.finish(c, csr);
        Raw.putLong(d, pair(r0, r1));
        Raw.putLong(d + 8, pair(r2, r3));
    }

    /** CVTPS2PI: two lanes to an MMX register. */
    public static void cvtps2pi(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int mode = FloatMath.mode(csr);
        long r0 = FloatMath.toInteger(c, csr, float32(s), mode, false);
        long r1 = FloatMath.toInteger(c, csr, float32(s + 4), mode, false);
        FloatMath.finish(c, csr);
        Raw.putLong(d, pair(r0, r1));
    }

    /** CVTPD2PI: two lanes to an MMX register. */
    public static void cvtpd2pi(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int mode = FloatMath.mode(csr);
        long r0 = FloatMath.toInteger(c, csr, float64(s), mode, false);
        long r1 = FloatMath.toInteger(c, csr, float64(s + 8), mode, false);
        FloatMath.finish(c, csr);
        Raw.putLong(d, pair(r0, r1));
    }

    /** CVTPD2DQ: two lanes, the rest cleared. */
    public static void cvtpd2dq(Cpu c, long d, long s) {
        cvtpd2pi(c, d, s);
        Raw.putLong(d + 8, 0);
    }

    /** CVTTPS2DQ. */
    public static void cvttps2dq(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int mode = FloatMath.TRUNCATE;
        long r0 = FloatMath.toInteger(c, csr, float32(s), mode, false);
        long r1 = FloatMath.toInteger(c, csr, float32(s + 4), mode, false);
        long r2 = FloatMath.toInteger(c, csr, float32(s + 8), mode, false);
        long r3 = FloatMath.toInteger(c, csr, float32(s + 12), mode, false);
        FloatMath.finish(c, csr);
        Raw.putLong(d, pair(r0, r1));
        Raw.putLong(d + 8, pair(r2, r3));
    }

    /** CVTTPS2PI: two lanes to an MMX register. */
    public static void cvttps2pi(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int mode = FloatMath.TRUNCATE;
        long r0 = FloatMath.toInteger(c, csr, float32(s), mode, false);
        long r1 = FloatMath.toInteger(c, csr, float32(s + 4), mode, false);
        FloatMath.finish(c, csr);
        Raw.putLong(d, pair(r0, r1));
    }

    /** CVTTPD2PI: two lanes to an MMX register. */
    public static void cvttpd2pi(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int mode = FloatMath.TRUNCATE;
        long r0 = FloatMath.toInteger(c, csr, float64(s), mode, false);
        long r1 = FloatMath.toInteger(c, csr, float64(s + 8), mode, false);
        FloatMath.finish(c, csr);
        Raw.putLong(d, pair(r0, r1));
    }

    /** CVTTPD2DQ: two lanes, the rest cleared. */
    public static void cvttpd2dq(Cpu c, long d, long s) {
        cvttpd2pi(c, d, s);
        Raw.putLong(d + 8, 0);
    }

    /** VCVTPH2PS: four lanes. */
    public static void vcvtph2ps(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long x = Raw.getLong(s);
        int r0 = FloatMath.widenHalf(c, (int) x & 0xffff);
        int r1 = FloatMath.widenHalf(c, (int) (x >>> 16) & 0xffff);
        int r2 = FloatMath.widenHalf(c, (int) (x >>> 32) & 0xffff);
        int r3 = FloatMath.widenHalf(c, (int) (x >>> 48));
        FloatMath.finish(c, csr);
        Raw.putLong(d, pair(r0, r1));
        Raw.putLong(d + 8, pair(r2, r3));
    }

    /** VCVTPS2PH: four lanes, the rest cleared. */
    public static void vcvtps2ph(Cpu c, long d, long s, int imm) {
        int csr = FloatMath.begin(c);
        long r = 0;
        for (int i = 0; i < 4; i++) {
            r |= (long) FloatMath.narrowHalf(c, csr, Raw.getInt(s + i * 4), imm) << i * 16;
        }
        FloatMath.finish(c, csr);
        Raw.putLong(d, r);
        Raw.putLong(d + 8, 0);
    }
}
