package org.xenolith.hypervisor;

import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntConsumer;
import org.xenolith.abi.E820Type;
import org.xenolith.memory.FrameAccount;
import org.xenolith.memory.MachineMemory;
import org.xenolith.memory.PhysicalToMachine;

/**
 * The frames of a domain: which it owns, which only appear in its map, which the hypervisor holds on to.
 *
 * <p>An <i>owned</i> frame counts towards the domain's reservation and goes back to the machine when the guest gives it up.
 * It is in the map once. A <i>foreign</i> place of the map shows a frame that the domain does not own (or owns elsewhere):
 * shared info, grant table, a granted frame. Granted frames leave the map only by {@link #unmapGrant}. A <i>pinned</i> frame is
 * written by the hypervisor through its host address (a registered vcpu_info, an event array): if the guest gives it up,
 * it leaves the map at once, and goes back to the machine with the last pin.
 *
 * <p>Whenever access is taken away, the domain's TLBs are flushed before the frame can be used again. All methods are
 * safe from any thread; state is guarded by {@code this}.
 */
public final class DomainMemory {
    /** One range of the memory map that the guest is told. */
    public record Range(long start, long size, int type) {
        /** Usable memory. */
        public static Range ram(long start, long size) {
            return new Range(start, size, E820Type.RAM);
        }
    }

    /** What a foreign place of the map shows. */
    public enum Foreign {
        SHARED_INFO,
        GRANT_TABLE,
        /** A frame that was granted to this domain. */
        GRANT
    }

    /** Runs when the domain's processors must forget translations; returns when they have. */
    @FunctionalInterface
    interface Shootdown {
        void flush();
    }

    private static final int EXTENT = MachineMemory.EXTENT_FRAMES;
    /** Leaves of the map beyond those that follow from the domain's size. */
    private static final int LEAVES = 1024;

    private final PhysicalToMachine map;
    private final MachineMemory machine;
    private final FrameAccount account;
    private final Shootdown shootdown;
    /** Changed under the lock, and read without it when a frame comes on demand. */
    private volatile long maxFrames;
    /** Without those that came on demand; likewise. */
    private volatile long ownedFrames;

    private long hypervisorFrames;
    /** Frames of the memory map, where that is larger than what the domain may own. */
    private long mapFrames;

    private long highestGfn = -1;
    private List<Range> ranges = List.of();
    /** The foreign places of the map, by gfn. */
    private final Map<Long, Foreign> foreign = new HashMap<>();

    private final Map<Integer, Integer> pins = new HashMap<>();
    /** Owned frames that left the map while pinned. */
    private final Set<Integer> orphans = new HashSet<>();

    /** @param overdrawn runs, with locks held, when the guest uses more memory on demand than it may own */
    DomainMemory(PhysicalToMachine map, long maxFrames, Shootdown shootdown, Runnable overdrawn) {
        this.map = map;
        this.machine = map.machine();
        this.account = map.account();
        this.maxFrames = maxFrames;
        this.shootdown = shootdown;
        map.setDemand(new PhysicalToMachine.Demand() {
            @Override
            public boolean mayPopulate() {
                return DomainMemory.this.ownedFrames + map.populatedOnDemand() < DomainMemory.this.maxFrames;
            }

            @Override
            public void unmet(long gfn) {
                overdrawn.run();
            }
        });
        limitLeaves();
    }

    /** Twice what a contiguous layout needs, and enough to map some thousand foreign frames anywhere. */
    private void limitLeaves() {
        map.limitLeaves((int) Math.min(Integer.MAX_VALUE, LEAVES + 2 * (Math.max(maxFrames, mapFrames) / EXTENT)));
    }

    /** The map that the domain's processors use. */
    public PhysicalToMachine map() {
        return map;
    }

    /** What the domain has of the machine's memory, frames of the hypervisor's own for it included. */
    public FrameAccount account() {
        return account;
    }

    /** Frames that the domain owns. */
    public synchronized long ownedFrames() {
        return ownedFrames + map.populatedOnDemand();
    }

    /** Frames that the domain owns, and those that it will get on demand, as far as it may own them. */
    public synchronized long reservedFrames() {
        long owned = ownedFrames();
        return Math.max(owned, Math.min(owned + map.waitingOnDemand(), maxFrames));
    }

    /** Frames that the domain may own. */
    public synchronized long maxFrames() {
        return maxFrames;
    }

    /** Changes how many frames the domain may own; frames beyond that stay until the guest gives them up. */
    public synchronized void setMaxFrames(long frames) {
        maxFrames = frames;
        limitLeaves();
    }

    /** The highest guest frame that was ever mapped, or -1. */
    public synchronized long highestGfn() {
        return highestGfn;
    }

    /** The memory map for the guest, empty when there is none. */
    public synchronized List<Range> ranges() {
        return ranges;
    }

    /** Sets the memory map for the guest. */
    public synchronized void setRanges(List<Range> ranges) {
        this.ranges = List.copyOf(ranges);
    }

    /**
     * Gives the domain fresh memory; holes only: a frame that is mapped already stays.
     *
     * @return how many frames from {@code gfn} on are there now; fewer than asked for when the reservation or the
     *     machine's memory ends
     */
    public synchronized long populate(long gfn, long frames) {
        long end = gfn + frames;
        long at = gfn;
        while (at < end) {
            if (map.mfn(at) >= 0 || map.isOnDemand(at)) {
                at++;
                continue;
            }
            long room = maxFrames - ownedFrames();
            if (room <= 0 || !map.hasRoomFor(at)) {
                break;
            }
            boolean wholeExtent = (at & EXTENT - 1) == 0 && end - at >= EXTENT && room >= EXTENT && isHole(at);
            int mfn = wholeExtent ? account.allocateExtent() : -1;
            int count = EXTENT;
            if (mfn < 0) {
                mfn = account.allocateFrame();
                count = 1;
            }
            if (mfn < 0) {
                break;
            }
            for (int i = 0; i < count; i++) {
                map.map(at + i, mfn + i, true);
            }
            ownedFrames += count;
            at += count;
        }
        if (at > gfn) {
            highestGfn = Math.max(highestGfn, at - 1);
        }
        return at - gfn;
    }

    /** Takes over what a domain builder has put into the map: all of it is the domain's own from now on. */
    public synchronized void adoptMap() {
        long owned = 0;
        highestGfn = Math.max(highestGfn, map.highestOnDemand());
        for (long gfn = map.nextMapped(0); gfn >= 0; gfn = map.nextMapped(gfn + 1)) {
            if (!foreign.containsKey(gfn)) {
                owned++;
                highestGfn = Math.max(highestGfn, gfn);
            }
        }
        ownedFrames = owned - map.populatedOnDemand();
        mapFrames = owned + map.waitingOnDemand();
        limitLeaves();
    }

    private boolean isHole(long first) {
        for (long gfn = first; gfn < first + EXTENT; gfn++) {
            if (map.mfn(gfn) >= 0 || map.isOnDemand(gfn)) {
                return false;
            }
        }
        return true;
    }

    /**
     * Makes {@code gfn} a hole. An owned frame goes back to the machine.
     *
     * @return false when there was nothing, or a granted frame
     */
    public synchronized boolean remove(long gfn) {
        if (foreign.get(gfn) == Foreign.GRANT) {
            return false;
        }
        int mfn = map.unmap(gfn);
        if (mfn < 0) {
            return map.unmapOnDemand(gfn);
        }
        shootdown.flush();
        if (foreign.remove(gfn) == null) {
            disown(mfn);
        }
        return true;
    }

    /**
     * Makes holes, as {@link #remove} does, with one flush for all: for the balloon. Stops at the first number that is not owned
     * memory.
     *
     * @return how many are holes now, from the first on
     */
    public synchronized int removeAll(long[] gfns) {
        int[] frames = new int[gfns.length];
        int count = 0;
        int done = 0;
        while (done < gfns.length) {
            long gfn = gfns[done];
            if (!isValid(gfn)) {
                break;
            }
            int mfn = map.mfn(gfn);
            if (mfn >= 0 && !foreign.containsKey(gfn)) {
                map.unmap(gfn);
                frames[count++] = mfn;
            } else if (mfn >= 0 || !map.unmapOnDemand(gfn)) {
                // It may have got its frame just now.
                if (!isOwned(gfn)) {
                    break;
                }
                continue;
            }
            done++;
        }
        if (count > 0) {
            shootdown.flush();
            Arrays.sort(frames, 0, count);
            int first = 0;
            for (int i = 0; i < count; i++) {
                if (pins.containsKey(frames[i])) {
                    give(frames, first, i);
                    ownedFrames--;
                    orphans.add(frames[i]);
                    first = i + 1;
                }
            }
            give(frames, first, count);
        }
        return done;
    }

    /** Gives sorted frames back, neighbours together. */
    private void give(int[] frames, int from, int to) {
        int start = from;
        for (int i = from; i < to; i++) {
            if (i + 1 == to || frames[i + 1] != frames[i] + 1) {
                account.release(frames[start], i + 1 - start);
                start = i + 1;
            }
        }
        ownedFrames -= to - from;
    }

    /**
     * Takes a granted frame out of the map. When this returns, no processor of the domain can reach it there.
     *
     * @return false when that frame is not there as a granted one
     */
    public synchronized boolean unmapGrant(long gfn, int mfn) {
        if (foreign.get(gfn) != Foreign.GRANT || map.mfn(gfn) != mfn) {
            return false;
        }
        map.unmap(gfn);
        foreign.remove(gfn);
        shootdown.flush();
        return true;
    }

    /** An owned frame has left the map. */
    private void disown(int mfn) {
        ownedFrames--;
        if (pins.containsKey(mfn)) {
            orphans.add(mfn);
        } else {
            account.release(mfn, 1);
        }
    }

    /**
     * Maps a frame that the domain does not own at {@code gfn}; what was there goes as in {@link #remove}.
     *
     * @return false when a granted frame is there, or the map is full
     */
    public synchronized boolean mapForeign(long gfn, int mfn, boolean writable, Foreign kind) {
        Foreign before = foreign.get(gfn);
        if (before == Foreign.GRANT || !map.hasRoomFor(gfn)) {
            return false;
        }
        int old = map.mfn(gfn);
        foreign.put(gfn, kind);
        map.map(gfn, mfn, writable);
        highestGfn = Math.max(highestGfn, gfn);
        if (old >= 0) {
            shootdown.flush();
            if (before == null) {
                disown(old);
            }
        }
        return true;
    }

    /** Moves an owned frame to another place; false when there is none at {@code from}, or no room at {@code to}. */
    public synchronized boolean move(long from, long to) {
        // A frame that would come on demand comes now.
        map.frameForRead(from);
        if (from == to) {
            return isOwned(from);
        }
        Foreign before = foreign.get(to);
        if (!isOwned(from) || before == Foreign.GRANT || !map.hasRoomFor(to)) {
            return false;
        }
        int mfn = map.unmap(from);
        int old = map.mfn(to);
        map.map(to, mfn, true);
        foreign.remove(to);
        highestGfn = Math.max(highestGfn, to);
        shootdown.flush();
        if (old >= 0 && before == null) {
            disown(old);
        }
        return true;
    }

    /** Whether {@code gfn} is memory that the domain owns. */
    public synchronized boolean isOwned(long gfn) {
        return map.mfn(gfn) >= 0 && !foreign.containsKey(gfn);
    }

    /** Whether a guest frame number is one that could ever be mapped. */
    public static boolean isValid(long gfn) {
        return gfn >= 0 && gfn < 1L << 33;
    }

    /**
     * Keeps the owned, writable frame behind {@code gfn} from being reused, for writing through its host address.
     *
     * @return the machine frame, or -1 when there is no such frame
     */
    public synchronized int pin(long gfn) {
        if (!isValid(gfn) || map.frameForWrite(gfn) == 0) {
            return -1;
        }
        if (foreign.containsKey(gfn)) {
            return -1;
        }
        int mfn = map.mfn(gfn);
        pins.merge(mfn, 1, Integer::sum);
        return mfn;
    }

    /** Takes back one {@link #pin}. */
    public synchronized void unpin(int mfn) {
        int count = pins.get(mfn) - 1;
        if (count > 0) {
            pins.put(mfn, count);
            return;
        }
        pins.remove(mfn);
        if (orphans.remove(mfn)) {
            account.release(mfn, 1);
        }
    }

    /** Names the frames that are written, or may be, through host addresses that somebody keeps: pinned and foreign ones. */
    synchronized void forEachKeptFrame(IntConsumer mfn) {
        pins.keySet().forEach(mfn::accept);
        foreign.keySet().forEach(gfn -> mfn.accept(map.mfn(gfn)));
    }

    /** Host address of a machine frame. */
    public long address(int mfn) {
        return machine.address(mfn);
    }

    /** Takes a frame of the machine for the hypervisor's own use, zeroed; -1 when there is none. */
    public synchronized int allocateHypervisorFrame() {
        int mfn = account.allocateFrame();
        if (mfn >= 0) {
            hypervisorFrames++;
        }
        return mfn;
    }

    /** Gives a frame of {@link #allocateHypervisorFrame} back; it must not be mapped any more. */
    public synchronized void releaseHypervisorFrame(int mfn) {
        account.release(mfn, 1);
        hypervisorFrames--;
    }

    /** Frames that the domain has taken from the machine: its own, those that only pins keep, and the hypervisor's for it. */
    public synchronized long takenFrames() {
        return ownedFrames() + orphans.size() + hypervisorFrames;
    }

    /** What the map shows at {@code gfn} when that is not the domain's own memory; else null. */
    public synchronized Foreign foreignAt(long gfn) {
        return foreign.get(gfn);
    }

    /** Whether a frame is the domain's, but is in its map no more: somebody still holds a pin. */
    public synchronized boolean isOrphan(int mfn) {
        return orphans.contains(mfn);
    }

    /** How often a frame is pinned. */
    public synchronized int pins(int mfn) {
        return pins.getOrDefault(mfn, 0);
    }

    /**
     * Gives all owned frames back and empties the map. The domain's processors have stopped for good. Frames that are
     * still pinned, because another domain has mapped them, follow with their last pin.
     */
    synchronized void releaseAll() {
        int runStart = -1;
        int runLength = 0;
        for (long gfn = map.nextMapped(0); gfn >= 0; gfn = map.nextMapped(gfn + 1)) {
            int mfn = map.unmap(gfn);
            if (foreign.containsKey(gfn)) {
                continue;
            }
            if (pins.containsKey(mfn)) {
                orphans.add(mfn);
                continue;
            }
            // Frames of one extent follow each other: give them back with one call.
            if (runLength > 0 && mfn == runStart + runLength) {
                runLength++;
            } else {
                if (runLength > 0) {
                    account.release(runStart, runLength);
                }
                runStart = mfn;
                runLength = 1;
            }
        }
        if (runLength > 0) {
            account.release(runStart, runLength);
        }
        foreign.clear();
        ownedFrames = -map.populatedOnDemand();
    }
}
