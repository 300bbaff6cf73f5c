package org.xenolith.hypervisor.events;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.xenolith.abi.Errno;
import org.xenolith.abi.EventFifo;
import org.xenolith.hypervisor.DomainMemory;
import org.xenolith.hypervisor.HypercallException;
import org.xenolith.hypervisor.Vcpu;
import org.xenolith.memory.Raw;

/** The FIFO ABI, see {@link EventFifo}. Array pages and control blocks are pinned frames of the guest. */
final class FifoAbi implements EventAbi {
    /** How often linking is tried against a guest that keeps changing the tail, before BUSY asks it to stop, and after. */
    private static final int LINK_ATTEMPTS = 4;

    /** The queues of one virtual CPU. */
    private static final class Queues {
        final int mfn;
        final long control;
        /** The port that was linked last in each queue, 0 = none. Never read back from the guest. */
        final int[] tail = new int[EventFifo.PRIORITIES];

        Queues(int mfn, long control) {
            this.mfn = mfn;
            this.control = control;
        }
    }

    private final DomainMemory memory;
    private final Map<Vcpu, Queues> queues = new HashMap<>();
    private int[] pages = new int[0];

    FifoAbi(DomainMemory memory) {
        this.memory = memory;
    }

    @Override
    public int ports() {
        return EventFifo.PORTS;
    }

    /** Sets up the control block of a virtual CPU. */
    void addControlBlock(Vcpu vcpu, long gfn, int offset) {
        if (offset < 0 || offset > 4096 - EventFifo.CONTROL_SIZE || (offset & 7) != 0 || queues.containsKey(vcpu)) {
            throw new HypercallException(Errno.EINVAL);
        }
        int mfn = memory.pin(gfn);
        if (mfn < 0) {
            throw new HypercallException(Errno.EINVAL);
        }
        queues.put(vcpu, new Queues(mfn, memory.address(mfn) + offset));
    }

    /** Adds a page to the event array; returns the first port that it has a word for. */
    int addPage(long gfn) {
        if (pages.length == EventFifo.MAX_PAGES) {
            throw new HypercallException(Errno.ENOSPC);
        }
        int mfn = memory.pin(gfn);
        if (mfn < 0) {
            throw new HypercallException(Errno.EINVAL);
        }
        pages = Arrays.copyOf(pages, pages.length + 1);
        pages[pages.length - 1] = mfn;
        return (pages.length - 1) * EventFifo.PORTS_PER_PAGE;
    }

    /** Lets go of all guest memory. */
    void release() {
        for (Queues queue : queues.values()) {
            memory.unpin(queue.mfn);
        }
        queues.clear();
        for (int mfn : pages) {
            memory.unpin(mfn);
        }
        pages = new int[0];
    }

    /** Host address of a port's word, or 0 when the array does not reach that far. */
    private long word(int port) {
        int page = port / EventFifo.PORTS_PER_PAGE;
        return page >= pages.length ? 0 : memory.address(pages[page]) + (port % EventFifo.PORTS_PER_PAGE) * 4L;
    }

    @Override
    public void raise(Port port) {
        long word = word(port.number);
        if (word == 0) {
            port.pendingWithoutWord = true;
            return;
        }
        Queues queue = queues.get(port.target);
        if (queue == null) {
            // The guest must set up the control block before it unmasks; it loses the event otherwise.
            return;
        }
        Raw.getAndOrInt(word, EventFifo.PENDING);
        if ((Raw.getIntVolatile(word) & (EventFifo.MASKED | EventFifo.LINKED)) != 0) {
            return;
        }
        if ((Raw.getAndOrInt(word, EventFifo.LINKED) & EventFifo.LINKED) != 0) {
            return;
        }
        // Not linked although it is the tail: the guest has consumed it, so that queue is empty. Its tail must go, or
        // an
        // event added to the old queue would be linked behind a port that is on its way into another one.
        Queues old = queues.get(port.lastTarget);
        if (old != null && old.tail[port.lastPriority] == port.number) {
            old.tail[port.lastPriority] = 0;
        }
        port.lastTarget = port.target;
        port.lastPriority = port.priority;
        int tail = queue.tail[port.priority];
        boolean linked = tail != 0 && linkBehind(word(tail), port.number);
        queue.tail[port.priority] = port.number;
        if (!linked) {
            Raw.putIntVolatile(queue.control + EventFifo.CONTROL_HEAD + port.priority * 4L, port.number);
            int ready = 1 << port.priority;
            if ((Raw.getAndOrInt(queue.control + EventFifo.CONTROL_READY, ready) & ready) == 0) {
                port.target.markEventsPending();
            }
        }
    }

    /** Makes the tail point at a port, if the tail is still in its queue. */
    private static boolean linkBehind(long tailWord, int port) {
        for (int attempt = 0; attempt < 2 * LINK_ATTEMPTS; attempt++) {
            if (attempt == LINK_ATTEMPTS) {
                Raw.getAndOrInt(tailWord, EventFifo.BUSY);
            }
            int old = Raw.getIntVolatile(tailWord);
            if ((old & EventFifo.LINKED) == 0) {
                if (attempt >= LINK_ATTEMPTS) {
                    Raw.getAndAndInt(tailWord, ~EventFifo.BUSY);
                }
                return false;
            }
            if (Raw.compareAndSetInt(tailWord, old, old & ~(EventFifo.BUSY | EventFifo.LINK_MASK) | port)) {
                return true;
            }
        }
        // A guest that changes the word without end ignores BUSY: it harms its own queue only.
        Raw.getAndAndInt(tailWord, ~EventFifo.BUSY);
        return true;
    }

    @Override
    public void clear(Port port) {
        port.pendingWithoutWord = false;
        long word = word(port.number);
        if (word != 0) {
            // A linked port stays linked: the guest skips it, because it is not pending.
            Raw.getAndAndInt(word, ~EventFifo.PENDING);
        }
    }

    @Override
    public boolean isPending(Port port) {
        long word = word(port.number);
        return word == 0 ? port.pendingWithoutWord : (Raw.getIntVolatile(word) & EventFifo.PENDING) != 0;
    }

    @Override
    public boolean isMasked(Port port) {
        long word = word(port.number);
        return word == 0 || (Raw.getIntVolatile(word) & EventFifo.MASKED) != 0;
    }

    @Override
    public void unmask(Port port) {
        long word = word(port.number);
        if (word == 0) {
            return;
        }
        Raw.getAndAndInt(word, ~EventFifo.MASKED);
        if ((Raw.getIntVolatile(word) & EventFifo.PENDING) != 0) {
            raise(port);
        }
    }

    @Override
    public boolean isBusy(Port port) {
        long word = word(port.number);
        return word != 0 && (Raw.getIntVolatile(word) & EventFifo.LINKED) != 0;
    }
}
