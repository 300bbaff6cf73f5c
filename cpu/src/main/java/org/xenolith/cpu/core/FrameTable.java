package org.xenolith.cpu.core;

import java.util.Arrays;
import java.util.function.Consumer;

/**
 * Something for each of many host frames, found by the frame's address without allocating: open addressing with linear
 * probing. One thread uses an instance.
 *
 * @param <T> what a frame has
 */
public final class FrameTable<T> {
    private static final int FIRST_CAPACITY = 256;
    /** 2^64 divided by the golden ratio: spreads the numbers of frames, which are neighbours, over the high bits. */
    private static final long SPREAD = 0x9E3779B97F4A7C15L;

    /** Addresses of frames; 0 in a free slot. */
    private long[] frames;

    private Object[] values;
    private int size;

    /** An empty table. */
    public FrameTable() {
        frames = new long[FIRST_CAPACITY];
        values = new Object[FIRST_CAPACITY];
    }

    private int home(long frame) {
        return (int) ((frame >>> 12) * SPREAD >>> 64 - Integer.numberOfTrailingZeros(frames.length));
    }

    /** The slot of a frame, or the free one where it would be. */
    private int slot(long frame) {
        int mask = frames.length - 1;
        int slot = home(frame);
        while (frames[slot] != 0 && frames[slot] != frame) {
            slot = slot + 1 & mask;
        }
        return slot;
    }

    /** What a frame has, or null. */
    @SuppressWarnings("unchecked")
    public T get(long frame) {
        return (T) values[slot(frame)];
    }

    /**
     * Gives a frame something.
     *
     * @param frame its address, which is not 0
     */
    public void put(long frame, T value) {
        if (size >= frames.length / 2) {
            grow();
        }
        int slot = slot(frame);
        if (frames[slot] == 0) {
            size++;
            frames[slot] = frame;
        }
        values[slot] = value;
    }

    private void grow() {
        long[] oldFrames = frames;
        Object[] oldValues = values;
        frames = new long[oldFrames.length * 2];
        values = new Object[oldFrames.length * 2];
        for (int i = 0; i < oldFrames.length; i++) {
            if (oldFrames[i] != 0) {
                int slot = slot(oldFrames[i]);
                frames[slot] = oldFrames[i];
                values[slot] = oldValues[i];
            }
        }
    }

    /** Takes away what a frame has, if it has something. */
    public void remove(long frame) {
        int mask = frames.length - 1;
        int hole = slot(frame);
        if (frames[hole] == 0) {
            return;
        }
        size--;
        // What comes behind moves up, unless that would put it before its home.
        for (int next = hole + 1 & mask; frames[next] != 0; next = next + 1 & mask) {
            if ((next - home(frames[next]) & mask) >= (next - hole & mask)) {
                frames[hole] = frames[next];
                values[hole] = values[next];
                hole = next;
            }
        }
        frames[hole] = 0;
        values[hole] = null;
    }

    /** Shows what each frame has, in no particular order, to somebody who does not change the table. */
    @SuppressWarnings("unchecked")
    public void forEach(Consumer<? super T> action) {
        for (Object value : values) {
            if (value != null) {
                action.accept((T) value);
            }
        }
    }

    /** Forgets everything. */
    public void clear() {
        Arrays.fill(frames, 0);
        Arrays.fill(values, null);
        size = 0;
    }

    /** Frames that have something. */
    public int size() {
        return size;
    }
}
