package org.xenolith.cpu.interpret;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.GuestFault;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.decode.Mem;
import org.xenolith.memory.Raw;

/**
 * Template of the operations on vectors, whose semantics get host addresses of their operands: see the contract in the
 * legend of the instruction table. Widths of the shape are bytes here, but for a general register they are log2.
 */
final class VectorOp extends Op {
    private static final Shape SHAPE = Shape.of(MethodHandles.lookup());
    private static final MethodHandle METHOD = SHAPE.method();
    private static final int DESTINATION = SHAPE.destination();
    private static final int DESTINATION_BYTES = SHAPE.destinationWidth();
    private static final int SOURCE = SHAPE.first();
    private static final int SOURCE_BYTES = SHAPE.firstWidth();
    /** {@link Shape#ADDRESS} as destination: a general register, written at this width. */
    private static final int GENERAL_WIDTH = SHAPE.width();

    private static final boolean IMMEDIATE = SHAPE.second() == Shape.IMMEDIATE;
    private static final boolean MMX = (SHAPE.checks() & Shape.MMX) != 0;
    private static final boolean SSE = (SHAPE.checks() & Shape.SSE) != 0;
    private static final boolean ALIGNED = (SHAPE.checks() & Shape.ALIGNED) != 0;
    private static final boolean MMX_RESULT = (SHAPE.checks() & Shape.MMX_RESULT) != 0;

    private static final int SOURCE_SCRATCH = 64;
    private static final int EXCEPTION_SUMMARY = 0x80;

    private final int destination;
    private final int source;
    private final int immediate;
    private final Mem mem;

    VectorOp(Insn insn, int destination, int source, int unused, int unused2, long immediate) {
        super(insn);
        this.destination = destination;
        this.source = source;
        this.immediate = (int) immediate;
        this.mem = insn.mem;
    }

    @Override
    void execute(Cpu c) throws Throwable {
        if (SSE && c.sseBlocked) {
            throw c.sseFault();
        }
        if (MMX) {
            checkMmx(c);
        }
        long s = SOURCE == Shape.MEMORY
                ? VectorMemory.source(c, mem, SOURCE_BYTES, ALIGNED, c.scratch() + SOURCE_SCRATCH)
                : c.base + source;
        long d;
        if (DESTINATION == Shape.REGISTER) {
            d = c.base + destination;
        } else {
            d = c.scratch();
            Raw.putLong(d, 0);
            Raw.putLong(d + 8, 0);
        }
        if (MMX && DESTINATION != Shape.MEMORY) {
            // Before the computation: hardware enters MMX mode even when that raises #XM.
            enterMmx(c);
        }
        if (IMMEDIATE) {
            METHOD.invokeExact(c, d, s, immediate);
        } else {
            METHOD.invokeExact(c, d, s);
        }
        if (DESTINATION == Shape.MEMORY) {
            VectorMemory.store(c, mem, DESTINATION_BYTES, ALIGNED, d);
        } else if (DESTINATION == Shape.ADDRESS) {
            c.put(GENERAL_WIDTH, destination, Raw.getLong(d));
        }
        if (MMX_RESULT) {
            Raw.putShort(c.base + destination + 8, (short) -1);
        }
        if (MMX && DESTINATION == Shape.MEMORY) {
            // Last, because a fault of the store leaves no trace.
            enterMmx(c);
        }
    }

    private static void checkMmx(Cpu c) {
        if (c.x87Blocked) {
            throw c.x87Fault(true);
        }
        if ((c.get(1, VcpuState.FSW) & EXCEPTION_SUMMARY) != 0) {
            throw c.fault(GuestFault.MF);
        }
    }

    /** Every MMX instruction but EMMS makes all x87 registers valid and TOP zero. */
    private static void enterMmx(Cpu c) {
        c.put(1, VcpuState.FSW, c.get(1, VcpuState.FSW) & ~0x3800L);
        c.put(0, VcpuState.FTW, 0xff);
    }
}
