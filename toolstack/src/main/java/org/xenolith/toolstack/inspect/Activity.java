package org.xenolith.toolstack.inspect;

import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.LongAdder;
import org.xenolith.hypervisor.Trace;
import org.xenolith.hypervisor.Vcpu;

/** Counts what a domain does at its boundary, and passes it on to a trace when there is one. */
public final class Activity implements Trace {
    private static final int HYPERCALLS = 64;

    private final Trace next;
    private final AtomicLongArray hypercalls = new AtomicLongArray(HYPERCALLS + 1);
    private final LongAdder interrupts = new LongAdder();
    private final LongAdder ports = new LongAdder();
    private final LongAdder msrs = new LongAdder();
    private final LongAdder mmio = new LongAdder();
    private final LongAdder events = new LongAdder();

    /** Counts for a domain; {@code next} may be null. */
    public Activity(Trace next) {
        this.next = next;
    }

    @Override
    public void hypercall(Vcpu vcpu, long number, long[] arguments, long result) {
        hypercalls.incrementAndGet(number >= 0 && number < HYPERCALLS ? (int) number : HYPERCALLS);
        if (next != null) {
            next.hypercall(vcpu, number, arguments, result);
        }
    }

    @Override
    public void port(Vcpu vcpu, boolean write, int port, int bytes, int value) {
        ports.increment();
        if (next != null) {
            next.port(vcpu, write, port, bytes, value);
        }
    }

    @Override
    public void msr(Vcpu vcpu, boolean write, int msr, long value, boolean accepted) {
        msrs.increment();
        if (next != null) {
            next.msr(vcpu, write, msr, value, accepted);
        }
    }

    @Override
    public void mmio(Vcpu vcpu, boolean write, long gpa, int bytes, long value) {
        mmio.increment();
        if (next != null) {
            next.mmio(vcpu, write, gpa, bytes, value);
        }
    }

    @Override
    public void interrupt(Vcpu vcpu, int vector) {
        interrupts.increment();
        if (next != null) {
            next.interrupt(vcpu, vector);
        }
    }

    @Override
    public long checkpointInterval() {
        return next == null ? 0 : next.checkpointInterval();
    }

    @Override
    public void checkpoint(Vcpu vcpu) {
        if (next != null) {
            next.checkpoint(vcpu);
        }
    }

    @Override
    public void event(Vcpu vcpu, int port) {
        events.increment();
        if (next != null) {
            next.event(vcpu, port);
        }
    }

    /** A number that changes whenever the guest did something itself that can be seen from outside. */
    public long pulse() {
        long sum = interrupts.sum() + ports.sum() + msrs.sum() + mmio.sum();
        for (int i = 0; i <= HYPERCALLS; i++) {
            sum += hypercalls.get(i);
        }
        return sum;
    }

    /** A line for each hypercall that was made. */
    public String hypercalls() {
        StringBuilder s = new StringBuilder();
        for (int i = 0; i < HYPERCALLS; i++) {
            if (hypercalls.get(i) > 0) {
                s.append(String.format("%,14d  %s%n", hypercalls.get(i), HypercallText.name(i)));
            }
        }
        if (hypercalls.get(HYPERCALLS) > 0) {
            s.append(String.format("%,14d  with impossible numbers%n", hypercalls.get(HYPERCALLS)));
        }
        return s.isEmpty() ? "none yet\n" : s.toString();
    }

    /** Counters in a line each. */
    public String counters() {
        return String.format(
                "%,14d  interrupts accepted%n%,14d  events raised%n%,14d  port accesses%n%,14d  MSR accesses%n"
                        + "%,14d  accesses to addresses without memory%n",
                interrupts.sum(), events.sum(), ports.sum(), msrs.sum(), mmio.sum());
    }
}
