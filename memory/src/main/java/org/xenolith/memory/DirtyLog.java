package org.xenolith.memory;

import java.util.BitSet;
import java.util.function.IntConsumer;

/**
 * The machine frames of a domain that somebody may have written since the log was last {@link #drain}ed: everything that
 * asks {@link GuestPhysical#frameForWrite}, and everything that leaves the physical-to-machine map.
 *
 * <p>Who keeps the address of a frame and goes on writing (processors with a TLB, pinned frames of the hypervisor) asks
 * only once: whoever drains the log adds these frames for the period that begins.
 */
public final class DirtyLog {
    private final BitSet frames = new BitSet();

    /** A frame is about to be written. From any thread. */
    public synchronized void mark(int mfn) {
        frames.set(mfn);
    }

    /** Takes all marked frames, in ascending order. */
    public void drain(IntConsumer mfn) {
        BitSet taken;
        synchronized (this) {
            taken = (BitSet) frames.clone();
            frames.clear();
        }
        for (int frame = taken.nextSetBit(0); frame >= 0; frame = taken.nextSetBit(frame + 1)) {
            mfn.accept(frame);
        }
    }
}
