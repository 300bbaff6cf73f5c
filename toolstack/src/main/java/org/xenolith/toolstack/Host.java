package org.xenolith.toolstack;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.xenolith.abi.DomainId;
import org.xenolith.hypervisor.DebugConsole;
import org.xenolith.hypervisor.Domains;
import org.xenolith.hypervisor.schedule.Scheduler;
import org.xenolith.memory.GuestPhysical;
import org.xenolith.memory.MachineMemory;
import org.xenolith.memory.MachineMemoryException;
import org.xenolith.services.builder.DomainBuildException;
import org.xenolith.services.builder.PvhBuilder;
import org.xenolith.services.loader.ImageFormatException;
import org.xenolith.services.loader.KernelCache;
import org.xenolith.services.loader.KernelImage;
import org.xenolith.services.xenstore.XenStore;

/**
 * A machine that carries guests, in this JVM: its memory, its xenstore, its domains.
 *
 * <p>{@link #create(DomainConfig)} builds a domain, if there is memory for it; {@link #domains} and {@link #domain(String)} find
 * them; {@link #addListener} tells what happens to them. {@link #close} destroys all of them. Safe from any thread.
 */
public final class Host implements AutoCloseable {
    private static final DateTimeFormatter STAMP =
            DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'").withZone(ZoneOffset.UTC);

    private static final int LONGEST_NAME = 255;

    private final HostConfig config;
    private final MachineMemory machine;
    private final XenStore store = new XenStore();
    private final Domains registry = new Domains();
    private final HostLog log;
    private final boolean isPrivate;
    private final Instant started = Instant.now();
    private final List<Events> listeners = new CopyOnWriteArrayList<>();
    /** Delivers events; its thread ends when there is nothing to do. */
    private final ThreadPoolExecutor delivery;

    /** Guards what follows; nothing else is locked while it is held. */
    private final Object lock = new Object();

    /** By name; a domain that is being built is there as null. */
    private final Map<String, Domain> byName = new HashMap<>();

    private final Set<UUID> uuids = new HashSet<>();
    private final Set<Integer> ids = new HashSet<>();
    private int lastId;
    private boolean closed;

    private Host(HostConfig config, long memoryBytes, boolean isPrivate) {
        this.config = config;
        this.isPrivate = isPrivate;
        log = new HostLog(config.log());
        machine = new MachineMemory(memoryBytes);
        delivery = new ThreadPoolExecutor(
                1,
                1,
                1,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(),
                work -> Thread.ofPlatform().daemon().name("events").unstarted(work));
        delivery.allowCoreThreadTimeOut(true);
    }

    /** A host with all the memory that the operating system has available. */
    public static Host create() {
        return create(HostConfig.DEFAULT);
    }

    /**
     * A host.
     *
     * @throws MachineMemoryException when the operating system does not give the address space
     */
    public static Host create(HostConfig config) {
        return new Host(config, config.memoryBytes().orElseGet(HostResources::availableMemory), false);
    }

    static Domain createAlone(DomainConfig config) throws IOException, ImageFormatException, DomainBuildException {
        checkSizes(config);
        Host host = new Host(
                HostConfig.DEFAULT, MemoryPlan.claim(config.maxMemoryBytes()) << GuestPhysical.FRAME_SHIFT, true);
        try {
            return host.create(
                    config.toBuilder().actions(LifecycleActions.PRESERVE).build(), true);
        } catch (IOException | DomainBuildException | RuntimeException e) {
            host.close();
            throw e;
        }
    }

    /**
     * Builds a domain, paused.
     *
     * @throws IOException when the kernel cannot be read
     * @throws ImageFormatException when it is no kernel that can run here; the message is one line for people
     * @throws DomainBuildException when something in the configuration cannot be; likewise
     * @throws MachineMemoryException when there is not enough memory for it; the message has the numbers
     */
    public Domain create(DomainConfig config) throws IOException, ImageFormatException, DomainBuildException {
        return create(config, false);
    }

    private Domain create(DomainConfig wanted, boolean alone)
            throws IOException, ImageFormatException, DomainBuildException {
        check(wanted);
        UUID uuid = wanted.uuid().orElseGet(() -> newUuid(wanted));
        DomainConfig config = wanted.toBuilder().uuid(uuid).build();
        synchronized (lock) {
            requireOpen();
            if (byName.containsKey(config.name())) {
                throw new DomainBuildException("there is a domain named " + config.name() + " already");
            }
            if (!uuids.add(uuid)) {
                throw new DomainBuildException("there is a domain with uuid " + uuid + " already");
            }
            byName.put(config.name(), null);
        }
        Domain domain = new Domain(this, config, uuid, alone);
        try {
            domain.build(nextId());
        } catch (IOException | DomainBuildException | RuntimeException e) {
            synchronized (lock) {
                byName.remove(config.name());
                uuids.remove(uuid);
            }
            throw e;
        }
        add(domain);
        tell(new DomainEvent.Created(domain, domain.id(), domain.name()));
        return domain;
    }

    /** A deterministic domain's identity must be the same in every run. */
    private static UUID newUuid(DomainConfig config) {
        return config.deterministic()
                ? UUID.nameUUIDFromBytes(config.name().getBytes(java.nio.charset.StandardCharsets.UTF_8))
                : UUID.randomUUID();
    }

    private static void check(DomainConfig config) throws DomainBuildException {
        try {
            checkName(config.name());
        } catch (IllegalArgumentException e) {
            throw new DomainBuildException(e.getMessage());
        }
        if (config.type() != GuestType.PVH) {
            throw new DomainBuildException("guests of type " + config.type()
                    + " are not implemented; type pvh boots a kernel with a PVH entry");
        }
        checkSizes(config);
        if (config.vcpus() < 1 || config.maxVcpus() < config.vcpus() || config.maxVcpus() > DomainConfig.MAX_VCPUS) {
            throw new DomainBuildException(config.vcpus() + " virtual CPUs of at most " + config.maxVcpus()
                    + " are not possible; give 1 to " + DomainConfig.MAX_VCPUS);
        }
        if (config.deterministic() && config.maxVcpus() > 1) {
            throw new DomainBuildException(
                    "a deterministic guest has one virtual CPU: how several take turns is up to the host");
        }
        Optional<String> obstacle = engineObstacle(config.engine(), config.maxVcpus());
        if (obstacle.isPresent()) {
            throw new DomainBuildException(obstacle.get());
        }
    }

    private static void checkSizes(DomainConfig config) throws DomainBuildException {
        if (config.memoryBytes() < PvhBuilder.MIN_MEMORY || config.maxMemoryBytes() > PvhBuilder.MAX_MEMORY) {
            throw new DomainBuildException("memory of " + Sizes.text(config.memoryBytes()) + " is not possible; give "
                    + Sizes.text(PvhBuilder.MIN_MEMORY) + " to " + Sizes.text(PvhBuilder.MAX_MEMORY)
                    + " (Debian's kernels want 256 MiB)");
        }
        if (config.maxMemoryBytes() < config.memoryBytes()) {
            throw new DomainBuildException("the most memory, " + Sizes.text(config.maxMemoryBytes())
                    + ", is less than the memory at the start, " + Sizes.text(config.memoryBytes()));
        }
    }

    static Optional<String> engineObstacle(EngineKind kind, int vcpus) {
        return kind == EngineKind.VERIFY && vcpus > 1
                ? Optional.of("the engine " + kind + " compares what one virtual CPU does, and there are " + vcpus)
                : Optional.empty();
    }

    /** Names end up in paths, xenstore and lists: no control characters, no slash, and not only digits, which is an identifier. */
    static void checkName(String name) {
        if (name.isEmpty() || name.length() > LONGEST_NAME) {
            throw new IllegalArgumentException("a domain's name has 1 to " + LONGEST_NAME + " characters");
        }
        if (name.chars().anyMatch(c -> c < ' ' || c == '/' || c == 0x7f)) {
            throw new IllegalArgumentException("a domain's name has no slash and no control characters in it");
        }
        if (name.chars().allMatch(c -> c >= '0' && c <= '9')) {
            throw new IllegalArgumentException(
                    "a domain's name is not only digits, because " + name + " means a domain identifier");
        }
    }

    Incarnation build(Domain domain, int id, DomainConfig config)
            throws IOException, ImageFormatException, DomainBuildException {
        try {
            KernelCache cache = config.kernelCache()
                    .map(directory -> new KernelCache(directory, warning -> {}))
                    .orElse(null);
            try (KernelImage kernel =
                    cache == null ? KernelImage.load(config.kernel()) : KernelImage.load(config.kernel(), cache)) {
                long needed = MemoryPlan.claim(config.memoryBytes());
                if (needed > machine.available() - machine.claimed()) {
                    throw refused("domain " + config.name(), needed << GuestPhysical.FRAME_SHIFT);
                }
                return new Incarnation(this, domain, id, domain.uuid(), config, domain::name, kernel);
            }
        } catch (IOException | DomainBuildException | RuntimeException e) {
            forget(id);
            throw e;
        }
    }

    MachineMemoryException refused(String who, long bytes) {
        HostInfo info = info();
        return new MachineMemoryException(who + " needs " + Sizes.text(bytes) + ", "
                + Sizes.text(info.availableBytes()) + " free of " + Sizes.text(info.memoryBytes())
                + (info.claimedBytes() > 0
                        ? " (" + Sizes.text(info.claimedBytes()) + " are kept for other domains)"
                        : "")
                + "; give it less memory, or shrink or destroy another domain");
    }

    // Registry.

    /** The next free identifier, as Xen gives them: counting on, and from 1 again after the last. */
    int nextId() {
        synchronized (lock) {
            for (int i = 0; i < DomainId.FIRST_RESERVED; i++) {
                lastId = lastId + 1 >= DomainId.FIRST_RESERVED ? 1 : lastId + 1;
                if (ids.add(lastId)) {
                    return lastId;
                }
            }
        }
        throw new IllegalStateException("all " + (DomainId.FIRST_RESERVED - 1) + " domain identifiers are in use");
    }

    void forget(int id) {
        synchronized (lock) {
            ids.remove(id);
        }
    }

    void add(Domain domain) {
        synchronized (lock) {
            byName.put(domain.name(), domain);
            uuids.add(domain.uuid());
        }
    }

    void remove(Domain domain) {
        synchronized (lock) {
            if (byName.remove(domain.name(), domain)) {
                uuids.remove(domain.uuid());
            }
        }
    }

    void rename(Domain domain, String name) {
        synchronized (lock) {
            if (byName.containsKey(name)) {
                throw new IllegalArgumentException("there is a domain named " + name + " already");
            }
            byName.remove(domain.name(), domain);
            byName.put(name, domain);
        }
    }

    /** A free name for a guest that stays when its domain starts again: the moment of its end behind it, as xl does. */
    String nameForOld(String name) {
        String stamped = name + '-' + STAMP.format(Instant.now());
        synchronized (lock) {
            String free = stamped;
            for (int i = 2; byName.containsKey(free); i++) {
                free = stamped + '-' + i;
            }
            return free;
        }
    }

    Path dumpFile(String name) {
        return config.dumpDirectory().resolve(name + '-' + STAMP.format(Instant.now()) + ".core");
    }

    /** All domains, in the order of their identifiers. */
    public List<Domain> domains() {
        List<Domain> result = new ArrayList<>();
        synchronized (lock) {
            byName.values().forEach(domain -> {
                if (domain != null) {
                    result.add(domain);
                }
            });
        }
        result.sort(Comparator.comparingInt(Domain::id));
        return result;
    }

    public Optional<Domain> domain(int id) {
        return domains().stream().filter(domain -> domain.id() == id).findFirst();
    }

    public Optional<Domain> domain(String name) {
        synchronized (lock) {
            return Optional.ofNullable(byName.get(name));
        }
    }

    public Optional<Domain> domain(UUID uuid) {
        return domains().stream().filter(domain -> domain.uuid().equals(uuid)).findFirst();
    }

    /** A domain as people name it: by identifier, name, or uuid. */
    public Optional<Domain> find(String text) {
        if (!text.isEmpty() && text.length() < 10 && text.chars().allMatch(c -> c >= '0' && c <= '9')) {
            return domain(Integer.parseInt(text));
        }
        Optional<Domain> named = domain(text);
        if (named.isEmpty() && text.length() == 36) {
            try {
                return domain(UUID.fromString(text));
            } catch (IllegalArgumentException e) {
                return Optional.empty();
            }
        }
        return named;
    }

    // The machine.

    /** The xenstore of all domains. */
    public XenStore store() {
        return store;
    }

    /** Who gets which CPU: pools, and the CPUs themselves. */
    public Scheduler scheduler() {
        return registry.scheduler();
    }

    public HostInfo info() {
        int domains = domains().size();
        synchronized (machine) {
            return new HostInfo(
                    started,
                    Runtime.getRuntime().availableProcessors(),
                    (long) machine.frames() << GuestPhysical.FRAME_SHIFT,
                    machine.available() << GuestPhysical.FRAME_SHIFT,
                    machine.claimed() << GuestPhysical.FRAME_SHIFT,
                    domains);
        }
    }

    /** The latest lines of the host's log, what guests write with console_io included: {@code xl dmesg}. */
    public String log() {
        return log.text();
    }

    /** Empties the log: {@code xl dmesg -c}. */
    public void clearLog() {
        log.clear();
    }

    /** Adds a line to the log. */
    public void log(String line) {
        log.say(line);
    }

    MachineMemory machine() {
        return machine;
    }

    Domains registry() {
        return registry;
    }

    DebugConsole debugConsole(int id) {
        return isPrivate ? System.err::write : log.of(id);
    }

    // Events.

    /** Tells a listener what happens from now on. */
    public void addListener(Events listener) {
        listeners.add(listener);
    }

    public void removeListener(Events listener) {
        listeners.remove(listener);
    }

    void tell(DomainEvent event) {
        if (listeners.isEmpty()) {
            return;
        }
        delivery.execute(() -> {
            for (Events listener : listeners) {
                try {
                    listener.happened(event);
                } catch (RuntimeException e) {
                    log("a listener failed at " + event + ": " + e);
                }
            }
        });
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the host is closed");
        }
    }

    /** Destroys all domains and gives everything back. Events that wait are still delivered. */
    @Override
    public void close() {
        synchronized (lock) {
            if (closed) {
                return;
            }
            closed = true;
        }
        domains().forEach(Domain::destroy);
        delivery.shutdown();
        machine.close();
    }
}
