package org.xenolith.cpu.semantics;

import java.math.BigInteger;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Flags;
import org.xenolith.cpu.core.GuestFault;
import org.xenolith.cpu.decode.Insn;

/** Multiplication and division. Results go to rDX:rAX (AX for bytes); SF ZF AF PF keep what the machine here leaves in them. */
public final class Multiply {
    private static final int RAX = VcpuState.RAX * 8;
    private static final int RDX = VcpuState.RDX * 8;

    private Multiply() {}

    public static void mul8(Cpu c, int w, long a) {
        long r = c.get(0, RAX) * a;
        c.put(1, RAX, r);
        boolean high = r >>> 8 != 0;
        Flags.setCarryOverflow(c, high, high);
    }

    public static void imul8(Cpu c, int w, long a) {
        long r = (long) (byte) c.get(0, RAX) * (byte) a;
        c.put(1, RAX, r);
        boolean high = r != (byte) r;
        Flags.setCarryOverflow(c, high, high);
    }

    public static void mul(Cpu c, int w, long a) {
        long b = c.get(w, RAX);
        long low = a * b;
        long high = w == 3 ? Math.unsignedMultiplyHigh(a, b) : low >>> (8 << w);
        c.put(w, RAX, low);
        c.put(w, RDX, high);
        boolean carry = high != 0;
        Flags.setCarryOverflow(c, carry, carry);
    }

    public static void imul(Cpu c, int w, long a) {
        long x = Flags.signExtend(w, a);
        long y = Flags.signExtend(w, c.get(w, RAX));
        long low = x * y;
        long high = w == 3 ? Math.multiplyHigh(x, y) : low >> (8 << w);
        c.put(w, RAX, low);
        c.put(w, RDX, high);
        boolean carry = w == 3 ? high != low >> 63 : low != Flags.signExtend(w, low);
        Flags.setCarryOverflow(c, carry, carry);
    }

    /** The forms with one destination; the third operand of the immediate form arrives as {@code b}. */
    public static long imul2(Cpu c, int w, long a, long b) {
        long x = Flags.signExtend(w, a);
        long y = Flags.signExtend(w, b);
        long low = x * y;
        boolean carry = w == 3 ? Math.multiplyHigh(x, y) != low >> 63 : low != Flags.signExtend(w, low);
        Flags.setCarryOverflow(c, carry, carry);
        return low;
    }

    public static void mulx(Cpu c, Insn i) {
        int w = i.operandSize == 3 ? 3 : 2;
        long a = i.readRm(c, w);
        long b = c.get(w, RDX);
        long low = a * b;
        long high = w == 3 ? Math.unsignedMultiplyHigh(a, b) : low >>> 32;
        c.setReg(w, i.vvvv, low);
        c.setReg(w, i.reg, high);
    }

    public static void div8(Cpu c, int w, long divisor) {
        long dividend = c.get(1, RAX);
        if (divisor == 0 || dividend / divisor > 0xff) {
            throw c.fault(GuestFault.DE);
        }
        c.put(1, RAX, dividend / divisor | dividend % divisor << 8);
    }

    public static void idiv8(Cpu c, int w, long a) {
        long divisor = (byte) a;
        long dividend = (short) c.get(1, RAX);
        if (divisor == 0) {
            throw c.fault(GuestFault.DE);
        }
        long quotient = dividend / divisor;
        if (quotient != (byte) quotient) {
            throw c.fault(GuestFault.DE);
        }
        c.put(1, RAX, quotient & 0xff | (dividend % divisor & 0xff) << 8);
    }

    public static void div(Cpu c, int w, long divisor) {
        if (w == 3) {
            div64(c, divisor);
            return;
        }
        int bits = 8 << w;
        long dividend = c.get(w, RDX) << bits | c.get(w, RAX);
        if (divisor == 0) {
            throw c.fault(GuestFault.DE);
        }
        long quotient = Long.divideUnsigned(dividend, divisor);
        if (quotient >>> bits != 0) {
            throw c.fault(GuestFault.DE);
        }
        c.put(w, RDX, Long.remainderUnsigned(dividend, divisor));
        c.put(w, RAX, quotient);
    }

    private static void div64(Cpu c, long divisor) {
        long high = c.get(3, RDX);
        long low = c.get(3, RAX);
        if (Long.compareUnsigned(high, divisor) >= 0) {
            // Also division by zero: the quotient would not fit.
            throw c.fault(GuestFault.DE);
        }
        if (high == 0) {
            c.put(3, RAX, Long.divideUnsigned(low, divisor));
            c.put(3, RDX, Long.remainderUnsigned(low, divisor));
            return;
        }
        long quotient = divide128(high, low, divisor);
        c.put(3, RAX, quotient);
        c.put(3, RDX, low - quotient * divisor);
    }

    /** Quotient of a 128-bit by a 64-bit number where it fits: schoolbook division by 32-bit digits (Knuth's algorithm D). */
    private static long divide128(long high, long low, long divisor) {
        int shift = Long.numberOfLeadingZeros(divisor);
        long d = divisor << shift;
        long d1 = d >>> 32;
        long d0 = d & 0xffffffffL;
        long n32 = shift == 0 ? high : high << shift | low >>> 64 - shift;
        long n10 = low << shift;
        long n1 = n10 >>> 32;
        long n0 = n10 & 0xffffffffL;
        long q1 = digit(n32, n1, d1, d0);
        long n21 = (n32 << 32 | n1) - q1 * d;
        long q0 = digit(n21, n0, d1, d0);
        return (q1 << 32) + q0;
    }

    private static long digit(long high, long next, long d1, long d0) {
        long q = Long.divideUnsigned(high, d1);
        long r = high - q * d1;
        while (q >>> 32 != 0 || Long.compareUnsigned(q * d0, r << 32 | next) > 0) {
            q--;
            r += d1;
            if (r >>> 32 != 0) {
                break;
            }
        }
        return q;
    }

    public static void idiv(Cpu c, int w, long a) {
        long divisor = Flags.signExtend(w, a);
        if (divisor == 0) {
            throw c.fault(GuestFault.DE);
        }
        if (w == 3) {
            idiv64(c, divisor);
            return;
        }
        int bits = 8 << w;
        long dividend = Flags.signExtend(w, c.get(w, RDX)) << bits | c.get(w, RAX);
        if (dividend == Long.MIN_VALUE && divisor == -1) {
            throw c.fault(GuestFault.DE);
        }
        long quotient = dividend / divisor;
        if (quotient != Flags.signExtend(w, quotient)) {
            throw c.fault(GuestFault.DE);
        }
        c.put(w, RDX, dividend % divisor);
        c.put(w, RAX, quotient);
    }

    private static void idiv64(Cpu c, long divisor) {
        long high = c.get(3, RDX);
        long low = c.get(3, RAX);
        if (high == low >> 63) {
            if (low == Long.MIN_VALUE && divisor == -1) {
                throw c.fault(GuestFault.DE);
            }
            c.put(3, RAX, low / divisor);
            c.put(3, RDX, low % divisor);
            return;
        }
        BigInteger dividend = BigInteger.valueOf(high)
                .shiftLeft(64)
                .add(BigInteger.valueOf(low >>> 1).shiftLeft(1).add(BigInteger.valueOf(low & 1)));
        BigInteger[] result = dividend.divideAndRemainder(BigInteger.valueOf(divisor));
        if (result[0].bitLength() > 63) {
            throw c.fault(GuestFault.DE);
        }
        c.put(3, RAX, result[0].longValue());
        c.put(3, RDX, result[1].longValue());
    }
}
