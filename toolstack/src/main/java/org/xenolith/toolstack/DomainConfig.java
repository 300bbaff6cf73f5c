package org.xenolith.toolstack;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.xenolith.cpu.CpuLevel;
import org.xenolith.hypervisor.DomainSettings;
import org.xenolith.hypervisor.viridian.ViridianFeature;
import org.xenolith.services.symbols.SymbolTable;

/**
 * What a domain is to be made of.
 *
 * @param name for people and for xenstore
 * @param kernel a bzImage or an ELF kernel with a PVH entry point
 * @param kernelCache directory for unpacked kernels; empty to unpack at every start
 * @param ramdisk pieces of the initial RAM file system, in order; empty for none
 * @param commandLine of the kernel
 * @param memoryBytes RAM
 * @param vcpus virtual CPUs that are online at the start, 1 to {@link #MAX_VCPUS}
 * @param maxVcpus virtual CPUs that the guest can bring online while it runs, at least {@code vcpus}
 * @param cpu the processor that the guest sees
 * @param engine who executes the instructions
 * @param deterministic time is derived from retired instructions, and randomness from a seed
 * @param forcedEmulation UD2 followed by "xen" is a prefix, as test programs for emulators want it, and not #UD
 * @param maxEventChannels highest port number of an event channel
 * @param viridian what the guest has of the Viridian interface; empty for a guest that does not see it
 * @param trace what to trace, and to whom; empty for nothing
 * @param symbols of the kernel, for traces and reports; empty to take what the kernel carries itself
 */
public record DomainConfig(
        String name,
        Path kernel,
        Optional<Path> kernelCache,
        List<MemorySegment> ramdisk,
        String commandLine,
        long memoryBytes,
        int vcpus,
        int maxVcpus,
        CpuLevel cpu,
        EngineKind engine,
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

    /** Collects settings. */
    public static final class Builder {
        private final Path kernel;
        private String name = "guest";
        private Path kernelCache;
        private final List<MemorySegment> ramdisk = new ArrayList<>();
        private String commandLine = "console=hvc0";
        private long memoryBytes = DEFAULT_MEMORY;
        private int vcpus = 1;
        private int maxVcpus;
        private CpuLevel cpu = DEFAULT_CPU;
        private EngineKind engine = EngineKind.AUTO;
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

        public Builder memoryBytes(long value) {
            memoryBytes = value;
            return this;
        }

        public Builder vcpus(int value) {
            vcpus = value;
            return this;
        }

        /** The most virtual CPUs that the guest can have. Default: as many as it starts with. */
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
                    kernel,
                    Optional.ofNullable(kernelCache),
                    ramdisk,
                    commandLine,
                    memoryBytes,
                    vcpus,
                    maxVcpus == 0 ? vcpus : maxVcpus,
                    cpu,
                    engine,
                    deterministic,
                    forcedEmulation,
                    maxEventChannels,
                    viridian,
                    Optional.ofNullable(trace),
                    Optional.ofNullable(symbols));
        }
    }
}
