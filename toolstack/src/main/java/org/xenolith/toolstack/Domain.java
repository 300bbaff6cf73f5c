package org.xenolith.toolstack;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.IntConsumer;
import org.xenolith.abi.RunstateInfo;
import org.xenolith.abi.ShutdownReason;
import org.xenolith.cpu.decode.InsnTable;
import org.xenolith.hypervisor.DebugConsole;
import org.xenolith.hypervisor.ShutdownDetail;
import org.xenolith.hypervisor.Vcpu;
import org.xenolith.hypervisor.schedule.SchedDomain;
import org.xenolith.hypervisor.schedule.VcpuSchedInfo;
import org.xenolith.memory.GuestPhysical;
import org.xenolith.memory.MachineMemory;
import org.xenolith.memory.MachineMemoryException;
import org.xenolith.services.builder.DomainBuildException;
import org.xenolith.services.loader.ImageFormatException;
import org.xenolith.services.xenstore.DomainEntries;
import org.xenolith.services.xenstore.XenStore;
import org.xenolith.translate.SwitchableEngine;
import org.xenolith.translate.TranslatingEngine;

/**
 * A guest on a {@link Host}.
 *
 * <p>{@link Host#create} builds it paused, {@link #start} lets it run on threads of its own. When the guest ends, the
 * {@link LifecycleActions} of its configuration decide what follows. A restart builds a new guest in this object: name, uuid,
 * console and listeners stay, and the domain identifier is another one, as with Xen. {@link #await} tells how it ended for good;
 * {@link #destroy} ends it and gives everything back.
 *
 * <p>Safe from any thread. What the present state does not allow is an {@link IllegalStateException}, what can never be an
 * {@link IllegalArgumentException}; both with one line for people.
 */
public final class Domain implements AutoCloseable {
    /** Least memory that a guest can be told to shrink to. */
    private static final long LEAST_TARGET = 4L << 20;

    /** A guest that ends sooner than this after its start is restarted only then: it must not keep the host busy. */
    private static final long QUICKEST_RESTART_MILLIS = 1000;

    private final Host host;
    private final UUID uuid;
    private final Console console;
    /** Closed with the domain; null when others are on the host. */
    private final Host privateHost;
    /** Held while the domain changes its state. Before the host's own lock. */
    private final ReentrantLock verbs = new ReentrantLock();

    private final CompletableFuture<DomainOutcome> outcome = new CompletableFuture<>();
    private volatile DomainConfig config;
    private volatile Incarnation life;
    /** Pauses by {@link #pause} that are not taken back, and one until the start. Guarded by {@link #verbs}. */
    private int pauses = 1;

    private volatile DomainState state = DomainState.CREATED;
    private volatile boolean dying;
    private volatile ShutdownDetail ended;
    private volatile int onlineVcpus;
    private volatile long targetBytes;
    private volatile long maxBytes;
    private volatile IntConsumer debugPort = value -> {};
    /** Null for the host's log. */
    private volatile DebugConsole hypervisorConsole;

    /** A domain without a guest; {@link #build} makes one. */
    Domain(Host host, DomainConfig config, UUID uuid, boolean ownsHost) {
        this.host = host;
        this.config = config;
        this.uuid = uuid;
        privateHost = ownsHost ? host : null;
        console = new Console(config.console(), text -> host.log(text));
    }

    /** What stays of a domain that was started again: its old guest, under another name. */
    private Domain(Domain successor, DomainConfig config, UUID uuid, Incarnation life, DomainOutcome outcome) {
        this(successor.host, config, uuid, false);
        this.life = life;
        state = DomainState.SHUTDOWN;
        pauses = 0;
        ended = successor.ended;
        onlineVcpus = successor.onlineVcpus;
        targetBytes = successor.targetBytes;
        maxBytes = successor.maxBytes;
        this.outcome.complete(outcome);
    }

    /**
     * Does what the first domain would have to wait for: reads the instruction table, links the host's functions. For a
     * thread that has nothing better to do, and never needed.
     *
     * @throws RuntimeException when the host refuses something, which a domain would run into as well
     */
    public static void prepare() {
        InsnTable.get();
        new MachineMemory(1).close();
        if (SwitchableEngine.obstacle().isEmpty()) {
            TranslatingEngine.prepare();
        }
    }

    /**
     * Builds a domain on a host of its own, which has just the memory that it needs and is closed with it. For one guest; for
     * several, {@link Host#create}. When the guest ends the domain stays, to be looked at, until it is closed: the
     * {@link LifecycleActions} of the configuration are not followed.
     *
     * @throws IOException when the kernel cannot be read
     * @throws ImageFormatException when it is no kernel that can run here; the message is one line for people
     * @throws DomainBuildException when something does not fit; likewise
     * @throws MachineMemoryException when the operating system does not give the memory; likewise
     */
    public static Domain create(DomainConfig config) throws IOException, ImageFormatException, DomainBuildException {
        return Host.createAlone(config);
    }

    /** Makes a guest, from the configuration as it is now. */
    void build(int id) throws IOException, ImageFormatException, DomainBuildException {
        life = host.build(this, id, config);
        state = DomainState.CREATED;
        pauses = 1;
        ended = null;
        onlineVcpus = config.vcpus();
        targetBytes = config.memoryBytes();
        maxBytes = config.maxMemoryBytes();
        Incarnation made = life;
        made.outcome().whenComplete((how, failure) -> {
            if (!made.isDestroyed()) {
                // Not here: this is the thread of a virtual CPU.
                Thread.ofPlatform()
                        .daemon()
                        .name("end of domain " + id)
                        .start(() -> guestEnded(
                                made, how, made.domain().shutdownFuture().getNow(null)));
            }
        });
    }

    // What it is.

    public Host host() {
        return host;
    }

    /** Domain identifier; a restart changes it. */
    public int id() {
        return life.id();
    }

    public String name() {
        return config.name();
    }

    public UUID uuid() {
        return uuid;
    }

    /** What the domain was made of, under its present name. A restart makes it anew from this. */
    public DomainConfig config() {
        return config;
    }

    public DomainState state() {
        return state;
    }

    /** The domain's console; the same one after a restart. */
    public Console console() {
        return console;
    }

    /** The host's xenstore. */
    public XenStore store() {
        return host.store();
    }

    /** Home of the domain in xenstore: {@code /local/domain/N}. */
    public String storePath() {
        return life.entries().home();
    }

    /** Looks into the present guest: registers, symbols, memory, kernel log. After a restart, ask for another one. */
    public Inspector inspector() {
        return life.inspector();
    }

    /** Commands that look into the present guest. After a restart, ask for another one. */
    public Monitor monitor() {
        return new Monitor(this);
    }

    /** Hears the bytes that the guest writes to port 0xE9, on its own thread. Set before {@link #start}. */
    public void onDebugPort(IntConsumer listener) {
        debugPort = listener;
    }

    /** Takes what the guest writes to the hypervisor's console, in place of the host's log. Set before {@link #start}. */
    public void onHypervisorConsole(DebugConsole listener) {
        hypervisorConsole = listener;
    }

    /** A console of that kind for one life of the domain. */
    DebugConsole hypervisorConsole(int id) {
        DebugConsole log = host.debugConsole(id);
        return (bytes, offset, length) -> {
            DebugConsole listener = hypervisorConsole;
            (listener == null ? log : listener).write(bytes, offset, length);
        };
    }

    void debugPortWritten(int value) {
        debugPort.accept(value);
    }

    Incarnation life() {
        return life;
    }

    /** What {@code xl list} tells. Works in every state; a domain that is gone has no memory and no virtual CPUs. */
    public DomainInfo info() {
        Incarnation now = life;
        DomainState stateNow = state;
        List<VcpuInfo> vcpus = vcpuInfo();
        org.xenolith.hypervisor.Domain domain = now.domain();
        ShutdownDetail end = ended;
        boolean active = stateNow == DomainState.RUNNING;
        boolean allBlocked = vcpus.stream().filter(VcpuInfo::online).allMatch(VcpuInfo::blocked);
        boolean anyOnline = vcpus.stream().anyMatch(VcpuInfo::online);
        long owned = stateNow == DomainState.DESTROYED ? 0 : domain.memory().reservedFrames();
        return new DomainInfo(
                now.id(),
                name(),
                uuid,
                config.type(),
                stateNow,
                active && vcpus.stream().anyMatch(VcpuInfo::running),
                active && anyOnline && allBlocked,
                stateNow == DomainState.CREATED || stateNow == DomainState.PAUSED,
                dying,
                end == null ? OptionalInt.empty() : OptionalInt.of(end.reason()),
                owned << GuestPhysical.FRAME_SHIFT,
                targetBytes,
                maxBytes,
                domain.memory().account().outstanding() << GuestPhysical.FRAME_SHIFT,
                (int) vcpus.stream().filter(VcpuInfo::online).count(),
                vcpus,
                now.created(),
                Optional.ofNullable(now.started()),
                engine(0),
                config);
    }

    /** What {@code xl vcpu-list} tells. */
    public List<VcpuInfo> vcpuInfo() {
        Incarnation now = life;
        return now.inspector()
                .whileOpen(
                        () -> {
                            List<VcpuInfo> result = new ArrayList<>();
                            for (Vcpu vcpu : now.domain().vcpus()) {
                                result.add(vcpuInfo(vcpu, now.domain().isPaused()));
                            }
                            return result;
                        },
                        List.of());
    }

    private VcpuInfo vcpuInfo(Vcpu vcpu, boolean paused) {
        long[] runstate = vcpu.runstate();
        Optional<VcpuSchedInfo> scheduled = DomainScheduling.info(scheduling(), vcpu.id());
        return new VcpuInfo(
                vcpu.id(),
                !vcpu.isDown(),
                runstate[0] == RunstateInfo.RUNNING && !paused,
                runstate[0] == RunstateInfo.BLOCKED,
                scheduled.isPresent() && scheduled.get().cpu() >= 0
                        ? OptionalInt.of(scheduled.get().cpu())
                        : OptionalInt.empty(),
                Duration.ofNanos(scheduled.map(VcpuSchedInfo::cpuNanos).orElse(runstate[2 + RunstateInfo.RUNNING])),
                vcpu.state().retired(),
                scheduled
                        .map(info -> DomainScheduling.named(info.hard(), host.scheduler()))
                        .orElse(Set.of()),
                scheduled
                        .map(info -> DomainScheduling.named(info.soft(), host.scheduler()))
                        .orElse(Set.of()));
    }

    /** What the present guest gets of the host's CPUs, and how that is changed. A restart keeps what it is then. */
    public SchedDomain scheduling() {
        return life.domain().scheduling();
    }

    /** Guest instructions retired by each virtual CPU; empty when the domain is gone. */
    public List<Long> retiredInstructions() {
        return vcpuInfo().stream().map(VcpuInfo::retired).toList();
    }

    /** Who executes the instructions of a virtual CPU from its next entry into the engine on; never {@link EngineKind#AUTO}. */
    public EngineKind engine(int vcpu) {
        return switch (life.engines().get(vcpu).choice()) {
            case INTERPRET -> EngineKind.INTERPRET;
            case TRANSLATE -> EngineKind.TRANSLATE;
            case VERIFY -> EngineKind.VERIFY;
        };
    }

    /**
     * Changes who executes the instructions, while the guest runs or is paused: each virtual CPU changes at its next entry
     * into its engine.
     *
     * @throws IllegalStateException when that is not possible; the message is one line for people
     */
    public void changeEngine(EngineKind kind) {
        Host.engineObstacle(kind, config.maxVcpus()).ifPresent(text -> {
            throw new IllegalStateException(text);
        });
        SwitchableEngine.Choice choice = kind.choice();
        life.engines().forEach(engine -> engine.change(choice));
    }

    // Life.

    /** Lets the domain run for the first time. */
    public void start() {
        locked(() -> {
            if (state != DomainState.CREATED) {
                throw new IllegalStateException("domain " + name() + " was started before");
            }
            release();
        });
    }

    /** Stops the virtual CPUs until {@link #unpause}; returns when none executes. Counts: each call needs an unpause. */
    public void pause() {
        locked(() -> {
            requireAlive("pause");
            pauses++;
            life.domain().pause();
            if (state == DomainState.RUNNING) {
                state = DomainState.PAUSED;
                host.tell(new DomainEvent.Paused(this, id(), name()));
            }
        });
    }

    /** Takes one {@link #pause} back; starts a domain that was never started. */
    public void unpause() {
        locked(() -> {
            requireAlive("unpause");
            if (pauses == 0) {
                throw new IllegalStateException("domain " + name() + " is not paused");
            }
            release();
        });
    }

    private void release() {
        pauses--;
        if (pauses > 0) {
            life.domain().unpause();
            return;
        }
        if (life.started() == null) {
            state = DomainState.RUNNING;
            life.start();
            host.tell(new DomainEvent.Started(this, id(), name()));
            return;
        }
        life.domain().unpause();
        if (state == DomainState.PAUSED) {
            state = DomainState.RUNNING;
            host.tell(new DomainEvent.Unpaused(this, id(), name()));
        }
    }

    /** Asks the guest to power off, as {@code xl shutdown} does. */
    public void requestShutdown() {
        requestShutdown(ShutdownRequest.POWEROFF);
    }

    /** Asks the guest to end. Returns at once; whether and when it does is up to it. */
    public void requestShutdown(ShutdownRequest how) {
        locked(() -> {
            requireAlive("shut down");
            life.entries()
                    .requestShutdown(
                            store(),
                            switch (how) {
                                case POWEROFF -> DomainEntries.Shutdown.POWEROFF;
                                case REBOOT -> DomainEntries.Shutdown.REBOOT;
                                case HALT -> DomainEntries.Shutdown.HALT;
                                case SUSPEND -> DomainEntries.Shutdown.SUSPEND;
                            });
        });
    }

    /** Whether the guest has said that it looks at what {@link #requestShutdown} writes. */
    public boolean understandsShutdown() {
        return life.entries().understandsShutdown(store());
    }

    /** Asks the guest to reboot, as {@code xl reboot} does. */
    public void reboot() {
        requestShutdown(ShutdownRequest.REBOOT);
    }

    /** Sends a magic SysRq key through xenstore. */
    public void sysrq(char key) {
        locked(() -> {
            requireAlive("send SysRq to");
            if (key <= ' ' || key > '~') {
                throw new IllegalArgumentException("a SysRq key is one printable ASCII character");
            }
            life.entries().sendSysrq(store(), key);
        });
    }

    /** Does something to the virtual hardware; {@link Trigger#NMI} and {@link Trigger#INIT} to one virtual CPU. */
    public void trigger(Trigger trigger, int vcpu) {
        locked(() -> {
            requireAlive("trigger " + trigger.name().toLowerCase(java.util.Locale.ROOT) + " in");
            org.xenolith.hypervisor.Domain domain = life.domain();
            if (vcpu < 0 || vcpu >= domain.vcpus().size()) {
                throw new IllegalArgumentException("domain " + name() + " has no virtual CPU " + vcpu + ": 0 to "
                        + (domain.vcpus().size() - 1));
            }
            switch (trigger) {
                case NMI -> domain.vcpus().get(vcpu).requestNmi();
                case INIT -> domain.vcpus().get(vcpu).requestInit();
                case RESET -> domain.shutDown(ShutdownReason.REBOOT, null);
                case POWER -> life.entries().requestShutdown(store(), DomainEntries.Shutdown.POWEROFF);
            }
        });
    }

    /** Gives the domain another name; IllegalArgumentException when another domain has it. */
    public void rename(String newName) {
        locked(() -> {
            requireExists("rename");
            String old = name();
            if (newName.equals(old)) {
                return;
            }
            Host.checkName(newName);
            host.rename(this, newName);
            config = config.toBuilder().name(newName).build();
            life.rename(newName, uuid);
            host.tell(new DomainEvent.Renamed(this, id(), newName, old));
        });
    }

    /**
     * Asks the guest to have its first {@code count} virtual CPUs online and no others, as {@code xl vcpu-set} does. The guest
     * follows when it likes.
     *
     * @throws IllegalArgumentException when the domain cannot have so many; the message is one line for people
     */
    public void setVcpus(int count) {
        if (count < 1 || count > config.maxVcpus()) {
            throw new IllegalArgumentException(count + " virtual CPUs are not possible; give 1 to " + config.maxVcpus()
                    + ", this guest's maximum");
        }
        requireAlive("set the virtual CPUs of");
        // Not under the lock of the verbs: the monitor calls this while it keeps the guest from going away.
        DomainEntries entries = life.entries();
        store().atomically(() -> {
            for (int vcpu = 0; vcpu < config.maxVcpus() && store().exists(entries.home()); vcpu++) {
                entries.setVcpuOnline(store(), vcpu, vcpu < count);
            }
            return null;
        });
        onlineVcpus = count;
    }

    /** Virtual CPUs that the guest was last asked to have online. */
    public int requestedVcpus() {
        return onlineVcpus;
    }

    /**
     * Asks the guest to balloon to a size. From now on it cannot have more than this; it gives memory up when its balloon driver
     * gets to it.
     *
     * @throws MachineMemoryException when the host has not so much that nobody owns or claims; nothing has changed then
     */
    public void setMemoryTarget(long bytes) {
        locked(() -> {
            requireAlive("set the memory of");
            if (bytes < LEAST_TARGET || bytes > maxBytes) {
                throw new IllegalArgumentException("domain " + name() + " can have " + Sizes.text(LEAST_TARGET) + " to "
                        + Sizes.text(maxBytes) + " of memory, not " + Sizes.text(bytes));
            }
            if (!life.domain().memory().account().claim(MemoryPlan.claim(bytes))) {
                throw host.refused(
                        "domain " + name(),
                        (MemoryPlan.claim(bytes) << GuestPhysical.FRAME_SHIFT)
                                - (life.domain().memory().account().owned() << GuestPhysical.FRAME_SHIFT));
            }
            life.domain().memory().setMaxFrames(MemoryPlan.limit(bytes));
            targetBytes = bytes;
            life.entries().setMemoryTarget(store(), bytes >>> 10);
        });
    }

    /**
     * Changes the most memory that the domain can have. The guest may then balloon up to it by itself, as far as the host has
     * memory that nobody claims; a target that keeps memory for it is set by {@link #setMemoryTarget}.
     */
    public void setMaxMemory(long bytes) {
        locked(() -> {
            requireAlive("set the maximal memory of");
            if (bytes < targetBytes) {
                throw new IllegalArgumentException("domain " + name() + " has a memory target of "
                        + Sizes.text(targetBytes) + ", and the most that it may have cannot be less: "
                        + Sizes.text(bytes));
            }
            maxBytes = bytes;
            life.domain().memory().setMaxFrames(MemoryPlan.limit(bytes));
            life.entries().setMaxMemory(store(), bytes >>> 10);
        });
    }

    /**
     * Writes the guest's memory and processors to a file, in the ELF format of {@code xl dump-core}. The guest is paused
     * meanwhile.
     */
    public void dumpCore(Path file) throws IOException {
        verbs.lock();
        try {
            requireExists("dump");
            org.xenolith.hypervisor.Domain domain = life.domain();
            domain.pause();
            try {
                CoreDump.write(domain, file);
            } finally {
                domain.unpause();
            }
        } catch (IOException e) {
            throw new IOException("cannot write core dump " + file + ": " + e.getMessage(), e);
        } finally {
            verbs.unlock();
        }
    }

    /** Ends the domain at once and gives everything back. Does nothing when it is gone. Not on one of its own threads. */
    public void destroy() {
        verbs.lock();
        try {
            if (state == DomainState.DESTROYED) {
                return;
            }
            dying = true;
            life.destroy();
            gone(new DomainOutcome.Destroyed());
        } finally {
            verbs.unlock();
        }
    }

    /** The same as {@link #destroy}; closes the host, too, if it was made for this domain alone. */
    @Override
    public void close() {
        destroy();
        if (privateHost != null) {
            privateHost.close();
        }
    }

    private void gone(DomainOutcome how) {
        state = DomainState.DESTROYED;
        dying = false;
        host.remove(this);
        console.close();
        host.tell(new DomainEvent.Destroyed(this, id(), name()));
        outcome.complete(how);
    }

    /** The guest has ended by itself. On a thread that is nobody's. */
    private void guestEnded(Incarnation guest, DomainOutcome how, ShutdownDetail detail) {
        verbs.lock();
        try {
            if (guest != life || state == DomainState.DESTROYED) {
                return;
            }
            console.resumeOutput();
            ended = detail;
            state = DomainState.SHUTDOWN;
            LifecycleAction action = action(detail.reason());
            host.tell(
                    how instanceof DomainOutcome.Panic || how instanceof DomainOutcome.Crash
                            ? new DomainEvent.Crashed(this, id(), name(), how, action)
                            : new DomainEvent.ShutDown(this, id(), name(), how, action));
            if (action.dumpsCore()) {
                dumpAfterCrash();
            }
            if (action == LifecycleAction.PRESERVE) {
                outcome.complete(how);
            } else if (action.restarts()) {
                restart(action, how);
            } else {
                life.destroy();
                gone(how);
            }
        } finally {
            verbs.unlock();
        }
    }

    private LifecycleAction action(int reason) {
        LifecycleActions actions = config.actions();
        return switch (reason) {
            case ShutdownReason.POWEROFF -> actions.onPoweroff();
            case ShutdownReason.REBOOT -> actions.onReboot();
            case ShutdownReason.SUSPEND -> LifecycleAction.PRESERVE;
            case ShutdownReason.WATCHDOG -> actions.onWatchdog();
            case ShutdownReason.SOFT_RESET -> actions.onSoftReset();
            default -> actions.onCrash();
        };
    }

    private void dumpAfterCrash() {
        Path file = host.dumpFile(name());
        try {
            dumpCore(file);
            host.tell(new DomainEvent.CoreDumped(this, id(), name(), file));
        } catch (IOException e) {
            host.log(e.getMessage());
        }
    }

    private void restart(LifecycleAction action, DomainOutcome how) {
        int oldId = id();
        try {
            long lived = System.currentTimeMillis() - life.started().toEpochMilli();
            Thread.sleep(Math.max(0, QUICKEST_RESTART_MILLIS - lived));
            config = config.toBuilder()
                    .scheduling(DomainScheduling.of(scheduling(), host.scheduler()))
                    .build();
            if (action.keepsOld()) {
                UUID otherUuid = UUID.randomUUID();
                String otherName = host.nameForOld(name());
                Domain old = new Domain(
                        this, config.toBuilder().name(otherName).uuid(otherUuid).build(), otherUuid, life, how);
                life.rename(otherName, otherUuid);
                host.add(old);
                host.tell(new DomainEvent.Renamed(old, oldId, otherName, name()));
            } else {
                life.destroy();
                host.tell(new DomainEvent.Destroyed(this, oldId, name()));
            }
            build(host.nextId());
            host.tell(new DomainEvent.Created(this, id(), name()));
            release();
            host.tell(new DomainEvent.Restarted(this, id(), name(), oldId));
        } catch (IOException | DomainBuildException | RuntimeException e) {
            host.log("cannot restart domain " + name() + ": " + e.getMessage());
            host.tell(new DomainEvent.RestartFailed(this, oldId, name(), String.valueOf(e.getMessage())));
            gone(how);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            gone(how);
        }
    }

    /**
     * Waits until the guest has ended and nothing is going to start it again; the domain itself may still be there, as
     * {@link DomainState#SHUTDOWN}.
     */
    public DomainOutcome await() throws InterruptedException {
        try {
            return outcome.get();
        } catch (ExecutionException e) {
            throw new IllegalStateException("a virtual CPU failed", e.getCause());
        }
    }

    /** Waits like {@link #await()}, or returns null when {@code seconds} are over. */
    public DomainOutcome await(long seconds) throws InterruptedException {
        try {
            return outcome.get(seconds, TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            return null;
        } catch (ExecutionException e) {
            throw new IllegalStateException("a virtual CPU failed", e.getCause());
        }
    }

    private void locked(Runnable verb) {
        verbs.lock();
        try {
            verb.run();
        } finally {
            verbs.unlock();
        }
    }

    private void requireAlive(String verb) {
        requireExists(verb);
        if (state == DomainState.SHUTDOWN) {
            throw new IllegalStateException("cannot " + verb + " domain " + name() + ": its guest has ended");
        }
    }

    private void requireExists(String verb) {
        if (state == DomainState.DESTROYED) {
            throw new IllegalStateException("cannot " + verb + " domain " + name() + ": it is gone");
        }
    }

    @Override
    public String toString() {
        return "domain " + id() + " (" + name() + ")";
    }
}
