package org.xenolith.memory;

/**
 * The frames of one owner (a domain), and its claim: a number of frames that it can have in any case. What it owns counts
 * towards the claim; the rest of the claim stays free for it, and others do not get it. An owner may own more than it claims, as
 * long as there are frames that nobody claims.
 *
 * <p>Safe from any thread.
 */
public final class FrameAccount {
    private final MachineMemory machine;
    /** Both are guarded by {@link #machine}, which does the counting. */
    long owned;

    long claim;

    FrameAccount(MachineMemory machine) {
        this.machine = machine;
    }

    /** Takes one frame; returns its mfn, or -1 when there is none left for this owner. */
    public int allocateFrame() {
        return machine.allocate(this, 1);
    }

    /** Takes a whole extent; returns its first mfn, or -1 when there is none left for this owner. */
    public int allocateExtent() {
        return machine.allocate(this, MachineMemory.EXTENT_FRAMES);
    }

    /** Gives frames back: their content is discarded, and they read as zeros when handed out again. */
    public void release(int mfn, int count) {
        machine.release(this, mfn, count);
    }

    /**
     * Changes the claim. Less always works.
     *
     * @return false, and nothing has changed, when the machine has not so many frames that nobody owns or claims
     */
    public boolean claim(long frames) {
        return machine.claim(this, frames);
    }

    /** Frames that are owned. */
    public long owned() {
        synchronized (machine) {
            return owned;
        }
    }

    /** Frames that are kept free. */
    public long outstanding() {
        synchronized (machine) {
            return Math.max(0, claim - owned);
        }
    }
}
