package org.xenolith.cpu.semantics;

import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Flags;

/** Addition, subtraction, logic: the eight classic groups, their unary relatives, and ADCX/ADOX. */
public final class Arithmetic {
    private Arithmetic() {}

    public static long add(Cpu c, int w, long a, long b) {
        long r = a + b;
        Flags.add(c, w, r, a, b);
        return r;
    }

    public static long adc(Cpu c, int w, long a, long b) {
        long r = a + b + Flags.carry(c);
        Flags.add(c, w, r, a, b);
        return r;
    }

    public static long sub(Cpu c, int w, long a, long b) {
        long r = a - b;
        Flags.sub(c, w, r, a, b);
        return r;
    }

    public static long sbb(Cpu c, int w, long a, long b) {
        long r = a - b - Flags.carry(c);
        Flags.sub(c, w, r, a, b);
        return r;
    }

    public static void cmp(Cpu c, int w, long a, long b) {
        Flags.sub(c, w, a - b, a, b);
    }

    public static long and(Cpu c, int w, long a, long b) {
        long r = a & b;
        Flags.logic(c, w, r);
        return r;
    }

    public static long or(Cpu c, int w, long a, long b) {
        long r = a | b;
        Flags.logic(c, w, r);
        return r;
    }

    public static long xor(Cpu c, int w, long a, long b) {
        long r = a ^ b;
        Flags.logic(c, w, r);
        return r;
    }

    public static void test(Cpu c, int w, long a, long b) {
        Flags.logic(c, w, a & b);
    }

    public static long not(Cpu c, int w, long a) {
        return ~a;
    }

    public static long neg(Cpu c, int w, long a) {
        long r = -a;
        Flags.sub(c, w, r, 0, a);
        return r;
    }

    public static long inc(Cpu c, int w, long a) {
        boolean cf = Flags.cf(c);
        long r = a + 1;
        Flags.add(c, w, r, a, 1);
        Flags.setCf(c, cf);
        return r;
    }

    public static long dec(Cpu c, int w, long a) {
        boolean cf = Flags.cf(c);
        long r = a - 1;
        Flags.sub(c, w, r, a, 1);
        Flags.setCf(c, cf);
        return r;
    }

    /** ADD with CF in and out, and no other flag touched. */
    public static long adcx(Cpu c, int w, long a, long b) {
        long r = a + b + Flags.carry(c);
        Flags.setCf(c, carryOut(w, r, a, b));
        return r;
    }

    /** ADD with OF as its carry. */
    public static long adox(Cpu c, int w, long a, long b) {
        long r = a + b + (Flags.of(c) ? 1 : 0);
        Flags.setCarryOverflow(c, Flags.cf(c), carryOut(w, r, a, b));
        return r;
    }

    private static boolean carryOut(int w, long r, long a, long b) {
        return (a & b | (a | b) & ~r) << 64 - (8 << w) < 0;
    }
}
