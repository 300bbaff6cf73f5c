package org.xenolith.hypervisor;

import org.xenolith.abi.RunstateInfo;
import org.xenolith.hypervisor.time.DomainClock;

/**
 * How a virtual CPU spends its time, in memory of ours and in the area that the guest registered.
 *
 * <p>States change on the virtual CPU's thread; others read. Guarded by {@code this}.
 */
final class Runstate {
    private final Domain domain;
    private final DomainClock clock;
    private final long[] times = new long[RunstateInfo.STATES];
    private int state;
    private long entryTime;
    private GuestArea area;

    Runstate(Domain domain, int state) {
        this.domain = domain;
        this.clock = domain.clock();
        this.state = state;
        this.entryTime = clock.now();
    }

    /** Enters a state. The guest's copy is written when it can look: on the way to {@link RunstateInfo#RUNNING}. */
    synchronized void enter(int newState) {
        if (newState == state) {
            return;
        }
        long now = clock.now();
        times[state] += now - entryTime;
        entryTime = now;
        state = newState;
        if (newState == RunstateInfo.RUNNING) {
            publish();
        }
    }

    /** Replaces the guest's area; null takes it away. */
    synchronized void register(GuestArea newArea) {
        if (area != null) {
            area.unpin();
        }
        area = newArea;
        publish();
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
