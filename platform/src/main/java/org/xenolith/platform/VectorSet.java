package org.xenolith.platform;

import java.util.concurrent.atomic.AtomicLongArray;

/** 256 bits, one for each interrupt vector; safe from any thread. */
final class VectorSet {
    private final AtomicLongArray words = new AtomicLongArray(4);

    /** Sets a vector; returns whether it was set before. */
    boolean set(int vector) {
        long bit = 1L << (vector & 63);
        return (words.getAndUpdate(vector >>> 6, old -> old | bit) & bit) != 0;
    }

    /** Clears a vector; returns whether it was set. */
    boolean clear(int vector) {
        long bit = 1L << (vector & 63);
        return (words.getAndUpdate(vector >>> 6, old -> old & ~bit) & bit) != 0;
    }

    boolean contains(int vector) {
        return (words.get(vector >>> 6) & 1L << (vector & 63)) != 0;
    }

    /** The highest vector, or -1. */
    int highest() {
        for (int i = 3; i >= 0; i--) {
            long word = words.get(i);
            if (word != 0) {
                return i * 64 + 63 - Long.numberOfLeadingZeros(word);
            }
        }
        return -1;
    }

    /** 32 vectors from {@code 32 * index} on, as the APIC's registers show them. */
    int register(int index) {
        return (int) (words.get(index >>> 1) >>> (index & 1) * 32);
    }

    void clearAll() {
        for (int i = 0; i < 4; i++) {
            words.set(i, 0);
        }
    }
}
