package org.xenolith.toolstack;

import java.io.IOException;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.IntConsumer;
import java.util.function.LongSupplier;
import org.xenolith.abi.HvmParam;
import org.xenolith.abi.ShutdownReason;
import org.xenolith.cpu.CpuidPolicy;
import org.xenolith.cpu.Engine;
import org.xenolith.cpu.core.SharedCode;
import org.xenolith.cpu.decode.InsnTable;
import org.xenolith.cpu.interpret.Interpreter;
import org.xenolith.hypervisor.DebugConsole;
import org.xenolith.hypervisor.DomainMemory;
import org.xenolith.hypervisor.DomainParts;
import org.xenolith.hypervisor.DomainSettings;
import org.xenolith.hypervisor.Domains;
import org.xenolith.hypervisor.ShutdownDetail;
import org.xenolith.hypervisor.events.HostPort;
import org.xenolith.hypervisor.time.DomainClock;
import org.xenolith.hypervisor.time.HostClock;
import org.xenolith.hypervisor.time.VirtualClock;
import org.xenolith.memory.MachineMemory;
import org.xenolith.memory.MachineMemoryException;
import org.xenolith.platform.LocalApic;
import org.xenolith.platform.WallClockPort;
import org.xenolith.services.builder.BuiltGuest;
import org.xenolith.services.builder.DomainBuildException;
import org.xenolith.services.builder.PvhBuilder;
import org.xenolith.services.builder.PvhConfig;
import org.xenolith.services.console.ConsoleBackend;
import org.xenolith.services.loader.ImageFormatException;
import org.xenolith.services.loader.KernelCache;
import org.xenolith.services.loader.KernelImage;
import org.xenolith.services.xenstore.DomainEntries;
import org.xenolith.services.xenstore.XenStore;
import org.xenolith.services.xenstore.XenStoreRing;
import org.xenolith.translate.NativeAtomics;
import org.xenolith.translate.SwitchableEngine;
import org.xenolith.translate.TranslatingEngine;

/**
 * One guest with everything it needs, in this JVM.
 *
 * <p>{@link #create} builds it paused; {@link #start} lets it run on threads of its own; {@link #await} tells how it ended;
 * {@link #close} gives everything back. Domain 0's duties (console, xenstore) are carried by services of this JVM.
 */
public final class Domain implements AutoCloseable {
    private static final int DOMAIN_ID = 1;
    /** Port that init uses to report to the host: see {@code GuestReport} of the image room. */
    private static final int DEBUG_PORT = 0xE9;
    /** Frames beyond RAM: ACPI tables, special pages, shared info, and room for the balloon driver's odd page. */
    private static final int EXTRA_FRAMES = 4096;

    /** Instructions that make a second of virtual time. */
    private static final long VIRTUAL_SPEED = 1_000_000_000L;

    private static final long DETERMINISTIC_SEED = 0x58454E4FL;

    private final DomainConfig config;
    private final MachineMemory machine;
    private final org.xenolith.hypervisor.Domain domain;
    private final XenStore store = new XenStore();
    private final DomainEntries entries;
    private final Console console;
    private final ConsoleBackend consoleBackend;
    private final XenStoreRing storeRing;
    private final Inspector inspector;
    /** By number of the virtual CPU. */
    private final List<SwitchableEngine> engines = new ArrayList<>();

    private final AtomicBoolean destroyed = new AtomicBoolean();
    private final CompletableFuture<DomainOutcome> outcome;
    private volatile IntConsumer debugPort = value -> {};
    private volatile DebugConsole hypervisorConsole;
    private volatile boolean closed;

    private Domain(DomainConfig config, KernelImage kernel) throws ImageFormatException, DomainBuildException {
        this.config = config;
        inspector = new Inspector(config.trace(), config.symbols());
        hypervisorConsole = inspector::hypervisorConsole;
        int vcpus = config.maxVcpus();
        if (config.vcpus() < 1 || config.vcpus() > vcpus || vcpus > DomainConfig.MAX_VCPUS) {
            throw new DomainBuildException(config.vcpus() + " virtual CPUs of at most " + vcpus
                    + " are not possible; give 1 to " + DomainConfig.MAX_VCPUS);
        }
        if (config.deterministic() && vcpus > 1) {
            throw new DomainBuildException(
                    "a deterministic guest has one virtual CPU: how several take turns is up to the host");
        }
        Optional<String> obstacle = obstacle(config.engine(), vcpus);
        if (obstacle.isPresent()) {
            throw new DomainBuildException(obstacle.get());
        }
        long frames = (config.memoryBytes() >>> 12) + EXTRA_FRAMES;
        machine = new MachineMemory(frames << 12);
        try {
            SplittableRandom seeded = new SplittableRandom(DETERMINISTIC_SEED);
            SecureRandom random = new SecureRandom();
            LongSupplier randomness = config.deterministic() ? seeded::nextLong : random::nextLong;
            DomainClock clock = config.deterministic() ? new VirtualClock(VIRTUAL_SPEED, 0) : new HostClock();
            CpuidPolicy chosen = config.cpu().policy().withCores(vcpus);
            CpuidPolicy policy = config.forcedEmulation() ? chosen.withForcedEmulation() : chosen;
            SharedCode shared = vcpus > 1 ? new SharedCode(machine, vcpus) : null;
            DomainParts parts = new DomainParts(
                    machine,
                    new Domains(),
                    (state, world, memory) -> engine(new Interpreter(state, world, memory, policy), shared),
                    LocalApic::new,
                    policy::leaf,
                    clock,
                    randomness,
                    (bytes, offset, length) -> hypervisorConsole.write(bytes, offset, length),
                    inspector.trace());
            domain = new org.xenolith.hypervisor.Domain(
                    DomainSettings.pvh(
                                    DOMAIN_ID,
                                    config.name(),
                                    config.deterministic()
                                            ? new UUID(seeded.nextLong(), seeded.nextLong())
                                            : UUID.randomUUID(),
                                    vcpus,
                                    frames)
                            .withEventChannels(config.maxEventChannels())
                            .withViridian(config.viridian()),
                    parts);
            inspector.watch(domain);
            BuiltGuest built = PvhBuilder.build(
                    kernel,
                    new PvhConfig(config.memoryBytes(), vcpus, config.commandLine(), config.ramdisk(), 0),
                    domain.memory().map());
            domain.memory().adoptMap();
            // The services look these frames up at each event: a guest that balloons them away must not give them to
            // others.
            domain.memory().pin(built.consoleGfn());
            domain.memory().pin(built.storeGfn());
            domain.memory()
                    .setRanges(built.memoryMap().stream()
                            .map(range -> new DomainMemory.Range(range.start(), range.size(), range.type()))
                            .toList());
            built.applyTo(domain.vcpus().getFirst().state());

            int consolePort = domain.eventChannels().allocUnbound(0);
            int storePort = domain.eventChannels().allocUnbound(0);
            HostPort[] ports = new HostPort[2];
            consoleBackend = new ConsoleBackend(
                    domain.memory().map(), built.consoleGfn(), () -> ports[0].notifyGuest(), inspector::warning);
            storeRing = new XenStoreRing(
                    domain.memory().map(), built.storeGfn(), store.connect(DOMAIN_ID), () -> ports[1].notifyGuest());
            ports[0] = domain.eventChannels().bindHost(consolePort, consoleBackend::onGuestEvent);
            ports[1] = domain.eventChannels().bindHost(storePort, storeRing::onGuestEvent);
            domain.setHvmParam(HvmParam.CONSOLE_PFN, built.consoleGfn());
            domain.setHvmParam(HvmParam.CONSOLE_EVTCHN, consolePort);
            domain.setHvmParam(HvmParam.STORE_PFN, built.storeGfn());
            domain.setHvmParam(HvmParam.STORE_EVTCHN, storePort);
            domain.ports().attach(WallClockPort.FIRST, WallClockPort.COUNT, new WallClockPort(clock));
            domain.ports().attachSink(DEBUG_PORT, value -> debugPort.accept(value));

            long kib = config.memoryBytes() >>> 10;
            entries = new DomainEntries(
                    DOMAIN_ID,
                    config.name(),
                    domain.settings().uuid(),
                    kib,
                    kib,
                    vcpus,
                    config.vcpus(),
                    storePort,
                    built.storeGfn(),
                    consolePort,
                    built.consoleGfn());
            entries.write(store);
            store.introduceDomain(DOMAIN_ID);
            console = new Console(
                    consoleBackend,
                    (rows, columns) -> store.write(entries.home() + "/control/console-size", rows + " " + columns));
            inspector.inspect(domain, built);
            engines.forEach(engine -> engine.nameAddresses(inspector.view().names()));
            outcome = domain.shutdownFuture().thenApply(this::outcome);
        } catch (ImageFormatException | DomainBuildException | RuntimeException e) {
            machine.close();
            throw e;
        }
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
     * Builds a domain; it does not run yet.
     *
     * @throws IOException when the kernel cannot be read
     * @throws ImageFormatException when it is no kernel that can run here; the message is one line for people
     * @throws DomainBuildException when something does not fit; likewise
     */
    public static Domain create(DomainConfig config) throws IOException, ImageFormatException, DomainBuildException {
        KernelCache cache = config.kernelCache()
                .map(directory -> new KernelCache(directory, warning -> {}))
                .orElse(null);
        try (KernelImage kernel =
                cache == null ? KernelImage.load(config.kernel()) : KernelImage.load(config.kernel(), cache)) {
            return new Domain(config, kernel);
        }
    }

    private static Optional<String> obstacle(EngineKind kind, int vcpus) {
        return kind == EngineKind.VERIFY && vcpus > 1
                ? Optional.of("the engine " + kind + " compares what one virtual CPU does, and there are " + vcpus)
                : Optional.empty();
    }

    private Engine engine(Interpreter interpreter, SharedCode shared) {
        if (shared != null) {
            interpreter.share(shared);
            if (SwitchableEngine.obstacle().isEmpty()) {
                useHostAtomics(interpreter);
            }
        }
        try {
            SwitchableEngine engine =
                    new SwitchableEngine(interpreter, config.engine().choice(), config.deterministic());
            inspector.attach(interpreter);
            engines.add(engine);
            return engine;
        } catch (IllegalStateException e) {
            interpreter.close();
            throw new MachineMemoryException(
                    e.getMessage() + "; choose the engine " + EngineKind.INTERPRET + " or " + EngineKind.AUTO, e);
        }
    }

    private static void useHostAtomics(Interpreter interpreter) {
        try {
            interpreter.cpu().setHostAtomics(NativeAtomics.instance());
        } catch (IllegalStateException noExecutableMemory) {
            // The few locked instructions that need them stop the other virtual CPUs instead: slower, and as right.
            interpreter.cpu().setHostAtomics(null);
        }
    }

    /**
     * Changes who executes the instructions, while the guest runs or is paused: each virtual CPU changes at its next entry
     * into its engine.
     *
     * @throws IllegalStateException when that is not possible; the message is one line for people
     */
    public void changeEngine(EngineKind kind) {
        obstacle(kind, config.maxVcpus()).ifPresent(text -> {
            throw new IllegalStateException(text);
        });
        SwitchableEngine.Choice choice = kind.choice();
        engines.forEach(engine -> engine.change(choice));
    }

    /** Who executes the instructions of a virtual CPU from its next entry into the engine on; never {@link EngineKind#AUTO}. */
    public EngineKind engine(int vcpu) {
        return switch (engines.get(vcpu).choice()) {
            case INTERPRET -> EngineKind.INTERPRET;
            case TRANSLATE -> EngineKind.TRANSLATE;
            case VERIFY -> EngineKind.VERIFY;
        };
    }

    /** What the domain was made of. */
    public DomainConfig config() {
        return config;
    }

    public Console console() {
        return console;
    }

    /** The domain's xenstore. */
    public XenStore store() {
        return store;
    }

    /** Looks into the guest: registers, symbols, memory, kernel log. */
    public Inspector inspector() {
        return inspector;
    }

    /** Hears the bytes that the guest writes to port 0xE9. Set before {@link #start}. */
    public void onDebugPort(IntConsumer listener) {
        debugPort = listener;
    }

    /** Takes what the guest writes to the hypervisor's console, in place of our standard error. Set before {@link #start}. */
    public void onHypervisorConsole(DebugConsole listener) {
        hypervisorConsole = listener;
    }

    /** Commands that look into the guest. */
    public Monitor monitor() {
        return new Monitor(this);
    }

    /** Lets the domain run. */
    public void start() {
        domain.start();
        inspector.start();
    }

    /** Stops the virtual CPUs until {@link #unpause}. */
    public void pause() {
        domain.pause();
    }

    public void unpause() {
        domain.unpause();
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
        for (int vcpu = 0; vcpu < config.maxVcpus(); vcpu++) {
            entries.setVcpuOnline(store, vcpu, vcpu < count);
        }
    }

    /** Asks the guest to power off, as {@code xl shutdown} does. */
    public void requestShutdown() {
        entries.requestShutdown(store, DomainEntries.Shutdown.POWEROFF);
    }

    /** Ends the domain at once. */
    public void destroy() {
        destroyed.set(true);
        outcome.complete(new DomainOutcome.Destroyed());
    }

    /** Waits for the end. */
    public DomainOutcome await() throws InterruptedException {
        try {
            return outcome.get();
        } catch (ExecutionException e) {
            throw new IllegalStateException("a virtual CPU failed", e.getCause());
        }
    }

    /** Waits for the end, or returns null when {@code seconds} are over. */
    public DomainOutcome await(long seconds) throws InterruptedException {
        try {
            return outcome.get(seconds, TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            return null;
        } catch (ExecutionException e) {
            throw new IllegalStateException("a virtual CPU failed", e.getCause());
        }
    }

    /** Guest instructions retired by each virtual CPU. */
    public List<Long> retiredInstructions() {
        return domain.vcpus().stream().map(vcpu -> vcpu.state().retired()).toList();
    }

    private DomainOutcome outcome(ShutdownDetail detail) {
        if (destroyed.get()) {
            return new DomainOutcome.Destroyed();
        }
        if (!detail.message().isEmpty()) {
            // The lines behind the first are details.
            String reason = detail.message().lines().findFirst().orElse("");
            return new DomainOutcome.Crash(reason, inspector.crashReport(detail, reason), detail.cause() != null);
        }
        return switch (detail.reason()) {
            case ShutdownReason.POWEROFF -> new DomainOutcome.PowerOff();
            case ShutdownReason.REBOOT, ShutdownReason.SOFT_RESET -> new DomainOutcome.Reboot();
            case ShutdownReason.SUSPEND -> new DomainOutcome.Suspended();
            case ShutdownReason.CRASH -> panic(detail, "the guest's kernel reported a crash");
            case ShutdownReason.WATCHDOG -> panic(detail, "the guest's watchdog fired");
            default -> panic(detail, "the guest shut down with reason " + detail.reason());
        };
    }

    private DomainOutcome panic(ShutdownDetail detail, String otherwise) {
        String reason = inspector.panicReason(detail, otherwise);
        return new DomainOutcome.Panic(reason, inspector.crashReport(detail, reason));
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        destroyed.set(true);
        inspector.close();
        consoleBackend.close();
        storeRing.close();
        domain.destroy();
        store.releaseDomain(DOMAIN_ID);
        machine.close();
    }
}
