package org.xenolith.cpu.interpret;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.decode.Insn;

/** Template of the operations whose semantics do everything themselves. */
final class FreeOp extends Op {
    private static final MethodHandle METHOD = Shape.of(MethodHandles.lookup()).method();

    FreeOp(Insn insn, int unused, int unused2, int unused3, int unused4, long unused5) {
        super(insn);
    }

    @Override
    void execute(Cpu c) throws Throwable {
        METHOD.invokeExact(c, insn);
    }
}
