package org.xenolith.translate;

import java.util.Arrays;

/** A translated run of guest instructions with one entry, inside one page. */
final class TranslatedBlock {
    /** Not canonical, so nothing is ever there. */
    private static final long NOWHERE = 1L << 62;

    /** Host address of the first guest byte. */
    final long host;
    /** Guest bytes that it was made from, at least one. */
    final int length;
    /** Address of the emitted code. */
    final long code;
    /** Addresses of the jumps that were patched to lead here. */
    long[] incoming = new long[2];

    int incomingCount;
    TranslatedBlock nextInBucket;
    /** A linear address that a jump cache has or had for it. */
    long linear = NOWHERE;
    /** Jump caches may have it under other addresses too. */
    boolean scattered;

    TranslatedBlock(long host, int length, long code) {
        this.host = host;
        this.length = length;
        this.code = code;
    }

    /** A jump cache has got the block under a linear address. */
    void calledAt(long va) {
        scattered |= linear != va && linear != NOWHERE;
        linear = va;
    }

    void addIncoming(long site) {
        if (incomingCount == incoming.length) {
            incoming = Arrays.copyOf(incoming, incomingCount * 2);
        }
        incoming[incomingCount++] = site;
    }
}
