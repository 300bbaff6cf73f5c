package org.xenolith.toolstack;

import java.security.SecureRandom;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.xenolith.abi.HvmParam;
import org.xenolith.abi.ShutdownReason;
import org.xenolith.cpu.CpuidPolicy;
import org.xenolith.cpu.Engine;
import org.xenolith.cpu.core.SharedCode;
import org.xenolith.cpu.interpret.Interpreter;
import org.xenolith.hypervisor.Domain;
import org.xenolith.hypervisor.DomainMemory;
import org.xenolith.hypervisor.DomainParts;
import org.xenolith.hypervisor.DomainSettings;
import org.xenolith.hypervisor.ShutdownDetail;
import org.xenolith.hypervisor.events.HostPort;
import org.xenolith.hypervisor.time.DomainClock;
import org.xenolith.hypervisor.time.HostClock;
import org.xenolith.hypervisor.time.VirtualClock;
import org.xenolith.memory.GuestPhysical;
import org.xenolith.memory.MachineMemoryException;
import org.xenolith.platform.LocalApic;
import org.xenolith.platform.WallClockPort;
import org.xenolith.services.builder.BuiltGuest;
import org.xenolith.services.builder.DomainBuildException;
import org.xenolith.services.builder.PvhBuilder;
import org.xenolith.services.builder.PvhConfig;
import org.xenolith.services.console.ConsoleBackend;
import org.xenolith.services.loader.ImageFormatException;
import org.xenolith.services.loader.KernelImage;
import org.xenolith.services.xenstore.DomainEntries;
import org.xenolith.services.xenstore.XenStore;
import org.xenolith.services.xenstore.XenStoreRing;
import org.xenolith.translate.NativeAtomics;
import org.xenolith.translate.SwitchableEngine;

/** One life of a domain, from its building to its end: what a restart makes anew. It has one domain identifier. */
final class Incarnation {
    /** Port that init uses to report to the host: see {@code GuestReport} of the image room. */
    private static final int DEBUG_PORT = 0xE9;

    /** Instructions that make a second of virtual time. */
    private static final long VIRTUAL_SPEED = 1_000_000_000L;

    private static final long DETERMINISTIC_SEED = 0x58454E4FL;

    private final Host host;
    private final int id;
    private final DomainConfig config;
    private final Domain domain;
    private final XenStore store;
    private DomainEntries entries;
    private final ConsoleBackend consoleBackend;
    private final XenStoreRing storeRing;
    private final Inspector inspector;
    private final BuiltGuest built;
    /** By number of the virtual CPU. */
    private final List<SwitchableEngine> engines = new ArrayList<>();
    /** Frames of the rings. */
    private final List<Integer> pinned = new ArrayList<>();

    private final Instant created = Instant.now();
    private volatile Instant started;
    private volatile boolean destroyed;
    private final CompletableFuture<DomainOutcome> outcome;

    /**
     * Builds a guest, paused.
     *
     * @param owner whose life it is
     * @param name its owner's name at any time
     */
    Incarnation(
            Host host,
            org.xenolith.toolstack.Domain owner,
            int id,
            UUID uuid,
            DomainConfig config,
            Supplier<String> name,
            KernelImage kernel)
            throws ImageFormatException, DomainBuildException {
        this.host = host;
        this.id = id;
        this.config = config;
        store = host.store();
        inspector = new Inspector(config.trace(), config.symbols(), name);
        SplittableRandom seeded = new SplittableRandom(DETERMINISTIC_SEED);
        SecureRandom random = new SecureRandom();
        LongSupplier randomness = config.deterministic() ? seeded::nextLong : random::nextLong;
        DomainClock clock = config.deterministic() ? new VirtualClock(VIRTUAL_SPEED, 0) : new HostClock();
        int vcpus = config.maxVcpus();
        CpuidPolicy chosen = config.cpu().policy().withCores(vcpus);
        CpuidPolicy policy = config.forcedEmulation() ? chosen.withForcedEmulation() : chosen;
        SharedCode shared = vcpus > 1 ? new SharedCode(host.machine(), vcpus) : null;
        DomainParts parts = new DomainParts(
                host.machine(),
                host.registry(),
                (state, world, memory) -> engine(new Interpreter(state, world, memory, policy), shared),
                LocalApic::new,
                policy::leaf,
                clock,
                randomness,
                owner.hypervisorConsole(id),
                inspector.trace());
        long claim = MemoryPlan.claim(config.memoryBytes());
        domain = new Domain(
                DomainSettings.pvh(id, name.get(), uuid, vcpus, MemoryPlan.limit(config.memoryBytes()))
                        .withEventChannels(config.maxEventChannels())
                        .withViridian(config.viridian()),
                parts);
        try {
            if (!domain.memory().account().claim(claim)) {
                throw host.refused("domain " + name.get(), claim << GuestPhysical.FRAME_SHIFT);
            }
            DomainScheduling.apply(
                    config.scheduling(), domain.scheduling(), host.registry().scheduler());
            inspector.watch(domain);
            built = PvhBuilder.build(
                    kernel,
                    new PvhConfig(
                            config.maxMemoryBytes(),
                            vcpus,
                            config.commandLine(),
                            config.ramdisk(),
                            0,
                            config.maxMemoryBytes() > config.memoryBytes()),
                    domain.memory().map());
            domain.memory().adoptMap();
            // The services look these frames up at each event: a guest that balloons them away must not give them to
            // others.
            pinned.add(domain.memory().pin(built.consoleGfn()));
            pinned.add(domain.memory().pin(built.storeGfn()));
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
                    domain.memory().map(), built.storeGfn(), store.connect(id), () -> ports[1].notifyGuest());
            ports[0] = domain.eventChannels().bindHost(consolePort, consoleBackend::onGuestEvent);
            ports[1] = domain.eventChannels().bindHost(storePort, storeRing::onGuestEvent);
            domain.setHvmParam(HvmParam.CONSOLE_PFN, built.consoleGfn());
            domain.setHvmParam(HvmParam.CONSOLE_EVTCHN, consolePort);
            domain.setHvmParam(HvmParam.STORE_PFN, built.storeGfn());
            domain.setHvmParam(HvmParam.STORE_EVTCHN, storePort);
            domain.ports().attach(WallClockPort.FIRST, WallClockPort.COUNT, new WallClockPort(clock));
            domain.ports().attachSink(DEBUG_PORT, owner::debugPortWritten);

            entries = new DomainEntries(
                    id,
                    name.get(),
                    uuid,
                    config.maxMemoryBytes() >>> 10,
                    config.memoryBytes() >>> 10,
                    vcpus,
                    config.vcpus(),
                    storePort,
                    built.storeGfn(),
                    consolePort,
                    built.consoleGfn());
            entries.write(store);
            host.registry().add(domain);
            store.introduceDomain(id);
            inspector.inspect(domain, built);
            engines.forEach(engine -> engine.nameAddresses(inspector.view().names()));
            outcome = domain.shutdownFuture().thenApply(this::outcome);
        } catch (ImageFormatException | DomainBuildException | RuntimeException e) {
            if (config.maxMemoryBytes() > config.memoryBytes()
                    && domain.shutdownFuture().isDone()) {
                giveBack();
                throw new DomainBuildException("kernel and initrd do not fit into the memory at the start, "
                        + Sizes.text(config.memoryBytes()) + "; give the guest more");
            }
            if (entries != null) {
                entries.remove(store);
            }
            giveBack();
            throw e;
        }
        owner.console()
                .bind(
                        consoleBackend,
                        (rows, columns) -> store.write(entries.home() + "/control/console-size", rows + " " + columns));
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

    int id() {
        return id;
    }

    Domain domain() {
        return domain;
    }

    DomainEntries entries() {
        return entries;
    }

    Inspector inspector() {
        return inspector;
    }

    List<SwitchableEngine> engines() {
        return engines;
    }

    BuiltGuest built() {
        return built;
    }

    Instant created() {
        return created;
    }

    /** When it first ran, or null. */
    Instant started() {
        return started;
    }

    boolean isDestroyed() {
        return destroyed;
    }

    /** How the guest ended. Completes on the thread that stops it. */
    CompletableFuture<DomainOutcome> outcome() {
        return outcome;
    }

    void start() {
        started = Instant.now();
        domain.start();
        inspector.start();
    }

    /** The same entries of xenstore under another name and uuid. */
    void rename(String name, UUID uuid) {
        entries = entries.rename(store, name, uuid);
    }

    private DomainOutcome outcome(ShutdownDetail detail) {
        if (destroyed) {
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

    /** Ends it and gives everything back. Not on a thread of its own. */
    void destroy() {
        if (destroyed) {
            return;
        }
        destroyed = true;
        inspector.close();
        consoleBackend.close();
        storeRing.close();
        giveBack();
        entries.remove(store);
        store.releaseDomain(id);
        host.forget(id);
    }

    private void giveBack() {
        domain.destroy();
        pinned.forEach(domain.memory()::unpin);
        // What it owns now others have mapped.
        domain.memory().account().claim(0);
    }
}
