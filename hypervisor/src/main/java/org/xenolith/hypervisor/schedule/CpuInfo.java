package org.xenolith.hypervisor.schedule;

/**
 * A physical CPU, for tools.
 *
 * @param cpu its number
 * @param hostCpu number of the host's processor that it stands for
 * @param pool identifier of its pool, or -1 while it belongs to none
 * @param idleNanos time since the scheduler was made in which no virtual CPU held it
 * @param running the virtual CPU that holds it, as {@code d1v0}; empty when idle
 */
public record CpuInfo(int cpu, int hostCpu, int pool, long idleNanos, String running) {}
