package org.xenolith.services.builder;

import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * What a PVH guest is to be built with.
 *
 * @param memoryBytes RAM of the guest; rounded down to whole frames
 * @param vcpus processors that the ACPI tables announce
 * @param commandLine the kernel's command line, ASCII or UTF-8
 * @param initrd pieces of the initial RAM file system, in order; Linux unpacks concatenated archives one over the
 *     other. Empty for none
 * @param startFlags {@link org.xenolith.abi.StartInfoFlags}, 0 for an ordinary guest
 * @param onDemand RAM gets its frames when it is first used: for a guest that sees more memory than it may have, and balloons
 */
public record PvhConfig(
        long memoryBytes, int vcpus, String commandLine, List<MemorySegment> initrd, int startFlags, boolean onDemand) {
    public PvhConfig {
        initrd = List.copyOf(initrd);
    }

    /** An ordinary guest without an initrd. */
    public PvhConfig(long memoryBytes, int vcpus, String commandLine) {
        this(memoryBytes, vcpus, commandLine, List.of(), 0, false);
    }

    /** The same guest with these pieces as its initrd. */
    public PvhConfig withInitrd(MemorySegment... pieces) {
        return new PvhConfig(memoryBytes, vcpus, commandLine, List.of(pieces), startFlags, onDemand);
    }
}
