package org.xenolith.cpu.core;

import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.function.LongConsumer;
import org.xenolith.memory.Raw;

/**
 * The software TLB of data accesses: direct-mapped tables off-heap, one per access class, shared in format with
 * translated machine code. Beside it, {@link FetchedPages} for code.
 *
 * <pre>
 *   entry, 32 bytes: +0 readTag  +8 writeTag  +16 execTag  +24 addend (host address minus virtual address)
 * </pre>
 *
 * <p>Tables for code have execTag only, and tables for data the other two: {@link #codeTable}.
 *
 * <p>What is in the tables follows from the guest's data accesses and nothing else, so that it is the same under every
 * engine: a guest that clears accessed or dirty bits without INVLPG can see what a TLB holds.
 *
 * A tag is the virtual page address. An access of {@code size} bytes at {@code va} hits when the tag equals
 * {@code (va + size - 1) & -4096}, which an access that crosses into the next page cannot. {@link #INVALID} never matches;
 * {@link #WATCHED} in a write tag sends stores to the slow path, which still finds the page here. The bits below
 * {@link #FREE} are 0 in every tag: translated code keeps these bits of the address in the comparison where an operand must be
 * aligned.
 */
public final class Tlb implements AutoCloseable {
    public static final int ENTRIES = 2048;
    public static final int ENTRY_SHIFT = 5;
    public static final int INDEX_MASK = ENTRIES - 1;
    public static final int READ = 0;
    public static final int WRITE = 8;
    public static final int EXEC = 16;
    public static final int ADDEND = 24;

    /** Supervisor accesses while user pages are closed to them (SMAP). */
    public static final int SUPERVISOR = 0;

    public static final int USER = 1;
    /** Supervisor accesses with user pages open. */
    public static final int SUPERVISOR_OPEN = 2;
    /** Never filled: every access takes the slow path (alignment checks, data watchpoints). */
    public static final int CLOSED = 3;

    /** Largest alignment of an operand. */
    private static final long FREE = 64;

    static final long INVALID = FREE;
    static final long WATCHED = FREE * 2;

    private static final int CODE_PAGES = 4096;
    private static final int CLASSES = 4;
    /** Tables for code at CPL 0 to 2, and at CPL 3, behind those of the access classes. */
    private static final int CODE = CLASSES;

    private static final int TABLES = CLASSES + 2;
    private static final long TABLE_BYTES = (long) ENTRIES << ENTRY_SHIFT;

    private final Arena arena = Arena.ofShared();
    private final long tables;
    /** Slots filled since the last flush, a class at a time, so that a flush costs what was used. */
    private final int[][] filled = new int[TABLES][ENTRIES];

    private final int[] filledCount = new int[TABLES];
    /** Whether a slot stands in {@link #filled}. */
    private final boolean[][] journaled = new boolean[TABLES][ENTRIES];

    private final boolean[][] global = new boolean[TABLES][ENTRIES];
    private long fills;
    private long flushes;

    private final FetchedPages globalCode = new FetchedPages();
    private final FetchedPages localCode = new FetchedPages();
    private boolean localSupervisorCode;
    /** Pages of code, by the low bits of their number, that were entered since the last flush; of global and of other pages. */
    private final long[][] codePages = new long[2][CODE_PAGES / 64];

    public Tlb() {
        tables = arena.allocate(TABLES * TABLE_BYTES, 4096).address();
        for (int i = 0; i < TABLES; i++) {
            clear(i);
        }
    }

    /** Address of the table of an access class. */
    public long table(int accessClass) {
        return tables + accessClass * TABLE_BYTES;
    }

    /** Address of the table that finds recently fetched code, at CPL 3 or below. What it has lost, FetchedPages still knows. */
    public long codeTable(boolean user) {
        return table(user ? CODE + 1 : CODE);
    }

    static long entry(long table, long va) {
        return table + ((va >>> 12 & INDEX_MASK) << ENTRY_SHIFT);
    }

    void fill(int accessClass, long vaPage, long host, boolean read, boolean write, boolean watched, boolean isGlobal) {
        fills++;
        int slot = (int) (vaPage >>> 12) & INDEX_MASK;
        long e = table(accessClass) + ((long) slot << ENTRY_SHIFT);
        Raw.putLong(e + READ, read ? vaPage : INVALID);
        Raw.putLong(e + WRITE, write ? watched ? vaPage | WATCHED : vaPage : INVALID);
        Raw.putLong(e + ADDEND, host - vaPage);
        global[accessClass][slot] = isGlobal;
        journal(accessClass, slot);
    }

    private void journal(int table, int slot) {
        if (!journaled[table][slot]) {
            journaled[table][slot] = true;
            filled[table][filledCount[table]++] = slot;
        }
    }

    /** Entries made since the beginning. */
    public long fills() {
        return fills;
    }

    /** Host address of the page that code at {@code va} was fetched from since the last flush, or 0. */
    long fetched(long va, boolean user) {
        long page = va & -4096L;
        long e = entry(codeTable(user), va);
        if (Raw.getLong(e + EXEC) == page) {
            return page + Raw.getLong(e + ADDEND);
        }
        long frame = globalCode.frame(va, user);
        boolean isGlobal = frame != 0;
        if (!isGlobal) {
            frame = localCode.frame(va, user);
        }
        if (frame != 0) {
            enterCode(page, user, frame, isGlobal);
        }
        return frame;
    }

    private void enterCode(long page, boolean user, long frame, boolean isGlobal) {
        int table = user ? CODE + 1 : CODE;
        int slot = (int) (page >>> 12) & INDEX_MASK;
        long e = entry(table(table), page);
        Raw.putLong(e + EXEC, page);
        Raw.putLong(e + ADDEND, frame - page);
        global[table][slot] = isGlobal;
        journal(table, slot);
    }

    /** Whether {@link #fetched} knows a page as a global one. */
    boolean fetchedGlobal(long va, boolean user) {
        return globalCode.frame(va, user) != 0;
    }

    /** Enters a page that code is fetched from; false when all others had to be forgotten to make room. */
    boolean fetch(long va, boolean user, long frame, boolean isGlobal) {
        FetchedPages pages = isGlobal ? globalCode : localCode;
        boolean room = !pages.isFull();
        if (!room) {
            forgetCode();
        }
        pages.add(va, user, frame);
        enterCode(va & -4096L, user, frame, isGlobal);
        int page = (int) (va >>> 12) & CODE_PAGES - 1;
        codePages[isGlobal ? 0 : 1][page >> 6] |= 1L << page;
        localSupervisorCode |= !user && !isGlobal;
        return room;
    }

    /** False when no code can have been fetched through a linear address since the last flush of what maps it. */
    public boolean mayHaveFetched(long va) {
        int page = (int) (va >>> 12) & CODE_PAGES - 1;
        return ((codePages[0][page >> 6] | codePages[1][page >> 6]) & 1L << page) != 0;
    }

    /** Whether a supervisor may have fetched code from a page that is not global, since this was last asked. */
    public boolean takeLocalSupervisorCode() {
        boolean answer = localSupervisorCode;
        localSupervisorCode = false;
        return answer;
    }

    private void forgetCode() {
        globalCode.clear();
        localCode.clear();
        Arrays.fill(codePages[0], 0);
        Arrays.fill(codePages[1], 0);
        flush(CODE);
        flush(CODE + 1);
    }

    private void flush(int table) {
        int[] slots = filled[table];
        for (int i = filledCount[table] - 1; i >= 0; i--) {
            invalidate(table(table) + ((long) slots[i] << ENTRY_SHIFT));
            journaled[table][slots[i]] = false;
        }
        filledCount[table] = 0;
    }

    /** How often anything was forgotten on somebody's demand. */
    public long flushes() {
        return flushes;
    }

    /** Forgets everything. */
    void flushAll() {
        flushes++;
        forgetCode();
        for (int k = 0; k < CLOSED; k++) {
            flush(k);
        }
    }

    /** Forgets what is not global. */
    void flushNonGlobal() {
        flushes++;
        localCode.clear();
        Arrays.fill(codePages[1], 0);
        for (int k = 0; k < TABLES; k++) {
            int[] slots = filled[k];
            boolean[] keep = global[k];
            int kept = 0;
            for (int i = 0; i < filledCount[k]; i++) {
                int slot = slots[i];
                if (keep[slot]) {
                    slots[kept++] = slot;
                } else {
                    journaled[k][slot] = false;
                    invalidate(table(k) + ((long) slot << ENTRY_SHIFT));
                }
            }
            filledCount[k] = kept;
        }
    }

    /** Forgets the page at one linear address. */
    void flushPage(long va) {
        flushes++;
        globalCode.remove(va);
        localCode.remove(va);
        invalidate(entry(codeTable(false), va));
        invalidate(entry(codeTable(true), va));
        for (int k = 0; k < CLOSED; k++) {
            invalidate(entry(table(k), va));
        }
    }

    /** Sends stores to one host frame to the slow path: it holds code now. */
    void watch(long hostFrame) {
        for (int k = 0; k < CLOSED; k++) {
            int[] slots = filled[k];
            for (int i = 0; i < filledCount[k]; i++) {
                long e = table(k) + ((long) slots[i] << ENTRY_SHIFT);
                long tag = Raw.getLong(e + WRITE);
                if ((tag & (INVALID | WATCHED)) == 0 && tag + Raw.getLong(e + ADDEND) == hostFrame) {
                    Raw.putLong(e + WRITE, tag | WATCHED);
                }
            }
        }
    }

    /** Opens the fast path for stores to one host frame again. */
    void unwatch(long hostFrame) {
        for (int k = 0; k < CLOSED; k++) {
            int[] slots = filled[k];
            for (int i = 0; i < filledCount[k]; i++) {
                long e = table(k) + ((long) slots[i] << ENTRY_SHIFT);
                long tag = Raw.getLong(e + WRITE);
                if ((tag & WATCHED) != 0 && (tag & -4096L) + Raw.getLong(e + ADDEND) == hostFrame) {
                    Raw.putLong(e + WRITE, tag & -4096L);
                }
            }
        }
    }

    /** Names the host frames that stores go to without coming through here again, some of them several times. */
    public void forEachWritable(LongConsumer hostFrame) {
        for (int k = 0; k < CLOSED; k++) {
            int[] slots = filled[k];
            for (int i = 0; i < filledCount[k]; i++) {
                long e = table(k) + ((long) slots[i] << ENTRY_SHIFT);
                long tag = Raw.getLong(e + WRITE);
                if ((tag & INVALID) == 0) {
                    hostFrame.accept((tag & -4096L) + Raw.getLong(e + ADDEND));
                }
            }
        }
    }

    private void clear(int accessClass) {
        for (int slot = 0; slot < ENTRIES; slot++) {
            invalidate(table(accessClass) + ((long) slot << ENTRY_SHIFT));
        }
    }

    private static void invalidate(long e) {
        Raw.putLong(e + READ, INVALID);
        Raw.putLong(e + WRITE, INVALID);
        Raw.putLong(e + EXEC, INVALID);
    }

    @Override
    public void close() {
        arena.close();
    }
}
