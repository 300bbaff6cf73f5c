package org.xenolith.toolstack;

import java.util.Optional;
import org.xenolith.cpu.VcpuState;
import org.xenolith.hypervisor.Vcpu;

/**
 * Notices a guest that spins with interrupts off. Looks at processor 0 twice a second from a thread of its own: for a
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
    private volatile boolean closed;
    private Thread thread;

    private long since;
    private long retiredThen;
    private long lastPulse;
    private long lastRetired;

    StallDetector(Inspector inspector) {
        this.inspector = inspector;
    }

    void start() {
        since = System.nanoTime();
        thread = Thread.ofPlatform().daemon().name("stall-detector").start(this::run);
    }

    void close() {
        closed = true;
        if (thread != null) {
            thread.interrupt();
        }
    }

    Optional<String> stall() {
        return Optional.ofNullable(stall);
    }

    private void run() {
        try {
            while (!closed) {
                Thread.sleep(INTERVAL_MILLIS);
                inspector.whileOpen(
                        () -> {
                            look(System.nanoTime());
                            return true;
                        },
                        false);
            }
        } catch (InterruptedException e) {
            // The domain is closing.
            closed = true;
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
