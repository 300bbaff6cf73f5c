package org.xenolith.hypervisor.events;

/**
 * The other end of a domain's event channel, held by a service in this JVM that does domain 0's work.
 *
 * <p>Get one from {@link EventChannels#bindHost}. All methods are safe from any thread.
 */
public final class HostPort implements AutoCloseable {
    private final EventChannels channels;
    private final int guestPort;
    private final Runnable onNotify;

    HostPort(EventChannels channels, int guestPort, Runnable onNotify) {
        this.channels = channels;
        this.guestPort = guestPort;
        this.onNotify = onNotify;
    }

    /** The guest's port. */
    public int guestPort() {
        return guestPort;
    }

    /** Raises the guest's port. Does nothing when the guest has closed it. */
    public void notifyGuest() {
        channels.raiseFromHost(this);
    }

    /** Whether the guest still has its end. */
    public boolean isConnected() {
        return channels.isConnected(this);
    }

    /** Called without locks, on the thread of the virtual CPU that sent: must be quick and must not block. */
    void notifyService() {
        onNotify.run();
    }

    /** Lets go of the channel: the guest's port waits for somebody to bind it again. */
    @Override
    public void close() {
        channels.unbindHost(this);
    }
}
