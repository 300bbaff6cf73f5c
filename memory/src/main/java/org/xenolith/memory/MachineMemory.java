package org.xenolith.memory;

import java.util.BitSet;

/**
 * The machine memory of a host: one reserved region of 4 KiB frames and the allocator over it.
 *
 * <p>The region is address space, not memory: the host's operating system backs a frame when it is first touched, and
 * takes it back when {@link #release} discards it. So a frame that no guest touched costs nothing, and every frame
 * handed out reads as zeros.
 *
 * <p>Frames are numbered by mfn from 0. The allocator works in 2 MiB extents ({@value #EXTENT_FRAMES} frames), split
 * into single frames where a caller wants fewer. A {@link FrameAccount} counts the frames of one owner and may have a claim on
 * frames that are still free: what all claims together keep free nobody else gets. All methods are safe to call from several
 * threads.
 */
public final class MachineMemory implements AutoCloseable {
    /** Frames in a 2 MiB extent. */
    public static final int EXTENT_FRAMES = 512;

    private static final int FRAME_SHIFT = GuestPhysical.FRAME_SHIFT;

    private final ReservedRegion region;
    private final long base;
    private final int frames;
    /** A set bit is a free extent. Guarded by {@code this}, like {@link #freeFrames}. */
    private final BitSet freeExtents;
    /** Free single frames of extents that were split. */
    private final BitSet freeFrames = new BitSet();

    private long available;
    /** No single frame below is free. */
    private int lowestFree;

    /** Free frames that accounts have a claim on. */
    private long claimed;

    /** Reserves {@code bytes} of machine memory, rounded up to whole 2 MiB extents. */
    public MachineMemory(long bytes) {
        long extents = (bytes - 1) / ((long) EXTENT_FRAMES << FRAME_SHIFT) + 1;
        if (bytes <= 0 || extents > Integer.MAX_VALUE / EXTENT_FRAMES) {
            throw new MachineMemoryException("cannot reserve " + bytes + " bytes of machine memory");
        }
        frames = (int) (extents * EXTENT_FRAMES);
        region = ReservedRegion.reserve((long) frames << FRAME_SHIFT);
        base = region.address();
        freeExtents = new BitSet((int) extents);
        freeExtents.set(0, (int) extents);
        available = frames;
    }

    /** Frames in the whole machine. */
    public int frames() {
        return frames;
    }

    /** Frames that are not handed out. */
    public synchronized long available() {
        return available;
    }

    /** Frames of {@link #available()} that are kept for those who have a claim on them. */
    public synchronized long claimed() {
        return claimed;
    }

    /** An account with no frames and no claim. */
    public FrameAccount openAccount() {
        return new FrameAccount(this);
    }

    /** Host address of a frame. */
    public long address(int mfn) {
        if (mfn < 0 || mfn >= frames) {
            throw new IndexOutOfBoundsException("mfn " + mfn + " of " + frames);
        }
        return base + ((long) mfn << FRAME_SHIFT);
    }

    /** The frame that holds a host address of this region. */
    public int mfn(long address) {
        long mfn = address - base >> FRAME_SHIFT;
        if (mfn < 0 || mfn >= frames) {
            throw new IndexOutOfBoundsException("host address outside machine memory");
        }
        return (int) mfn;
    }

    /** Takes a whole extent; returns the first mfn (a multiple of {@value #EXTENT_FRAMES}), or -1 when there is none. */
    public synchronized int allocateExtent() {
        return available - claimed < EXTENT_FRAMES ? -1 : takeExtent();
    }

    /** Takes one frame; returns its mfn, or -1 when memory is exhausted. */
    public synchronized int allocateFrame() {
        return available - claimed < 1 ? -1 : takeFrame();
    }

    private int takeExtent() {
        int extent = freeExtents.nextSetBit(0);
        if (extent < 0) {
            return -1;
        }
        freeExtents.clear(extent);
        available -= EXTENT_FRAMES;
        return extent * EXTENT_FRAMES;
    }

    private int takeFrame() {
        int mfn = freeFrames.nextSetBit(lowestFree);
        if (mfn < 0) {
            int extent = freeExtents.nextSetBit(0);
            if (extent < 0) {
                return -1;
            }
            freeExtents.clear(extent);
            mfn = extent * EXTENT_FRAMES;
            freeFrames.set(mfn, mfn + EXTENT_FRAMES);
        }
        freeFrames.clear(mfn);
        lowestFree = mfn;
        available--;
        return mfn;
    }

    /** Gives frames back: their content is discarded, and they read as zeros when handed out again. */
    public void release(int mfn, int count) {
        scrub(mfn, count);
        synchronized (this) {
            free(mfn, count);
        }
    }

    /** Discards content of frames that are still taken: no lock is needed, and large pieces take long. */
    private void scrub(int mfn, int count) {
        if (count <= 0 || mfn < 0 || count > frames - mfn) {
            throw new IndexOutOfBoundsException("release of " + count + " frames at mfn " + mfn);
        }
        synchronized (this) {
            for (int frame = mfn; frame < mfn + count; frame++) {
                if (freeExtents.get(frame / EXTENT_FRAMES) || freeFrames.get(frame)) {
                    throw new IllegalStateException("mfn " + frame + " released twice");
                }
            }
        }
        region.discard((long) mfn << FRAME_SHIFT, (long) count << FRAME_SHIFT);
    }

    private void free(int mfn, int count) {
        for (int frame = mfn; frame < mfn + count; frame++) {
            int extent = frame / EXTENT_FRAMES;
            if (freeExtents.get(extent) || freeFrames.get(frame)) {
                throw new IllegalStateException("mfn " + frame + " released twice");
            }
            freeFrames.set(frame);
            int first = extent * EXTENT_FRAMES;
            if (freeFrames.nextClearBit(first) >= first + EXTENT_FRAMES) {
                freeFrames.clear(first, first + EXTENT_FRAMES);
                freeExtents.set(extent);
            }
        }
        lowestFree = Math.min(lowestFree, mfn);
        available += count;
    }

    // Accounts: their numbers are guarded by this object, like the sum of their claims.

    synchronized int allocate(FrameAccount account, int count) {
        long own = Math.clamp(account.claim - account.owned, 0, count);
        if (count - own > available - claimed) {
            return -1;
        }
        int mfn = count == 1 ? takeFrame() : takeExtent();
        if (mfn >= 0) {
            change(account, count, account.claim);
        }
        return mfn;
    }

    void release(FrameAccount account, int mfn, int count) {
        scrub(mfn, count);
        synchronized (this) {
            free(mfn, count);
            change(account, -count, account.claim);
        }
    }

    synchronized boolean claim(FrameAccount account, long frames) {
        long wanted = Math.max(0, frames - account.owned);
        long kept = account.outstanding();
        if (wanted > kept && wanted - kept > available - claimed) {
            return false;
        }
        change(account, 0, frames);
        return true;
    }

    private void change(FrameAccount account, int frames, long claim) {
        claimed -= account.outstanding();
        account.owned += frames;
        account.claim = claim;
        claimed += account.outstanding();
    }

    @Override
    public void close() {
        region.close();
    }
}
