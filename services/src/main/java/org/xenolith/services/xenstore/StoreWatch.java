package org.xenolith.services.xenstore;

/** A watch of the host on a path; closing it ends the calls of its listener. */
public final class StoreWatch implements AutoCloseable {
    private final XenStore store;
    private final Watch watch;

    StoreWatch(XenStore store, Watch watch) {
        this.store = store;
        this.watch = watch;
    }

    @Override
    public void close() {
        store.removeWatch(watch);
    }
}
