package org.xenolith.cpu.semantics;

import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Flags;
import org.xenolith.memory.Raw;

/**
 * Floating-point arithmetic and comparisons on XMM registers, SSE to SSE4.1, on top of {@link FloatMath}.
 *
 * <p>{@code d} is the address of the destination, which is also the first source; {@code s} that of the second source.
 * All lanes are computed before {@link FloatMath#finish} raises an exception, and only then is the destination written.
 */
public final class SseFloat {
    private static final int LEGACY_PREDICATES = 7;

    private SseFloat() {}

    private static void put32(long d, int r0, int r1, int r2, int r3) {
        Raw.putLong(d, r0 & 0xffffffffL | (long) r1 << 32);
        Raw.putLong(d + 8, r2 & 0xffffffffL | (long) r3 << 32);
    }

    private static void put64(long d, long r0, long r1) {
        Raw.putLong(d, r0);
        Raw.putLong(d + 8, r1);
    }

    /** ADDPS. */
    public static void addps(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int r0 = FloatMath.add32(c, csr, Raw.getInt(d), Raw.getInt(s));
        int r1 = FloatMath.add32(c, csr, Raw.getInt(d + 4), Raw.getInt(s + 4));
        int r2 = FloatMath.add32(c, csr, Raw.getInt(d + 8), Raw.getInt(s + 8));
        int r3 = FloatMath.add32(c, csr, Raw.getInt(d + 12), Raw.getInt(s + 12));
        FloatMath.finish(c, csr);
        put32(d, r0, r1, r2, r3);
    }

    /** ADDPD. */
    public static void addpd(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r0 = FloatMath.add64(c, csr, Raw.getLong(d), Raw.getLong(s));
        long r1 = FloatMath.add64(c, csr, Raw.getLong(d + 8), Raw.getLong(s + 8));
        FloatMath.finish(c, csr);
        put64(d, r0, r1);
    }

    /** ADDSS. */
    public static void addss(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int r = FloatMath.add32(c, csr, Raw.getInt(d), Raw.getInt(s));
        FloatMath.finish(c, csr);
        Raw.putInt(d, r);
    }

    /** ADDSD. */
    public static void addsd(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r = FloatMath.add64(c, csr, Raw.getLong(d), Raw.getLong(s));
        FloatMath.finish(c, csr);
        Raw.putLong(d, r);
    }

    /** SUBPS. */
    public static void subps(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int r0 = FloatMath.sub32(c, csr, Raw.getInt(d), Raw.getInt(s));
        int r1 = FloatMath.sub32(c, csr, Raw.getInt(d + 4), Raw.getInt(s + 4));
        int r2 = FloatMath.sub32(c, csr, Raw.getInt(d + 8), Raw.getInt(s + 8));
        int r3 = FloatMath.sub32(c, csr, Raw.getInt(d + 12), Raw.getInt(s + 12));
        FloatMath.finish(c, csr);
        put32(d, r0, r1, r2, r3);
    }

    /** SUBPD. */
    public static void subpd(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r0 = FloatMath.sub64(c, csr, Raw.getLong(d), Raw.getLong(s));
        long r1 = FloatMath.sub64(c, csr, Raw.getLong(d + 8), Raw.getLong(s + 8));
        FloatMath.finish(c, csr);
        put64(d, r0, r1);
    }

    /** SUBSS. */
    public static void subss(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int r = FloatMath.sub32(c, csr, Raw.getInt(d), Raw.getInt(s));
        FloatMath.finish(c, csr);
        Raw.putInt(d, r);
    }

    /** SUBSD. */
    public static void subsd(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r = FloatMath.sub64(c, csr, Raw.getLong(d), Raw.getLong(s));
        FloatMath.finish(c, csr);
        Raw.putLong(d, r);
    }

    /** MULPS. */
    public static void mulps(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int r0 = FloatMath.mul32(c, csr, Raw.getInt(d), Raw.getInt(s));
        int r1 = FloatMath.mul32(c, csr, Raw.getInt(d + 4), Raw.getInt(s + 4));
        int r2 = FloatMath.mul32(c, csr, Raw.getInt(d + 8), Raw.getInt(s + 8));
        int r3 = FloatMath.mul32(c, csr, Raw.getInt(d + 12), Raw.getInt(s + 12));
        FloatMath.finish(c, csr);
        put32(d, r0, r1, r2, r3);
    }

    /** MULPD. */
    public static void mulpd(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r0 = FloatMath.mul64(c, csr, Raw.getLong(d), Raw.getLong(s));
        long r1 = FloatMath.mul64(c, csr, Raw.getLong(d + 8), Raw.getLong(s + 8));
        FloatMath.finish(c, csr);
        put64(d, r0, r1);
    }

    /** MULSS. */
    public static void mulss(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int r = FloatMath.mul32(c, csr, Raw.getInt(d), Raw.getInt(s));
        FloatMath.finish(c, csr);
        Raw.putInt(d, r);
    }

    /** MULSD. */
    public static void mulsd(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r = FloatMath.mul64(c, csr, Raw.getLong(d), Raw.getLong(s));
        FloatMath.finish(c, csr);
        Raw.putLong(d, r);
    }

    /** DIVPS. */
    public static void divps(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int r0 = FloatMath.div32(c, csr, Raw.getInt(d), Raw.getInt(s));
        int r1 = FloatMath.div32(c, csr, Raw.getInt(d + 4), Raw.getInt(s + 4));
        int r2 = FloatMath.div32(c, csr, Raw.getInt(d + 8), Raw.getInt(s + 8));
        int r3 = FloatMath.div32(c, csr, Raw.getInt(d + 12), Raw.getInt(s + 12));
        FloatMath.finish(c, csr);
        put32(d, r0, r1, r2, r3);
    }

    /** DIVPD. */
    public static void divpd(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r0 = FloatMath.div64(c, csr, Raw.getLong(d), Raw.getLong(s));
        long r1 = FloatMath.div64(c, csr, Raw.getLong(d + 8), Raw.getLong(s + 8));
        FloatMath.finish(c, csr);
        put64(d, r0, r1);
    }

    /** DIVSS. */
    public static void divss(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int r = FloatMath.div32(c, csr, Raw.getInt(d), Raw.getInt(s));
        FloatMath.finish(c, csr);
        Raw.putInt(d, r);
    }

    /** DIVSD. */
    public static void divsd(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r = FloatMath.div64(c, csr, Raw.getLong(d), Raw.getLong(s));
        FloatMath.finish(c, csr);
        Raw.putLong(d, r);
    }

    /** SQRTPS. */
    public static void sqrtps(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int r0 = FloatMath.sqrt32(c, csr, Raw.getInt(s));
        int r1 = FloatMath.sqrt32(c, csr, Raw.getInt(s + 4));
        int r2 = FloatMath.sqrt32(c, csr, Raw.getInt(s + 8));
        int r3 = FloatMath.sqrt32(c, csr, Raw.getInt(s + 12));
        FloatMath.finish(c, csr);
        put32(d, r0, r1, r2, r3);
    }

    /** SQRTPD. */
    public static void sqrtpd(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r0 = FloatMath.sqrt64(c, csr, Raw.getLong(s));
        long r1 = FloatMath.sqrt64(c, csr, Raw.getLong(s + 8));
        FloatMath.finish(c, csr);
        put64(d, r0, r1);
    }

    /** SQRTSS. */
    public static void sqrtss(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int r = FloatMath.sqrt32(c, csr, Raw.getInt(s));
        FloatMath.finish(c, csr);
        Raw.putInt(d, r);
    }

    /** SQRTSD. */
    public static void sqrtsd(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r = FloatMath.sqrt64(c, csr, Raw.getLong(s));
        FloatMath.finish(c, csr);
        Raw.putLong(d, r);
    }

    private static int minMax32(Cpu c, int csr, long d, long s, boolean max) {
        return (int) FloatMath.minMax(c, csr, 2, Raw.getInt(d) & 0xffffffffL, Raw.getInt(s) & 0xffffffffL, max);
    }

    private static long minMax64(Cpu c, int csr, long d, long s, boolean max) {
        return FloatMath.minMax(c, csr, 3, Raw.getLong(d), Raw.getLong(s), max);
    }

    /** MINPS. */
    public static void minps(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int r0 = minMax32(c, csr, d, s, false);
        int r1 = minMax32(c, csr, d + 4, s + 4, false);
        int r2 = minMax32(c, csr, d + 8, s + 8, false);
        int r3 = minMax32(c, csr, d + 12, s + 12, false);
        FloatMath.finish(c, csr);
        put32(d, r0, r1, r2, r3);
    }

    /** MINPD. */
    public static void minpd(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r0 = minMax64(c, csr, d, s, false);
        long r1 = minMax64(c, csr, d + 8, s + 8, false);
        FloatMath.finish(c, csr);
        put64(d, r0, r1);
    }

    /** MINSS. */
    public static void minss(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int r = minMax32(c, csr, d, s, false);
        FloatMath.finish(c, csr);
        Raw.putInt(d, r);
    }

    /** MINSD. */
    public static void minsd(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r = minMax64(c, csr, d, s, false);
        FloatMath.finish(c, csr);
        Raw.putLong(d, r);
    }

    /** MAXPS. */
    public static void maxps(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int r0 = minMax32(c, csr, d, s, true);
        int r1 = minMax32(c, csr, d + 4, s + 4, true);
        int r2 = minMax32(c, csr, d + 8, s + 8, true);
        int r3 = minMax32(c, csr, d + 12, s + 12, true);
        FloatMath.finish(c, csr);
        put32(d, r0, r1, r2, r3);
    }

    /** MAXPD. */
    public static void maxpd(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r0 = minMax64(c, csr, d, s, true);
        long r1 = minMax64(c, csr, d + 8, s + 8, true);
        FloatMath.finish(c, csr);
        put64(d, r0, r1);
    }

    /** MAXSS. */
    public static void maxss(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int r = minMax32(c, csr, d, s, true);
        FloatMath.finish(c, csr);
        Raw.putInt(d, r);
    }

    /** MAXSD. */
    public static void maxsd(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r = minMax64(c, csr, d, s, true);
        FloatMath.finish(c, csr);
        Raw.putLong(d, r);
    }

    private static int compare32(Cpu c, int csr, long d, long s, int predicate) {
        long a = Raw.getInt(d) & 0xffffffffL;
        long b = Raw.getInt(s) & 0xffffffffL;
        return FloatMath.compare(c, csr, 2, a, b, predicate) ? -1 : 0;
    }

    private static long compare64(Cpu c, int csr, long d, long s, int predicate) {
        return FloatMath.compare(c, csr, 3, Raw.getLong(d), Raw.getLong(s), predicate) ? -1 : 0;
    }

    /** CMPPS. Bits 3-7 of the immediate have no meaning without VEX, bits 5-7 none with it. */
    public static void cmpps(Cpu c, long d, long s, int imm) {
        vcmpps(c, d, s, imm & LEGACY_PREDICATES);
    }

    /** VCMPPS. */
    public static void vcmpps(Cpu c, long d, long s, int imm) {
        int csr = FloatMath.begin(c);
        int r0 = compare32(c, csr, d, s, imm);
        int r1 = compare32(c, csr, d + 4, s + 4, imm);
        int r2 = compare32(c, csr, d + 8, s + 8, imm);
        int r3 = compare32(c, csr, d + 12, s + 12, imm);
        FloatMath.finish(c, csr);
        put32(d, r0, r1, r2, r3);
    }

    /** CMPPD. */
    public static void cmppd(Cpu c, long d, long s, int imm) {
        vcmppd(c, d, s, imm & LEGACY_PREDICATES);
    }

    /** VCMPPD. */
    public static void vcmppd(Cpu c, long d, long s, int imm) {
        int csr = FloatMath.begin(c);
        long r0 = compare64(c, csr, d, s, imm);
        long r1 = compare64(c, csr, d + 8, s + 8, imm);
        FloatMath.finish(c, csr);
        put64(d, r0, r1);
    }

    /** CMPSS. */
    public static void cmpss(Cpu c, long d, long s, int imm) {
        vcmpss(c, d, s, imm & LEGACY_PREDICATES);
    }

    /** VCMPSS. */
    public static void vcmpss(Cpu c, long d, long s, int imm) {
        int csr = FloatMath.begin(c);
        int r = compare32(c, csr, d, s, imm);
        FloatMath.finish(c, csr);
        Raw.putInt(d, r);
    }

    /** CMPSD. */
    public static void cmpsd(Cpu c, long d, long s, int imm) {
        vcmpsd(c, d, s, imm & LEGACY_PREDICATES);
    }

    /** VCMPSD. */
    public static void vcmpsd(Cpu c, long d, long s, int imm) {
        int csr = FloatMath.begin(c);
        long r = compare64(c, csr, d, s, imm);
        FloatMath.finish(c, csr);
        Raw.putLong(d, r);
    }

    private static void order(Cpu c, int w, long a, long b, boolean quietNansSignal) {
        int csr = FloatMath.begin(c);
        int order = FloatMath.order(c, csr, w, a, b, quietNansSignal);
        FloatMath.finish(c, csr);
        long flags = switch (order) {
            case 0 -> Flags.ZF;
            case -1 -> Flags.CF;
            case 1 -> 0;
            default -> Flags.ZF | Flags.PF | Flags.CF;
        };
        Flags.setArithmetic(c, flags);
    }

    /** COMISS. */
    public static void comiss(Cpu c, long d, long s) {
        order(c, 2, Raw.getInt(d) & 0xffffffffL, Raw.getInt(s) & 0xffffffffL, true);
    }

    /** UCOMISS. */
    public static void ucomiss(Cpu c, long d, long s) {
        order(c, 2, Raw.getInt(d) & 0xffffffffL, Raw.getInt(s) & 0xffffffffL, false);
    }

    /** COMISD. */
    public static void comisd(Cpu c, long d, long s) {
        order(c, 3, Raw.getLong(d), Raw.getLong(s), true);
    }

    /** UCOMISD. */
    public static void ucomisd(Cpu c, long d, long s) {
        order(c, 3, Raw.getLong(d), Raw.getLong(s), false);
    }

    /** HADDPS: neighbours of the destination, then of the source. */
    public static void haddps(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int r0 = FloatMath.add32(c, csr, Raw.getInt(d), Raw.getInt(d + 4));
        int r1 = FloatMath.add32(c, csr, Raw.getInt(d + 8), Raw.getInt(d + 12));
        int r2 = FloatMath.add32(c, csr, Raw.getInt(s), Raw.getInt(s + 4));
        int r3 = FloatMath.add32(c, csr, Raw.getInt(s + 8), Raw.getInt(s + 12));
        FloatMath.finish(c, csr);
        put32(d, r0, r1, r2, r3);
    }

    /** HADDPD. */
    public static void haddpd(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r0 = FloatMath.add64(c, csr, Raw.getLong(d), Raw.getLong(d + 8));
        long r1 = FloatMath.add64(c, csr, Raw.getLong(s), Raw.getLong(s + 8));
        FloatMath.finish(c, csr);
        put64(d, r0, r1);
    }

    /** HSUBPS: neighbours of the destination, then of the source. */
    public static void hsubps(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int r0 = FloatMath.sub32(c, csr, Raw.getInt(d), Raw.getInt(d + 4));
        int r1 = FloatMath.sub32(c, csr, Raw.getInt(d + 8), Raw.getInt(d + 12));
        int r2 = FloatMath.sub32(c, csr, Raw.getInt(s), Raw.getInt(s + 4));
        int r3 = FloatMath.sub32(c, csr, Raw.getInt(s + 8), Raw.getInt(s + 12));
        FloatMath.finish(c, csr);
        put32(d, r0, r1, r2, r3);
    }

    /** HSUBPD. */
    public static void hsubpd(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r0 = FloatMath.sub64(c, csr, Raw.getLong(d), Raw.getLong(d + 8));
        long r1 = FloatMath.sub64(c, csr, Raw.getLong(s), Raw.getLong(s + 8));
        FloatMath.finish(c, csr);
        put64(d, r0, r1);
    }

    /** ADDSUBPS: even lanes subtract, odd lanes add. */
    public static void addsubps(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        int r0 = FloatMath.sub32(c, csr, Raw.getInt(d), Raw.getInt(s));
        int r1 = FloatMath.add32(c, csr, Raw.getInt(d + 4), Raw.getInt(s + 4));
        int r2 = FloatMath.sub32(c, csr, Raw.getInt(d + 8), Raw.getInt(s + 8));
        int r3 = FloatMath.add32(c, csr, Raw.getInt(d + 12), Raw.getInt(s + 12));
        FloatMath.finish(c, csr);
        put32(d, r0, r1, r2, r3);
    }

    /** ADDSUBPD. */
    public static void addsubpd(Cpu c, long d, long s) {
        int csr = FloatMath.begin(c);
        long r0 = FloatMath.sub64(c, csr, Raw.getLong(d), Raw.getLong(s));
        long r1 = FloatMath.add64(c, csr, Raw.getLong(d + 8), Raw.getLong(s + 8));
        FloatMath.finish(c, csr);
        put64(d, r0, r1);
    }

    /** RCPPS. */
    public static void rcpps(Cpu c, long d, long s) {
        put32(
                d,
                FloatMath.reciprocal(Raw.getInt(s)),
                FloatMath.reciprocal(Raw.getInt(s + 4)),
                FloatMath.reciprocal(Raw.getInt(s + 8)),
                FloatMath.reciprocal(Raw.getInt(s + 12)));
    }

    /** RCPSS. */
    public static void rcpss(Cpu c, long d, long s) {
        Raw.putInt(d, FloatMath.reciprocal(Raw.getInt(s)));
    }

    /** RSQRTPS. */
    public static void rsqrtps(Cpu c, long d, long s) {
        put32(
                d,
                FloatMath.reciprocalSquareRoot(Raw.getInt(s)),
                FloatMath.reciprocalSquareRoot(Raw.getInt(s + 4)),
                FloatMath.reciprocalSquareRoot(Raw.getInt(s + 8)),
                FloatMath.reciprocalSquareRoot(Raw.getInt(s + 12)));
    }

    /** RSQRTSS. */
    public static void rsqrtss(Cpu c, long d, long s) {
        Raw.putInt(d, FloatMath.reciprocalSquareRoot(Raw.getInt(s)));
    }

    /** ROUNDPS. */
    public static void roundps(Cpu c, long d, long s, int imm) {
        int csr = FloatMath.begin(c);
        int r0 = FloatMath.roundToIntegral32(c, csr, Raw.getInt(s), imm);
        int r1 = FloatMath.roundToIntegral32(c, csr, Raw.getInt(s + 4), imm);
        int r2 = FloatMath.roundToIntegral32(c, csr, Raw.getInt(s + 8), imm);
        int r3 = FloatMath.roundToIntegral32(c, csr, Raw.getInt(s + 12), imm);
        FloatMath.finish(c, csr);
        put32(d, r0, r1, r2, r3);
    }

    /** ROUNDPD. */
    public static void roundpd(Cpu c, long d, long s, int imm) {
        int csr = FloatMath.begin(c);
        long r0 = FloatMath.roundToIntegral64(c, csr, Raw.getLong(s), imm);
        long r1 = FloatMath.roundToIntegral64(c, csr, Raw.getLong(s + 8), imm);
        FloatMath.finish(c, csr);
        put64(d, r0, r1);
    }

    /** ROUNDSS. */
    public static void roundss(Cpu c, long d, long s, int imm) {
        int csr = FloatMath.begin(c);
        int r = FloatMath.roundToIntegral32(c, csr, Raw.getInt(s), imm);
        FloatMath.finish(c, csr);
        Raw.putInt(d, r);
    }

    /** ROUNDSD. */
    public static void roundsd(Cpu c, long d, long s, int imm) {
        int csr = FloatMath.begin(c);
        long r = FloatMath.roundToIntegral64(c, csr, Raw.getLong(s), imm);
        FloatMath.finish(c, csr);
        Raw.putLong(d, r);
    }

    private static int product32(Cpu c, int csr, long d, long s, int lane, int imm) {
        return (imm >> 4 + lane & 1) == 0
                ? 0
                : FloatMath.mul32(c, csr, Raw.getInt(d + lane * 4), Raw.getInt(s + lane * 4));
    }

    /**
     * DPPS: dot product of the lanes that bits 4-7 choose, to the lanes that bits 0-3 choose. The products are added in
     * pairs. Each step raises its own exceptions.
     */
    public static void dpps(Cpu c, long d, long s, int imm) {
        int csr = FloatMath.begin(c);
        int p0 = product32(c, csr, d, s, 0, imm);
        int p1 = product32(c, csr, d, s, 1, imm);
        int p2 = product32(c, csr, d, s, 2, imm);
        int p3 = product32(c, csr, d, s, 3, imm);
        FloatMath.finish(c, csr);
        csr = FloatMath.begin(c);
        int low = FloatMath.add32(c, csr, p0, p1);
        int high = FloatMath.add32(c, csr, p2, p3);
        FloatMath.finish(c, csr);
        csr = FloatMath.begin(c);
        int sum = FloatMath.add32(c, csr, low, high);
        FloatMath.finish(c, csr);
        put32(d, (imm & 1) * sum, (imm >> 1 & 1) * sum, (imm >> 2 & 1) * sum, (imm >> 3 & 1) * sum);
    }

    /** VDPPS of YMM registers: in both lanes alike, and each step raises the exceptions of both. */
    public static void vdpps(Cpu c, long d, long s, int imm) {
        int csr = FloatMath.begin(c);
        for (int lane = 0; lane < 8; lane++) {
            int at = lane & 4;
            Raw.putInt(d + lane * 4, product32(c, csr, d + at * 4, s + at * 4, lane & 3, imm));
        }
        FloatMath.finish(c, csr);
        csr = FloatMath.begin(c);
        for (int pair = 0; pair < 32; pair += 8) {
            Raw.putInt(d + pair, FloatMath.add32(c, csr, Raw.getInt(d + pair), Raw.getInt(d + pair + 4)));
        }
        FloatMath.finish(c, csr);
        csr = FloatMath.begin(c);
        int low = FloatMath.add32(c, csr, Raw.getInt(d), Raw.getInt(d + 8));
        int high = FloatMath.add32(c, csr, Raw.getInt(d + 16), Raw.getInt(d + 24));
        FloatMath.finish(c, csr);
        put32(d, (imm & 1) * low, (imm >> 1 & 1) * low, (imm >> 2 & 1) * low, (imm >> 3 & 1) * low);
        put32(d + 16, (imm & 1) * high, (imm >> 1 & 1) * high, (imm >> 2 & 1) * high, (imm >> 3 & 1) * high);
    }

    /** DPPD: bits 4-5 choose the factors, bits 0-1 the destinations. */
    public static void dppd(Cpu c, long d, long s, int imm) {
        int csr = FloatMath.begin(c);
        long p0 = (imm & 0x10) == 0 ? 0 : FloatMath.mul64(c, csr, Raw.getLong(d), Raw.getLong(s));
        long p1 = (imm & 0x20) == 0 ? 0 : FloatMath.mul64(c, csr, Raw.getLong(d + 8), Raw.getLong(s + 8));
        FloatMath.finish(c, csr);
        csr = FloatMath.begin(c);
        long sum = FloatMath.add64(c, csr, p0, p1);
        FloatMath.finish(c, csr);
        put64(d, (imm & 1) * sum, (imm >> 1 & 1) * sum);
    }
}
