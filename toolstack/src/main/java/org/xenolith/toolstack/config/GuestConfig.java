package org.xenolith.toolstack.config;

import java.util.List;
import org.xenolith.toolstack.GuestType;
import org.xenolith.toolstack.LifecycleActions;

/**
 * What a guest's configuration says, with defaults filled in. {@code null} stands for what was not said and has no default of
 * its own.
 *
 * @param name unique among the running domains
 * @param uuid in the form 8-4-4-4-12; null to have one made
 * @param type {@link GuestType#PVH} or {@link GuestType#HVM}
 * @param kernel a file, or a name such as {@code debian:cloud}
 * @param ramdisk a file
 * @param commandLine of the kernel
 * @param memoryMib memory at start, in MiB
 * @param maxMemoryMib most memory, in MiB
 * @param vcpus virtual CPUs that are online at start
 * @param maxVcpus virtual CPUs that there are
 * @param cpus hard affinity: empty for anywhere, one entry for each of the first virtual CPUs
 * @param cpusSoft soft affinity, likewise
 * @param cpuWeight share under contention, 1 to 65535
 * @param cap most CPU time, in hundredths of a CPU; 0 for no limit
 * @param periodMicros period of an RTDS reservation
 * @param sliceMicros budget in each period
 * @param extraTime whether idle time beyond the budget may be used
 * @param pool CPU pool
 * @param actions what happens when the guest ends
 * @param nestedHvm whether it may run a hypervisor
 * @param viridian interfaces of Hyper-V that it is shown
 * @param maxEventChannels highest event channel port
 * @param maxGrantFrames frames of its grant table
 * @param maxMaptrackFrames frames for grants that it maps
 * @param maxGrantVersion 1 or 2
 * @param engine as {@code xeno run --engine}
 * @param cpuLevel as {@code xeno run --cpu}
 * @param consoleFile file that gets what the guest says, as well
 */
public record GuestConfig(
        String name,
        String uuid,
        GuestType type,
        String kernel,
        String ramdisk,
        String commandLine,
        int memoryMib,
        int maxMemoryMib,
        int vcpus,
        int maxVcpus,
        List<String> cpus,
        List<String> cpusSoft,
        Integer cpuWeight,
        Integer cap,
        Integer periodMicros,
        Integer sliceMicros,
        Boolean extraTime,
        String pool,
        LifecycleActions actions,
        boolean nestedHvm,
        List<String> viridian,
        Integer maxEventChannels,
        Integer maxGrantFrames,
        Integer maxMaptrackFrames,
        Integer maxGrantVersion,
        String engine,
        String cpuLevel,
        String consoleFile) {
    /** Most virtual CPUs of a guest. */
    public static final int MOST_VCPUS = 32;

    public GuestConfig {
        cpus = List.copyOf(cpus);
        cpusSoft = List.copyOf(cpusSoft);
        viridian = List.copyOf(viridian);
    }
}
