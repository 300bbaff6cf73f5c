package org.xenolith.services.xenstore;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.Deque;
import org.xenolith.abi.XenstoreRing;
import org.xenolith.abi.XenstoreType;
import org.xenolith.services.GuestMemory;

/** The guest's side of a xenstore ring. */
final class RingClient implements AutoCloseable {
    final GuestMemory memory = new GuestMemory(1);
    final XenStoreRing ring;
    final Deque<StoreMessage> events = new ArrayDeque<>();
    int notified;
    private int nextId = 1;

    RingClient(XenStore store, int domain) {
        ring = new XenStoreRing(memory.physical(), 0, store.connect(domain), () -> notified++);
    }

    @Override
    public void close() {
        ring.close();
        memory.close();
    }

    /** Sends a request and returns its answer; events on the way are kept. */
    StoreMessage request(int type, int transaction, byte[] payload) {
        int id = nextId++;
        push(new StoreMessage(type, id, transaction, payload).encode());
        while (true) {
            StoreMessage message = pull();
            if (message.type() == XenstoreType.WATCH_EVENT) {
                events.add(message);
            } else if (message.requestId() == id) {
                return message;
            } else {
                throw new AssertionError("answer to " + message.requestId());
            }
        }
    }

    /** Sends words with NULs; returns the answer as text, an error as its name. */
    String ask(int type, int transaction, String... words) {
        StringBuilder payload = new StringBuilder();
        for (String word : words) {
            payload.append(word).append('\0');
        }
        return text(request(type, transaction, StoreMessage.bytes(payload.toString())));
    }

    String ask(int type, String... words) {
        return ask(type, 0, words);
    }

    String read(String path) {
        return ask(XenstoreType.READ, path);
    }

    String write(int transaction, String path, String value) {
        return text(request(XenstoreType.WRITE, transaction, StoreMessage.bytes(path + '\0' + value)));
    }

    String write(String path, String value) {
        return write(0, path, value);
    }

    private static String text(StoreMessage answer) {
        String text = StoreMessage.text(answer.payload());
        return text.endsWith("\0") ? text.substring(0, text.length() - 1) : text;
    }

    /** The next event as "path token", or null. */
    String event() {
        while (index(XenstoreRing.RSP_PROD) != index(XenstoreRing.RSP_CONS)) {
            events.add(pull());
        }
        StoreMessage event = events.poll();
        return event == null
                ? null
                : StoreMessage.text(event.payload()).replace('\0', ' ').strip();
    }

    void push(byte[] bytes) {
        for (int i = 0; i < bytes.length; ) {
            int producer = index(XenstoreRing.REQ_PROD);
            int room = XenstoreRing.RING_SIZE - (producer - index(XenstoreRing.REQ_CONS));
            for (; room > 0 && i < bytes.length; room--) {
                memory.physical().write(XenstoreRing.REQ + (producer++ & XenstoreRing.RING_SIZE - 1), 1, bytes[i++]);
            }
            setIndex(XenstoreRing.REQ_PROD, producer);
            ring.onGuestEvent();
        }
    }

    StoreMessage pull() {
        ByteBuffer header = ByteBuffer.wrap(take(XenstoreRing.HEADER_SIZE)).order(ByteOrder.LITTLE_ENDIAN);
        return new StoreMessage(header.getInt(0), header.getInt(4), header.getInt(8), take(header.getInt(12)));
    }

    private byte[] take(int count) {
        byte[] bytes = new byte[count];
        for (int i = 0; i < count; ) {
            int consumer = index(XenstoreRing.RSP_CONS);
            int filled = index(XenstoreRing.RSP_PROD) - consumer;
            if (filled == 0) {
                throw new AssertionError("the store has nothing to say; error " + ring.error());
            }
            for (; filled > 0 && i < count; filled--) {
                bytes[i++] =
                        (byte) memory.physical().read(XenstoreRing.RSP + (consumer++ & XenstoreRing.RING_SIZE - 1), 1);
            }
            setIndex(XenstoreRing.RSP_CONS, consumer);
            ring.onGuestEvent();
        }
        return bytes;
    }

    int index(int field) {
        return memory.getInt(field);
    }

    void setIndex(int field, int value) {
        memory.putInt(field, value);
    }
}
