package org.xenolith.translate;

import java.util.Arrays;

/** A translated run of guest instructions with one entry, inside one page. */
final class TranslatedBlock {
    /** Host address of the first guest byte. */
    final long host;
    /** Guest bytes that it was made from, at least one. */
    final int length;
    /** Guest instructions that it executes itself; 0 for a block that only hands back. */
    final int instructions;
    /** Instructions to hand to the interpreter when {@link #instructions} is 0. */
    final int handBack;
    /** Address of the emitted code. */
    final long code;
    /** Addresses of the jumps that were patched to lead here. */
    long[] incoming = new long[2];

    int incomingCount;
    TranslatedBlock nextInBucket;

    TranslatedBlock(long host, int length, int instructions, int handBack, long code) {
        this.host = host;
        this.length = length;
        this.instructions = instructions;
        this.handBack = handBack;
        this.code = code;
    }

    void addIncoming(long site) {
        if (incomingCount == incoming.length) {
            incoming = Arrays.copyOf(incoming, incomingCount * 2);
        }
        incoming[incomingCount++] = site;
    }
}
