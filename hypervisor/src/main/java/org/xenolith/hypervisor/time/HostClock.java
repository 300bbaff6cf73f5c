package org.xenolith.hypervisor.time;

import java.time.Instant;
import java.util.PriorityQueue;
import java.util.concurrent.locks.LockSupport;

/**
 * Time that follows the host's monotonic clock from the moment the clock is made. The wall clock is read once: a guest that
 * wants to follow later steps of the host's time runs an NTP client, as on hardware.
 */
public final class HostClock implements DomainClock {
    /**
     * One tick a nanosecond: the guest's conversion is then exact, and the counter's frequency looks the same on every
     * host that the guest may be moved to.
     */
    public static final long DEFAULT_FREQUENCY = 1_000_000_000L;

    /**
     * Instructions between two looks at the clock even when no alarm rings: about a second of interpretation, a safety net
     * only.
     */
    private static final long SLICE = 50_000_000;

    private final long start = System.nanoTime();
    private final long epoch;
    private final TscScale scale;
    private final Alarms alarms = new Alarms();

    /** A clock whose guests see a counter of {@link #DEFAULT_FREQUENCY}. */
    public HostClock() {
        this(DEFAULT_FREQUENCY);
    }

    /** A clock whose guests see a counter of {@code frequency} Hz. */
    public HostClock(long frequency) {
        scale = TscScale.of(frequency);
        Instant now = Instant.now();
        epoch = now.getEpochSecond() * 1_000_000_000L + now.getNano() - now();
    }

    @Override
    public long now() {
        return System.nanoTime() - start;
    }

    @Override
    public long at(long hostNanos) {
        return hostNanos - start;
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
        return SLICE;
    }

    @Override
    public void idle(long deadline) {
        if (deadline == NEVER) {
            LockSupport.park(this);
        } else {
            long wait = deadline - now();
            if (wait > 0) {
                LockSupport.parkNanos(this, wait);
            }
        }
    }

    @Override
    public Alarm alarm(Runnable action) {
        return alarms.new Entry(action);
    }

    /**
     * The alarms of one clock and the thread that rings them. The thread starts with the first alarm and ends with the
     * last. Guarded by its monitor; actions run without it.
     */
    private final class Alarms implements Runnable {
        private final PriorityQueue<Entry> queue = new PriorityQueue<>((a, b) -> Long.compare(a.deadline, b.deadline));
        private int users;
        private Thread thread;

        @Override
        public void run() {
            while (true) {
                Entry due;
                synchronized (this) {
                    if (users == 0) {
                        thread = null;
                        return;
                    }
                    due = queue.peek();
                    if (due != null && due.deadline <= now()) {
                        queue.poll();
                        due.deadline = NEVER;
                    } else {
                        sleepUntil(due == null ? NEVER : due.deadline);
                        due = null;
                    }
                }
                if (due != null) {
                    due.action.run();
                }
            }
        }

        private void sleepUntil(long deadline) {
            try {
                if (deadline == NEVER) {
                    wait();
                } else {
                    long nanos = deadline - now();
                    if (nanos > 0) {
                        wait(nanos / 1_000_000, (int) (nanos % 1_000_000));
                    }
                }
            } catch (InterruptedException e) {
                // Nobody has a reason to interrupt this thread; its end is decided by the number of users.
                Thread.interrupted();
            }
        }

        private final class Entry implements Alarm {
            private final Runnable action;
            private long deadline = NEVER;
            private boolean closed;

            Entry(Runnable action) {
                this.action = action;
                synchronized (Alarms.this) {
                    users++;
                    if (thread == null) {
                        thread = new Thread(Alarms.this, "clock");
                        thread.setDaemon(true);
                        thread.start();
                    }
                }
            }

            @Override
            public void set(long newDeadline) {
                synchronized (Alarms.this) {
                    if (deadline == newDeadline || closed) {
                        return;
                    }
                    if (deadline != NEVER) {
                        queue.remove(this);
                    }
                    deadline = newDeadline;
                    if (newDeadline != NEVER) {
                        queue.add(this);
                        if (queue.peek() == this) {
                            Alarms.this.notifyAll();
                        }
                    }
                }
            }

            @Override
            public void close() {
                set(NEVER);
                synchronized (Alarms.this) {
                    if (!closed) {
                        closed = true;
                        users--;
                        Alarms.this.notifyAll();
                    }
                }
            }
        }
    }
}
