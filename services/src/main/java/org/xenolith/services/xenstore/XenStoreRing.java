package org.xenolith.services.xenstore;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.locks.ReentrantLock;
import org.xenolith.abi.XenstoreRing;
import org.xenolith.memory.GuestPhysical;
import org.xenolith.memory.Raw;

/**
 * Carries a connection over a guest's shared page ({@link XenstoreRing}).
 *
 * <p>A message may be longer than a ring and comes and goes in pieces. New requests are taken only when all answers to
 * earlier ones have left, so that a guest that does not read cannot make the store keep anything for it but events.
 *
 * <p>The page is hostile. Impossible indices or lengths end the conversation: the page's error field says why, and
 * nothing more is read until the guest asks for a reconnection. {@code notifyGuest} is called without locks.
 */
public final class XenStoreRing implements AutoCloseable {
    private static final int FEATURE_WATCH_DEPTH = 4;
    private static final int CONNECTED = 0;
    private static final int RECONNECT = 1;
    /** Values of the page's error field. */
    private static final int ERROR_NONE = 0;

    private static final int ERROR_INDEX = 2;
    private static final int ERROR_PROTOCOL = 3;
    private static final int SIZE = XenstoreRing.RING_SIZE;

    private final GuestPhysical memory;
    private final long gfn;
    private final XenStoreConnection connection;
    private final Runnable notifyGuest;

    /** Guards everything below and this side of the page. Taken before the store's lock. */
    private final ReentrantLock lock = new ReentrantLock();

    private final byte[] header = new byte[XenstoreRing.HEADER_SIZE];
    private int headerRead;
    /** Payload of the message that is coming in, once its header is complete. */
    private byte[] payload;

    private int payloadRead;
    /** The message that is going out, and how much of it has gone. */
    private byte[] sending;

    private int sent;
    private volatile int error;
    private boolean closed;

    /**
     * Starts to serve a guest, whose page must be mapped.
     *
     * @param gfn frame of the page
     * @param notifyGuest signals the guest's event channel
     */
    public XenStoreRing(GuestPhysical memory, long gfn, XenStoreConnection connection, Runnable notifyGuest) {
        this.memory = memory;
        this.gfn = gfn;
        this.connection = connection;
        this.notifyGuest = notifyGuest;
        long page = memory.frameForWrite(gfn);
        if (page != 0) {
            Raw.putInt(
                    page + XenstoreRing.SERVER_FEATURES,
                    XenstoreRing.FEATURE_RECONNECT | XenstoreRing.FEATURE_ERROR | FEATURE_WATCH_DEPTH);
            Raw.putIntVolatile(page + XenstoreRing.CONNECTION, CONNECTED);
        }
        connection.onOutput(this::onOutput);
    }

    /** To be called when the guest signalled its xenstore event channel. */
    public void onGuestEvent() {
        boolean moved;
        lock.lock();
        try {
            moved = pump();
        } finally {
            lock.unlock();
        }
        if (moved) {
            notifyGuest.run();
        }
        connection.dispatch();
    }

    /** What the guest did wrong, as in the page's error field; 0 while all is well. */
    public int error() {
        return error;
    }

    /** Ends the connection: the guest is gone. */
    @Override
    public void close() {
        lock.lock();
        try {
            closed = true;
        } finally {
            lock.unlock();
        }
        connection.close();
    }

    private void onOutput() {
        boolean moved;
        lock.lock();
        try {
            long page = page();
            moved = page != 0 && error == ERROR_NONE && send(page);
        } finally {
            lock.unlock();
        }
        if (moved) {
            notifyGuest.run();
        }
    }

    private long page() {
        return closed ? 0 : memory.frameForWrite(gfn);
    }

    /** Moves bytes both ways until nothing moves; true when the guest should look. */
    private boolean pump() {
        long page = page();
        if (page == 0) {
            return false;
        }
        boolean moved = false;
        if (Raw.getIntVolatile(page + XenstoreRing.CONNECTION) == RECONNECT) {
            reconnect(page);
            moved = true;
        }
        boolean more = true;
        while (more && error == ERROR_NONE) {
            more = send(page);
            if (sending == null && !connection.hasOutput() && error == ERROR_NONE) {
                more |= receive(page);
            }
            moved |= more;
        }
        return moved;
    }

    private void reconnect(long page) {
        connection.disconnect();
        headerRead = 0;
        payload = null;
        sending = null;
        error = ERROR_NONE;
        for (int index = XenstoreRing.REQ_CONS; index <= XenstoreRing.RSP_PROD; index += 4) {
            Raw.putInt(page + index, 0);
        }
        Raw.putInt(page + XenstoreRing.ERROR, ERROR_NONE);
        Raw.putIntVolatile(page + XenstoreRing.CONNECTION, CONNECTED);
    }

    private void fail(long page, int why) {
        error = why;
        connection.disconnect();
        Raw.putIntVolatile(page + XenstoreRing.ERROR, why);
    }

    /** Sends what there is room for; true when something went, or the connection failed. */
    private boolean send(long page) {
        boolean moved = false;
        while (true) {
            if (sending == null) {
                StoreMessage next = connection.poll();
                if (next == null) {
                    return moved;
                }
                sending = next.encode();
                sent = 0;
            }
            int consumer = Raw.getIntVolatile(page + XenstoreRing.RSP_CONS);
            int producer = Raw.getInt(page + XenstoreRing.RSP_PROD);
            int used = producer - consumer;
            if (Integer.compareUnsigned(used, SIZE) > 0) {
                fail(page, ERROR_INDEX);
                return true;
            }
            int at = producer & SIZE - 1;
            int piece = Math.min(Math.min(sending.length - sent, SIZE - used), SIZE - at);
            if (piece == 0) {
                return moved;
            }
            Raw.copy(sending, sent, page + XenstoreRing.RSP + at, piece);
            Raw.putIntVolatile(page + XenstoreRing.RSP_PROD, producer + piece);
            sent += piece;
            moved = true;
            if (sent == sending.length) {
                sending = null;
            }
        }
    }

    /** Takes bytes of at most one message; true when something came, or the connection failed. */
    private boolean receive(long page) {
        boolean moved = false;
        while (true) {
            int producer = Raw.getIntVolatile(page + XenstoreRing.REQ_PROD);
            int consumer = Raw.getInt(page + XenstoreRing.REQ_CONS);
            int filled = producer - consumer;
            if (Integer.compareUnsigned(filled, SIZE) > 0) {
                fail(page, ERROR_INDEX);
                return true;
            }
            int at = consumer & SIZE - 1;
            byte[] into = payload == null ? header : payload;
            int from = payload == null ? headerRead : payloadRead;
            int piece = Math.min(Math.min(filled, into.length - from), SIZE - at);
            if (piece == 0) {
                return moved;
            }
            Raw.copy(page + XenstoreRing.REQ + at, into, from, piece);
            Raw.putIntVolatile(page + XenstoreRing.REQ_CONS, consumer + piece);
            moved = true;
            if (payload == null) {
                headerRead += piece;
                if (headerRead == header.length && !startPayload(page)) {
                    return true;
                }
            } else {
                payloadRead += piece;
            }
            if (payload != null && payloadRead == payload.length) {
                ByteBuffer fields = ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN);
                StoreMessage request = new StoreMessage(fields.getInt(0), fields.getInt(4), fields.getInt(8), payload);
                payload = null;
                headerRead = 0;
                connection.receive(request);
                return true;
            }
        }
    }

    private boolean startPayload(long page) {
        int length = ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN).getInt(12);
        if (Integer.compareUnsigned(length, XenstoreRing.MAX_PAYLOAD) > 0) {
            fail(page, ERROR_PROTOCOL);
            return false;
        }
        payload = new byte[length];
        payloadRead = 0;
        return true;
    }
}
