package org.xenolith.toolstack;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.UUID;

/**
 * What {@code xl list} tells of a domain, at one moment.
 *
 * @param id domain identifier
 * @param name its name
 * @param uuid its identity
 * @param type kind of guest
 * @param state where it is in its life
 * @param running a virtual CPU executes, or could
 * @param blocked all online virtual CPUs wait for an event
 * @param paused somebody has paused it, or it was never started
 * @param dying it is being destroyed
 * @param shutdownReason an {@code abi.ShutdownReason}, once the guest has ended
 * @param memoryBytes memory that it has now: frames that it owns, or gets when it first uses them
 * @param targetBytes memory that it was last told to balloon to
 * @param maxMemoryBytes memory that it may own
 * @param claimedBytes memory that is kept free for it, beyond what it owns
 * @param onlineVcpus virtual CPUs that are online
 * @param vcpus all of them
 * @param created when this domain was built; a restart builds another
 * @param started when it was first unpaused; empty before
 * @param engine who executes its instructions
 * @param config what it was made of
 */
public record DomainInfo(
        int id,
        String name,
        UUID uuid,
        GuestType type,
        DomainState state,
        boolean running,
        boolean blocked,
        boolean paused,
        boolean dying,
        OptionalInt shutdownReason,
        long memoryBytes,
        long targetBytes,
        long maxMemoryBytes,
        long claimedBytes,
        int onlineVcpus,
        List<VcpuInfo> vcpus,
        Instant created,
        Optional<Instant> started,
        EngineKind engine,
        DomainConfig config) {
    private static final int CRASH = 3;

    public DomainInfo {
        vcpus = List.copyOf(vcpus);
    }

    /** Processor time of all virtual CPUs. */
    public Duration cpuTime() {
        return vcpus.stream().map(VcpuInfo::cpuTime).reduce(Duration.ZERO, Duration::plus);
    }

    public boolean isShutDown() {
        return shutdownReason.isPresent();
    }

    public boolean isCrashed() {
        return shutdownReason.orElse(-1) == CRASH;
    }

    /** The six letters of {@code xl list}: running, blocked, paused, shut down, crashed, dying, each or a dash. */
    public String flags() {
        return (running ? "r" : "-")
                + (blocked ? "b" : "-")
                + (paused ? "p" : "-")
                + (isShutDown() ? "s" : "-")
                + (isCrashed() ? "c" : "-")
                + (dying ? "d" : "-");
    }
}
