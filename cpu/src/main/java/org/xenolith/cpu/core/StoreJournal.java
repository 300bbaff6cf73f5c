package org.xenolith.cpu.core;

import java.util.Arrays;
import org.xenolith.memory.Raw;

/**
 * The guest memory that an execution on trial has stored to, as it was before: see {@link Cpu#beginTrial}.
 *
 * <p>Kept by aligned 8-byte words of host memory, each once, so that the first value stands however often a word is written.
 */
public final class StoreJournal {
    private static final int FIRST_CAPACITY = 256;

    /** Open addressing by host address; 0 is free. */
    private int[] slots = new int[FIRST_CAPACITY * 2];

    private long[] hosts = new long[FIRST_CAPACITY];
    private long[] linears = new long[FIRST_CAPACITY];
    private long[] before = new long[FIRST_CAPACITY];
    private long[] after = new long[FIRST_CAPACITY];
    private int count;

    /** Words that were stored to. */
    public int count() {
        return count;
    }

    /** Host address of a word. */
    public long host(int index) {
        return hosts[index];
    }

    /** Linear address by which a word was first stored to. */
    public long linear(int index) {
        return linears[index];
    }

    /** A word as it was before the first store. */
    public long before(int index) {
        return before[index];
    }

    /** A word as it was at the last {@link #look}. */
    public long after(int index) {
        return after[index];
    }

    /** Forgets everything. */
    void clear() {
        // From the last on, so that no chain is broken while it is still needed.
        while (count > 0) {
            slots[find(hosts[count - 1])] = 0;
            count--;
        }
    }

    /** A store of {@code bytes} bytes is about to happen. */
    void add(long linear, long host, int bytes) {
        for (long word = host & -8L; word < host + bytes; word += 8) {
            int slot = find(word);
            if (slots[slot] == 0) {
                if (count == hosts.length) {
                    grow();
                    slot = find(word);
                }
                hosts[count] = word;
                linears[count] = linear + word - host;
                before[count] = Raw.getLong(word);
                slots[slot] = ++count;
            }
        }
    }

    /** Takes down what the words are now. */
    public void look() {
        for (int i = 0; i < count; i++) {
            after[i] = Raw.getLong(hosts[i]);
        }
    }

    /** The slot of a word, or the one where it belongs. */
    private int find(long word) {
        int mask = slots.length - 1;
        int slot = (int) (word >>> 3 ^ word >>> 15) & mask;
        while (slots[slot] != 0 && hosts[slots[slot] - 1] != word) {
            slot = slot + 1 & mask;
        }
        return slot;
    }

    private void grow() {
        int capacity = hosts.length * 2;
        hosts = Arrays.copyOf(hosts, capacity);
        linears = Arrays.copyOf(linears, capacity);
        before = Arrays.copyOf(before, capacity);
        after = Arrays.copyOf(after, capacity);
        slots = new int[capacity * 2];
        for (int i = 0; i < count; i++) {
            slots[find(hosts[i])] = i + 1;
        }
    }
}
