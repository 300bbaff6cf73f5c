package org.xenolith.hypervisor.schedule;

import org.xenolith.abi.Errno;

/**
 * What a domain gets in a pool with {@link SchedulerKind#CREDIT2}.
 *
 * @param weight its share of CPU time, relative to others: 1..65535
 * @param cap the most CPU time that it gets, in percent of one CPU; 0 for no limit, at most 100 for each virtual CPU
 */
public record Credit2Parameters(int weight, int cap) {
    public static final int DEFAULT_WEIGHT = 256;
    public static final int MAX_WEIGHT = 65535;
    public static final Credit2Parameters DEFAULT = new Credit2Parameters(DEFAULT_WEIGHT, 0);

    void check(int vcpus) {
        if (weight < 1 || weight > MAX_WEIGHT) {
            throw new SchedulingException(Errno.EINVAL, "a weight of " + weight + ": it must be 1 to " + MAX_WEIGHT);
        }
        if (cap < 0 || cap > 100 * vcpus) {
            throw new SchedulingException(
                    Errno.EINVAL,
                    "a cap of " + cap + " %: it must be 0 (none) to " + 100 * vcpus + ", with " + vcpus
                            + (vcpus == 1 ? " virtual CPU" : " virtual CPUs"));
        }
    }
}
