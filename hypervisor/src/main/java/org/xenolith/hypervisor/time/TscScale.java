package org.xenolith.hypervisor.time;

import java.math.BigInteger;

/**
 * Conversion between ticks of a time-stamp counter and nanoseconds, in the form that Xen guests use:
 * {@code ns = (ticks << shift) * multiplier >> 32}, a negative shift being a shift to the right.
 *
 * @param frequency ticks per second
 * @param multiplier unsigned 32-bit, at least 2^31
 * @param shift -32..31
 */
public record TscScale(long frequency, int multiplier, int shift) {
    private static final long NANOS = 1_000_000_000L;

    /** The scale of a counter of {@code frequency} Hz. */
    public static TscScale of(long frequency) {
        if (frequency < 1_000_000 || frequency > 100 * NANOS) {
            throw new IllegalArgumentException("a time-stamp counter of " + frequency + " Hz");
        }
        // multiplier = 10^9 * 2^(32 - shift) / frequency, with the shift that puts it into [2^31, 2^32).
        BigInteger hertz = BigInteger.valueOf(frequency);
        for (int shift = -31; shift < 32; shift++) {
            BigInteger multiplier =
                    BigInteger.valueOf(NANOS).shiftLeft(32 - shift).divide(hertz);
            if (multiplier.bitLength() == 32) {
                return new TscScale(frequency, multiplier.intValue(), shift);
            }
        }
        throw new IllegalArgumentException("a time-stamp counter of " + frequency + " Hz");
    }

    /** Nanoseconds that {@code ticks} last, as a guest computes them. */
    public long nanoseconds(long ticks) {
        long shifted = shift >= 0 ? ticks << shift : ticks >>> -shift;
        long factor = multiplier & 0xffffffffL;
        return Math.unsignedMultiplyHigh(shifted, factor) << 32 | shifted * factor >>> 32;
    }

    /** Ticks in {@code nanoseconds}, rounded down. */
    public long ticks(long nanoseconds) {
        if (frequency == NANOS) {
            return nanoseconds;
        }
        long rest = nanoseconds % NANOS;
        // rest < 2^30 and frequency < 2^37: the product does not fit 64 bits above 8.5 GHz.
        long part = Math.multiplyHigh(rest, frequency) == 0 && rest * frequency >= 0
                ? rest * frequency / NANOS
                : BigInteger.valueOf(rest)
                        .multiply(BigInteger.valueOf(frequency))
                        .divide(BigInteger.valueOf(NANOS))
                        .longValue();
        return nanoseconds / NANOS * frequency + part;
    }

    /** The frequency in kHz, rounded down. */
    public int kilohertz() {
        return (int) (frequency / 1000);
    }
}
