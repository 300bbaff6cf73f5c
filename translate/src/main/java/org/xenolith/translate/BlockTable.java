package org.xenolith.translate;

import java.lang.foreign.Arena;
import org.xenolith.memory.Raw;

/**
 * From the host address of guest code to translated code: where emitted code looks when the {@link JumpCache} does not know
 * a linear address, after the TLB has told the host address. Changes of mappings do not matter here.
 *
 * <pre>
 *   {@link #ENTRIES} x {u64 host address, u64 code address}, indexed by {@code host ^ host >> 12}
 * </pre>
 */
final class BlockTable implements AutoCloseable {
    /** Several times as many as a boot makes blocks: two that meet evict each other, and each look-up leaves emitted code. */
    static final int ENTRIES = 1 << 17;

    static final int ENTRY_SHIFT = 4;
    private static final int BYTES = ENTRIES << ENTRY_SHIFT;

    private final Arena arena = Arena.ofShared();
    private final long table = arena.allocate(BYTES, 64).address();

    long address() {
        return table;
    }

    private long entry(long host) {
        return table + (((host ^ host >>> 12) & ENTRIES - 1) << ENTRY_SHIFT);
    }

    void put(TranslatedBlock block) {
        long entry = entry(block.host);
        Raw.putLong(entry, block.host);
        Raw.putLong(entry + 8, block.code);
    }

    void remove(TranslatedBlock block) {
        long entry = entry(block.host);
        if (Raw.getLong(entry) == block.host) {
            Raw.putLong(entry, 0);
        }
    }

    void clear() {
        Raw.fill(table, BYTES, (byte) 0);
    }

    @Override
    public void close() {
        arena.close();
    }
}
