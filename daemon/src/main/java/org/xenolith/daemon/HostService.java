package org.xenolith.daemon;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadInfo;
import java.lang.management.ThreadMXBean;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.xenolith.cpu.CpuLevel;
import org.xenolith.daemon.protocol.Answer;
import org.xenolith.daemon.protocol.Answer.Reason;
import org.xenolith.daemon.protocol.Command;
import org.xenolith.hypervisor.schedule.SchedulingException;
import org.xenolith.hypervisor.viridian.ViridianFeature;
import org.xenolith.image.GuestSession;
import org.xenolith.memory.MachineMemoryException;
import org.xenolith.services.builder.DomainBuildException;
import org.xenolith.services.loader.ImageFormatException;
import org.xenolith.toolstack.ConsoleSettings;
import org.xenolith.toolstack.Domain;
import org.xenolith.toolstack.DomainConfig;
import org.xenolith.toolstack.DomainEvent;
import org.xenolith.toolstack.DomainInfo;
import org.xenolith.toolstack.DomainOutcome;
import org.xenolith.toolstack.DomainState;
import org.xenolith.toolstack.EngineKind;
import org.xenolith.toolstack.Host;
import org.xenolith.toolstack.HostInfo;
import org.xenolith.toolstack.Scheduling;
import org.xenolith.toolstack.ShutdownRequest;
import org.xenolith.toolstack.Trigger;
import org.xenolith.toolstack.VcpuInfo;
import org.xenolith.toolstack.config.GuestConfig;

/** Does on a {@link Host} what commands ask for. Safe from any thread. */
public final class HostService implements HostHandler, AutoCloseable {
    private static final String DOMAIN_0 = "Domain-0";
    private static final int MOST_PAST_CONSOLES = 32;
    private static final int MOST_PAST_ENDS = 1024;

    private final Host host;
    private final HostCpus cpus = HostCpus.ofThisMachine();
    private final StoreCommands store;
    private final HostScheduler scheduler;

    /** What a domain was described as, and its console. */
    private record Kept(GuestConfig config, ConsoleHub console) {}

    private final Map<Domain, Kept> kept = new ConcurrentHashMap<>();

    /** Guards what follows, and is notified of each event. */
    private final Object lock = new Object();

    /** A console whose domain is gone. */
    private record Past(int id, String name, ConsoleHub console) {}

    private final Deque<Past> past = new ArrayDeque<>();

    /** Why guests ended, by identifier. */
    private final Map<Integer, Integer> reasons = new LinkedHashMap<>() {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Integer, Integer> eldest) {
            return size() > MOST_PAST_ENDS;
        }
    };

    public HostService(Host host) {
        this.host = host;
        scheduler = new HostScheduler(host.scheduler(), cpus);
        store = new StoreCommands(host.store());
        host.addListener(this::happened);
    }

    // What happens.

    private void happened(DomainEvent event) {
        synchronized (lock) {
            switch (event) {
                case DomainEvent.ShutDown end -> note(end.id(), end.outcome(), end.domain());
                case DomainEvent.Crashed end -> note(end.id(), end.outcome(), end.domain());
                case DomainEvent.Destroyed gone -> forget(gone.domain(), gone.id(), gone.name());
                case DomainEvent.RestartFailed gone -> forget(gone.domain(), gone.id(), gone.name());
                case DomainEvent.Created _,
                        DomainEvent.Started _,
                        DomainEvent.Paused _,
                        DomainEvent.Unpaused _,
                        DomainEvent.Restarted _,
                        DomainEvent.CoreDumped _,
                        DomainEvent.Renamed _ -> {}
            }
            lock.notifyAll();
        }
        tell(event);
    }

    private void note(int id, DomainOutcome outcome, Domain domain) {
        reasons.put(id, reason(outcome, domain));
    }

    private static int reason(DomainOutcome outcome, Domain domain) {
        return switch (outcome) {
            case DomainOutcome.PowerOff _, DomainOutcome.Destroyed _ -> org.xenolith.abi.ShutdownReason.POWEROFF;
            case DomainOutcome.Reboot _ -> org.xenolith.abi.ShutdownReason.REBOOT;
            case DomainOutcome.Suspended _ -> org.xenolith.abi.ShutdownReason.SUSPEND;
            case DomainOutcome.Panic _, DomainOutcome.Crash _ ->
                domain.info().shutdownReason().orElse(org.xenolith.abi.ShutdownReason.CRASH);
        };
    }

    private void forget(Domain domain, int id, String name) {
        if (domain.state() != DomainState.DESTROYED) {
            return;
        }
        Kept gone = kept.remove(domain);
        if (gone != null) {
            gone.console().end();
            past.addFirst(new Past(id, name, gone.console()));
            while (past.size() > MOST_PAST_CONSOLES) {
                past.removeLast();
            }
        }
    }

    /** A line in the host's log for what an administrator would look for there. */
    private void tell(DomainEvent event) {
        switch (event) {
            case DomainEvent.ShutDown end ->
                host.log("d" + end.id() + " " + end.name() + ": " + word(end.outcome()) + ", action " + end.action());
            case DomainEvent.Crashed end ->
                host.log("d" + end.id() + " " + end.name() + ": " + word(end.outcome()) + ", action " + end.action());
            case DomainEvent.Created made -> host.log("d" + made.id() + " " + made.name() + ": created");
            case DomainEvent.Destroyed gone -> host.log("d" + gone.id() + " " + gone.name() + ": destroyed");
            case DomainEvent.CoreDumped dumped ->
                host.log("d" + dumped.id() + " " + dumped.name() + ": memory written to " + dumped.file());
            case DomainEvent.Started _,
                    DomainEvent.Paused _,
                    DomainEvent.Unpaused _,
                    DomainEvent.Restarted _,
                    DomainEvent.RestartFailed _,
                    DomainEvent.Renamed _ -> {}
        }
    }

    private static String word(DomainOutcome outcome) {
        return switch (outcome) {
            case DomainOutcome.PowerOff _ -> "powered off";
            case DomainOutcome.Reboot _ -> "rebooted";
            case DomainOutcome.Suspended _ -> "suspended itself";
            case DomainOutcome.Panic panic -> "panic: " + panic.reason();
            case DomainOutcome.Crash crash -> "crash: " + crash.reason();
            case DomainOutcome.Destroyed _ -> "destroyed";
        };
    }

    // Commands.

    @Override
    public int domains() {
        return host.domains().size();
    }

    @Override
    public Answer answer(Command<?> command) throws HostException, InterruptedException {
        try {
            return switch (command) {
                case Command.Create create -> create(create);
                case Command.ListDomains list -> new Answer.Domains(list(list.domains()));
                case Command.Resolve resolve -> resolve(resolve.domain());
                case Command.Pause verb -> done(() -> find(verb.domain()).pause());
                case Command.Unpause verb -> done(() -> find(verb.domain()).unpause());
                case Command.Shutdown verb -> shutdown(verb);
                case Command.AwaitEnd verb -> await(verb);
                case Command.Destroy verb -> done(() -> find(verb.domain()).destroy());
                case Command.Rename verb -> done(() -> find(verb.domain()).rename(verb.newName()));
                case Command.SetVcpus verb -> done(() -> find(verb.domain()).setVcpus(verb.count()));
                case Command.Pin verb -> pin(verb);
                case Command.SetMemory verb -> done(() -> find(verb.domain()).setMemoryTarget(verb.kib() << 10));
                case Command.SetMaxMemory verb -> done(() -> find(verb.domain()).setMaxMemory(verb.kib() << 10));
                case Command.GetScheduling verb ->
                    new Answer.SchedulingOf(scheduler.scheduling(guests(verb.domains())));
                case Command.SetCredit verb -> done(() -> scheduler.setCredit(find(verb.domain()), verb));
                case Command.SetReservation verb -> done(() -> scheduler.setReservation(find(verb.domain()), verb));
                case Command.SetRateLimit verb -> done(() -> scheduler.setRateLimit(verb));
                case Command.ListPools _ -> new Answer.Pools(scheduler.pools());
                case Command.CreatePool verb -> done(() -> scheduler.changePools(verb));
                case Command.DestroyPool verb -> done(() -> scheduler.changePools(verb));
                case Command.RenamePool verb -> done(() -> scheduler.changePools(verb));
                case Command.ChangePoolCpus verb -> done(() -> scheduler.changePools(verb));
                case Command.SplitPools verb -> done(() -> scheduler.changePools(verb));
                case Command.MoveToPool verb -> done(() -> scheduler.move(find(verb.domain()), verb.pool()));
                case Command.GetHost _ -> HostFactsReader.read(host, cpus);
                case Command.ReadLog verb -> log(verb.clear());
                case Command.SysRq verb -> sysrq(verb);
                case Command.SendTrigger verb -> trigger(verb);
                case Command.DebugKeys verb -> debugKeys(verb.keys());
                case Command.DumpCore verb -> dumpCore(verb);
                case Command.StoreRead verb -> store.read(verb);
                case Command.StoreWrite verb -> store.write(verb);
                case Command.StoreRemove verb -> store.remove(verb);
                case Command.StoreList verb -> store.list(verb);
                case Command.StoreTree verb -> store.tree(verb);
                case Command.StoreChmod verb -> store.chmod(verb);
                case Command.Hello _, Command.Attach _, Command.StoreWatch _, Command.Stop _ ->
                    throw new HostException(Reason.INVALID, "not a command for here");
            };
        } catch (IllegalArgumentException e) {
            throw new HostException(Reason.INVALID, e.getMessage(), e);
        } catch (IllegalStateException | MachineMemoryException | SchedulingException e) {
            throw new HostException(Reason.REFUSED, e.getMessage(), e);
        }
    }

    /** A verb with nothing to tell. */
    private interface Verb {
        void run() throws HostException, InterruptedException;
    }

    private static Answer done(Verb verb) throws HostException, InterruptedException {
        verb.run();
        return new Answer.Done();
    }

    private Domain find(String name) throws HostException {
        if (isDomain0(name)) {
            throw new HostException(Reason.REFUSED, "domain 0 is the host process itself: that cannot be done to it");
        }
        return host.find(name).orElseThrow(() -> noDomain(name));
    }

    private static boolean isDomain0(String name) {
        return name.equals("0") || name.equals(DOMAIN_0);
    }

    private static HostException noDomain(String name) {
        return new HostException(Reason.NO_DOMAIN, name + " is an invalid domain identifier (rc=-6)");
    }

    private List<Domain> guests(List<String> names) throws HostException {
        if (names.isEmpty()) {
            return host.domains();
        }
        List<Domain> found = new ArrayList<>();
        for (String name : names) {
            found.add(find(name));
        }
        return found;
    }

    private Answer resolve(String name) throws HostException {
        if (isDomain0(name)) {
            return new Answer.DomainRef(0, DOMAIN_0);
        }
        Domain domain = find(name);
        return new Answer.DomainRef(domain.id(), domain.name());
    }

    // Birth.

    private Answer create(Command.Create command) throws HostException {
        GuestConfig config = command.config();
        ConsoleHub console = new ConsoleHub();
        Domain domain;
        try {
            domain = host.create(domainConfig(command));
        } catch (ImageFormatException | DomainBuildException e) {
            throw new HostException(Reason.BAD_IMAGE, e.getMessage(), e);
        } catch (MachineMemoryException e) {
            throw new HostException(Reason.REFUSED, e.getMessage(), e);
        } catch (IOException e) {
            throw new HostException(
                    Reason.FILE, "cannot read kernel " + command.kernel() + ": " + RuntimeDirectory.reason(e), e);
        } catch (OutOfMemoryError e) {
            throw new HostException(
                    Reason.REFUSED, "the host process has no room for the ramdisk of " + config.name(), e);
        }
        kept.put(domain, new Kept(config, console));
        domain.console().connect(console);
        int id = domain.id();
        if (!command.paused()) {
            domain.unpause();
        }
        return new Answer.DomainRef(id, config.name());
    }

    private DomainConfig domainConfig(Command.Create command) throws HostException {
        GuestConfig config = command.config();
        DomainConfig.Builder builder = DomainConfig.of(Path.of(command.kernel()))
                .name(config.name())
                .memoryBytes((long) config.memoryMib() << 20)
                .maxMemoryBytes((long) config.maxMemoryMib() << 20)
                .vcpus(config.vcpus())
                .maxVcpus(config.maxVcpus())
                .commandLine(config.commandLine())
                .actions(config.actions())
                .scheduling(scheduling(config));
        if (config.uuid() != null) {
            builder.uuid(UUID.fromString(config.uuid()));
        }
        if (command.kernelCache() != null) {
            builder.kernelCache(Path.of(command.kernelCache()));
        }
        if (config.maxEventChannels() != null) {
            builder.maxEventChannels(config.maxEventChannels());
        }
        builder.viridian(config.viridian().stream()
                .flatMap(name -> ViridianFeature.named(name).stream())
                .collect(Collectors.toUnmodifiableSet()));
        if (config.engine() != null) {
            builder.engine(EngineKind.valueOf(config.engine().toUpperCase(Locale.ROOT)));
        }
        if (config.cpuLevel() != null) {
            builder.cpu(CpuLevel.valueOf(config.cpuLevel().toUpperCase(Locale.ROOT)));
        }
        builder.console(
                new ConsoleSettings(0, Optional.ofNullable(config.consoleFile()).map(Path::of)));
        if (config.ramdisk() != null) {
            addFile(builder, Path.of(config.ramdisk()));
        } else if (command.busybox() != null) {
            addSystem(builder, config, Path.of(command.busybox()));
        }
        return builder.build();
    }

    private Scheduling scheduling(GuestConfig config) {
        List<Set<Integer>> hard = config.cpus().stream().map(cpus::named).toList();
        List<Set<Integer>> soft = config.cpusSoft().stream().map(cpus::named).toList();
        Scheduling scheduling = Scheduling.DEFAULT.withHardAffinity(hard).withSoftAffinity(soft);
        if (config.cpuWeight() != null) {
            scheduling = scheduling.withWeight(config.cpuWeight());
        }
        if (config.cap() != null) {
            scheduling = scheduling.withCap(config.cap());
        }
        if (config.pool() != null) {
            scheduling = scheduling.withPool(config.pool());
        }
        if (config.periodMicros() != null || config.sliceMicros() != null) {
            int period = config.periodMicros() == null ? 10_000 : config.periodMicros();
            int slice = config.sliceMicros() == null ? Math.min(4_000, period) : config.sliceMicros();
            scheduling = scheduling.withReservation(
                    new Scheduling.Reservation(period, slice, config.extraTime() == null || config.extraTime()));
        }
        return scheduling;
    }

    private static void addFile(DomainConfig.Builder builder, Path file) throws HostException {
        try (FileChannel channel = FileChannel.open(file)) {
            // Collected with the configuration that holds it: a restart reads it again.
            builder.ramdisk(channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), Arena.ofAuto()));
        } catch (IOException e) {
            throw new HostException(Reason.FILE, "cannot read ramdisk " + file + ": " + RuntimeDirectory.reason(e), e);
        }
    }

    private static void addSystem(DomainConfig.Builder builder, GuestConfig config, Path busybox) throws HostException {
        try {
            GuestSession session =
                    new GuestSession(GuestSession.Kind.SHELL, List.of(), 24, 80, "vt100", hostName(config.name()));
            builder.ramdisk(session.system(busybox).build());
            if (config.commandLine().isEmpty()) {
                builder.commandLine(session.kernelParameters() + " panic=-1");
            }
        } catch (IOException e) {
            throw new HostException(Reason.FILE, "cannot read " + busybox + ": " + RuntimeDirectory.reason(e), e);
        }
    }

    /** A domain's name as a host name. */
    private static String hostName(String name) {
        String host = name.replaceAll("[^A-Za-z0-9.-]", "-");
        return host.length() > 63 ? host.substring(0, 63) : host;
    }

    // Lists.

    private List<Answer.DomainEntry> list(List<String> names) throws HostException {
        List<Answer.DomainEntry> entries = new ArrayList<>();
        if (names.isEmpty()) {
            entries.add(domain0());
            for (Domain domain : host.domains()) {
                entries.add(entry(domain));
            }
        }
        for (String name : names) {
            entries.add(isDomain0(name) ? domain0() : entry(find(name)));
        }
        return entries;
    }

    private Answer.DomainEntry entry(Domain domain) {
        DomainInfo info = domain.info();
        Kept known = kept.get(domain);
        return new Answer.DomainEntry(
                info.id(),
                info.name(),
                info.uuid().toString(),
                info.type().toString(),
                info.flags(),
                info.shutdownReason().isPresent() ? info.shutdownReason().getAsInt() : null,
                info.memoryBytes() >> 10,
                info.targetBytes() >> 10,
                info.maxMemoryBytes() >> 10,
                info.claimedBytes() >> 10,
                info.onlineVcpus(),
                info.vcpus().stream().map(this::vcpu).toList(),
                info.cpuTime().toNanos(),
                info.created().toEpochMilli(),
                info.engine().toString(),
                domain.scheduling().pool().name(),
                known == null ? null : known.config());
    }

    private Answer.Vcpu vcpu(VcpuInfo vcpu) {
        return new Answer.Vcpu(
                vcpu.id(),
                vcpu.online(),
                vcpu.cpu().isPresent() ? vcpu.cpu().getAsInt() : null,
                vcpu.flags(),
                vcpu.cpuTime().toNanos(),
                cpus.format(vcpu.hardAffinity()),
                cpus.format(vcpu.softAffinity()));
    }

    /** The host process in domain 0's place: its time is what it used beyond its guests' virtual CPUs. */
    private Answer.DomainEntry domain0() {
        HostInfo info = host.info();
        long own = ownCpuNanos();
        long heapKib = Runtime.getRuntime().totalMemory() >> 10;
        List<Answer.Vcpu> vcpus = new ArrayList<>();
        for (int i = 0; i < cpus.count(); i++) {
            vcpus.add(
                    new Answer.Vcpu(i, true, i, i == 0 ? "r--" : "-b-", Math.max(0, own) / cpus.count(), "all", "all"));
        }
        return new Answer.DomainEntry(
                0,
                DOMAIN_0,
                new UUID(0, 0).toString(),
                "pv",
                "r-----",
                null,
                heapKib,
                heapKib,
                heapKib,
                0,
                cpus.count(),
                vcpus,
                Math.max(0, own),
                info.started().toEpochMilli(),
                "",
                Scheduling.DEFAULT_POOL,
                null);
    }

    /** Processor time of this process but for the threads that run guests. */
    private static long ownCpuNanos() {
        long own = 0;
        if (ManagementFactory.getOperatingSystemMXBean() instanceof com.sun.management.OperatingSystemMXBean bean) {
            own = bean.getProcessCpuTime();
        }
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        for (ThreadInfo thread : threads.getThreadInfo(threads.getAllThreadIds())) {
            if (thread != null && thread.getThreadName().matches("[vp]cpu.*")) {
                own -= Math.max(0, threads.getThreadCpuTime(thread.getThreadId()));
            }
        }
        return own;
    }

    // Life.

    private Answer shutdown(Command.Shutdown verb) throws HostException {
        Domain domain = find(verb.domain());
        Answer.DomainRef asked = new Answer.DomainRef(domain.id(), domain.name());
        if (!domain.understandsShutdown()) {
            if (!verb.fallback()) {
                throw new HostException(
                        Reason.REFUSED,
                        "PV control interface not available: the guest " + domain.name()
                                + " does not listen to xenstore (yet); -F uses its virtual hardware, 'destroy' ends it at once");
            }
            domain.trigger(verb.reboot() ? Trigger.RESET : Trigger.POWER, 0);
            return asked;
        }
        domain.requestShutdown(verb.reboot() ? ShutdownRequest.REBOOT : ShutdownRequest.POWEROFF);
        return asked;
    }

    private Answer await(Command.AwaitEnd verb) throws HostException, InterruptedException {
        Optional<Domain> domain = host.domain(verb.id());
        synchronized (lock) {
            if (domain.isEmpty() && !reasons.containsKey(verb.id())) {
                return new Answer.Ended(verb.id(), null, true);
            }
            while (domain.isPresent() && !isOver(domain.get(), verb)) {
                // Events come behind what they tell of, so no end is missed.
                lock.wait(1000);
            }
            boolean gone = domain.isEmpty()
                    || domain.get().state() == DomainState.DESTROYED
                    || domain.get().id() != verb.id();
            return new Answer.Ended(verb.id(), reasons.get(verb.id()), gone);
        }
    }

    private boolean isOver(Domain domain, Command.AwaitEnd verb) {
        return domain.state() == DomainState.DESTROYED
                || domain.id() != verb.id()
                || !verb.destroyed() && reasons.containsKey(verb.id());
    }

    private Answer pin(Command.Pin verb) throws HostException, InterruptedException {
        Domain domain = find(verb.domain());
        int vcpus = domain.config().maxVcpus();
        if (verb.vcpu() != null && (verb.vcpu() < 0 || verb.vcpu() >= vcpus)) {
            throw new HostException(
                    Reason.INVALID,
                    "domain " + domain.name() + " has no virtual CPU " + verb.vcpu() + ": 0 to " + (vcpus - 1));
        }
        for (String list : new String[] {verb.hard(), verb.soft()}) {
            if (list != null) {
                cpus.named(list);
            }
        }
        return done(() -> scheduler.pin(domain, verb));
    }

    private Answer log(boolean clear) {
        String text = host.log();
        if (clear) {
            host.clearLog();
        }
        return new Answer.Text(text);
    }

    private Answer sysrq(Command.SysRq verb) throws HostException, InterruptedException {
        if (verb.letter().length() != 1) {
            throw new HostException(Reason.INVALID, "Invalid sysrq: one letter is wanted");
        }
        return done(() -> find(verb.domain()).sysrq(verb.letter().charAt(0)));
    }

    private Answer trigger(Command.SendTrigger verb) throws HostException, InterruptedException {
        Trigger trigger = switch (verb.trigger()) {
            case "nmi" -> Trigger.NMI;
            case "init" -> Trigger.INIT;
            case "reset" -> Trigger.RESET;
            case "power" -> Trigger.POWER;
            case "sleep", "s3resume" ->
                throw new HostException(
                        Reason.UNSUPPORTED, "guests here have no ACPI sleep: trigger " + verb.trigger());
            default ->
                throw new HostException(
                        Reason.INVALID,
                        "Invalid trigger \"" + verb.trigger() + "\": nmi, reset, init, power, sleep or s3resume");
        };
        return done(() -> find(verb.domain()).trigger(trigger, verb.vcpu()));
    }

    private Answer debugKeys(String keys) throws HostException {
        for (char key : keys.toCharArray()) {
            host.log("'" + key + "' pressed -> " + DebugKey.of(key).write(host));
        }
        return new Answer.Done();
    }

    private Answer dumpCore(Command.DumpCore verb) throws HostException {
        Domain domain = find(verb.domain());
        Path file = Path.of(verb.file());
        if (Files.isDirectory(file)) {
            throw new HostException(Reason.FILE, "cannot write " + file + ": it is a directory");
        }
        try {
            domain.dumpCore(file);
            return new Answer.Done();
        } catch (IOException e) {
            throw new HostException(Reason.FILE, "core dump failed: " + RuntimeDirectory.reason(e), e);
        }
    }

    // Consoles and watches.

    @Override
    public ConsoleLine console(String name) throws HostException {
        Optional<Domain> found = host.find(name);
        if (found.isPresent() && kept.containsKey(found.get())) {
            Domain domain = found.get();
            ConsoleHub hub = kept.get(domain).console();
            return new Line(new Answer.Attached(domain.id(), domain.name(), hub.hasEnded()), hub, domain);
        }
        synchronized (lock) {
            for (Past ended : past) {
                if (ended.name().equals(name) || Integer.toString(ended.id()).equals(name)) {
                    return new Line(new Answer.Attached(ended.id(), ended.name(), true), ended.console(), null);
                }
            }
        }
        if (isDomain0(name)) {
            throw new HostException(Reason.REFUSED, "domain 0 has no console: 'dmesg' shows the host's log");
        }
        throw noDomain(name);
    }

    /** A console; without a domain only its past. */
    private record Line(Answer.Attached domain, ConsoleHub output, Domain guest) implements ConsoleLine {
        @Override
        public void input(byte[] bytes) throws InterruptedException {
            if (guest != null) {
                guest.console().inputFully(bytes);
            }
        }

        @Override
        public void resize(int rows, int columns) {
            if (guest != null) {
                guest.console().resize(rows, columns);
            }
        }
    }

    @Override
    public AutoCloseable watch(Command.StoreWatch command, Consumer<String> listener) throws HostException {
        return store.watch(command, listener);
    }

    @Override
    public void close() {
        List<Kept> rest = List.copyOf(kept.values());
        rest.forEach(one -> one.console().end());
    }
}
