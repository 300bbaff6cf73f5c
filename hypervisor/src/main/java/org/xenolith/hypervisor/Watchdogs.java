package org.xenolith.hypervisor;

import org.xenolith.abi.Errno;
import org.xenolith.abi.SchedOp;
import org.xenolith.abi.ShutdownReason;
import org.xenolith.hypervisor.time.DomainClock;

/** The watchdogs of a domain: deadlines that the guest keeps moving, or the domain is stopped. They run on virtual CPU 0. */
public final class Watchdogs {
    private static final long SECOND = 1_000_000_000L;
    /** Longest timeout: more would leave the range of system time. */
    private static final long LONGEST = 1L << 32;

    private final Domain domain;
    private final VcpuTimer[] timers = new VcpuTimer[SchedOp.WATCHDOGS];

    Watchdogs(Domain domain) {
        this.domain = domain;
    }

    /**
     * Starts, moves or stops a watchdog.
     *
     * @param id 0 for a new one, else 1..{@link SchedOp#WATCHDOGS}
     * @param seconds until the domain is stopped; 0 stops the watchdog
     * @return the identifier of a new watchdog, else 0
     */
    public synchronized int set(int id, long seconds) {
        if (id < 0 || id > timers.length || id == 0 && seconds == 0) {
            throw new HypercallException(Errno.EINVAL);
        }
        if (id == 0) {
            for (int i = 0; i < timers.length; i++) {
                if (timers[i] == null || timers[i].deadline() == DomainClock.NEVER) {
                    arm(i, seconds);
                    return i + 1;
                }
            }
            throw new HypercallException(Errno.ENOSPC);
        }
        if (timers[id - 1] == null || timers[id - 1].deadline() == DomainClock.NEVER) {
            throw new HypercallException(Errno.EINVAL);
        }
        if (seconds == 0) {
            timers[id - 1].cancel();
        } else {
            arm(id - 1, seconds);
        }
        return 0;
    }

    private void arm(int index, long seconds) {
        if (timers[index] == null) {
            timers[index] = domain.vcpus().getFirst().newTimer(this::expire);
        }
        timers[index].set(domain.clock().now() + Math.min(seconds, LONGEST) * SECOND);
    }

    private void expire() {
        domain.stop(new ShutdownDetail(ShutdownReason.WATCHDOG, "the guest did not serve its watchdog", -1, null));
    }
}
