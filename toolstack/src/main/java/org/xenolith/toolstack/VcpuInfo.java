package org.xenolith.toolstack;

import java.time.Duration;
import java.util.OptionalInt;
import java.util.Set;

/**
 * What {@code xl vcpu-list} tells of a virtual CPU, at one moment.
 *
 * @param id its number
 * @param online whether the guest has started it
 * @param running it executes
 * @param blocked it waits for an event
 * @param cpu the host processor that it is on; empty when it is on none, or nobody knows
 * @param cpuTime time that it has executed
 * @param retired guest instructions that it has completed
 * @param hardAffinity host processors that it may run on; empty for all
 * @param softAffinity host processors that it should run on; empty for all
 */
public record VcpuInfo(
        int id,
        boolean online,
        boolean running,
        boolean blocked,
        OptionalInt cpu,
        Duration cpuTime,
        long retired,
        Set<Integer> hardAffinity,
        Set<Integer> softAffinity) {
    public VcpuInfo {
        hardAffinity = Set.copyOf(hardAffinity);
        softAffinity = Set.copyOf(softAffinity);
    }

    /** The three letters of {@code xl vcpu-list}: {@code r--} running, {@code -b-} blocked, {@code --p} offline. */
    public String flags() {
        return !online ? "--p" : running ? "r--" : blocked ? "-b-" : "---";
    }
}
