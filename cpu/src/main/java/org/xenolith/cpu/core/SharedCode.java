package org.xenolith.cpu.core;

import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.xenolith.cpu.VcpuState;
import org.xenolith.memory.GuestPhysical;
import org.xenolith.memory.MachineMemory;

/**
 * What the processors of one domain must know of each other's code: who holds code decoded from which frame, and who may
 * store to which frame without taking notice. A domain with one processor has none of this.
 *
 * <p>Two sets of processors for each frame keep the promise that code is never older than the last serialising
 * instruction of the processor that runs it:
 *
 * <ul>
 *   <li><i>Holders</i> have decoded code from the frame. A processor that fills its TLB for stores to a frame with another
 *       holder gets a watched entry, and each store through that is posted to the holders.
 *   <li><i>Writers</i> may have a TLB entry for fast stores. A processor that becomes a holder asks them to watch the
 *       frame, and decodes when they have, or are outside of guest code and so will before they store again.
 * </ul>
 *
 * Each side enters itself before it looks at the other set, so one of the two sees the other.
 *
 * <p>A store is posted before it is made, because nobody can tell when it has been made but the storing processor at its
 * next look between two instructions. Until then the post stays <i>open</i>: the holder acts on it again at each look, so
 * that code which it decoded in between, from the bytes of before, goes too.
 *
 * <p>Requests are an event bit and a mailbox; processors look at them between blocks, so an answer takes as long as a block.
 * Who waits for others goes on answering them, so that nobody waits for good.
 */
public final class SharedCode {
    private static final int LEAF = MachineMemory.EXTENT_FRAMES;
    private static final int HOLDERS = 0;
    private static final int WRITERS = 1;
    /**
     * Posts for one frame that a holder has not looked at, after which it loses its right to the frame and the writer
     * stores at full speed: it sleeps, or the frame is about to become data.
     */
    private static final int MOST_POSTS = 16;

    /** Rounds of a wait before it gives its host processor away, some microseconds. */
    private static final int SPINS = 200;

    private final MachineMemory machine;
    /** Words of a set. */
    private final int words;
    /** Sets by frame: for each, holders and then writers. */
    private final AtomicReferenceArray<AtomicLongArray> leaves;
    /** Replaced as a whole. */
    private volatile Participant[] participants = {};
    /** Who has stopped all others, or null. */
    private final AtomicReference<Participant> stopper = new AtomicReference<>();

    /**
     * For the processors of one domain.
     *
     * @param machine where all frames of the domain come from
     * @param processors how many processors will {@link #join}
     */
    public SharedCode(MachineMemory machine, int processors) {
        this.machine = machine;
        words = (processors + 63) / 64;
        leaves = new AtomicReferenceArray<>((machine.frames() + LEAF - 1) / LEAF);
    }

    /** Adds a processor. It has not run yet. */
    public synchronized Participant join(Cpu cpu) {
        int id = participants.length;
        if (id >= words * 64) {
            throw new IllegalStateException("more processors than were announced");
        }
        Participant[] more = new Participant[id + 1];
        System.arraycopy(participants, 0, more, 0, id);
        more[id] = new Participant(cpu, id);
        participants = more;
        return more[id];
    }

    private AtomicLongArray leaf(int mfn) {
        int index = mfn / LEAF;
        AtomicLongArray leaf = leaves.get(index);
        if (leaf == null) {
            leaves.compareAndSet(index, null, new AtomicLongArray(LEAF * 2 * words));
            leaf = leaves.get(index);
        }
        return leaf;
    }

    private int index(int mfn, int set) {
        return (mfn % LEAF * 2 + set) * words;
    }

    private static void pause(int round) {
        if (round < SPINS) {
            Thread.onSpinWait();
        } else {
            Thread.yield();
        }
    }

    /** Stores to a frame that a holder has to act on. */
    private static final class Post {
        int from = GuestPhysical.FRAME_SIZE;
        int to;
        int count;
        /** Writers that may not have made their store yet. */
        final BitSet open = new BitSet();
    }

    /** The view of one processor. Methods are for its own thread, if they do not say otherwise. */
    public final class Participant {
        private final Cpu cpu;
        private final VcpuState state;
        private final int id;
        private final int word;
        private final long bit;

        /** In {@link #enter} to {@link #leave}: code may run and the TLB be used. */
        private volatile boolean inside;

        private int depth;
        /** Waits for {@link #stopper} to go on. */
        private volatile boolean parked;

        /** Posted by others, by frame; guarded by this object. */
        private final Map<Long, Post> posts = new HashMap<>();
        /** Frames to watch for others; guarded by this object. */
        private final List<Long> watches = new ArrayList<>();
        /** Number of watch requests so far; guarded by this object. */
        private long requested;
        /** Number of watch requests that are done. */
        private volatile long served;

        /** Frames for which this processor's posts are open. */
        private final List<Long> unfinished = new ArrayList<>();

        private Participant(Cpu cpu, int id) {
            this.cpu = cpu;
            this.state = cpu.state;
            this.id = id;
            word = id / 64;
            bit = 1L << id;
        }

        // ------------------------------------------------------------ sets

        private boolean has(int set, long frame) {
            int mfn = machine.mfn(frame);
            return (leaf(mfn).get(index(mfn, set) + word) & bit) != 0;
        }

        /** Enters this processor into a set; true when it was not in there. */
        private boolean add(int set, long frame) {
            int mfn = machine.mfn(frame);
            AtomicLongArray leaf = leaf(mfn);
            int at = index(mfn, set) + word;
            while (true) {
                long old = leaf.get(at);
                if ((old & bit) != 0) {
                    return false;
                }
                if (leaf.compareAndSet(at, old, old | bit)) {
                    return true;
                }
            }
        }

        private void remove(int set, long frame) {
            int mfn = machine.mfn(frame);
            AtomicLongArray leaf = leaf(mfn);
            int at = index(mfn, set) + word;
            long old = leaf.get(at);
            while ((old & bit) != 0 && !leaf.compareAndSet(at, old, old & ~bit)) {
                old = leaf.get(at);
            }
        }

        /** Members of a set but for this processor, one word of it. */
        private long others(int set, long frame, int w) {
            int mfn = machine.mfn(frame);
            return leaf(mfn).get(index(mfn, set) + w) & (w == word ? ~bit : -1L);
        }

        private boolean hasOthers(int set, long frame) {
            long all = 0;
            for (int w = 0; w < words; w++) {
                all |= others(set, frame, w);
            }
            return all != 0;
        }

        // ------------------------------------------------------------ in and out

        /** Guest code is about to run. Calls may be nested. */
        void enter() {
            if (depth++ == 0) {
                inside = true;
                if ((state.getInt(VcpuState.EVENTS) & VcpuState.EVENT_CODE) != 0) {
                    serve();
                }
            }
        }

        /** Guest code has stopped running. */
        void leave() {
            if (--depth == 0) {
                finish();
                inside = false;
            }
        }

        // ------------------------------------------------------------ stores

        /** Whether a TLB entry for stores to a frame may be one for fast stores. */
        boolean openForWriting(long frame) {
            boolean entered = add(WRITERS, frame);
            if (!hasOthers(HOLDERS, frame)) {
                return true;
            }
            if (entered) {
                remove(WRITERS, frame);
            }
            return false;
        }

        /** The TLB has no entry for fast stores to a frame any more. */
        void watched(long frame) {
            remove(WRITERS, frame);
        }

        /**
         * A store through a watched TLB entry is about to be made, in the current instruction. It makes this processor a
         * writer, so that whoever becomes a holder before the store is made waits for it.
         */
        void storing(long frame, int offset, int bytes) {
            add(WRITERS, frame);
            if (post(frame, offset, bytes, id)) {
                if (!unfinished.contains(frame)) {
                    unfinished.add(frame);
                }
                state.raise(VcpuState.EVENT_CODE);
            }
        }

        /** The hypervisor has written to guest memory for this processor. */
        void stored(long frame, int offset, int bytes) {
            // The stores first, then the look at the holders, who look at memory after they have entered themselves.
            VarHandle.fullFence();
            post(frame, offset, bytes, -1);
            if (depth == 0) {
                finish();
            }
        }

        private boolean post(long frame, int offset, int bytes, int writer) {
            boolean any = false;
            for (int w = 0; w < words; w++) {
                for (long left = others(HOLDERS, frame, w); left != 0; left &= left - 1) {
                    participants[w * 64 + Long.numberOfTrailingZeros(left)].accept(frame, offset, bytes, writer);
                    any = true;
                }
            }
            return any;
        }

        /** Takes a post, from any thread. */
        private void accept(long frame, int offset, int bytes, int writer) {
            synchronized (this) {
                Post post = posts.computeIfAbsent(frame, key -> new Post());
                post.from = Math.min(post.from, offset);
                post.to = Math.max(post.to, offset + bytes);
                if (writer >= 0) {
                    post.open.set(writer);
                }
                if (++post.count == MOST_POSTS) {
                    post.from = 0;
                    post.to = GuestPhysical.FRAME_SIZE;
                    remove(HOLDERS, frame);
                }
            }
            state.raise(VcpuState.EVENT_CODE);
        }

        /** The stores that were posted are made. */
        private void finish() {
            if (unfinished.isEmpty()) {
                return;
            }
            for (Participant other : participants) {
                if (other != this) {
                    other.close(unfinished, id);
                }
            }
            unfinished.clear();
        }

        private void close(List<Long> frames, int writer) {
            boolean any = false;
            synchronized (this) {
                for (Long frame : frames) {
                    Post post = posts.get(frame);
                    if (post != null) {
                        post.open.clear(writer);
                        any = true;
                    }
                }
            }
            if (any) {
                state.raise(VcpuState.EVENT_CODE);
            }
        }

        // ------------------------------------------------------------ code

        /**
         * Code is about to be decoded from a frame and kept: from now on this processor hears of stores to it.
         *
         * @return false when that was so before; true when others may have been waited for, and served meanwhile
         */
        boolean announce(long frame) {
            if (has(HOLDERS, frame)) {
                return false;
            }
            do {
                add(HOLDERS, frame);
                awaitWriters(frame);
                // What was served meanwhile may have taken the right away again.
            } while (!has(HOLDERS, frame));
            return true;
        }

        private void awaitWriters(long frame) {
            long[] tickets = null;
            for (int w = 0; w < words; w++) {
                for (long left = others(WRITERS, frame, w); left != 0; left &= left - 1) {
                    if (tickets == null) {
                        tickets = new long[words * 64];
                    }
                    int n = w * 64 + Long.numberOfTrailingZeros(left);
                    tickets[n] = participants[n].requestWatch(frame);
                }
            }
            for (int n = 0; tickets != null && n < tickets.length; n++) {
                for (int round = 0; tickets[n] > 0 && participants[n].owes(tickets[n]); round++) {
                    if ((state.getInt(VcpuState.EVENTS) & VcpuState.EVENT_CODE) != 0) {
                        serve();
                    }
                    pause(round);
                }
            }
        }

        /** Asks for a frame to be watched, from any thread; done when {@link #served} has reached the answer. */
        private long requestWatch(long frame) {
            long ticket;
            synchronized (this) {
                watches.add(frame);
                ticket = ++requested;
            }
            state.raise(VcpuState.EVENT_CODE);
            return ticket;
        }

        /** Whether a request is neither done nor sure to be done before this processor runs guest code again. */
        private boolean owes(long ticket) {
            return served < ticket && inside;
        }

        /** This processor keeps no code of a frame any more. */
        void vacate(long frame) {
            remove(HOLDERS, frame);
        }

        // ------------------------------------------------------------ serving

        /** Does what others asked for. Between two instructions. */
        void serve() {
            state.lower(VcpuState.EVENT_CODE);
            park();
            finish();
            List<Long> toWatch;
            List<long[]> written = new ArrayList<>();
            long ticket;
            boolean again = false;
            synchronized (this) {
                toWatch = List.copyOf(watches);
                watches.clear();
                ticket = requested;
                for (Iterator<Map.Entry<Long, Post>> i = posts.entrySet().iterator(); i.hasNext(); ) {
                    Map.Entry<Long, Post> entry = i.next();
                    Post post = entry.getValue();
                    written.add(new long[] {entry.getKey(), post.from, post.to});
                    if (post.open.isEmpty()) {
                        i.remove();
                    } else {
                        again = true;
                    }
                }
            }
            for (Long frame : toWatch) {
                cpu.watchFrame(frame);
            }
            served = ticket;
            for (long[] range : written) {
                cpu.codeWritten(range[0], (int) range[1], (int) (range[2] - range[1]));
            }
            if (again) {
                state.raise(VcpuState.EVENT_CODE);
            }
        }

        // ------------------------------------------------------------ stopping everybody

        /** Returns when no other processor runs guest code; they go on after {@link #resumeOthers}. In an instruction. */
        void stopOthers() {
            for (int round = 0; !stopper.compareAndSet(null, this); round++) {
                park();
                pause(round);
            }
            Participant[] all = participants;
            for (Participant other : all) {
                if (other != this) {
                    other.state.raise(VcpuState.EVENT_CODE);
                }
            }
            for (Participant other : all) {
                for (int round = 0; other != this && other.inside && !other.parked; round++) {
                    pause(round);
                }
            }
        }

        void resumeOthers() {
            stopper.set(null);
        }

        /** Waits while somebody else has stopped this processor. */
        private void park() {
            while (stopped()) {
                parked = true;
                for (int round = 0; stopped(); round++) {
                    pause(round);
                }
                // Looked at again behind this store: who stops us now may have seen it from before.
                parked = false;
            }
        }

        private boolean stopped() {
            Participant by = stopper.get();
            return by != null && by != this;
        }
    }
}
