package org.xenolith.hypervisor.schedule;

import java.util.Collection;

/**
 * How a pool decides. All methods run with the pool's lock held; times are nanoseconds of the scheduler's clock.
 *
 * <p>The pool knows who runs; the policy knows who waits. A unit is handed over with {@link #insert}, and comes back from
 * {@link #pick} or {@link #remove}.
 */
abstract sealed class Policy permits Credit2, Rtds, NullPolicy {
    final CpuPool pool;

    Policy(CpuPool pool) {
        this.pool = pool;
    }

    /**
     * Checks that units can be in the pool together with those that are.
     *
     * @throws SchedulingException when they do not fit
     */
    void admit(Collection<SchedUnit> newcomers) {}

    /** A unit joins the pool; it does not wait yet. */
    abstract void attach(SchedUnit unit, long now);

    /** A unit that neither waits nor runs leaves the pool. */
    abstract void detach(SchedUnit unit, long now);

    /** A unit can run, and waits. */
    abstract void insert(SchedUnit unit, long now);

    /** A unit waits no longer, if it did. */
    abstract void remove(SchedUnit unit, long now);

    /** Where a waiting unit could run at once: an idle CPU, or one whose holder is to be preempted; null for nowhere. */
    abstract PhysicalCpu place(SchedUnit unit, long now);

    /**
     * Who is to run on a CPU.
     *
     * @param holder who runs there and could go on, or null
     * @return {@code holder}, a unit that waited and now does not, or null for nobody
     */
    abstract SchedUnit pick(PhysicalCpu cpu, SchedUnit holder, long now);

    /** A unit has run. */
    abstract void burn(SchedUnit unit, long from, long to);

    /** A unit has stopped running. */
    void stopped(SchedUnit unit, long now) {}

    /** When the holder of a CPU, accounted for up to now, must be looked at again. */
    abstract long sliceEnd(PhysicalCpu cpu, long now);

    /** Whether somebody waits who could run on a CPU. */
    abstract boolean hasWaiting(PhysicalCpu cpu);

    /** When {@link #timer} wants to be called. */
    long nextTimer() {
        return PhysicalCpu.NEVER;
    }

    void timer(long now) {}

    /** CPUs came or went: effective affinities are new. No unit waits. */
    abstract void cpusChanged(long now);

    /** The affinity of a unit that does not wait is new. */
    void affinityChanged(SchedUnit unit, long now) {}

    /** Lines for people about units that wait. */
    abstract String describe(SchedUnit unit);
}
