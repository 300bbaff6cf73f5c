package org.xenolith.hypervisor.grants;

/** A granted frame in use by a service of this JVM. Close it to give it back; the frame stays valid until then. */
public final class HostGrant implements AutoCloseable {
    private final GrantTable table;
    private final Access access;
    private boolean closed;

    HostGrant(GrantTable table, Access access) {
        this.table = table;
        this.access = access;
    }

    /** Host address of the frame's first byte. The guest may change the content at any moment. */
    public long address() {
        return table.address(access);
    }

    /** The granting domain's guest frame. */
    public long gfn() {
        return access.gfn();
    }

    /** Says that the service has written into the frame, which may hold code. */
    public void contentChanged() {
        table.contentChanged(access.gfn());
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            table.release(access);
        }
    }
}
