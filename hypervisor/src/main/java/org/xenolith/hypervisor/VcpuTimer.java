package org.xenolith.hypervisor;

import org.xenolith.hypervisor.time.DomainClock;

/**
 * One settable deadline of a virtual CPU, in system time. The action runs on the virtual CPU's thread, without locks, with
 * the timer disarmed.
 */
public final class VcpuTimer {
    private final Vcpu vcpu;
    final Runnable action;
    /** Guarded by the virtual CPU's timer lock. */
    long deadline = DomainClock.NEVER;

    VcpuTimer(Vcpu vcpu, Runnable action) {
        this.vcpu = vcpu;
        this.action = action;
    }

    /** Arms the timer, from any thread. A deadline that has passed fires at the next opportunity. */
    public void set(long newDeadline) {
        vcpu.setTimer(this, newDeadline);
    }

    /** Disarms the timer. */
    public void cancel() {
        vcpu.setTimer(this, DomainClock.NEVER);
    }

    /** The deadline, or {@link DomainClock#NEVER}. */
    public long deadline() {
        return vcpu.timerDeadline(this);
    }
}
