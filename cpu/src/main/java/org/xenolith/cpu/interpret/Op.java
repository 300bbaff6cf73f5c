package org.xenolith.cpu.interpret;

import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.decode.Insn;

/** One decoded instruction, ready to run. Subclasses come from the templates; see the package description. */
abstract class Op {
    /** What was decoded; null for the operations that are no instruction of the guest. */
    final Insn insn;

    Op(Insn insn) {
        this.insn = insn;
    }

    /**
     * Executes on a processor whose rip holds the start of the running block.
     *
     * @throws org.xenolith.cpu.core.GuestFault when the guest's instruction faults; nothing has changed then
     * @throws Throwable never anything else by design; method handles declare it
     */
    abstract void execute(Cpu c) throws Throwable;

    /** Ends a block that no branch ends: moves rip to the next instruction. */
    static final class FallThrough extends Op {
        private final int next;
        private final int mode;

        FallThrough(int next, int mode) {
            super(null);
            this.next = next;
            this.mode = mode;
        }

        @Override
        void execute(Cpu c) {
            c.setRip(c.wrapRip(c.rip() + next, mode));
        }
    }

    /** Stands in every place of a block whose code was overwritten, so that a running block stops before its next instruction. */
    static final class Stale extends Op {
        static final Stale INSTANCE = new Stale();

        /** Control flow, not an error: caught by the interpreter only. */
        static final class Stop extends RuntimeException {
            private static final long serialVersionUID = 1L;
            static final Stop INSTANCE = new Stop();

            private Stop() {
                super(null, null, false, false);
            }
        }

        private Stale() {
            super(null);
        }

        @Override
        void execute(Cpu c) {
            throw Stop.INSTANCE;
        }
    }
}
