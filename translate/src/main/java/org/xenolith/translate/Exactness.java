package org.xenolith.translate;

import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.decode.Row;

/**
 * Which instructions do not give the same on all processors, or in all engines. A domain that must be reproducible, under
 * any engine and on any host, leaves them to the interpreter.
 */
final class Exactness {
    private Exactness() {}

    /** Whether part of an instruction's result is up to the processor that executes it, in a way that a guest can see. */
    static boolean modelSpecific(Insn i) {
        Row row = i.row;
        if (row.has("nonoracle") || row.has("ulp") || row.semantics.startsWith("X87")) {
            // Approximations and identity; condition codes that arithmetic leaves undefined.
            return true;
        }
        if (row.semantics.startsWith("Strings.")) {
            // Counts once for each piece that the interpreter cuts it into.
            return i.rep || i.repne;
        }
        // AF behind AND, OR, XOR and TEST is undefined in the manuals only: all x86-64 processors clear it.
        return row.undefinedFlags != 0 && !row.semantics.startsWith("Arithmetic.");
    }
}
