package org.xenolith.translate;

import java.lang.foreign.Arena;
import org.xenolith.memory.Raw;

/**
 * From linear address to translated code, in a table off-heap that emitted code searches and fills itself. There is one for
 * each privilege.
 *
 * <pre>
 *   table    {@link #ENTRIES} x {u64 linear address, u64 code address}, indexed by the address's low bits
 *   journal  u64 next place, then addresses of entries, but for the first, that are not empty
 * </pre>
 *
 * An empty entry holds 0, which belongs into the first one; that is never journaled and holds 1 instead. The journal makes
 * emptying the cache, which each change of address space does, as cheap as what was used.
 */
final class JumpCache implements AutoCloseable {
    static final int ENTRIES = 1 << 14;
    static final int ENTRY_SHIFT = 4;
    static final int NEXT = 0;

    private static final int TABLE_BYTES = ENTRIES << ENTRY_SHIFT;
    private static final int JOURNAL_HEADER = 8;
    private static final long PAGE = -4096L;
    /** Not canonical: nothing is ever fetched from there. */
    private static final long NOWHERE = 1L << 62;

    private final Arena arena = Arena.ofShared();
    private final long table = arena.allocate(TABLE_BYTES, 64).address();
    private final long journal =
            arena.allocate(JOURNAL_HEADER + ENTRIES * 8L, 64).address();
    private final long begin = journal + JOURNAL_HEADER;

    JumpCache() {
        Raw.fill(table, TABLE_BYTES, (byte) 0);
        Raw.putLong(table, 1);
        Raw.putLong(journal + NEXT, begin);
    }

    long table() {
        return table;
    }

    long journal() {
        return journal;
    }

    private long entry(long va) {
        return table + ((va & ENTRIES - 1) << ENTRY_SHIFT);
    }

    /** Code address for a linear address, or 0. */
    long find(long va) {
        long entry = entry(va);
        return Raw.getLong(entry) == va ? Raw.getLong(entry + 8) : 0;
    }

    void put(long va, long code) {
        long entry = entry(va);
        if (Raw.getLong(entry) == 0) {
            long next = Raw.getLong(journal + NEXT);
            Raw.putLong(next, entry);
            Raw.putLong(journal + NEXT, next + 8);
        }
        Raw.putLong(entry, va);
        Raw.putLong(entry + 8, code);
    }

    /** Forgets what one page's addresses led to. */
    void clearPage(long va) {
        long end = Raw.getLong(journal + NEXT);
        for (long at = begin; at < end; at += 8) {
            long entry = Raw.getLong(at);
            if ((Raw.getLong(entry) & PAGE) == (va & PAGE)) {
                // Not empty, so that it stands in the journal once.
                Raw.putLong(entry, NOWHERE);
            }
        }
        if ((Raw.getLong(table) & PAGE) == (va & PAGE)) {
            Raw.putLong(table, 1);
        }
    }

    void clear() {
        long end = Raw.getLong(journal + NEXT);
        for (long at = begin; at < end; at += 8) {
            Raw.putLong(Raw.getLong(at), 0);
        }
        Raw.putLong(table, 1);
        Raw.putLong(journal + NEXT, begin);
    }

    @Override
    public void close() {
        arena.close();
    }
}
