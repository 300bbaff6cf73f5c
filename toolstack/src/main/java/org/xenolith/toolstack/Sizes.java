package org.xenolith.toolstack;

/** Sizes as people read them. */
final class Sizes {
    private Sizes() {}

    /** In MiB, or KiB where that would lose something that matters. */
    static String text(long bytes) {
        return Math.abs(bytes) < 1L << 20 ? bytes / 1024 + " KiB" : bytes / (1 << 20) + " MiB";
    }
}
