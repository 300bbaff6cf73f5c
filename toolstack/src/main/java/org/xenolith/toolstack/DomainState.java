package org.xenolith.toolstack;

/** Where a domain is in its life. */
public enum DomainState {
    /** Built, never started. */
    CREATED,
    /** Its virtual CPUs run, or wait for something to do. */
    RUNNING,
    /** Stopped by {@link Domain#pause}. */
    PAUSED,
    /** The guest has ended; the domain is still there. */
    SHUTDOWN,
    /** Gone: nothing can be done with it any more. */
    DESTROYED
}
