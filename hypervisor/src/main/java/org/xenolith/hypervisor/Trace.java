package org.xenolith.hypervisor;

/**
 * Sees what a domain does at its boundary. Callers test for null before they call, so that a domain without a trace pays
 * one comparison. Methods run on the thread of the virtual CPU, but for {@link #event}, and must not call into the domain.
 */
public interface Trace {
    /** A hypercall has returned. The array holds the arguments as they were on entry and is the callee's to keep. */
    default void hypercall(Vcpu vcpu, long number, long[] arguments, long result) {}

    /** IN (after it) or OUT (before it). */
    default void port(Vcpu vcpu, boolean write, int port, int bytes, int value) {}

    /** RDMSR or WRMSR of a register outside the processor; {@code accepted} is false when the guest gets #GP. */
    default void msr(Vcpu vcpu, boolean write, int msr, long value, boolean accepted) {}

    /** An access to a guest-physical address without memory. */
    default void mmio(Vcpu vcpu, boolean write, long gpa, int bytes, long value) {}

    /** An interrupt was delivered. */
    default void interrupt(Vcpu vcpu, int vector) {}

    /** An exception is about to be delivered; engines that can tell call it. */
    default void exception(Vcpu vcpu, int vector, long errorCode, long address) {}

    /** Instructions from one {@link #checkpoint} to the next, or 0 for none; constant. */
    default long checkpointInterval() {
        return 0;
    }

    /** A virtual CPU has retired a multiple of {@link #checkpointInterval} instructions, and is outside its engine. */
    default void checkpoint(Vcpu vcpu) {}

    /** An event channel was raised for a virtual CPU; from any thread, with locks held. */
    default void event(Vcpu vcpu, int port) {}
}
