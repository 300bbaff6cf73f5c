package org.xenolith.hypervisor.events;

/**
 * How ports show in memory that the guest shares. The event channels' lock is held for every call. The guest changes the
 * same memory at the same time, and may be hostile: nothing read from there is trusted.
 */
interface EventAbi {
    /** One past the highest port that this ABI can show. */
    int ports();

    /** Marks a port pending and announces it if it is not masked. */
    void raise(Port port);

    /** Takes a pending mark back, when a port is closed. */
    void clear(Port port);

    boolean isPending(Port port);

    boolean isMasked(Port port);

    /** Clears the mask, and announces the port when it is pending. */
    void unmask(Port port);

    /** Whether the guest has yet to take a port out of a queue. */
    boolean isBusy(Port port);
}
