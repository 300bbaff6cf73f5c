package org.xenolith.hypervisor;

import org.xenolith.abi.RunstateInfo;
import org.xenolith.hypervisor.time.DomainClock;

/**
 * How a virtual CPU spends its time, in memory of ours and in the area that the guest registered.
 *
 * <p>States change as the scheduler says, on any thread and with its locks held. Guarded by {@code this}; innermost.
 */
final class Runstate {
    private final Domain domain;
    private final DomainClock clock;
    private final long[] times = new long[RunstateInfo.STATES];
    private int state;
    private long entryTime;
    private GuestArea area;

    /** Offline, from now on. */
    Runstate(Domain domain) {
        this.domain = domain;
        this.clock = domain.clock();
        this.state = RunstateInfo.OFFLINE;
        this.entryTime = clock.now();
    }

    /**
     * Enters a state. The guest's copy is written when a virtual CPU can look: others when this one stops running, itself when
     * it runs again. In virtual time nobody waits for a physical CPU, so that the host's load does not show.
     *
     * @param hostNanos when, by the host's clock
     */
    synchronized void enter(int newState, long hostNanos) {
        if (newState == state || hidden(newState)) {
            return;
        }
        // A moment that the scheduler has looked at may lie before the domain's creation or the last change by a hair.
        long now = Math.max(entryTime, clock.at(hostNanos));
        boolean stops = state == RunstateInfo.RUNNING;
        times[state] += now - entryTime;
        entryTime = now;
        state = newState;
        if (stops || newState == RunstateInfo.RUNNING) {
            publish();
        }
    }

    private boolean hidden(int newState) {
        return clock.isVirtual() && (newState == RunstateInfo.RUNNABLE || newState == RunstateInfo.OFFLINE);
    }

    /** Replaces the guest's area; null takes it away. */
    void register(GuestArea newArea) {
        GuestArea old;
        synchronized (this) {
            old = area;
            area = newArea;
            publish();
        }
        if (old != null) {
            old.unpin();
        }
    }

    private void publish() {
        if (area == null) {
            return;
        }
        if (domain.runstateUpdateFlag()) {
            area.putLong(RunstateInfo.ENTRY_TIME, entryTime | RunstateInfo.UPDATE);
        }
        area.putInt(RunstateInfo.STATE, state);
        for (int i = 0; i < times.length; i++) {
            area.putLong(RunstateInfo.TIME + i * Long.BYTES, times[i]);
        }
        area.putLong(RunstateInfo.ENTRY_TIME, entryTime);
    }

    /** State, entry time and the time in each state, the present one up to now. */
    synchronized long[] snapshot() {
        long now = clock.now();
        long[] result = {state, entryTime, times[0], times[1], times[2], times[3]};
        result[2 + state] += now - entryTime;
        return result;
    }
}
