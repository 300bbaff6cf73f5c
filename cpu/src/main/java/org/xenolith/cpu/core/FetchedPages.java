package org.xenolith.cpu.core;

import java.util.Arrays;

/**
 * The pages that code was fetched from since the last flush: a hash table of page and privilege that evicts nothing.
 *
 * <p>The first fetch from a page walks the page tables and sets accessed bits, later ones find the page here. So when
 * these bits are set does not depend on how often an engine asks, which differs between engines and with the size of their
 * caches. A full table is emptied as a whole, at a moment that follows from the guest's execution alone.
 */
final class FetchedPages {
    /** Pages that a guest may keep here: 256 MiB of code. */
    private static final int MOST = 1 << 16;

    private static final int FIRST_SIZE = 1 << 10;
    private static final long USER = 1;
    private static final long REMOVED = 2;

    /** Page address and privilege; a slot is in use when its generation is the present one. */
    private long[] keys = new long[FIRST_SIZE];

    private long[] frames = new long[FIRST_SIZE];
    private int[] generations = new int[FIRST_SIZE];
    private int generation = 1;
    /** Slots in use, and those of them that were not removed. */
    private int used;

    private int live;

    /** Host address of the frame behind a page, or 0. */
    long frame(long va, boolean user) {
        int slot = slot(key(va, user));
        return slot < 0 ? 0 : frames[slot];
    }

    boolean isFull() {
        return used >= MOST;
    }

    /** Enters a page that is not here yet. */
    void add(long va, boolean user, long frame) {
        if (used * 2 >= keys.length) {
            grow();
        }
        insert(key(va, user), frame);
    }

    /** Forgets a page at both privileges. */
    void remove(long va) {
        remove(slot(key(va, false)));
        remove(slot(key(va, true)));
    }

    private void remove(int slot) {
        if (slot >= 0) {
            keys[slot] = REMOVED;
            live--;
        }
    }

    /** Forgets all pages. */
    void clear() {
        used = 0;
        live = 0;
        generation++;
        if (generation == Integer.MAX_VALUE) {
            generation = 1;
            Arrays.fill(generations, 0);
        }
    }

    private static long key(long va, boolean user) {
        return va & -4096L | (user ? USER : 0);
    }

    private int start(long key) {
        return (int) ((key >>> 12 ^ key << 20) * 0x9E3779B97F4A7C15L >>> 40) & keys.length - 1;
    }

    private int slot(long key) {
        for (int slot = start(key); generations[slot] == generation; slot = slot + 1 & keys.length - 1) {
            if (keys[slot] == key) {
                return slot;
            }
        }
        return -1;
    }

    private void insert(long key, long frame) {
        int slot = start(key);
        while (generations[slot] == generation) {
            slot = slot + 1 & keys.length - 1;
        }
        keys[slot] = key;
        frames[slot] = frame;
        generations[slot] = generation;
        used++;
        live++;
    }

    /** Makes room: drops what was removed, and doubles the table when that is not enough. */
    private void grow() {
        long[] oldKeys = keys;
        long[] oldFrames = frames;
        int[] oldGenerations = generations;
        int size = live * 4 >= keys.length ? keys.length * 2 : keys.length;
        keys = new long[size];
        frames = new long[size];
        generations = new int[size];
        used = 0;
        live = 0;
        for (int i = 0; i < oldKeys.length; i++) {
            if (oldGenerations[i] == generation && oldKeys[i] != REMOVED) {
                insert(oldKeys[i], oldFrames[i]);
            }
        }
    }
}
