package org.xenolith.services.console;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.xenolith.abi.ConsoleRing;
import org.xenolith.memory.GuestPhysical;
import org.xenolith.memory.Raw;

/**
 * The back end of one PV console ring ({@link ConsoleRing}).
 *
 * <p>The ring is shared with a guest that may write anything into it at any time. Its indices are read once per step,
 * and used only when {@code prod - cons} is at most the size of the ring; else the ring is emptied,
 * {@link #protocolErrors} counts, and the error listener hears of it once.
 *
 * <p>All methods are safe to call from several threads. The sink runs under the output lock, so it sees bytes in order;
 * it must not call back into this object except {@link #input}. {@code notifyGuest} runs without locks.
 */
public final class ConsoleBackend {
    /** Input that is kept for a guest that does not read. */
    public static final int INPUT_QUEUE = 64 << 10;

    private final GuestPhysical memory;
    private final long gfn;
    private final Runnable notifyGuest;
    private final Consumer<String> onError;

    /** Guards the output ring, {@link #chunk} and {@link #sink}. Never taken together with {@link #inputLock}. */
    private final ReentrantLock outputLock = new ReentrantLock();

    private final byte[] chunk = new byte[ConsoleRing.OUT_SIZE];
    private ConsoleSink sink;

    /** Guards the input ring and the queue. */
    private final ReentrantLock inputLock = new ReentrantLock();

    private final Condition inputRoom = inputLock.newCondition();
    private final byte[] queue = new byte[INPUT_QUEUE];
    private int queueStart;
    private int queued;
    /** Where the queue is filled from when it is empty, or null. */
    private Supplier<byte[]> source;

    private boolean closed;

    private final AtomicLong outputBytes = new AtomicLong();
    private final AtomicInteger protocolErrors = new AtomicInteger();

    /** A console without a listener for errors. Output waits in the ring until {@link #connect} gives a sink. */
    public ConsoleBackend(GuestPhysical memory, long gfn, Runnable notifyGuest) {
        this(memory, gfn, notifyGuest, message -> {});
    }

    /**
     * @param memory the guest's memory
     * @param gfn frame of the ring
     * @param notifyGuest signals the guest's event channel
     * @param onError hears, once, that the guest broke the protocol
     */
    public ConsoleBackend(GuestPhysical memory, long gfn, Runnable notifyGuest, Consumer<String> onError) {
        this.memory = memory;
        this.gfn = gfn;
        this.notifyGuest = notifyGuest;
        this.onError = onError;
    }

    /** Sends output from now on to {@code sink}, starting with what waits in the ring. */
    public void connect(ConsoleSink newSink) {
        outputLock.lock();
        try {
            sink = newSink;
        } finally {
            outputLock.unlock();
        }
        onGuestEvent();
    }

    /** To be called when the guest signalled its console event channel: it wrote output or read input. */
    public void onGuestEvent() {
        boolean moved = drain();
        moved |= refill();
        if (moved) {
            notifyGuest.run();
        }
    }

    /** The sink can take more output. */
    public void resumeOutput() {
        if (drain()) {
            notifyGuest.run();
        }
    }

    /** Queues input for the guest, as much as there is room for; returns how many bytes that was. */
    public int input(byte[] bytes, int offset, int length) {
        int taken;
        inputLock.lock();
        try {
            taken = closed ? 0 : enqueue(bytes, offset, length);
        } finally {
            inputLock.unlock();
        }
        if (refill()) {
            notifyGuest.run();
        }
        return taken;
    }

    /**
     * Takes input from a source, whenever the guest has made room and no other input is queued: at moments, and in pieces,
     * that follow from what the guest does.
     *
     * @param newSource gives the next piece, at most {@link #INPUT_QUEUE} bytes and at once; an empty one at the end
     */
    public void connectInput(Supplier<byte[]> newSource) {
        inputLock.lock();
        try {
            source = newSource;
        } finally {
            inputLock.unlock();
        }
        if (refill()) {
            notifyGuest.run();
        }
    }

    /**
     * Queues all of the input, waiting for the guest to read where needed; returns early when the console is closed.
     */
    public void inputFully(byte[] bytes) throws InterruptedException {
        int done = 0;
        while (done < bytes.length) {
            done += input(bytes, done, bytes.length - done);
            inputLock.lock();
            try {
                while (queued == INPUT_QUEUE && !closed) {
                    inputRoom.await();
                }
                if (closed) {
                    return;
                }
            } finally {
                inputLock.unlock();
            }
        }
    }

    /** Input that the guest has not taken into its ring yet. */
    public int queuedInput() {
        inputLock.lock();
        try {
            return queued;
        } finally {
            inputLock.unlock();
        }
    }

    /** Bytes of output that a sink took. */
    public long outputBytes() {
        return outputBytes.get();
    }

    /** How often the guest's indices made no sense. */
    public int protocolErrors() {
        return protocolErrors.get();
    }

    /** The guest is gone: wakes up who waits in {@link #inputFully}. */
    public void close() {
        inputLock.lock();
        try {
            closed = true;
            queued = 0;
            source = null;
            inputRoom.signalAll();
        } finally {
            inputLock.unlock();
        }
    }

    /** Moves output from the ring to the sink; true when the guest has more room now. */
    private boolean drain() {
        boolean moved = false;
        boolean wrong = false;
        outputLock.lock();
        try {
            while (sink != null) {
                long ring = memory.frameForWrite(gfn);
                if (ring == 0) {
                    break;
                }
                int consumer = Raw.getIntVolatile(ring + ConsoleRing.OUT_CONS);
                int producer = Raw.getIntVolatile(ring + ConsoleRing.OUT_PROD);
                int length = producer - consumer;
                if (length == 0) {
                    break;
                }
                if (Integer.compareUnsigned(length, ConsoleRing.OUT_SIZE) > 0) {
                    Raw.putIntVolatile(ring + ConsoleRing.OUT_CONS, producer);
                    wrong = true;
                    break;
                }
                copyOut(ring, consumer, length);
                int taken = Math.clamp(sink.write(chunk, 0, length), 0, length);
                if (taken == 0) {
                    break;
                }
                outputBytes.addAndGet(taken);
                Raw.putIntVolatile(ring + ConsoleRing.OUT_CONS, consumer + taken);
                moved = true;
            }
        } finally {
            outputLock.unlock();
        }
        if (wrong) {
            protocolError("output");
        }
        return moved;
    }

    private void copyOut(long ring, int consumer, int length) {
        int start = consumer & ConsoleRing.OUT_SIZE - 1;
        int first = Math.min(length, ConsoleRing.OUT_SIZE - start);
        Raw.copy(ring + ConsoleRing.OUT + start, chunk, 0, first);
        Raw.copy(ring + ConsoleRing.OUT, chunk, first, length - first);
    }

    private int enqueue(byte[] bytes, int offset, int length) {
        int taken = Math.min(length, INPUT_QUEUE - queued);
        int end = (queueStart + queued) % INPUT_QUEUE;
        int first = Math.min(taken, INPUT_QUEUE - end);
        System.arraycopy(bytes, offset, queue, end, first);
        System.arraycopy(bytes, offset + first, queue, 0, taken - first);
        queued += taken;
        return taken;
    }

    /** Moves queued input into the ring; true when the guest has something new to read. */
    private boolean refill() {
        boolean moved = false;
        boolean wrong = false;
        inputLock.lock();
        try {
            long ring = queued == 0 && source == null ? 0 : memory.frameForWrite(gfn);
            if (ring != 0) {
                int consumer = Raw.getIntVolatile(ring + ConsoleRing.IN_CONS);
                int producer = Raw.getIntVolatile(ring + ConsoleRing.IN_PROD);
                if (Integer.compareUnsigned(producer - consumer, ConsoleRing.IN_SIZE) > 0) {
                    wrong = true;
                    producer = consumer;
                }
                int room = ConsoleRing.IN_SIZE - (producer - consumer);
                while (room > 0 && (queued > 0 || pull())) {
                    int at = producer & ConsoleRing.IN_SIZE - 1;
                    int piece = Math.min(
                            Math.min(room, queued), Math.min(ConsoleRing.IN_SIZE - at, INPUT_QUEUE - queueStart));
                    Raw.copy(queue, queueStart, ring + ConsoleRing.IN + at, piece);
                    queueStart = (queueStart + piece) % INPUT_QUEUE;
                    queued -= piece;
                    producer += piece;
                    room -= piece;
                    moved = true;
                }
                if (moved || wrong) {
                    Raw.putIntVolatile(ring + ConsoleRing.IN_PROD, producer);
                    inputRoom.signalAll();
                }
            }
        } finally {
            inputLock.unlock();
        }
        if (wrong) {
            protocolError("input");
        }
        return moved;
    }

    private boolean pull() {
        byte[] piece = source == null ? new byte[0] : source.get();
        if (piece.length == 0) {
            source = null;
        }
        enqueue(piece, 0, piece.length);
        return queued > 0;
    }

    private void protocolError(String direction) {
        if (protocolErrors.getAndIncrement() == 0) {
            onError.accept("the guest wrote impossible indices into its console " + direction + " ring; emptied it");
        }
    }
}
