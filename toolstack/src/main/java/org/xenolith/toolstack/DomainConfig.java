package org.xenolith.toolstack;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import org.xenolith.cpu.CpuLevel;
import org.xenolith.hypervisor.DomainSettings;
import org.xenolith.hypervisor.viridian.ViridianFeature;
import org.xenolith.services.symbols.SymbolTable;

/**
 * What a domain is to be made of. Values are checked when a domain is created from them ({@link Host#create}), not here.
 *
 * @param name for people and for xenstore; unique on a host
 * @param uuid identity across restarts and hosts; empty for a new one
 * @param type how the guest relates to the machine; only {@link GuestType#PVH} can be created
 * @param kernel a bzImage or an ELF kernel with a PVH entry point
 * @param kernelCache directory for unpacked kernels; empty to unpack at every start
 * @param ramdisk pieces of the initial RAM file system, in order; empty for none
 * @param commandLine of the kernel
 * @param memoryBytes memory that the guest has when it starts: its balloon's first target
 * @param maxMemoryBytes the most that it can ever have; it sees this much RAM and balloons down to {@code memoryBytes} when it
 *     boots. At least {@code memoryBytes}
 * @param vcpus virtual CPUs that are online at the start, 1 to {@link #MAX_VCPUS}
 * @param maxVcpus virtual CPUs that the guest can bring online while it runs, at least {@code vcpus}
 * @param cpu the processor that the guest sees
 * @param engine who executes the instructions
 * @param scheduling weight, cap, affinity, pool
 * @param actions what happens when the guest ends
 * @param console what is kept of the console's output
 * @param deterministic time is derived from retired instructions, and randomness from a seed
 * @param forcedEmulation UD2 followed by "xen" is a prefix, as test programs for emulators want it, and not #UD
 * @param maxEventChannels highest port number of an event channel
 * @param viridian what the guest has of the Viridian interface; empty for a guest that does not see it
 * @param trace what to trace, and to whom; empty for nothing
 * @param symbols of the kernel, for traces and reports; empty to take what the kernel carries itself
 */
public record DomainConfig(
        String name,
        Optional<UUID> uuid,
        GuestType type,
        Path kernel,
        Optional<Path> kernelCache,
        List<MemorySegment> ramdisk,
        String commandLine,
        long memoryBytes,
        long maxMemoryBytes,
        int vcpus,
        int maxVcpus,
        CpuLevel cpu,
        EngineKind engine,
        Scheduling scheduling,
        LifecycleActions actions,
        ConsoleSettings console,
        boolean deterministic,
        boolean forcedEmulation,
        int maxEventChannels,
        Set<ViridianFeature> viridian,
        Optional<TraceConfig> trace,
        Optional<SymbolTable> symbols) {
    public static final long DEFAULT_MEMORY = 512L << 20;
    public static final CpuLevel DEFAULT_CPU = CpuLevel.V2;
    public static final int MAX_VCPUS = 32;

    public DomainConfig {
        ramdisk = List.copyOf(ramdisk);
        viridian = Set.copyOf(viridian);
    }

    /** A builder with defaults for everything but the kernel. */
    public static Builder of(Path kernel) {
        return new Builder(kernel);
    }

    /** A builder that starts from this configuration. */
    public Builder toBuilder() {
        Builder builder = new Builder(kernel);
        builder.name = name;
        builder.uuid = uuid.orElse(null);
        builder.type = type;
        builder.kernelCache = kernelCache.orElse(null);
        builder.ramdisk.addAll(ramdisk);
        builder.commandLine = commandLine;
        builder.memoryBytes = memoryBytes;
        builder.maxMemoryBytes = maxMemoryBytes;
        builder.vcpus = vcpus;
        builder.maxVcpus = maxVcpus;
        builder.cpu = cpu;
        builder.engine = engine;
        builder.scheduling = scheduling;
        builder.actions = actions;
        builder.console = console;
        builder.deterministic = deterministic;
        builder.forcedEmulation = forcedEmulation;
        builder.maxEventChannels = maxEventChannels;
        builder.viridian = viridian;
        builder.trace = trace.orElse(null);
        builder.symbols = symbols.orElse(null);
        return builder;
    }

    /** Collects settings. */
    public static final class Builder {
        private final Path kernel;
        private String name = "guest";
        private UUID uuid;
        private GuestType type = GuestType.PVH;
        private Path kernelCache;
        private final List<MemorySegment> ramdisk = new ArrayList<>();
        private String commandLine = "console=hvc0";
        private long memoryBytes = DEFAULT_MEMORY;
        /** 0 for as much as {@link #memoryBytes}. */
        private long maxMemoryBytes;

        private int vcpus = 1;
        /** 0 for as many as {@link #vcpus}. */
        private int maxVcpus;

        private CpuLevel cpu = DEFAULT_CPU;
        private EngineKind engine = EngineKind.AUTO;
        private Scheduling scheduling = Scheduling.DEFAULT;
        private LifecycleActions actions = LifecycleActions.DEFAULT;
        private ConsoleSettings console = ConsoleSettings.DEFAULT;
        private boolean deterministic;
        private boolean forcedEmulation;
        private int maxEventChannels = DomainSettings.DEFAULT_EVENT_CHANNELS;
        private Set<ViridianFeature> viridian = Set.of();
        private TraceConfig trace;
        private SymbolTable symbols;

        private Builder(Path kernel) {
            this.kernel = kernel;
        }

        public Builder name(String value) {
            name = value;
            return this;
        }

        public Builder uuid(UUID value) {
            uuid = value;
            return this;
        }

        public Builder type(GuestType value) {
            type = value;
            return this;
        }

        /** Keeps unpacked kernels in a directory. */
        public Builder kernelCache(Path directory) {
            kernelCache = directory;
            return this;
        }

        /** Adds a piece of initial RAM file system; Linux unpacks several one over the other. */
        public Builder ramdisk(MemorySegment piece) {
            ramdisk.add(piece);
            return this;
        }

        public Builder ramdisk(byte[] piece) {
            return ramdisk(MemorySegment.ofArray(piece));
        }

        public Builder commandLine(String value) {
            commandLine = value;
            return this;
        }

        /** Memory at the start; without {@link #maxMemoryBytes}, for good. */
        public Builder memoryBytes(long value) {
            memoryBytes = value;
            return this;
        }

        /** The most memory that the guest can have; 0 for what it has at the start. */
        public Builder maxMemoryBytes(long value) {
            maxMemoryBytes = value;
            return this;
        }

        /** Virtual CPUs at the start; without {@link #maxVcpus}, for good. */
        public Builder vcpus(int value) {
            vcpus = value;
            return this;
        }

        /** The most virtual CPUs that the guest can have; 0 for what it has at the start. */
        public Builder maxVcpus(int value) {
            maxVcpus = value;
            return this;
        }

        public Builder cpu(CpuLevel value) {
            cpu = value;
            return this;
        }

        public Builder engine(EngineKind value) {
            engine = value;
            return this;
        }

        public Builder scheduling(Scheduling value) {
            scheduling = value;
            return this;
        }

        public Builder actions(LifecycleActions value) {
            actions = value;
            return this;
        }

        public Builder console(ConsoleSettings value) {
            console = value;
            return this;
        }

        public Builder deterministic(boolean value) {
            deterministic = value;
            return this;
        }

        public Builder forcedEmulation(boolean value) {
            forcedEmulation = value;
            return this;
        }

        public Builder maxEventChannels(int value) {
            maxEventChannels = value;
            return this;
        }

        public Builder viridian(Set<ViridianFeature> value) {
            viridian = value;
            return this;
        }

        public Builder trace(TraceConfig value) {
            trace = value;
            return this;
        }

        public Builder symbols(SymbolTable value) {
            symbols = value;
            return this;
        }

        public DomainConfig build() {
            return new DomainConfig(
                    name,
                    Optional.ofNullable(uuid),
                    type,
                    kernel,
                    Optional.ofNullable(kernelCache),
                    ramdisk,
                    commandLine,
                    memoryBytes,
                    maxMemoryBytes == 0 ? memoryBytes : maxMemoryBytes,
                    vcpus,
                    maxVcpus == 0 ? vcpus : maxVcpus,
                    cpu,
                    engine,
                    scheduling,
                    actions,
                    console,
                    deterministic,
                    forcedEmulation,
                    maxEventChannels,
                    viridian,
                    Optional.ofNullable(trace),
                    Optional.ofNullable(symbols));
        }
    }
}
