package org.xenolith.hypervisor.schedule;

/** A physical CPU: a token for the right to execute guest code. Fields are guarded by the lock of its pool. */
final class PhysicalCpu {
    static final long NEVER = Long.MAX_VALUE;

    final int id;
    /** Processors of the same node share a run queue. */
    final int node;
    /** Null while it belongs to none. Changes with the scheduler's monitor held too. */
    volatile CpuPool pool;
    /** Who holds it; while {@link SchedUnit#running} is false, its thread has not noticed yet. */
    volatile SchedUnit current;
    /** When the holder must be looked at again. */
    long deadline = NEVER;
    /** It is being taken out of its pool. */
    boolean leaving;

    private long idleNanos;
    private long idleSince;

    PhysicalCpu(int id, int node, long now) {
        this.id = id;
        this.node = node;
        idleSince = now;
    }

    void taken(SchedUnit by, long now) {
        idleNanos += now - idleSince;
        current = by;
    }

    void released(long now) {
        idleSince = now;
        current = null;
        deadline = NEVER;
    }

    long idleNanos(long now) {
        return current == null ? idleNanos + now - idleSince : idleNanos;
    }

    @Override
    public String toString() {
        return "cpu" + id;
    }
}
