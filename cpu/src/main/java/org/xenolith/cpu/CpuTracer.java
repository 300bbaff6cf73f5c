package org.xenolith.cpu;

import org.xenolith.cpu.decode.Insn;

/** Hears what a processor does, for {@code --trace}. Methods are called on the processor's thread. */
public interface CpuTracer {
    /** True when {@link #instruction} wants to be called: costs most of the speed. */
    boolean instructions();

    /** An instruction is about to execute at linear address {@code linear}. Arithmetic flags in the state block may be stale. */
    void instruction(VcpuState state, long linear, Insn insn);

    /** An exception is about to be delivered; registers are those of the faulting instruction. */
    void exception(VcpuState state, int vector, int errorCode);

    /** An external interrupt is about to be delivered. */
    void interrupt(VcpuState state, int vector);
}
