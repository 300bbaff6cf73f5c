package org.xenolith.daemon.protocol;

import java.util.List;
import java.util.Map;
import org.xenolith.toolstack.config.GuestConfig;

/** What a host process answers. */
public sealed interface Answer {
    /** It is done; nothing to tell. */
    record Done() implements Answer {}

    /**
     * It could not be done.
     *
     * @param reason what kind of obstacle
     * @param message one line for people
     */
    record Failed(Reason reason, String message) implements Answer {}

    /** Kinds of obstacles. */
    enum Reason {
        /** No such domain. */
        NO_DOMAIN,
        /** No such something else. */
        NOT_FOUND,
        /** What was asked for makes no sense. */
        INVALID,
        /** Not in this state, or not with the means that there are. */
        REFUSED,
        /** This host cannot do that at all. */
        UNSUPPORTED,
        /** A kernel that cannot be started. */
        BAD_IMAGE,
        /** A file that cannot be read or written. */
        FILE,
        /** A fault of the host process. */
        INTERNAL
    }

    /**
     * Who answers.
     *
     * @param protocol version of what is said here
     * @param build which build it is
     * @param pid its process
     * @param domains guests that it has
     */
    record Welcome(int protocol, String build, long pid, int domains) implements Answer {}

    record DomainRef(int id, String name) implements Answer {}

    record Domains(List<DomainEntry> domains) implements Answer {}

    /**
     * A domain at one moment.
     *
     * @param flags running, blocked, paused, shut down, crashed, dying: six letters or dashes
     * @param shutdownReason Xen's code; null while the guest has not ended
     * @param memoryKib what it owns
     * @param targetKib what it was told to balloon to
     * @param maxMemoryKib what it may own
     * @param claimedKib what is kept for it
     * @param cpuNanos processor time of all virtual CPUs
     * @param createdMillis when it was built, in milliseconds since 1970
     * @param engine who executes its instructions; empty for domain 0
     * @param pool its CPU pool
     * @param config what it was made of; null for domain 0
     */
    record DomainEntry(
            int id,
            String name,
            String uuid,
            String type,
            String flags,
            Integer shutdownReason,
            long memoryKib,
            long targetKib,
            long maxMemoryKib,
            long claimedKib,
            int onlineVcpus,
            List<Vcpu> vcpus,
            long cpuNanos,
            long createdMillis,
            String engine,
            String pool,
            GuestConfig config) {}

    /**
     * A virtual CPU at one moment.
     *
     * @param cpu the host CPU that it is on; null when it is on none
     * @param hard host CPUs that it may run on, as xl prints them
     * @param soft host CPUs that it should run on
     */
    record Vcpu(int id, boolean online, Integer cpu, String flags, long cpuNanos, String hard, String soft) {}

    /**
     * How a domain ended.
     *
     * @param reason Xen's shutdown code; null when it was destroyed before its guest ended
     * @param destroyed whether it is gone
     */
    record Ended(int id, Integer reason, boolean destroyed) implements Answer {}

    record SchedulingOf(List<SchedulingEntry> domains) implements Answer {}

    /**
     * Scheduling of a domain.
     *
     * @param scheduler of its pool: credit2 or rtds
     * @param vcpus reservations, when it has any
     */
    record SchedulingEntry(
            int id, String name, String pool, String scheduler, int weight, int cap, List<Reservation> vcpus) {}

    record Reservation(int vcpu, int periodMicros, int budgetMicros, boolean extraTime) {}

    record Pools(List<Pool> pools) implements Answer {}

    /**
     * A CPU pool.
     *
     * @param rateLimitMicros of credit2; null for other schedulers
     */
    record Pool(String name, String scheduler, List<Integer> cpus, int domains, Integer rateLimitMicros) {}

    /**
     * What {@code xl info} tells, key by key in its order, and what it shows with {@code -n}.
     *
     * @param cpus host CPUs that the process may use
     */
    record HostFacts(Map<String, String> facts, int cpus, long totalMemoryKib, long freeMemoryKib, long startedMillis)
            implements Answer {}

    record Text(String text) implements Answer {}

    /**
     * A console is joined.
     *
     * @param ended whether the guest has ended, so that there is only its past
     */
    record Attached(int id, String name, boolean ended) implements Answer {}

    record Values(List<String> values) implements Answer {}

    record Children(List<List<String>> names) implements Answer {}

    record Tree(Node root) implements Answer {}

    /**
     * A node of xenstore.
     *
     * @param name the last part of its path
     * @param permissions as {@code xenstore-ls -p} writes them
     */
    record Node(String name, String value, List<String> permissions, List<Node> children) {}

    /** A watched path has changed. */
    record Event(String path) implements Answer {}
}
