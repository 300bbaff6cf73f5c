package org.xenolith.toolstack;

import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import org.xenolith.cpu.VcpuState;
import org.xenolith.hypervisor.Vcpu;

/**
 * Notices a guest that spins with interrupts off. Looks at processor 0 twice a second from a thread that all guests share: for a
 * stall it must have run each time, with IF off, and the guest must not have touched anything outside itself
 * (hypercall, port, MSR, interrupt) for {@link #LIMIT_SECONDS}. A booting kernel has interrupts off for long, but
 * touches something.
 */
final class StallDetector {
    static final long LIMIT_SECONDS = Integer.getInteger("xenolith.stall.seconds", 20);

    /** A guest that an instruction trace slows down is not stuck: it must have spun for so many instructions, too. */
    private static final long LIMIT_INSTRUCTIONS = 100_000_000;

    private static final long INTERVAL_MILLIS = 500;
    private static final long IF = 0x200;

    private final Inspector inspector;
    private volatile String stall;
    private long since;
    private long retiredThen;
    private long lastPulse;
    private long lastRetired;

    StallDetector(Inspector inspector) {
        this.inspector = inspector;
    }

    void start() {
        since = System.nanoTime();
        Watch.ALL.add(this);
    }

    void close() {
        Watch.ALL.remove(this);
    }

    Optional<String> stall() {
        return Optional.ofNullable(stall);
    }

    /** The detectors that look, and their thread, which starts with the first and ends with the last. */
    private static final class Watch implements Runnable {
        static final Watch ALL = new Watch();

        private final List<StallDetector> detectors = new CopyOnWriteArrayList<>();
        private Thread thread;

        synchronized void add(StallDetector detector) {
            detectors.add(detector);
            if (thread == null) {
                thread = Thread.ofPlatform().daemon().name("stall-detector").start(this);
            }
        }

        synchronized void remove(StallDetector detector) {
            if (detectors.remove(detector) && detectors.isEmpty()) {
                thread.interrupt();
                thread = null;
            }
        }

        @Override
        public void run() {
            try {
                while (true) {
                    Thread.sleep(INTERVAL_MILLIS);
                    for (StallDetector detector : detectors) {
                        detector.inspector.whileOpen(
                                () -> {
                                    detector.look(System.nanoTime());
                                    return true;
                                },
                                false);
                    }
                }
            } catch (InterruptedException e) {
                // The last guest is gone.
                Thread.currentThread().interrupt();
            }
        }
    }

    /** One look at a time in nanoseconds; the thread's, or a test's. */
    void look(long now) {
        Vcpu vcpu = inspector.vcpu(0);
        VcpuState state = vcpu.state();
        long pulse = inspector.activity().pulse();
        long retired = state.retired();
        boolean spins = (state.rflags() & IF) == 0
                && state.getInt(VcpuState.ACTIVITY) == VcpuState.ACTIVE
                && pulse == lastPulse
                && retired != lastRetired;
        lastPulse = pulse;
        lastRetired = retired;
        if (!spins) {
            since = now;
            retiredThen = retired;
            stall = null;
        } else if (stall == null
                && now - since > LIMIT_SECONDS * 1_000_000_000L
                && retired - retiredThen > LIMIT_INSTRUCTIONS) {
            stall = "the guest spins with interrupts off at " + inspector.view().describe(state.rip());
        }
    }
}
