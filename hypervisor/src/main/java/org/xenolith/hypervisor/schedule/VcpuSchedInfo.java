package org.xenolith.hypervisor.schedule;

import org.xenolith.abi.RunstateInfo;

/**
 * A virtual CPU as the scheduler sees it, for tools.
 *
 * @param vcpu its number in the domain
 * @param cpu the physical CPU that it holds or held last, or -1
 * @param state one of {@link RunstateInfo}'s states
 * @param cpuNanos CPU time that it has used
 * @param hard CPUs that it may run on
 * @param soft CPUs that it prefers; all when it has no preference
 */
public record VcpuSchedInfo(int vcpu, int cpu, int state, long cpuNanos, CpuSet hard, CpuSet soft) {}
