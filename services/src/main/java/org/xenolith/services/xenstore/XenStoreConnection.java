package org.xenolith.services.xenstore;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.xenolith.abi.XenstoreType;

/**
 * One client of the store that speaks the wire protocol. A transport hands in requests with {@link #receive} and takes
 * what there is to send with {@link #poll}.
 *
 * <p>Requests come from one thread at a time; {@link #poll} and {@link #hasOutput} are safe beside them.
 */
public final class XenStoreConnection implements AutoCloseable {
    private final XenStore store;
    private final int domain;
    /** Guarded by the store's lock, like {@link #transactions}, {@link #watches} and {@link #current}. */
    private StoreClient client;

    private final Map<Integer, StoreTransaction> transactions = new HashMap<>();
    private final Map<WatchKey, Watch> watches = new HashMap<>();
    private int lastTransaction;
    /** The request that is being handled. */
    private StoreMessage current;

    private final List<Runnable> afterAnswer = new ArrayList<>();

    /** Guards the two below; nothing else is locked while it is held. */
    private final Object outputLock = new Object();

    private final Deque<StoreMessage> output = new ArrayDeque<>();
    /** Events that wait in {@link #output}; telling a client twice what it has not read yet is of no use. */
    private final Set<String> waitingEvents = new HashSet<>();

    private volatile Runnable outputListener = () -> {};
    private long droppedEvents;

    XenStoreConnection(XenStore store, StoreClient client) {
        this.store = store;
        this.client = client;
        domain = client.domain();
    }

    private record WatchKey(String path, String token) {}

    /** Calls the listener, without locks, when an event made new output outside {@link #receive}. */
    public void onOutput(Runnable listener) {
        outputListener = listener;
    }

    /** The domain on the other side. */
    public int domain() {
        return domain;
    }

    /**
     * Handles a request; the answer and its events are ready in {@link #poll} afterwards. Call {@link #dispatch} later.
     */
    public void receive(StoreMessage request) {
        store.lockedQuietly(() -> {
            current = request;
            try {
                answer(handle(request));
            } finally {
                current = null;
            }
            afterAnswer.forEach(Runnable::run);
            afterAnswer.clear();
            return null;
        });
    }

    private StoreMessage handle(StoreMessage request) {
        try {
            StoreRequest kind = StoreRequest.of(request.type());
            if (kind == null) {
                throw new StoreException(StoreError.ENOSYS, "request " + Integer.toUnsignedString(request.type()));
            }
            return new StoreMessage(
                    request.type(), request.requestId(), request.transactionId(), kind.handle(this, request.payload()));
        } catch (StoreException e) {
            return new StoreMessage(
                    XenstoreType.ERROR,
                    request.requestId(),
                    request.transactionId(),
                    StoreMessage.bytes(e.error().name() + '\0'));
        }
    }

    private void answer(StoreMessage message) {
        synchronized (outputLock) {
            output.add(message);
        }
    }

    /** The next message for the client, or null. */
    public StoreMessage poll() {
        synchronized (outputLock) {
            StoreMessage message = output.poll();
            if (message != null && message.type() == XenstoreType.WATCH_EVENT) {
                waitingEvents.remove(StoreMessage.text(message.payload()));
            }
            return message;
        }
    }

    public boolean hasOutput() {
        synchronized (outputLock) {
            return !output.isEmpty();
        }
    }

    /** Events that were lost because the client did not read. */
    public long droppedEvents() {
        synchronized (outputLock) {
            return droppedEvents;
        }
    }

    /** Delivers the events that this client's requests caused for others. To be called without locks. */
    public void dispatch() {
        store.dispatch();
    }

    /** Forgets the client's watches, transactions and everything that waits for it. */
    public void disconnect() {
        store.lockedQuietly(() -> {
            reset();
            return null;
        });
        synchronized (outputLock) {
            output.clear();
            waitingEvents.clear();
        }
    }

    @Override
    public void close() {
        disconnect();
        store.lockedQuietly(() -> {
            store.removeConnection(this);
            return null;
        });
    }

    // ---- what the request table uses, under the store's lock ----

    StoreClient client() {
        return client;
    }

    StoreLimits limits() {
        return store.limits();
    }

    String path(String text) {
        return StorePath.canonical(text, client.domain());
    }

    StoreAccess access() {
        return store.access(client, transaction());
    }

    List<Permission> permissions(String path) {
        return StorePath.isSpecial(path) ? store.specialPermissions(path) : access().permissions(path(path));
    }

    void setPermissions(String path, List<Permission> permissions) {
        if (!StorePath.isSpecial(path)) {
            access().setPermissions(path(path), permissions);
            return;
        }
        if (!client.privileged()) {
            throw new StoreException(StoreError.EACCES, path);
        }
        store.setSpecialPermissions(path, permissions);
    }

    int nodesOwnedBy(int other) {
        return store.tree().ownedBy(other);
    }

    private StoreTransaction transaction() {
        if (current.transactionId() == 0) {
            return null;
        }
        StoreTransaction transaction = transactions.get(current.transactionId());
        if (transaction == null) {
            throw new StoreException(
                    StoreError.ENOENT, "transaction " + Integer.toUnsignedString(current.transactionId()));
        }
        return transaction;
    }

    int startTransaction() {
        if (current.transactionId() != 0) {
            throw new StoreException(StoreError.EBUSY, "a transaction inside a transaction");
        }
        if (!client.privileged() && transactions.size() >= limits().transactions()) {
            throw new StoreException(StoreError.ENOSPC, "transactions");
        }
        do {
            lastTransaction++;
        } while (lastTransaction == 0 || transactions.containsKey(lastTransaction));
        transactions.put(
                lastTransaction,
                new StoreTransaction(
                        store.tree(), client.privileged() ? Integer.MAX_VALUE : limits().transactionNodes()));
        return lastTransaction;
    }

    void endTransaction(boolean commit) {
        StoreTransaction transaction = transaction();
        if (transaction == null) {
            throw new StoreException(StoreError.ENOENT, "no transaction to end");
        }
        transactions.remove(current.transactionId());
        if (!commit) {
            return;
        }
        if (transaction.conflictsWith(store.tree())) {
            throw new StoreException(StoreError.EAGAIN, "transaction");
        }
        if (!client.privileged()) {
            // The domain may have made other nodes meanwhile.
            StoreTree trial = store.tree().copy();
            transaction.changes().forEach(change -> change.apply(trial));
            int owned = trial.ownedBy(client.domain());
            if (owned > limits().nodes() && owned > store.tree().ownedBy(client.domain())) {
                throw new StoreException(StoreError.ENOSPC, "nodes");
            }
        }
        store.apply(transaction.changes());
    }

    void watch(String path, String token, int depth) {
        boolean special = StorePath.isSpecial(path);
        if (special && !path.equals(StorePath.INTRODUCE_DOMAIN) && !path.equals(StorePath.RELEASE_DOMAIN)) {
            throw new StoreException(StoreError.EINVAL, "path " + path);
        }
        String absolute = special ? path : path(path);
        WatchKey key = new WatchKey(absolute, token);
        if (watches.containsKey(key)) {
            throw new StoreException(StoreError.EEXIST, "watch on " + path);
        }
        if (!client.privileged() && watches.size() >= limits().watches()) {
            throw new StoreException(StoreError.E2BIG, "watches");
        }
        // A client that watched a relative path is told relative paths.
        int cut = special || path.startsWith("/") ? 0 : absolute.length() - path.length();
        Watch watch = new Watch(client, absolute, token, depth, changed -> event(changed.substring(cut), token));
        watches.put(key, watch);
        store.addWatch(watch);
        // Once up front, so that the client looks at what is there already; but after the answer.
        afterAnswer.add(() -> watch.events.accept(absolute));
    }

    void unwatch(String path, String token) {
        Watch watch = watches.remove(new WatchKey(StorePath.isSpecial(path) ? path : path(path), token));
        if (watch == null) {
            throw new StoreException(StoreError.ENOENT, "watch on " + path);
        }
        store.removeWatch(watch);
    }

    void reset() {
        watches.values().forEach(store::removeWatch);
        watches.clear();
        transactions.clear();
    }

    void introduce(int domain, long gfn, int port) {
        store.introducer().introduce(domain, gfn, port);
        store.introduceDomain(domain);
    }

    void release(int domain) {
        requireIntroduced(domain);
        store.introducer().release(domain);
        store.releaseDomain(domain);
    }

    boolean isIntroduced(int domain) {
        return store.isIntroduced(domain);
    }

    void requireIntroduced(int domain) {
        if (!store.isIntroduced(domain)) {
            throw new StoreException(StoreError.ENOENT, "domain " + domain);
        }
    }

    void setTarget(int domain, int target) {
        requireIntroduced(domain);
        requireIntroduced(target);
        store.setTarget(domain, target);
    }

    /** A request of domain 0 gave this client the rights of another domain as well. */
    void becomeAgentOf(int target) {
        client = new StoreClient(client.domain(), client.privileged(), target);
    }

    private void event(String path, String token) {
        String text = path + '\0' + token + '\0';
        synchronized (outputLock) {
            if (waitingEvents.contains(text)) {
                return;
            }
            if (!client.privileged() && waitingEvents.size() >= limits().events()) {
                droppedEvents++;
                return;
            }
            waitingEvents.add(text);
            output.add(new StoreMessage(XenstoreType.WATCH_EVENT, 0, 0, StoreMessage.bytes(text)));
        }
        store.later(outputListener);
    }
}
