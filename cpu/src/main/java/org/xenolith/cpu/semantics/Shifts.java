package org.xenolith.cpu.semantics;

import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Flags;

/**
 * Shifts and rotates. Counts are taken modulo 32 (64 for quadwords); a count of zero changes no flag. Where a flag is
 * undefined the value is the one that AMD and Intel processors give in practice, as far as they agree.
 */
public final class Shifts {
    private Shifts() {}

    private static int count(int w, long count) {
        return (int) count & (w == 3 ? 63 : 31);
    }

    private static boolean top(int w, long value) {
        return (value >>> (8 << w) - 1 & 1) != 0;
    }

    public static long shl(Cpu c, int w, long a, long by) {
        int n = count(w, by);
        if (n == 0) {
            return a;
        }
        int bits = 8 << w;
        long r = n >= 64 ? 0 : a << n;
        boolean cf = n <= bits && (a >>> bits - n & 1) != 0;
        Flags.result(c, w, r, cf, cf != top(w, r));
        return r;
    }

    public static long shr(Cpu c, int w, long a, long by) {
        int n = count(w, by);
        if (n == 0) {
            return a;
        }
        long r = a >>> n;
        boolean cf = (a >>> n - 1 & 1) != 0;
        // OF is the old top bit for a count of one; for others processors give the top bit of the result xor its
        // neighbour.
        boolean of = n == 1 ? top(w, a) : false;
        Flags.result(c, w, r, cf, of);
        return r;
    }

    public static long sar(Cpu c, int w, long a, long by) {
        int n = count(w, by);
        if (n == 0) {
            return a;
        }
        long x = Flags.signExtend(w, a);
        long r = x >> n;
        boolean cf = (x >> n - 1 & 1) != 0;
        Flags.result(c, w, r, cf, false);
        return r;
    }

    public static long rol(Cpu c, int w, long a, long by) {
        int masked = count(w, by);
        if (masked == 0) {
            return a;
        }
        int bits = 8 << w;
        int n = masked & bits - 1;
        long r = n == 0 ? a : a << n | a >>> bits - n;
        boolean cf = (r & 1) != 0;
        Flags.setCarryOverflow(c, cf, cf != top(w, r));
        return r;
    }

    public static long ror(Cpu c, int w, long a, long by) {
        int masked = count(w, by);
        if (masked == 0) {
            return a;
        }
        int bits = 8 << w;
        int n = masked & bits - 1;
        long r = n == 0 ? a : a >>> n | a << bits - n;
        boolean cf = top(w, r);
        Flags.setCarryOverflow(c, cf, cf != ((r >>> bits - 2 & 1) != 0));
        return r;
    }

    public static long rcl(Cpu c, int w, long a, long by) {
        int bits = 8 << w;
        int masked = count(w, by);
        int n = masked % (bits + 1);
        if (n == 0) {
            return a;
        }
        long carry = Flags.carry(c);
        boolean cf = (a >>> bits - n & 1) != 0;
        long r = (n == 64 ? 0 : a << n) | carry << n - 1 | (n == 1 ? 0 : a >>> bits + 1 - n);
        Flags.setCarryOverflow(c, cf, cf != top(w, r));
        return r;
    }

    public static long rcr(Cpu c, int w, long a, long by) {
        int bits = 8 << w;
        int masked = count(w, by);
        int n = masked % (bits + 1);
        if (n == 0) {
            return a;
        }
        long carry = Flags.carry(c);
        boolean cf = (a >>> n - 1 & 1) != 0;
        long r = (n == 64 ? 0 : a >>> n) | carry << bits - n | (n == 1 ? 0 : a << bits + 1 - n);
        Flags.setCarryOverflow(c, cf, top(w, r) != ((r >>> bits - 2 & 1) != 0));
        return r;
    }

    public static long shld(Cpu c, int w, long a, long b, long by) {
        int n = count(w, by);
        if (n == 0) {
            return a;
        }
        int bits = 8 << w;
        if (w == 1 && n > 16) {
            // Beyond the operand the result is undefined; processors shift the concatenation a:b:a.
            long wide = a << 32 | b << 16 | a;
            long r = wide >>> 32 - n & 0xffff;
            Flags.result(c, w, r, (wide >>> 48 - n & 1) != 0, top(w, r) != top(w, a));
            return r;
        }
        long r = a << n | b >>> bits - n;
        boolean cf = (a >>> bits - n & 1) != 0;
        Flags.result(c, w, r, cf, top(w, r) != top(w, a));
        return r;
    }

    public static long shrd(Cpu c, int w, long a, long b, long by) {
        int n = count(w, by);
        if (n == 0) {
            return a;
        }
        int bits = 8 << w;
        if (w == 1 && n > 16) {
            long wide = a << 32 | b << 16 | a;
            long r = wide >>> n & 0xffff;
            Flags.result(c, w, r, (wide >>> n - 1 & 1) != 0, top(w, r) != top(w, a));
            return r;
        }
        long r = a >>> n | b << bits - n;
        boolean cf = (a >>> n - 1 & 1) != 0;
        Flags.result(c, w, r, cf, top(w, r) != top(w, a));
        return r;
    }

    public static long rorx(Cpu c, int w, long a, long by) {
        int n = count(w, by);
        return w == 3 ? Long.rotateRight(a, n) : Integer.rotateRight((int) a, n);
    }

    public static long sarx(Cpu c, int w, long a, long by) {
        return Flags.signExtend(w, a) >> count(w, by);
    }

    public static long shlx(Cpu c, int w, long a, long by) {
        return a << count(w, by);
    }

    public static long shrx(Cpu c, int w, long a, long by) {
        return a >>> count(w, by);
    }
}
