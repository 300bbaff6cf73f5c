package org.xenolith.hypervisor.time;

import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;

/**
 * Time derived from retired instructions: a fixed number of them is a second, and time in which the domain has nothing to
 * run is skipped. Two runs with the same input see the same time at the same instruction, on any host.
 *
 * <p>For domains whose virtual CPUs run one at a time: with several at once, the sum of their instructions is not a
 * reproducible quantity.
 */
public final class VirtualClock implements DomainClock {
    private static final long NANOS = 1_000_000_000L;

    private final long instructionsPerSecond;
    private final long epoch;
    private final TscScale scale;
    private volatile LongSupplier retired = () -> 0;
    /** Idle time that was skipped. Written by the virtual CPU's thread. */
    private volatile long skipped;

    /**
     * A virtual clock.
     *
     * @param instructionsPerSecond instructions that make a second, at least a million
     * @param epoch nanoseconds since 1970 at system time 0
     */
    public VirtualClock(long instructionsPerSecond, long epoch) {
        if (instructionsPerSecond < 1_000_000) {
            throw new IllegalArgumentException("a virtual second of " + instructionsPerSecond + " instructions");
        }
        this.instructionsPerSecond = instructionsPerSecond;
        this.epoch = epoch;
        scale = TscScale.of(HostClock.DEFAULT_FREQUENCY);
    }

    @Override
    public void follow(LongSupplier retired) {
        this.retired = retired;
    }

    @Override
    public long now() {
        long count = retired.getAsLong();
        long rest = count % instructionsPerSecond;
        return skipped + count / instructionsPerSecond * NANOS + (long) ((double) rest * NANOS / instructionsPerSecond);
    }

    @Override
    public TscScale scale() {
        return scale;
    }

    @Override
    public long epoch() {
        return epoch;
    }

    @Override
    public long budget(long deadline) {
        if (deadline == NEVER) {
            return Long.MAX_VALUE;
        }
        long wait = Math.max(0, deadline - now());
        long seconds = wait / NANOS;
        if (seconds > Long.MAX_VALUE / instructionsPerSecond - 2) {
            return Long.MAX_VALUE;
        }
        double part = Math.ceil((double) (wait % NANOS) * instructionsPerSecond / NANOS);
        return Math.max(1, seconds * instructionsPerSecond + (long) part);
    }

    @Override
    public void idle(long deadline) {
        if (deadline == NEVER) {
            LockSupport.park(this);
        } else {
            skipped += Math.max(0, deadline - now());
        }
    }

    @Override
    public boolean isVirtual() {
        return true;
    }

    @Override
    public Alarm alarm(Runnable action) {
        // The budget stops a virtual CPU exactly at its deadline.
        return new Alarm() {
            @Override
            public void set(long deadline) {}

            @Override
            public void close() {}
        };
    }
}
