package org.xenolith.toolstack;

import org.xenolith.abi.RunstateInfo;
import org.xenolith.hypervisor.Vcpu;

/**
 * Measures what the virtual CPUs spend their time with: looks at them at regular intervals, while they are awake, from a
 * thread of its own. It costs the guest nothing but that thread.
 */
final class EngineSampler {
    private static final long INTERVAL_MILLIS = 1;

    private final Inspector inspector;
    private volatile boolean closed;
    private Thread thread;

    EngineSampler(Inspector inspector) {
        this.inspector = inspector;
    }

    /** Starts, unless it has. */
    void start() {
        if (thread == null) {
            thread = Thread.ofPlatform().daemon().name("engine-sampler").start(this::run);
        }
    }

    void close() {
        closed = true;
        if (thread != null) {
            thread.interrupt();
        }
    }

    private void run() {
        try {
            while (!closed) {
                Thread.sleep(INTERVAL_MILLIS);
                inspector.whileOpen(
                        () -> {
                            look();
                            return true;
                        },
                        false);
            }
        } catch (InterruptedException e) {
            // The domain is closing.
            closed = true;
        }
    }

    private void look() {
        for (Vcpu vcpu : inspector.domain().vcpus()) {
            if (vcpu.runstate()[0] == RunstateInfo.RUNNING
                    && !inspector.domain().isPaused()) {
                inspector.meter(vcpu.id()).sample();
            }
        }
    }
}
