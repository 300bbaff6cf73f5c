package org.xenolith.hypervisor.schedule;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.xenolith.abi.RunstateInfo;

/**
 * A host in simulated time: virtual CPUs that compute and sleep by plan, without threads. What a thread would do happens
 * some time after it was told to, as on a real host.
 */
final class Simulation {
    static final long MILLI = 1_000_000;
    static final long SECOND = 1_000 * MILLI;
    private static final long NEVER = Long.MAX_VALUE;

    long now = 1;
    final Scheduler scheduler;
    final List<Guest> guests = new ArrayList<>();
    /** From the kick of a unit to its exit from the engine, and from the unparking of a thread to its first instruction. */
    long kickDelay = 20_000;

    long startDelay = 5_000;
    /** Adds up to so much to each delay; null for exact ones. */
    SplittableRandom jitter;

    Simulation(int cpus) {
        this(new int[cpus]);
    }

    Simulation(int[] nodes) {
        scheduler = new Scheduler(nodes, () -> now, null, false);
    }

    CpuPool pool() {
        return scheduler.pool(0);
    }

    private long delay(long nanos) {
        return now + nanos + (jitter == null ? 0 : jitter.nextLong(nanos + 1));
    }

    /** A domain whose virtual CPUs always compute. */
    List<Guest> busy(int id, int vcpus) {
        return domain(id, vcpus, NEVER, 0);
    }

    /** A domain whose virtual CPUs compute for {@code run}, then sleep for {@code sleep}. */
    List<Guest> domain(int id, int vcpus, long run, long sleep) {
        SchedDomain domain = scheduler.addDomain(id);
        List<Guest> made = new ArrayList<>();
        for (int i = 0; i < vcpus; i++) {
            made.add(new Guest(domain, run, sleep));
        }
        guests.addAll(made);
        return made;
    }

    /** Lets time pass. */
    void run(long nanos) {
        long end = now + nanos;
        while (true) {
            long next = scheduler.nextDeadline();
            for (Guest guest : guests) {
                next = Math.min(next, guest.nextEvent());
            }
            if (next > end) {
                now = end;
                return;
            }
            now = Math.max(now, next);
            scheduler.tick();
            for (Guest guest : List.copyOf(guests)) {
                guest.act();
            }
            check();
        }
    }

    /** What must always hold. */
    void check() {
        long running = guests.stream().filter(guest -> guest.unit.running).count();
        assertThat(running).isLessThanOrEqualTo(scheduler.allCpus().size());
        for (Guest guest : guests) {
            SchedUnit unit = guest.unit;
            assertThat(unit.running && unit.cpu == null)
                    .as("%s runs nowhere", unit)
                    .isFalse();
            if (unit.cpu != null) {
                assertThat(unit.cpu.current).isSameAs(unit);
                assertThat(unit.waiting).isFalse();
                assertThat(unit.cpu.pool).isSameAs(unit.pool);
            }
            if (unit.running) {
                assertThat(unit.state).isEqualTo(RunstateInfo.RUNNING);
            } else if (unit.state == RunstateInfo.RUNNABLE && !unit.frozen) {
                assertThat(unit.waiting || unit.cpu != null)
                        .as("%s is forgotten", unit)
                        .isTrue();
            }
        }
    }

    final class Guest implements SchedUnit.Callbacks {
        final SchedUnit unit;
        private final long run;
        private final long sleep;
        private long left;
        private long ranFrom;
        private long reactAt = NEVER;
        private long finishAt = NEVER;
        private long wakeAt = NEVER;
        private long wokenAt = NEVER;
        final long[] times = new long[RunstateInfo.STATES];
        private int state = RunstateInfo.OFFLINE;
        private long since = now;
        /** From each wake-up to the first instruction. */
        final List<Long> delays = new ArrayList<>();

        Guest(SchedDomain domain, long run, long sleep) {
            this.run = run;
            this.sleep = sleep;
            left = run;
            unit = domain.addVcpu(this);
        }

        Guest start() {
            wokenAt = now;
            if (state == RunstateInfo.BLOCKED) {
                // Stopped in its sleep, whose end is now.
                left = run;
            }
            getOn();
            return this;
        }

        @Override
        public void kick() {
            reactAt = Math.min(reactAt, delay(kickDelay));
        }

        @Override
        public void assigned() {
            reactAt = Math.min(reactAt, delay(startDelay));
        }

        @Override
        public void runstate(int newState, long at) {
            times[state] += at - since;
            since = at;
            state = newState;
        }

        private long nextEvent() {
            return Math.min(reactAt, Math.min(finishAt, wakeAt));
        }

        private void act() {
            if (wakeAt <= now) {
                wakeAt = NEVER;
                wokenAt = now;
                left = run;
                if (unit.wake()) {
                    assigned();
                }
            }
            if (finishAt <= now) {
                finishAt = NEVER;
                reactAt = NEVER;
                unit.block();
                wakeAt = now + sleep;
                return;
            }
            if (reactAt <= now) {
                reactAt = NEVER;
                react();
            }
        }

        private void react() {
            if (state != RunstateInfo.BLOCKED) {
                getOn();
            }
        }

        private void getOn() {
            if (finishAt != NEVER) {
                left -= now - ranFrom;
                finishAt = NEVER;
            }
            if (unit.tryAcquire()) {
                if (wokenAt != NEVER) {
                    delays.add(now - wokenAt);
                    wokenAt = NEVER;
                }
                ranFrom = now;
                finishAt = run == NEVER ? NEVER : now + left;
            }
        }

        /** The domain is paused, or the virtual CPU unplugged. */
        void stop() {
            unit.suspend();
            reactAt = NEVER;
            finishAt = NEVER;
            wakeAt = NEVER;
        }

        double share(long nanos, long before) {
            return (double) (unit.cpuNanos() - before) / nanos;
        }
    }

    static double median(List<Long> values) {
        List<Long> sorted = values.stream().sorted().toList();
        return sorted.get(sorted.size() / 2);
    }
}
