package org.xenolith.cpu;

import java.util.function.LongConsumer;

/**
 * Something that executes guest instructions on a {@link VcpuState}: the interpreter, the binary translator, hardware.
 *
 * <p>Engines are interchangeable between two calls of {@link #run}: all of a processor's state is in the state block then.
 * An engine instance serves one virtual CPU.
 */
public interface Engine {
    /**
     * Runs until something happens that the engine cannot deal with, or {@code budget} guest instructions have retired.
     *
     * @param budget instructions to retire at most; an engine stops exactly there
     * @return why it stopped; registers are in the state block, rip at the next instruction to execute
     */
    VcpuExit run(long budget);

    /** The state block that this engine runs on. */
    VcpuState state();

    /** Forgets cached translations of guest-physical frames whose p2m entries changed. */
    void flushTlb();

    /**
     * Names the host frames that this engine may go on writing to without asking
     * {@link org.xenolith.memory.GuestPhysical#frameForWrite} again. Between two calls of {@link #run}.
     */
    void forEachWritableFrame(LongConsumer hostFrame);

    /** Forgets everything derived from the content of one guest frame, because somebody else than this processor wrote it. */
    void invalidateFrame(long gfn);

    /** Guest memory by linear address, for hypercall arguments and debuggers. */
    LinearMemory linear();

    /** Name for people: {@code interpret}, {@code translate}, {@code kvm}. */
    String name();

    /** What this engine did so far, for people, in lines; while its virtual CPU is outside the guest. */
    String statistics();
}
