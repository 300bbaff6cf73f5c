package org.xenolith.cpu.core;

import java.lang.foreign.Arena;
import java.util.Arrays;
import org.xenolith.memory.Raw;

/**
 * Where the stores of an execution on trial go instead of guest memory: see {@link Cpu#beginTrial}.
 *
 * <p>Pages are shadowed as they are stored to, a line of 64 bytes at a time; what the trial loads from a shadowed line comes
 * from there. Guest memory keeps its content, so that other threads may go on writing to it, and nothing has to be taken
 * back behind a trial. {@link #before} keeps a line as it was when it was shadowed: whatever else changes in guest memory,
 * {@code before ^ after} is what the trial did.
 */
public final class TrialMemory implements AutoCloseable {
    private static final int PAGE = 4096;
    private static final int LINE_SHIFT = 6;
    private static final int LINE = 1 << LINE_SHIFT;
    private static final int WORDS = LINE / Long.BYTES;
    private static final int FIRST_PAGES = 16;

    /** Hears about the words of shadowed lines. */
    @FunctionalInterface
    public interface Words {
        /**
         * A word that the trial has changed, or guest memory since.
         *
         * @param linear its linear address
         * @param host its address in guest memory
         * @param before what it was
         * @param after what the trial made of it
         */
        void word(long linear, long host, long before, long after);
    }

    private final Arena arena = Arena.ofShared();
    private int count;
    /** Host addresses of the shadowed frames; where their shadows and the lines as they were are; which lines that is good for. */
    private long[] frames = new long[FIRST_PAGES];

    private long[] linears = new long[FIRST_PAGES];
    private long[] shadows = new long[FIRST_PAGES];
    private long[] olds = new long[FIRST_PAGES];
    private long[] lines = new long[FIRST_PAGES];
    /** Open addressing by frame: index + 1, or 0. */
    private int[] slots = new int[FIRST_PAGES * 4];

    private int allocated;

    /**
     * Begins anew.
     *
     * @param again the same trial, on memory as it was the first time wherever that has stored
     */
    void begin(boolean again) {
        if (again) {
            rewind();
        } else {
            clear();
        }
    }

    /** Forgets everything. */
    private void clear() {
        // From the last on, so that no chain is broken while it is still needed.
        while (count > 0) {
            slots[slot(frames[count - 1])] = 0;
            count--;
        }
    }

    /** Makes what the trial has stored to be as it was. Guest memory may have changed since. */
    private void rewind() {
        for (int i = 0; i < count; i++) {
            for (long left = lines[i]; left != 0; left &= left - 1) {
                long offset = (long) Long.numberOfTrailingZeros(left) << LINE_SHIFT;
                Raw.copy(olds[i] + offset, shadows[i] + offset, LINE);
            }
        }
    }

    private int slot(long frame) {
        int mask = slots.length - 1;
        int slot = (int) (frame >>> 12) & mask;
        while (slots[slot] != 0 && frames[slots[slot] - 1] != frame) {
            slot = slot + 1 & mask;
        }
        return slot;
    }

    /** The address to load from in place of one in guest memory. The bytes lie in one page. */
    long forLoad(long linear, long host, int bytes) {
        if (bytes > Long.BYTES) {
            // Who moves blocks of memory compares the addresses of source and destination: both must be in shadows.
            return forStore(linear, host, bytes);
        }
        int index = count == 0 ? -1 : slots[slot(host & -PAGE)] - 1;
        if (index < 0 || (lines[index] & wanted(host, bytes)) == 0) {
            return host;
        }
        return shadow(index, host, bytes);
    }

    /** The address to store to in place of one in guest memory. The bytes lie in one page. */
    long forStore(long linear, long host, int bytes) {
        long frame = host & -PAGE;
        int slot = slot(frame);
        if (slots[slot] == 0) {
            if (count == frames.length) {
                grow();
                slot = slot(frame);
            }
            if (count == allocated) {
                shadows[count] = arena.allocate(PAGE * 2L, PAGE).address();
                olds[count] = shadows[count] + PAGE;
                allocated++;
            }
            frames[count] = frame;
            linears[count] = linear & -PAGE;
            lines[count] = 0;
            slots[slot] = ++count;
        }
        return shadow(slots[slot] - 1, host, bytes);
    }

    private static long wanted(long host, int bytes) {
        int from = (int) (host & PAGE - 1) >> LINE_SHIFT;
        int to = (int) (host + bytes - 1 & PAGE - 1) >> LINE_SHIFT;
        return -1L >>> 63 - (to - from) << from;
    }

    private long shadow(int index, long host, int bytes) {
        long missing = wanted(host, bytes) & ~lines[index];
        lines[index] |= missing;
        for (; missing != 0; missing &= missing - 1) {
            long offset = (long) Long.numberOfTrailingZeros(missing) << LINE_SHIFT;
            Raw.copy(frames[index] + offset, olds[index] + offset, LINE);
            Raw.copy(olds[index] + offset, shadows[index] + offset, LINE);
        }
        return shadows[index] + (host & PAGE - 1);
    }

    private void grow() {
        int capacity = frames.length * 2;
        frames = Arrays.copyOf(frames, capacity);
        linears = Arrays.copyOf(linears, capacity);
        shadows = Arrays.copyOf(shadows, capacity);
        olds = Arrays.copyOf(olds, capacity);
        lines = Arrays.copyOf(lines, capacity);
        slots = new int[capacity * 4];
        for (int i = 0; i < count; i++) {
            slots[slot(frames[i])] = i + 1;
        }
    }

    /** Whether guest memory is now what the trial made of it. */
    public boolean matches() {
        for (int i = 0; i < count; i++) {
            for (long left = lines[i]; left != 0; left &= left - 1) {
                long offset = (long) Long.numberOfTrailingZeros(left) << LINE_SHIFT;
                for (int word = 0; word < WORDS; word++, offset += Long.BYTES) {
                    if (Raw.getLong(frames[i] + offset) != Raw.getLong(shadows[i] + offset)) {
                        return false;
                    }
                }
            }
        }
        return true;
    }

    /** Tells of each word that the trial has changed, or that is not in guest memory what the trial made of it. */
    public void forEach(Words words) {
        for (int i = 0; i < count; i++) {
            for (long left = lines[i]; left != 0; left &= left - 1) {
                long offset = (long) Long.numberOfTrailingZeros(left) << LINE_SHIFT;
                for (int word = 0; word < WORDS; word++, offset += Long.BYTES) {
                    long before = Raw.getLong(olds[i] + offset);
                    long after = Raw.getLong(shadows[i] + offset);
                    if (before != after || Raw.getLong(frames[i] + offset) != after) {
                        words.word(linears[i] + offset, frames[i] + offset, before, after);
                    }
                }
            }
        }
    }

    /**
     * Takes from guest memory what somebody has done there who did what the trial did. The bits that the trial left alone
     * stay as they are: other threads may have changed them.
     */
    public void takeBack() {
        forEach((linear, host, before, after) -> {
            long changed = before ^ after;
            long now;
            do {
                now = Raw.getLongVolatile(host);
            } while (!Raw.compareAndSetLong(host, now, now & ~changed | before & changed));
        });
    }

    /** Makes guest memory what it was when the trial stored to it, wherever the trial did so. */
    public void restore() {
        forEach((linear, host, before, after) -> Raw.putLongVolatile(host, before));
    }

    @Override
    public void close() {
        arena.close();
    }
}
