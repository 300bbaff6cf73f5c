package org.xenolith.memory;

import java.util.Arrays;

/**
 * The physical-to-machine map (p2m) of one domain: which machine frame backs each guest frame number (gfn).
 *
 * <p>Three levels: a leaf for 2 MiB of guest-physical space, a node for 1 GiB. Holes cost nothing, and a leaf goes with its
 * last entry. A guest chooses where its frames appear, so leaves are limited ({@link #limitLeaves}): it could otherwise make
 * the map much larger than its memory. Entries change under this object's lock; readers need none, because an entry is one
 * array element. A change that takes access away must be followed by a TLB shootdown of the domain's processors, which is
 * the caller's duty.
 *
 * <p>An entry may be <i>on demand</i>: it gets a frame when somebody first asks for one. So a domain may see more memory than it
 * may own, and gives the rest up before it touches it (what Xen calls populate on demand).
 */
public final class PhysicalToMachine implements GuestPhysical {
    private static final int LEAF = MachineMemory.EXTENT_FRAMES;
    private static final int LEAF_SHIFT = 9;
    /** Leaves in a node. */
    private static final int NODE = 512;

    private static final int NODE_SHIFT = LEAF_SHIFT + 9;
    /** Nodes of the largest map: 32 TiB of guest-physical space. */
    private static final int NODES = 1 << 15;
    /** No frame. Host addresses are never 0. */
    private static final long NONE = 0;
    /** Low bit of an entry: the frame may only be read. Host addresses of frames have their low 12 bits clear. */
    private static final long READ_ONLY = 1;
    /** A whole entry: the frame comes when it is asked for. */
    private static final long ON_DEMAND = 2;

    /** Decides about frames on demand. Called with this map locked: must not wait for anybody. */
    public interface Demand {
        /** Whether the domain may have one frame more. */
        boolean mayPopulate();

        /** There was no frame to be had, and the guest sees a hole. */
        void unmet(long gfn);
    }

    private final MachineMemory machine;
    private final FrameAccount account;
    private Node[] nodes = new Node[0];
    private int leafCount;
    private int leafLimit = Integer.MAX_VALUE;
    private volatile DirtyLog dirty;
    private volatile Demand demand;
    /** Frames that came on demand so far. */
    private volatile long populated;

    /** Entries that wait for their frame. */
    private volatile long waiting;

    private volatile long highestOnDemand = -1;
    /** Changes of entries so far. */
    private volatile int changes;

    private static final class Node {
        final long[][] leaves = new long[NODE][];
        /** Entries of each leaf that are no holes. */
        final short[] used = new short[NODE];
    }

    public PhysicalToMachine(MachineMemory machine) {
        this.machine = machine;
        account = machine.openAccount();
    }

    /** Who pays for the domain's frames. */
    public FrameAccount account() {
        return account;
    }

    /** The machine memory that this map points into. */
    public MachineMemory machine() {
        return machine;
    }

    @Override
    public long frameForRead(long gfn) {
        long entry = entry(gfn);
        return (entry == ON_DEMAND ? populate(gfn) : entry) & ~READ_ONLY;
    }

    @Override
    public long frameForWrite(long gfn) {
        long entry = entry(gfn);
        if (entry == ON_DEMAND) {
            entry = populate(gfn);
        }
        if ((entry & READ_ONLY) != 0) {
            return 0;
        }
        DirtyLog log = dirty;
        if (log != null && entry != NONE) {
            log.mark(machine.mfn(entry));
        }
        return entry;
    }

    private synchronized long populate(long gfn) {
        long entry = entry(gfn);
        if (entry != ON_DEMAND) {
            return entry;
        }
        int mfn = demand.mayPopulate() ? account.allocateFrame() : -1;
        if (mfn < 0) {
            demand.unmet(gfn);
            return NONE;
        }
        populated++;
        set(gfn, machine.address(mfn));
        return machine.address(mfn);
    }

    /** Who decides about frames on demand; before any entry is. */
    public void setDemand(Demand newDemand) {
        demand = newDemand;
    }

    /** Makes {@code count} holes from {@code gfn} on entries on demand. */
    public synchronized void mapOnDemand(long gfn, long count) {
        for (long i = gfn; i < gfn + count; i++) {
            if (entry(i) != NONE) {
                throw new IllegalStateException("gfn 0x" + Long.toHexString(i) + " is mapped");
            }
            set(i, ON_DEMAND);
        }
        highestOnDemand = Math.max(highestOnDemand, gfn + count - 1);
    }

    /** Whether an entry still waits for its frame. */
    public boolean isOnDemand(long gfn) {
        return entry(gfn) == ON_DEMAND;
    }

    /** Makes an entry that waits for its frame a hole; false when it is not such an entry. */
    public synchronized boolean unmapOnDemand(long gfn) {
        if (entry(gfn) != ON_DEMAND) {
            return false;
        }
        set(gfn, NONE);
        return true;
    }

    /** How many frames came on demand so far. */
    public long populatedOnDemand() {
        return populated;
    }

    /** How many entries wait for their frame. */
    public long waitingOnDemand() {
        return waiting;
    }

    /** The highest entry that ever was on demand, or -1. */
    public long highestOnDemand() {
        return highestOnDemand;
    }

    /** Starts a log of frames that are written; until then there is none. Before anything is mapped. */
    public DirtyLog startDirtyLog() {
        dirty = new DirtyLog();
        return dirty;
    }

    /** A number that is another one after an entry has changed. */
    public int version() {
        return changes;
    }

    /** The machine frame behind {@code gfn}, or -1; also where it would come on demand. */
    public int mfn(long gfn) {
        long entry = entry(gfn) & ~READ_ONLY;
        return entry == NONE || entry == ON_DEMAND ? -1 : machine.mfn(entry);
    }

    /** Points {@code gfn} at a machine frame. */
    public synchronized void map(long gfn, int mfn, boolean writable) {
        set(gfn, machine.address(mfn) | (writable ? 0 : READ_ONLY));
    }

    /** Makes {@code gfn} a hole; returns the frame that was there, or -1. */
    public synchronized int unmap(long gfn) {
        int old = mfn(gfn);
        if (old >= 0) {
            set(gfn, NONE);
        }
        return old;
    }

    /** Sets how many leaves, of {@value MachineMemory#EXTENT_FRAMES} entries each, {@link #hasRoomFor} allows. */
    public synchronized void limitLeaves(int limit) {
        leafLimit = limit;
    }

    /** Whether {@code gfn} can be mapped within the limit of leaves. */
    public synchronized boolean hasRoomFor(long gfn) {
        return gfn >= 0 && gfn >>> NODE_SHIFT < NODES && (leafCount < leafLimit || leaf(gfn) != null);
    }

    /** The first gfn from {@code gfn} on that has a frame, or -1. Costs little for the large holes. */
    public long nextMapped(long gfn) {
        Node[] top = nodes;
        long end = (long) top.length << NODE_SHIFT;
        long at = gfn;
        while (at < end) {
            Node node = top[(int) (at >>> NODE_SHIFT)];
            if (node == null) {
                at = (at >>> NODE_SHIFT) + 1 << NODE_SHIFT;
                continue;
            }
            long[] leaf = node.leaves[(int) (at >>> LEAF_SHIFT) & NODE - 1];
            if (leaf == null) {
                at = (at >>> LEAF_SHIFT) + 1 << LEAF_SHIFT;
            } else if (leaf[(int) at & LEAF - 1] > ON_DEMAND) {
                return at;
            } else {
                at++;
            }
        }
        return -1;
    }

    private long[] leaf(long gfn) {
        Node[] top = nodes;
        long index = gfn >>> NODE_SHIFT;
        if (index >= top.length || index < 0) {
            return null;
        }
        Node node = top[(int) index];
        return node == null ? null : node.leaves[(int) (gfn >>> LEAF_SHIFT) & NODE - 1];
    }

    private long entry(long gfn) {
        long[] leaf = leaf(gfn);
        return leaf == null ? NONE : leaf[(int) gfn & LEAF - 1];
    }

    private synchronized void set(long gfn, long entry) {
        long index = gfn >>> NODE_SHIFT;
        if (index < 0 || index >= NODES) {
            throw new IndexOutOfBoundsException("gfn 0x" + Long.toHexString(gfn) + " is beyond 32 TiB");
        }
        if (index >= nodes.length) {
            nodes = Arrays.copyOf(nodes, (int) Math.max(index + 1, Math.min(nodes.length * 2L, NODES)));
        }
        Node node = nodes[(int) index];
        if (node == null) {
            node = new Node();
            nodes[(int) index] = node;
        }
        int number = (int) (gfn >>> LEAF_SHIFT) & NODE - 1;
        long[] leaf = node.leaves[number];
        if (leaf == null) {
            leaf = new long[LEAF];
            node.leaves[number] = leaf;
            leafCount++;
        }
        long old = leaf[(int) gfn & LEAF - 1] & ~READ_ONLY;
        leaf[(int) gfn & LEAF - 1] = entry;
        if (old == ON_DEMAND || entry == ON_DEMAND) {
            waiting += (entry == ON_DEMAND ? 1 : 0) - (old == ON_DEMAND ? 1 : 0);
        }
        node.used[number] += (short) ((entry == NONE ? 0 : 1) - (old == NONE ? 0 : 1));
        if (node.used[number] == 0) {
            node.leaves[number] = null;
            leafCount--;
        }
        changes++;
        if (dirty != null && old != NONE && old != ON_DEMAND) {
            // The frame may go back to the machine, and lose its content.
            dirty.mark(machine.mfn(old));
        }
    }
}
