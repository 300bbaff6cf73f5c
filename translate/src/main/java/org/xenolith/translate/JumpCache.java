package org.xenolith.translate;

import java.lang.foreign.Arena;
import java.util.Arrays;
import org.xenolith.memory.Raw;

/**
 * From linear address to translated code, in a table off-heap that emitted code searches itself.
 *
 * <p>An empty slot holds an address that belongs into another slot, so that it never matches.
 */
final class JumpCache implements AutoCloseable {
    private static final int BYTES = Context.JUMP_ENTRIES * 16;
    /** In the first slot when that is empty: 0 belongs there. */
    private static final long FOREIGN = 1;
    /** Entries that are remembered to be forgotten one by one; with more, the whole table is cleared. */
    private static final int JOURNAL = 2048;

    private final Arena arena = Arena.ofShared();
    private final long table = arena.allocate(BYTES, 64).address();
    private final long[] journal = new long[JOURNAL];
    /** Entries made since the last {@link #clear}. */
    private int made;
    /** Pages, by the low bits of their number, that the cache has entries for: spares INVLPG of data the flush. */
    private final long[] pages = new long[64];

    JumpCache() {
        clearAll();
    }

    long address() {
        return table;
    }

    private long slot(long va) {
        return table + ((va ^ va >>> 12) & Context.JUMP_ENTRIES - 1) * 16;
    }

    /** Code address for a linear address, or 0. */
    long find(long va) {
        long slot = slot(va);
        return Raw.getLong(slot) == va ? Raw.getLong(slot + 8) : 0;
    }

    void put(long va, long code) {
        long slot = slot(va);
        Raw.putLong(slot, va);
        Raw.putLong(slot + 8, code);
        if (made < JOURNAL) {
            journal[made] = slot;
        }
        made++;
        int page = (int) (va >>> 12) & 4095;
        pages[page >> 6] |= 1L << page;
    }

    /** Forgets one address if it leads to {@code code}. */
    void remove(long va, long code) {
        long slot = slot(va);
        if (Raw.getLong(slot) == va && Raw.getLong(slot + 8) == code) {
            empty(slot);
        }
    }

    /** Forgets what one page's addresses led to. */
    void clearPage(long va) {
        int page = (int) (va >>> 12) & 4095;
        if ((pages[page >> 6] & 1L << page) != 0) {
            clear();
        }
    }

    void clear() {
        if (made == 0) {
            return;
        }
        if (made <= JOURNAL) {
            for (int i = 0; i < made; i++) {
                empty(journal[i]);
            }
        } else {
            clearAll();
        }
        Arrays.fill(pages, 0);
        made = 0;
    }

    private void clearAll() {
        Raw.fill(table, BYTES, (byte) 0);
        empty(table);
    }

    private void empty(long slot) {
        Raw.putLong(slot, slot == table ? FOREIGN : 0);
    }

    @Override
    public void close() {
        arena.close();
    }
}
