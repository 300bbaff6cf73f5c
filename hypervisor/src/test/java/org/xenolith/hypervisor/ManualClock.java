package org.xenolith.hypervisor;

import java.util.concurrent.locks.LockSupport;
import org.xenolith.hypervisor.time.DomainClock;
import org.xenolith.hypervisor.time.TscScale;

/** A clock that a test sets. */
final class ManualClock implements DomainClock {
    private final TscScale scale;
    volatile long now = 1_000;

    ManualClock(long frequency) {
        scale = TscScale.of(frequency);
    }

    @Override
    public long now() {
        return now;
    }

    @Override
    public TscScale scale() {
        return scale;
    }

    @Override
    public long epoch() {
        return 1_700_000_000_123_456_789L;
    }

    @Override
    public long budget(long deadline) {
        return 1000;
    }

    @Override
    public void idle(long deadline) {
        LockSupport.parkNanos(200_000);
    }

    @Override
    public Alarm alarm(Runnable action) {
        return new Alarm() {
            @Override
            public void set(long deadline) {
                // Budgets are short.
            }

            @Override
            public void close() {
                // Nothing runs.
            }
        };
    }
}
