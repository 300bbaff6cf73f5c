package org.xenolith.cpu;

/** Why an {@link Engine} stopped. A switch over it needs no {@code default}. */
public sealed interface VcpuExit {
    /** The instruction budget is spent. */
    record BudgetSpent() implements VcpuExit {
        public static final BudgetSpent INSTANCE = new BudgetSpent();
    }

    /** The guest executed HLT; rip is behind it. */
    record Halt() implements VcpuExit {
        public static final Halt INSTANCE = new Halt();
    }

    /** Somebody asked the processor to stop through {@link VcpuState#requestExit}. */
    record Kicked() implements VcpuExit {
        public static final Kicked INSTANCE = new Kicked();
    }

    /** VMCALL or VMMCALL; rip is behind it, the arguments are in the registers. Legal or not is the hypervisor's business. */
    record Hypercall() implements VcpuExit {
        public static final Hypercall INSTANCE = new Hypercall();
    }

    /** A fault while delivering a double fault, or in the modes where that is the end: the processor is shut down. */
    record TripleFault(String reason) implements VcpuExit {}

    /**
     * Two engines that were to do the same did not; the state is the one before.
     *
     * @param report what differed: a line, and then as many as it takes
     */
    record Disagreement(String report) implements VcpuExit {}

    /** A debugger's breakpoint or single step: nothing the guest sees. */
    record Debug() implements VcpuExit {
        public static final Debug INSTANCE = new Debug();
    }
}
