package org.xenolith.toolstack;

/**
 * Hears what happens to the domains of a host, see {@link Host#addListener}.
 *
 * <p>Events come one at a time, in the order in which they happened, on a thread of the host's that holds no locks: a listener
 * may call the host and its domains, and may block, which delays the listeners after it and nothing else.
 */
@FunctionalInterface
public interface Events {
    void happened(DomainEvent event);
}
