package org.xenolith.translate;

import java.util.Arrays;
import org.xenolith.memory.Raw;

/**
 * A translated run of guest instructions with one entry, inside one page: instructions in a row, or a trace that follows
 * branches.
 */
final class TranslatedBlock {
    /** Host address of the guest instruction that is executed first. */
    final long host;
    /** Offset in the page of the lowest guest byte that it was made from. */
    final int first;
    /** Guest bytes from there that it was made from, at least one, with those that a trace leaves out. */
    final int length;
    /** Guest instructions that it executes itself; 0 for a block that only hands back. */
    final int instructions;
    /** Host frame that its only instruction reaches into behind the end of the first one's, or 0. */
    final long tail;
    /** Of a trace: offset of each instruction in the page, in the order of execution; or null. */
    final short[] path;
    /** Address of the emitted code. */
    final long code;
    /** Addresses of the jumps that were patched to lead here. */
    long[] incoming = new long[2];

    int incomingCount;
    TranslatedBlock nextInBucket;
    boolean dead;
    /** How often a slice has ended at its head. */
    int samples;
    /** How often a trace was tried. */
    int attempts;

    TranslatedBlock(long host, int first, int length, int instructions, long tail, short[] path, long code) {
        this.host = host;
        this.first = first;
        this.length = length;
        this.instructions = instructions;
        this.tail = tail;
        this.path = path;
        this.code = code;
    }

    /** Distance of instruction {@code n} from the first one; of a run without branches, {@code next} of the one before. */
    int position(int n, int next) {
        return path == null ? next : path[n] - ((int) host & 4095);
    }

    /** A byte of the guest code at a distance from the first instruction, unsigned; behind its end what happens to be there. */
    int at(int offset) {
        int at = ((int) host & 4095) + offset;
        return at < 4096 ? Raw.getByte(host + offset) & 0xff : tail == 0 ? 0 : Raw.getByte(tail + at - 4096) & 0xff;
    }

    /** Guest bytes in the frame of the first one. */
    int lengthInFrame() {
        return Math.min(length, 4096 - first);
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
