package org.xenolith.hypervisor;

/**
 * The interrupt controller of one virtual CPU: what stands between an interrupt's source and its processor.
 *
 * <p>{@link #raise} comes from any thread; everything else from the virtual CPU's own. After anything that makes an
 * interrupt deliverable, an implementation calls {@link Vcpu#interruptsChanged}.
 */
public interface InterruptController {
    /** An edge-triggered interrupt request. */
    void raise(int vector);

    /** The vector that would be delivered now if the processor had interrupts on, or -1. */
    int pending();

    /** Delivers what {@link #pending} answers: the vector goes into service. -1 when there is nothing (any more). */
    int acknowledge();

    /** The task priority as CR8 shows it, 0..15. */
    int taskPriority();

    /** MOV to CR8. */
    void setTaskPriority(int priority);

    /** RDMSR of a register of the controller; false for #GP. */
    boolean readMsr(int msr, long[] result);

    /** WRMSR of a register of the controller; false for #GP. */
    boolean writeMsr(int msr, long value);

    /** Whether {@link #readMsr} and {@link #writeMsr} serve a register number. */
    boolean hasMsr(int msr);

    /** Whether a guest-physical address is in the controller's register page now. */
    boolean claims(long gpa);

    /** A load inside the register page. */
    long mmioRead(long gpa, int bytes);

    /** A store inside the register page. */
    void mmioWrite(long gpa, int bytes, long value);

    /** The processor got an INIT: registers go to their reset values, identity and mode stay. */
    void init();

    /** Makes the controller of a virtual CPU. */
    @FunctionalInterface
    interface Factory {
        InterruptController create(Vcpu vcpu);
    }
}
