package org.xenolith.cpu.interpret;

import java.util.Arrays;

/** A run of decoded instructions with one entry, ended by a branch, a change of the machine's mode, or the end of its page. */
final class Block {
    /** The operations; all replaced by {@link Op.Stale} when the code is overwritten. */
    final Op[] ops;
    /** Guest instructions in the block; {@code ops} may hold one more that only moves rip. */
    final int instructions;
    /** Where each operation's instruction begins, counted from the start of the block. */
    final short[] offsets;
    /** Bytes of code. */
    final int length;
    /** Host address of the first byte. */
    final long host;
    /** Mode it was decoded in. */
    final int mode;
    /** Continues in the next page, so that it is good for one mapping of the two pages only. */
    final boolean straddles;
    /** False once its code was overwritten. */
    boolean valid = true;
    /** Next block in the same bucket of {@link CodePages}. */
    Block nextInBucket;

    Block(Op[] ops, short[] offsets, int instructions, int length, long host, int mode, boolean straddles) {
        this.ops = ops;
        this.offsets = offsets;
        this.instructions = instructions;
        this.length = length;
        this.host = host;
        this.mode = mode;
        this.straddles = straddles;
    }

    /** Makes the block unusable, also for whoever is in the middle of it. */
    void kill() {
        valid = false;
        Arrays.fill(ops, Op.Stale.INSTANCE);
    }
}
