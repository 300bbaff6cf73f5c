package org.xenolith.hypervisor;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import org.xenolith.abi.DomainId;
import org.xenolith.abi.Errno;
import org.xenolith.abi.HvmParam;
import org.xenolith.abi.ShutdownReason;
import org.xenolith.hypervisor.events.EventChannels;
import org.xenolith.hypervisor.grants.GrantTable;
import org.xenolith.hypervisor.hypercall.Hypercalls;
import org.xenolith.hypervisor.schedule.SchedDomain;
import org.xenolith.hypervisor.time.DomainClock;
import org.xenolith.hypervisor.time.SystemTimeRecord;
import org.xenolith.hypervisor.viridian.Viridian;
import org.xenolith.memory.MachineMemory;
import org.xenolith.memory.PhysicalToMachine;

/**
 * One guest: memory, virtual CPUs, event channels, grant table, time and parameters.
 *
 * <p>A domain is made paused; a builder fills its memory and sets virtual CPU 0 up; {@link #start} makes the threads of the
 * virtual CPUs and lets them run. It stops for good when the guest shuts down or the hypervisor crashes it;
 * {@link #shutdownFuture} tells. {@link #destroy} gives everything back.
 */
public final class Domain {
    private final DomainSettings settings;
    private final DomainParts parts;
    private final DomainMemory memory;
    private final int sharedInfoMfn;
    private final EventChannels eventChannels;
    private final GrantTable grantTable;
    private final HvmParams hvmParams = new HvmParams();
    private final Watchdogs watchdogs = new Watchdogs(this);
    private final PortBus ports = new PortBus();
    private final MmioBus mmio = new MmioBus();
    private final Hypercalls hypercalls;
    /** Null when the domain does not see it. */
    private final Viridian viridian;

    private final SchedDomain scheduling;
    private final List<Vcpu> vcpus;
    private final CompletableFuture<ShutdownDetail> shutdown = new CompletableFuture<>();
    /** Guards the fields below; virtual CPUs wait on it while the domain is paused. */
    private final Object lifecycle = new Object();

    private int pauses = 1;
    private boolean started;
    private boolean destroyed;
    /** Read without the lock: virtual CPUs look before each entry. True while they must not run. */
    private volatile boolean stopping = true;

    private volatile int shutdownCode = -1;
    private volatile boolean runstateUpdateFlag;
    private volatile int callbackVector;

    /** Makes a paused domain without memory. */
    public Domain(DomainSettings settings, DomainParts parts) {
        this.settings = settings;
        this.parts = parts;
        memory = new DomainMemory(
                new PhysicalToMachine(parts.machine()), settings.maxFrames(), this::shootDown, this::overdrawn);
        sharedInfoMfn = memory.allocateHypervisorFrame();
        if (sharedInfoMfn < 0) {
            throw new IllegalStateException("no machine memory left for domain " + settings.id());
        }
        SystemTimeRecord.writeWallClock(sharedInfo(), parts.clock());
        eventChannels = new EventChannels(this, sharedInfo(), settings.maxEventChannels());
        grantTable = new GrantTable(this, settings.grants());
        hypercalls = new Hypercalls(this);
        viridian = settings.viridian().isEmpty() ? null : new Viridian(this, settings.viridian());
        scheduling = parts.domains().scheduler().addDomain(settings.id());
        List<Vcpu> made = new ArrayList<>();
        try {
            for (int id = 0; id < settings.vcpus(); id++) {
                made.add(new Vcpu(this, id));
            }
        } catch (RuntimeException | Error e) {
            scheduling.remove();
            throw e;
        }
        vcpus = List.copyOf(made);
        parts.clock().follow(vcpus.getFirst().state()::retired);
    }

    public int id() {
        return settings.id();
    }

    public DomainSettings settings() {
        return settings;
    }

    /** Where other domains are found. */
    public Domains domains() {
        return parts.domains();
    }

    /** A domain by the identifier that a hypercall gave; ESRCH when there is none. */
    public Domain byId(int domid) {
        Domain found =
                domid == DomainId.SELF || domid == id() ? this : domains().get(domid);
        if (found == null) {
            throw new HypercallException(Errno.ESRCH);
        }
        return found;
    }

    /** The virtual CPUs; the index is the identifier. Empty while the constructor runs. */
    public List<Vcpu> vcpus() {
        return vcpus == null ? List.of() : vcpus;
    }

    public DomainMemory memory() {
        return memory;
    }

    public EventChannels eventChannels() {
        return eventChannels;
    }

    public GrantTable grantTable() {
        return grantTable;
    }

    public Watchdogs watchdogs() {
        return watchdogs;
    }

    public PortBus ports() {
        return ports;
    }

    public MmioBus mmio() {
        return mmio;
    }

    public DomainClock clock() {
        return parts.clock();
    }

    /** Where console_io output goes. */
    public DebugConsole debugConsole() {
        return parts.console();
    }

    /** The trace, or null. */
    public Trace trace() {
        return parts.trace();
    }

    DomainParts parts() {
        return parts;
    }

    /** The hypercalls that this domain has. */
    public Hypercalls hypercalls() {
        return hypercalls;
    }

    /** The Viridian interface, or null. */
    public Viridian viridian() {
        return viridian;
    }

    /** What CPU time the domain gets, and where. */
    public SchedDomain scheduling() {
        return scheduling;
    }

    /** The machine's memory. */
    public MachineMemory machine() {
        return parts.machine();
    }

    /** Machine frame of the shared info page. */
    public int sharedInfoMfn() {
        return sharedInfoMfn;
    }

    /** Host address of the shared info page. */
    public long sharedInfo() {
        return memory.address(sharedInfoMfn);
    }

    private long sharedInfoGfn = -1;

    /** Shows the shared info page at a guest frame, and only there. */
    public void mapSharedInfo(long gfn) {
        synchronized (memory) {
            if (!memory.mapForeign(gfn, sharedInfoMfn, true, DomainMemory.Foreign.SHARED_INFO)) {
                throw new HypercallException(Errno.EINVAL);
            }
            if (sharedInfoGfn >= 0 && sharedInfoGfn != gfn && memory.map().mfn(sharedInfoGfn) == sharedInfoMfn) {
                memory.remove(sharedInfoGfn);
            }
            sharedInfoGfn = gfn;
        }
    }

    // Parameters.

    /** A parameter, see {@link HvmParam}. */
    public long hvmParam(int index) {
        return hvmParams.get(index);
    }

    /** Sets a parameter and does what follows from it. */
    public void setHvmParam(int index, long value) {
        hvmParams.set(index, value);
        if (index == HvmParam.CALLBACK_IRQ) {
            callbackVector = hvmParams.callbackVector();
            for (Vcpu vcpu : vcpus) {
                vcpu.interruptsChanged();
            }
        }
    }

    /** The vector that announces events without an APIC, or 0. */
    public int callbackVector() {
        return callbackVector;
    }

    /** Whether updates of runstate areas are flagged (vm_assist 5). */
    public boolean runstateUpdateFlag() {
        return runstateUpdateFlag;
    }

    /** See {@link #runstateUpdateFlag()}. */
    public void setRunstateUpdateFlag(boolean on) {
        runstateUpdateFlag = on;
    }

    // Life.

    /** Makes the virtual CPUs' threads and lets them run. */
    public void start() {
        synchronized (lifecycle) {
            if (started) {
                throw new IllegalStateException("domain " + id() + " was started before");
            }
            started = true;
            for (Vcpu vcpu : vcpus) {
                vcpu.startThread();
            }
        }
        unpause();
    }

    /** Stops all virtual CPUs; returns when none executes guest code. Each call needs an {@link #unpause}. */
    public void pause() {
        synchronized (lifecycle) {
            pauses++;
            stopping = true;
        }
        awaitStop();
    }

    /** Takes one {@link #pause} back. */
    public void unpause() {
        synchronized (lifecycle) {
            if (pauses == 0) {
                throw new IllegalStateException("domain " + id() + " is not paused");
            }
            pauses--;
            if (pauses == 0 && !shutdown.isDone() && !destroyed) {
                stopping = false;
                lifecycle.notifyAll();
            }
        }
    }

    /** Whether somebody has paused the domain. */
    public boolean isPaused() {
        synchronized (lifecycle) {
            return pauses > 0;
        }
    }

    private void awaitStop() {
        for (Vcpu vcpu : vcpus) {
            vcpu.kick();
        }
        for (Vcpu vcpu : vcpus) {
            vcpu.awaitOutside();
        }
    }

    /**
     * Waits until the state of all virtual CPUs is in their state blocks, for somebody who looks at a domain that stops. A virtual
     * CPU may wait for what the caller holds, so not for ever.
     *
     * @return false when the time is over
     */
    public boolean awaitOutside(long nanoseconds) {
        long end = System.nanoTime() + nanoseconds;
        for (Vcpu vcpu : vcpus()) {
            while (!vcpu.isOutside()) {
                if (System.nanoTime() - end > 0) {
                    return false;
                }
                LockSupport.parkNanos(20_000);
            }
        }
        return true;
    }

    /** Whether virtual CPUs must stay out of the guest. */
    boolean isStopping() {
        return stopping;
    }

    /**
     * Called by a virtual CPU's thread, outside the guest: waits while the domain is paused.
     *
     * @return false when the thread should end
     */
    boolean admit() {
        if (!stopping) {
            return true;
        }
        synchronized (lifecycle) {
            while (!destroyed && !shutdown.isDone() && pauses > 0) {
                try {
                    lifecycle.wait();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    return false;
                }
            }
            return !destroyed && !shutdown.isDone();
        }
    }

    /** The guest asks to be shut down. */
    public void shutDown(int reason, Vcpu vcpu) {
        int code = shutdownCode;
        stop(ShutdownDetail.asked(code >= 0 ? code : reason, vcpu == null ? -1 : vcpu.id()));
    }

    /** Remembers a reason for a shutdown that follows. */
    public void setShutdownCode(int reason) {
        shutdownCode = reason;
    }

    /** Stops the domain because of something that the guest did; {@code message} is one line for people. */
    public void crash(Vcpu vcpu, String message) {
        stop(new ShutdownDetail(ShutdownReason.CRASH, message, vcpu == null ? -1 : vcpu.id(), null));
    }

    /** Stops the domain with a reason and a line for people. */
    void stop(ShutdownDetail detail) {
        synchronized (lifecycle) {
            if (shutdown.isDone()) {
                return;
            }
            stopping = true;
        }
        for (Vcpu vcpu : vcpus()) {
            vcpu.kick();
        }
        // Outside the monitor: whoever waits may run in this thread.
        shutdown.complete(detail);
        synchronized (lifecycle) {
            lifecycle.notifyAll();
        }
    }

    /** Completes when the domain has shut down or crashed. Dependents must be quick: they may run on a virtual CPU's thread. */
    public CompletableFuture<ShutdownDetail> shutdownFuture() {
        return shutdown;
    }

    /** Stops the virtual CPUs for good and gives all memory back. Not to be called from a virtual CPU's thread. */
    public void destroy() {
        synchronized (lifecycle) {
            if (destroyed) {
                return;
            }
            destroyed = true;
            stopping = true;
            lifecycle.notifyAll();
        }
        shutdown.complete(new ShutdownDetail(ShutdownReason.POWEROFF, "destroyed", -1, null));
        for (Vcpu vcpu : vcpus) {
            vcpu.kick();
        }
        for (Vcpu vcpu : vcpus) {
            vcpu.join();
        }
        scheduling.remove();
        domains().remove(this);
        eventChannels.destroy();
        grantTable.destroy();
        for (Vcpu vcpu : vcpus) {
            vcpu.close();
        }
        if (viridian != null) {
            viridian.close();
        }
        memory.releaseAll();
        memory.releaseHypervisorFrame(sharedInfoMfn);
    }

    /** A virtual CPU went down: without any left, the domain has powered off. */
    void vcpuWentDown(Vcpu last) {
        for (Vcpu vcpu : vcpus) {
            if (!vcpu.isDown()) {
                return;
            }
        }
        shutDown(ShutdownReason.POWEROFF, last);
    }

    // Memory seen by processors.

    /** Makes all processors forget translations; returns when they have. */
    public void flushTlbs() {
        shootDown();
    }

    private void overdrawn() {
        crash(
                null,
                "the guest used more memory than the " + (memory.maxFrames() >>> 8)
                        + " MiB that it may have: it must balloon down before it uses the rest");
    }

    private void shootDown() {
        for (Vcpu vcpu : vcpus()) {
            vcpu.requestFlush();
        }
        for (Vcpu vcpu : vcpus()) {
            vcpu.awaitFlush();
        }
    }

    /**
     * Says that somebody other than the domain's processors has changed the content of a frame that may hold code. They
     * take notice before they see any event that is raised afterwards.
     */
    public void contentChanged(long gfn) {
        for (Vcpu vcpu : vcpus) {
            vcpu.requestInvalidation(gfn);
        }
    }

    /** Like {@link #contentChanged}, from inside a virtual CPU's engine, which must not lose the block that it executes. */
    public void contentChangedWhileRunning(long gfn) {
        for (Vcpu vcpu : vcpus) {
            vcpu.requestInvalidationLater(gfn);
        }
    }

    @Override
    public String toString() {
        return "domain " + id() + " (" + settings.name() + ")";
    }
}
