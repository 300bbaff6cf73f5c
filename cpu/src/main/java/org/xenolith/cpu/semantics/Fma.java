package org.xenolith.cpu.semantics;

import org.xenolith.cpu.core.Cpu;
import org.xenolith.memory.Raw;

/**
 * Fused multiply-add (FMA3, Intel SDM vol. 1, 14.5): a product and a sum with one rounding.
 *
 * <p>{@code d} holds the first operand and takes the result, {@code a} and {@code b} are the addresses of the second and the
 * third. The constant of a table row says which instruction it is:
 *
 * <pre>
 *   bits 0-1  order: 0 is 132 (d * b + a), 1 is 213 (a * d + b), 2 is 231 (a * b + d)
 *   bit 2     even elements subtract; bit 3: odd elements do
 *   bit 4     the product is negated
 * </pre>
 */
public final class Fma {
    private static final int ORDER = 3;
    private static final int ORDER_132 = 0;
    private static final int ORDER_213 = 1;
    private static final int SUBTRACT = 2;
    private static final int NEGATE = 4;

    private Fma() {}

    private static boolean subtracts(int kind, int element) {
        return (kind >> SUBTRACT + (element & 1) & 1) != 0;
    }

    private static boolean negates(int kind) {
        return (kind >> NEGATE & 1) != 0;
    }

    private static int element32(Cpu c, int csr, long d, long a, long b, int kind, int n) {
        int x = Raw.getInt(d + n * 4);
        int y = Raw.getInt(a + n * 4);
        int z = Raw.getInt(b + n * 4);
        boolean negate = negates(kind);
        boolean subtract = subtracts(kind, n);
        return switch (kind & ORDER) {
            case ORDER_132 -> FloatMath.fma32(c, csr, x, z, y, negate, subtract);
            case ORDER_213 -> FloatMath.fma32(c, csr, y, x, z, negate, subtract);
            default -> FloatMath.fma32(c, csr, y, z, x, negate, subtract);
        };
    }

    private static long element64(Cpu c, int csr, long d, long a, long b, int kind, int n) {
        long x = Raw.getLong(d + n * 8);
        long y = Raw.getLong(a + n * 8);
        long z = Raw.getLong(b + n * 8);
        boolean negate = negates(kind);
        boolean subtract = subtracts(kind, n);
        return switch (kind & ORDER) {
            case ORDER_132 -> FloatMath.fma64(c, csr, x, z, y, negate, subtract);
            case ORDER_213 -> FloatMath.fma64(c, csr, y, x, z, negate, subtract);
            default -> FloatMath.fma64(c, csr, y, z, x, negate, subtract);
        };
    }

    /** VFMADDxxxPS and its kin. */
    public static void ps(Cpu c, long d, long a, long b, int kind) {
        int csr = FloatMath.begin(c);
        int r0 = element32(c, csr, d, a, b, kind, 0);
        int r1 = element32(c, csr, d, a, b, kind, 1);
        int r2 = element32(c, csr, d, a, b, kind, 2);
        int r3 = element32(c, csr, d, a, b, kind, 3);
        FloatMath.finish(c, csr);
        Raw.putInt(d, r0);
        Raw.putInt(d + 4, r1);
        Raw.putInt(d + 8, r2);
        Raw.putInt(d + 12, r3);
    }

    /** VFMADDxxxPD and its kin. */
    public static void pd(Cpu c, long d, long a, long b, int kind) {
        int csr = FloatMath.begin(c);
        long r0 = element64(c, csr, d, a, b, kind, 0);
        long r1 = element64(c, csr, d, a, b, kind, 1);
        FloatMath.finish(c, csr);
        Raw.putLong(d, r0);
        Raw.putLong(d + 8, r1);
    }

    /** VFMADDxxxSS and its kin. */
    public static void ss(Cpu c, long d, long a, long b, int kind) {
        int csr = FloatMath.begin(c);
        int r = element32(c, csr, d, a, b, kind, 0);
        FloatMath.finish(c, csr);
        Raw.putInt(d, r);
    }

    /** VFMADDxxxSD and its kin. */
    public static void sd(Cpu c, long d, long a, long b, int kind) {
        int csr = FloatMath.begin(c);
        long r = element64(c, csr, d, a, b, kind, 0);
        FloatMath.finish(c, csr);
        Raw.putLong(d, r);
    }
}
