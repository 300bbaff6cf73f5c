package org.xenolith.translate;

import java.util.Arrays;
import org.xenolith.memory.Raw;

/** A translated run of guest instructions with one entry, inside one page. */
final class TranslatedBlock {
    /** Host address of the first guest byte. */
    final long host;
    /** Guest bytes that it was made from, at least one. */
    final int length;
    /** Guest instructions that it executes itself; 0 for a block that only hands back. */
    final int instructions;
    /** Host frame that its only instruction reaches into behind the end of the first one's, or 0. */
    final long tail;
    /** Address of the emitted code. */
    final long code;
    /** Addresses of the jumps that were patched to lead here. */
    long[] incoming = new long[2];

    int incomingCount;
    TranslatedBlock nextInBucket;
    boolean dead;

    TranslatedBlock(long host, int length, int instructions, long tail, long code) {
        this.host = host;
        this.length = length;
        this.instructions = instructions;
        this.tail = tail;
        this.code = code;
    }

    /** A byte of the guest code, unsigned; behind its end what happens to be there. */
    int at(int offset) {
        int at = ((int) host & 4095) + offset;
        return at < 4096 ? Raw.getByte(host + offset) & 0xff : tail == 0 ? 0 : Raw.getByte(tail + at - 4096) & 0xff;
    }

    /** Guest bytes in the frame of the first one. */
    int lengthInFrame() {
        return Math.min(length, 4096 - ((int) host & 4095));
    }

    /** Guest bytes in the frame behind it. */
    int lengthInTail() {
        return length - lengthInFrame();
    }

    void addIncoming(long site) {
        if (incomingCount == incoming.length) {
            incoming = Arrays.copyOf(incoming, incomingCount * 2);
        }
        incoming[incomingCount++] = site;
    }
}
