package org.xenolith.hypervisor.events;

import org.xenolith.abi.EventFifo;
import org.xenolith.hypervisor.Domain;
import org.xenolith.hypervisor.Vcpu;

/** One port of a domain. Guarded by the lock of the domain's {@link EventChannels}. */
final class Port {
    enum State {
        FREE,
        /** Waits for {@link Port#remoteDomain} to bind. */
        UNBOUND,
        /** Connected to a port of another (or the same) domain. */
        INTERDOMAIN,
        /** Connected to a service of this JVM. */
        HOST,
        VIRQ,
        IPI
    }

    final int number;
    State state = State.FREE;
    /** The virtual CPU that is told. */
    Vcpu target;
    /** {@code UNBOUND}: who may bind. {@code HOST}: the domain that the service acts for. */
    int remoteDomain;
    /** {@code INTERDOMAIN}. */
    Domain remote;

    int remotePort;
    /** {@code HOST}. */
    HostPort host;

    int virq;
    /** FIFO: the queue, and where the port was linked last. */
    int priority = EventFifo.PRIORITY_DEFAULT;

    Vcpu lastTarget;
    int lastPriority = EventFifo.PRIORITY_DEFAULT;
    /** Raised while the FIFO array had no word for it. */
    boolean pendingWithoutWord;

    Port(int number, Vcpu target) {
        this.number = number;
        this.target = target;
    }
}
