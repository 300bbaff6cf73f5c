package org.xenolith.services.xenstore;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.xenolith.abi.XenstoreRing;
import org.xenolith.services.xenstore.StoreTree.Node;

/**
 * The store: its tree, its watches, and which domains it knows.
 *
 * <p>The public methods are the host's own access, with the rights of domain 0; they throw {@link StoreException} as
 * the wire protocol would answer. Guests come through {@link #connect} and {@link XenStoreRing}.
 *
 * <p>Everything is safe to call from several threads. Listeners run without locks, one at a time and in the order of
 * the changes, on the thread of somebody who changed something; they may call the store.
 */
public final class XenStore {
    /** Longest value: a message's payload carries it. */
    private static final int MAX_VALUE = XenstoreRing.MAX_PAYLOAD;

    private final StoreLimits limits;
    /** Guards the tree, the watches, transactions and introduced domains. */
    private final ReentrantLock lock = new ReentrantLock();

    private long generation;
    private final StoreTree tree = new StoreTree(() -> ++generation);
    private final List<Watch> watches = new CopyOnWriteArrayList<>();
    private final Set<Integer> introduced = new TreeSet<>();
    /** Who hears of the special events: domain 0, and whom it allows to read these. */
    private final Map<String, List<Permission>> special = new HashMap<>(
            Map.of(StorePath.INTRODUCE_DOMAIN, Permission.list("n0"), StorePath.RELEASE_DOMAIN, Permission.list("n0")));

    /** Work that watch events made, to be done without locks. */
    private final Queue<Runnable> pending = new ConcurrentLinkedQueue<>();

    private final AtomicBoolean dispatching = new AtomicBoolean();
    /** Live connections. Guarded by {@link #lock}. */
    private final List<XenStoreConnection> connections = new ArrayList<>();

    private volatile DomainIntroducer introducer = DomainIntroducer.NONE;

    public XenStore() {
        this(StoreLimits.DEFAULT);
    }

    /** A store with the directories that tools expect, and other limits for guests. */
    public XenStore(StoreLimits limits) {
        this.limits = limits;
        for (String path : List.of("/tool/xenstored", "/local/domain/0", "/vm", "/libxl")) {
            mkdir(path);
        }
        write("/local/domain/0/name", "Domain-0");
        write("/local/domain/0/domid", "0");
        introduced.add(0);
    }

    /** A client that speaks the wire protocol for a domain. Domain 0 is privileged. */
    public XenStoreConnection connect(int domain) {
        return lockedQuietly(() -> {
            XenStoreConnection connection = new XenStoreConnection(this, new StoreClient(domain, domain == 0, -1));
            connections.add(connection);
            return connection;
        });
    }

    /** Who is asked when domain 0 introduces a domain over the wire. */
    public void setIntroducer(DomainIntroducer introducer) {
        this.introducer = introducer;
    }

    /** The value of a node, read as UTF-8. */
    public String read(String path) {
        return new String(readBytes(path), StandardCharsets.UTF_8);
    }

    /** The value of a node, or {@code otherwise} when there is none. */
    public String read(String path, String otherwise) {
        return locked(() -> tree.find(StorePath.canonical(path, 0)) == null ? otherwise : read(path));
    }

    public byte[] readBytes(String path) {
        return locked(() -> host().read(StorePath.canonical(path, 0)).clone());
    }

    public boolean exists(String path) {
        return locked(() -> tree.find(StorePath.canonical(path, 0)) != null);
    }

    /** Names of the children of a node, oldest first. */
    public List<String> list(String path) {
        return locked(() -> List.copyOf(host().directory(StorePath.canonical(path, 0))));
    }

    /** Sets a value, making parents as needed. */
    public void write(String path, String value) {
        write(path, value.getBytes(StandardCharsets.UTF_8));
    }

    public void write(String path, byte[] value) {
        byte[] copy = value.clone();
        locked(() -> {
            host().write(StorePath.canonical(path, 0), copy);
            return null;
        });
    }

    /** Sets several values at once: no client sees some of them without the others. */
    public void writeAll(Map<String, String> values) {
        locked(() -> {
            values.forEach(this::write);
            return null;
        });
    }

    public void mkdir(String path) {
        locked(() -> {
            host().makeDirectory(StorePath.canonical(path, 0));
            return null;
        });
    }

    /** Removes a node and everything below it; nothing happens when it is not there. */
    public void remove(String path) {
        locked(() -> {
            if (tree.find(StorePath.canonical(path, 0)) != null) {
                host().remove(path);
            }
            return null;
        });
    }

    public List<Permission> permissions(String path) {
        return locked(() -> host().permissions(StorePath.canonical(path, 0)));
    }

    public void setPermissions(String path, List<Permission> permissions) {
        locked(() -> {
            host().setPermissions(StorePath.canonical(path, 0), permissions);
            return null;
        });
    }

    /** Does several things as one: no client sees a state in between, and events come afterwards. */
    public <T> T atomically(Supplier<T> work) {
        return locked(work);
    }

    /**
     * Calls the listener with the path of each change at or below {@code path}, and once up front with {@code path}.
     * The special paths {@code @introduceDomain} and {@code @releaseDomain} work too.
     */
    public StoreWatch watch(String path, Consumer<String> listener) {
        return locked(() -> {
            String checked = StorePath.isSpecial(path) ? path : StorePath.canonical(path, 0);
            Watch[] self = new Watch[1];
            Watch watch = new Watch(
                    StoreClient.HOST,
                    checked,
                    "",
                    -1,
                    changed -> pending.add(() -> {
                        if (!self[0].closed) {
                            listener.accept(changed);
                        }
                    }));
            self[0] = watch;
            addWatch(watch);
            watch.events.accept(checked);
            return new StoreWatch(this, watch);
        });
    }

    /** A domain can use the store from now on; watchers of {@code @introduceDomain} hear of it. */
    public void introduceDomain(int domain) {
        locked(() -> {
            if (introduced.add(domain)) {
                fireSpecial(StorePath.INTRODUCE_DOMAIN);
            }
            return null;
        });
    }

    /** A domain is gone, or is shutting down; watchers of {@code @releaseDomain} hear of it. */
    public void releaseDomain(int domain) {
        locked(() -> {
            introduced.remove(domain);
            fireSpecial(StorePath.RELEASE_DOMAIN);
            return null;
        });
    }

    public boolean isIntroduced(int domain) {
        return locked(() -> introduced.contains(domain));
    }

    /** How many nodes a domain owns. */
    public int nodesOwnedBy(int domain) {
        return locked(() -> tree.ownedBy(domain));
    }

    // ---- for the other classes of this package; all but locked() and dispatch() are called with the lock held ----

    StoreLimits limits() {
        return limits;
    }

    DomainIntroducer introducer() {
        return introducer;
    }

    StoreTree tree() {
        return tree;
    }

    List<Watch> watches() {
        return watches;
    }

    void addWatch(Watch watch) {
        watches.add(watch);
    }

    void removeWatch(Watch watch) {
        watch.closed = true;
        watches.remove(watch);
    }

    void removeConnection(XenStoreConnection connection) {
        connections.remove(connection);
    }

    List<Permission> specialPermissions(String path) {
        List<Permission> permissions = special.get(path);
        if (permissions == null) {
            throw new StoreException(StoreError.EINVAL, "path " + path);
        }
        return permissions;
    }

    void setSpecialPermissions(String path, List<Permission> permissions) {
        specialPermissions(path);
        special.put(path, List.copyOf(permissions));
    }

    /** Gives a domain the rights of another one as well: a device model serves its guest. */
    void setTarget(int domain, int target) {
        for (XenStoreConnection connection : connections) {
            if (connection.domain() == domain) {
                connection.becomeAgentOf(target);
            }
        }
    }

    /** Adds work to be done when the locks are free. */
    void later(Runnable work) {
        pending.add(work);
    }

    /** Runs under the lock, and then delivers events if the caller holds it no more. */
    private <T> T locked(Supplier<T> work) {
        try {
            return lockedQuietly(work);
        } finally {
            if (!lock.isHeldByCurrentThread()) {
                dispatch();
            }
        }
    }

    /** Runs under the lock; the caller sees to {@link #dispatch} when it has released its own locks. */
    <T> T lockedQuietly(Supplier<T> work) {
        lock.lock();
        try {
            return work.get();
        } finally {
            lock.unlock();
        }
    }

    /** Delivers events. To be called without locks; does nothing when somebody else is at it. */
    void dispatch() {
        while (!pending.isEmpty() && dispatching.compareAndSet(false, true)) {
            try {
                for (Runnable work = pending.poll(); work != null; work = pending.poll()) {
                    work.run();
                }
            } finally {
                dispatching.set(false);
            }
        }
    }

    /** The store in a client's name, inside a transaction unless it is null. */
    StoreAccess access(StoreClient client, StoreTransaction transaction) {
        return new StoreAccess(this, client, transaction);
    }

    private StoreAccess host() {
        return access(StoreClient.HOST, null);
    }

    /** Makes changes in the tree and tells the watches of them. */
    void apply(List<StoreChange> changes) {
        for (StoreChange change : changes) {
            Node before = tree.root();
            List<String> gone = change.apply(tree);
            fire(change.path(), gone, before);
        }
    }

    private void fire(String path, List<String> gone, Node before) {
        for (Watch watch : watches) {
            if (watch.covers(path)) {
                if (visible(watch, path, before)) {
                    watch.events.accept(path);
                }
            } else if (gone.contains(watch.path) && visible(watch, watch.path, before)) {
                watch.events.accept(watch.path);
            }
        }
    }

    /** A client hears only of nodes that it may read, or could until this change. */
    private boolean visible(Watch watch, String path, Node before) {
        if (watch.client.privileged()) {
            return true;
        }
        Node old = StoreTree.find(before, path);
        Node now = tree.find(path);
        return old != null && watch.client.mayRead(old.permissions())
                || now != null && watch.client.mayRead(now.permissions());
    }

    private void fireSpecial(String path) {
        List<Watch> hearing = new ArrayList<>(watches);
        hearing.removeIf(watch -> !watch.covers(path) || !watch.client.mayRead(special.get(path)));
        hearing.forEach(watch -> watch.events.accept(path));
    }

    /** Largest value that {@link StoreAccess} lets through. */
    static int maxValue() {
        return MAX_VALUE;
    }
}
