package org.xenolith.hypervisor.events;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import org.xenolith.abi.DomainId;
import org.xenolith.abi.Errno;
import org.xenolith.abi.EventChannelOp;
import org.xenolith.abi.EventFifo;
import org.xenolith.abi.Virq;
import org.xenolith.hypervisor.Domain;
import org.xenolith.hypervisor.HypercallException;
import org.xenolith.hypervisor.Trace;
import org.xenolith.hypervisor.Vcpu;
import org.xenolith.hypervisor.events.Port.State;

/**
 * The event channels of one domain.
 *
 * <p>Everything is guarded by one lock. Two domains' locks are taken in the order of their identifiers; a send takes one
 * after the other instead. Services are called without it. Operations that the guest asks for fail with
 * {@link HypercallException}.
 */
public final class EventChannels {
    /** Ports become valid by so many at a time. */
    private static final int BUCKET = 64;

    private final Domain domain;
    private final int maxPort;
    private final ReentrantLock lock = new ReentrantLock();
    private final TwoLevelAbi twoLevel;
    private EventAbi abi;
    private boolean resetting;
    private boolean dying;
    /**
     * Index = port number; grows by {@value #BUCKET}. Ports below its length are valid, in use or not; port 0 is reserved and
     * always closed.
     */
    private Port[] ports = new Port[0];
    /** Ports of virtual interrupts, by target and number; global ones are under virtual CPU 0. */
    private final Map<Integer, Port> virqs = new HashMap<>();

    /**
     * The event channels of a new domain.
     *
     * @param sharedInfo host address of the domain's shared info page
     * @param maxPort the highest port number that may be used
     */
    public EventChannels(Domain domain, long sharedInfo, int maxPort) {
        this.domain = domain;
        this.maxPort = maxPort;
        twoLevel = new TwoLevelAbi(sharedInfo);
        abi = twoLevel;
    }

    // Operations of the hypercall.

    /** Makes a port that {@code remoteDomain} may bind; returns it. */
    public int allocUnbound(int remoteDomain) {
        lock.lock();
        try {
            Port port = allocate();
            port.state = State.UNBOUND;
            port.remoteDomain = remoteDomain == DomainId.SELF ? domain.id() : remoteDomain;
            return port.number;
        } finally {
            lock.unlock();
        }
    }

    /** Connects a new port with a port of another domain that waits for this one; returns it. */
    public int bindInterdomain(Domain remote, int remotePort) {
        lockBoth(this, remote.eventChannels());
        try {
            Port port = allocate();
            Port other = remote.eventChannels().find(remotePort);
            if (other == null || other.state != State.UNBOUND || other.remoteDomain != domain.id()) {
                throw new HypercallException(Errno.EINVAL);
            }
            port.state = State.INTERDOMAIN;
            port.remote = remote;
            port.remotePort = remotePort;
            other.state = State.INTERDOMAIN;
            other.remote = domain;
            other.remotePort = port.number;
            // The other side may have sent while nobody was bound.
            raise(port);
            return port.number;
        } finally {
            unlockBoth(this, remote.eventChannels());
        }
    }

    /** Connects a new port with a virtual interrupt; returns it. */
    public int bindVirq(int virq, int vcpuId) {
        if (virq < 0 || virq >= Virq.COUNT) {
            throw new HypercallException(Errno.EINVAL);
        }
        boolean global = !isPerVcpu(virq);
        if (global && vcpuId != 0) {
            throw new HypercallException(Errno.EINVAL);
        }
        Vcpu vcpu = vcpu(vcpuId);
        lock.lock();
        try {
            if (virqs.containsKey(virqKey(virq, vcpu))) {
                throw new HypercallException(Errno.EEXIST);
            }
            Port port = allocate();
            port.state = State.VIRQ;
            port.virq = virq;
            port.target = vcpu;
            virqs.put(virqKey(virq, vcpu), port);
            return port.number;
        } finally {
            lock.unlock();
        }
    }

    /** Makes a port by which the domain's virtual CPUs interrupt one of them; returns it. */
    public int bindIpi(int vcpuId) {
        Vcpu vcpu = vcpu(vcpuId);
        lock.lock();
        try {
            Port port = allocate();
            port.state = State.IPI;
            port.target = vcpu;
            return port.number;
        } finally {
            lock.unlock();
        }
    }

    /** Closes a port; the other end of a connection waits to be bound again. */
    public void close(int number) {
        while (true) {
            Domain remote;
            lock.lock();
            try {
                Port port = existing(number);
                remote = port.state == State.INTERDOMAIN ? port.remote : null;
                if (remote == null) {
                    free(port);
                    return;
                }
            } finally {
                lock.unlock();
            }
            EventChannels far = remote.eventChannels();
            lockBoth(this, far);
            try {
                Port port = existing(number);
                if (port.state == State.INTERDOMAIN && port.remote == remote) {
                    Port other = far.find(port.remotePort);
                    free(port);
                    // A channel of a domain with itself has both ends here.
                    if (other != null && other != port) {
                        other.state = State.UNBOUND;
                        other.remote = null;
                        other.remoteDomain = domain.id();
                    }
                    return;
                }
                // The connection changed between the two locks: look again.
            } finally {
                unlockBoth(this, far);
            }
        }
    }

    /** Sends through a port: to the other domain, the service, or the target of an interprocessor interrupt. */
    public void send(int number) {
        Domain remote = null;
        int remotePort = 0;
        HostPort host = null;
        lock.lock();
        try {
            Port port = existing(number);
            switch (port.state) {
                case INTERDOMAIN -> {
                    remote = port.remote;
                    remotePort = port.remotePort;
                }
                case HOST -> host = port.host;
                case IPI -> raise(port);
                case UNBOUND -> {
                    // Nobody listens yet; whoever binds is notified then.
                }
                case VIRQ, FREE -> throw new HypercallException(Errno.EINVAL);
            }
        } finally {
            lock.unlock();
        }
        if (remote != null) {
            remote.eventChannels().raiseFrom(domain, number, remotePort);
        } else if (host != null) {
            host.notifyService();
        }
    }

    /** What a port is, as EVTCHNOP_status tells. */
    public record Status(int state, int vcpu, int first, int second) {}

    /** The status of a port; EINVAL for one that was never valid. */
    public Status status(int number) {
        lock.lock();
        try {
            Port port = valid(number);
            int vcpu = port.target.id();
            return switch (port.state) {
                case FREE -> new Status(EventChannelOp.STATUS_CLOSED, vcpu, 0, 0);
                case UNBOUND -> new Status(EventChannelOp.STATUS_UNBOUND, vcpu, port.remoteDomain, 0);
                case INTERDOMAIN ->
                    new Status(EventChannelOp.STATUS_INTERDOMAIN, vcpu, port.remote.id(), port.remotePort);
                case HOST -> new Status(EventChannelOp.STATUS_INTERDOMAIN, vcpu, port.remoteDomain, port.number);
                case VIRQ -> new Status(EventChannelOp.STATUS_VIRQ, vcpu, port.virq, 0);
                case IPI -> new Status(EventChannelOp.STATUS_IPI, vcpu, 0, 0);
            };
        } finally {
            lock.unlock();
        }
    }

    /** Makes another virtual CPU the target of a port. */
    public void bindVcpu(int number, int vcpuId) {
        Vcpu vcpu = vcpu(vcpuId);
        lock.lock();
        try {
            Port port = existing(number);
            boolean bindable = switch (port.state) {
                case UNBOUND, INTERDOMAIN, HOST -> true;
                case VIRQ -> !isPerVcpu(port.virq);
                case IPI, FREE -> false;
            };
            if (!bindable) {
                throw new HypercallException(Errno.EINVAL);
            }
            port.target = vcpu;
        } finally {
            lock.unlock();
        }
    }

    /** Clears a port's mask and announces what is pending. For any valid port, in use or not. */
    public void unmask(int number) {
        lock.lock();
        try {
            abi.unmask(valid(number));
        } finally {
            lock.unlock();
        }
    }

    /**
     * Closes all ports and goes back to the two-level ABI. EBUSY while another reset is under way, EAGAIN when a port was made
     * meanwhile.
     */
    public void reset() {
        int count;
        lock.lock();
        try {
            if (resetting) {
                throw new HypercallException(Errno.EBUSY);
            }
            resetting = true;
            count = ports.length;
        } finally {
            lock.unlock();
        }
        for (int number = 1; number < count; number++) {
            try {
                close(number);
            } catch (HypercallException e) {
                // It is closed already.
            }
        }
        lock.lock();
        try {
            resetting = false;
            for (Port port : ports) {
                if (port != null && port.state != State.FREE) {
                    throw new HypercallException(Errno.EAGAIN);
                }
            }
            if (abi instanceof FifoAbi fifo) {
                fifo.release();
                abi = twoLevel;
            }
        } finally {
            lock.unlock();
        }
    }

    /** Closes all ports for good, lets go of the guest's memory, and refuses new ones. */
    public void destroy() {
        lock.lock();
        try {
            dying = true;
            resetting = false;
        } finally {
            lock.unlock();
        }
        reset();
    }

    /** Sets up a virtual CPU's FIFO control block; the first one switches the domain to the FIFO ABI. */
    public void initControl(long gfn, int offset, int vcpuId) {
        Vcpu vcpu = vcpu(vcpuId);
        lock.lock();
        try {
            if (abi instanceof FifoAbi fifo) {
                fifo.addControlBlock(vcpu, gfn, offset);
                return;
            }
            FifoAbi fifo = new FifoAbi(domain.memory());
            fifo.addControlBlock(vcpu, gfn, offset);
            for (Port port : ports) {
                if (port != null && port.state != State.FREE) {
                    port.pendingWithoutWord = twoLevel.isPending(port);
                    port.priority = EventFifo.PRIORITY_DEFAULT;
                    port.lastTarget = null;
                }
            }
            abi = fifo;
        } finally {
            lock.unlock();
        }
    }

    /** Adds a page to the FIFO event array. */
    public void expandArray(long gfn) {
        lock.lock();
        try {
            if (!(abi instanceof FifoAbi fifo)) {
                throw new HypercallException(Errno.EOPNOTSUPP);
            }
            int first = fifo.addPage(gfn);
            int end = Math.min(ports.length, first + EventFifo.PORTS_PER_PAGE);
            for (int number = first; number < end; number++) {
                Port port = ports[number];
                if (port != null && port.pendingWithoutWord) {
                    port.pendingWithoutWord = false;
                    fifo.raise(port);
                }
            }
        } finally {
            lock.unlock();
        }
    }

    /** Sets the priority of a port, 0 the most urgent. */
    public void setPriority(int number, int priority) {
        lock.lock();
        try {
            Port port = valid(number);
            if (abi == twoLevel) {
                throw new HypercallException(Errno.ENOSYS);
            }
            if (priority < 0 || priority > EventFifo.PRIORITY_LEAST) {
                throw new HypercallException(Errno.EINVAL);
            }
            port.priority = priority;
        } finally {
            lock.unlock();
        }
    }

    // For the hypervisor.

    /** Raises a virtual interrupt. Lost when nobody bound it. */
    public void raiseVirq(Vcpu vcpu, int virq) {
        lock.lock();
        try {
            Port port = virqs.get(virqKey(virq, vcpu));
            if (port != null) {
                raise(port);
            }
        } finally {
            lock.unlock();
        }
    }

    /** Whether a port that a virtual CPU polls for is pending. */
    public boolean isPending(int number) {
        lock.lock();
        try {
            return abi.isPending(existing(number));
        } finally {
            lock.unlock();
        }
    }

    /** Like {@link #isPending}, and true for a port that was closed meanwhile. */
    public boolean isPendingOrGone(int number) {
        lock.lock();
        try {
            Port port = find(number);
            return port == null || abi.isPending(port);
        } finally {
            lock.unlock();
        }
    }

    /** Whether the domain uses the FIFO ABI. */
    public boolean isFifo() {
        lock.lock();
        try {
            return abi instanceof FifoAbi;
        } finally {
            lock.unlock();
        }
    }

    /** Runs a change of a virtual CPU's info address, with nobody raising events meanwhile. */
    public void exclusively(Runnable change) {
        lock.lock();
        try {
            change.run();
        } finally {
            lock.unlock();
        }
    }

    // For services in this JVM.

    /**
     * Takes the far end of a port that {@link #allocUnbound} made, for a service.
     *
     * @param onNotify runs on a virtual CPU's thread when the guest sends: must be quick and must not block
     */
    public HostPort bindHost(int number, Runnable onNotify) {
        lock.lock();
        try {
            Port port = find(number);
            if (port == null || port.state != State.UNBOUND) {
                throw new IllegalArgumentException(
                        "domain " + domain.id() + " has no port " + number + " that waits to be bound");
            }
            port.state = State.HOST;
            port.host = new HostPort(this, number, onNotify);
            return port.host;
        } finally {
            lock.unlock();
        }
    }

    void raiseFromHost(HostPort host) {
        lock.lock();
        try {
            Port port = find(host.guestPort());
            if (port != null && port.host == host) {
                raise(port);
            }
        } finally {
            lock.unlock();
        }
    }

    boolean isConnected(HostPort host) {
        lock.lock();
        try {
            Port port = find(host.guestPort());
            return port != null && port.host == host;
        } finally {
            lock.unlock();
        }
    }

    void unbindHost(HostPort host) {
        lock.lock();
        try {
            Port port = find(host.guestPort());
            if (port != null && port.host == host) {
                port.host = null;
                port.state = State.UNBOUND;
            }
        } finally {
            lock.unlock();
        }
    }

    // Under the lock.

    private void raiseFrom(Domain sender, int senderPort, int number) {
        lock.lock();
        try {
            Port port = find(number);
            if (port != null
                    && port.state == State.INTERDOMAIN
                    && port.remote == sender
                    && port.remotePort == senderPort) {
                raise(port);
            }
        } finally {
            lock.unlock();
        }
    }

    private void raise(Port port) {
        Trace trace = domain.trace();
        if (trace != null) {
            trace.event(port.target, port.number);
        }
        abi.raise(port);
        for (Vcpu vcpu : domain.vcpus()) {
            vcpu.wakeIfPolling();
        }
    }

    /** A valid port, in use or not; EINVAL for others. */
    private Port valid(int number) {
        if (ports.length == 0) {
            addBucket();
        }
        if (number < 0 || number >= ports.length) {
            throw new HypercallException(Errno.EINVAL);
        }
        return ports[number];
    }

    private void addBucket() {
        int first = ports.length;
        ports = Arrays.copyOf(ports, first + BUCKET);
        for (int number = first; number < ports.length; number++) {
            ports[number] = new Port(number, domain.vcpus().getFirst());
        }
    }

    private Port find(int number) {
        Port port = number > 0 && number < ports.length ? ports[number] : null;
        return port == null || port.state == State.FREE ? null : port;
    }

    private Port existing(int number) {
        Port port = find(number);
        if (port == null) {
            throw new HypercallException(Errno.EINVAL);
        }
        return port;
    }

    private Port allocate() {
        if (dying) {
            throw new HypercallException(Errno.EINVAL);
        }
        for (int number = 1; number <= maxPort && number < abi.ports(); number++) {
            if (number >= ports.length) {
                addBucket();
            }
            Port port = ports[number];
            // A port that is still in one of the guest's queues would come up there for its new purpose.
            if (port.state == State.FREE && !abi.isBusy(port)) {
                port.priority = EventFifo.PRIORITY_DEFAULT;
                return port;
            }
        }
        throw new HypercallException(Errno.ENOSPC);
    }

    private void free(Port port) {
        if (port.state == State.VIRQ) {
            virqs.remove(virqKey(port.virq, port.target));
        }
        abi.clear(port);
        port.state = State.FREE;
        port.target = domain.vcpus().getFirst();
        port.remote = null;
        port.host = null;
    }

    private Vcpu vcpu(int id) {
        if (id < 0 || id >= domain.vcpus().size()) {
            throw new HypercallException(Errno.ENOENT);
        }
        return domain.vcpus().get(id);
    }

    private static boolean isPerVcpu(int virq) {
        return virq == Virq.TIMER || virq == Virq.DEBUG || virq == Virq.XENOPROF || virq == Virq.XENPMU;
    }

    private static int virqKey(int virq, Vcpu vcpu) {
        return (isPerVcpu(virq) ? vcpu.id() : 0) * Virq.COUNT + virq;
    }

    private static void lockBoth(EventChannels a, EventChannels b) {
        EventChannels first = a.domain.id() <= b.domain.id() ? a : b;
        first.lock.lock();
        (first == a ? b : a).lock.lock();
    }

    private static void unlockBoth(EventChannels a, EventChannels b) {
        a.lock.unlock();
        b.lock.unlock();
    }
}
