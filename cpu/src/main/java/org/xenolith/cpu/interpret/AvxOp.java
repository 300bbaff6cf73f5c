package org.xenolith.cpu.interpret;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.decode.Mem;
import org.xenolith.cpu.semantics.FloatMath;
import org.xenolith.memory.Raw;

/**
 * Template of the VEX-encoded operations on vectors. The semantics are those of the SSE instruction, called once for each
 * 128-bit lane with addresses: {@code d} in scratch memory holds the lane of the first source (or of the destination where
 * that is read) and takes the result, the other sources follow. So a method that reads its destination serves
 * instructions with three operands, and nothing is changed before all lanes are computed: exceptions of all lanes are
 * collected and raised together. Methods of rows with attribute {@code whole} are called once, with whole vectors.
 *
 * <p>At the end the result goes to its place; a register's bits from the vector's length up to 255 become zero.
 */
final class AvxOp extends Op {
    private static final Shape SHAPE = Shape.of(MethodHandles.lookup());
    private static final MethodHandle METHOD = SHAPE.method();
    private static final boolean WIDE = (SHAPE.checks() & Shape.WIDE) != 0;
    private static final boolean WHOLE = (SHAPE.checks() & Shape.WHOLE) != 0;
    private static final boolean ALIGNED = (SHAPE.checks() & Shape.ALIGNED) != 0;
    /** {@link Shape#ADDRESS} is a general register, written at width {@link #GENERAL_WIDTH}. */
    private static final int DESTINATION = SHAPE.destination();

    private static final int DESTINATION_BYTES = SHAPE.destinationWidth();
    private static final int GENERAL_WIDTH = SHAPE.width();
    /** The result starts as a copy of the register {@code first}. */
    private static final boolean FIRST = SHAPE.update();

    private static final int SOURCE = SHAPE.first();
    private static final int SOURCE_BYTES = SHAPE.firstWidth();
    private static final int OTHER = SHAPE.second();
    private static final int OTHER_BYTES = SHAPE.secondWidth();
    private static final boolean IMMEDIATE = SHAPE.third() == Shape.IMMEDIATE;
    /** Bytes from the first source's part for the lower lane to that for the upper one. */
    private static final int STRIDE = SHAPE.stride();

    private static final int RESULT_STRIDE = DESTINATION_BYTES == 16 ? 8 : 16;

    /** Scratch memory: the result (a lane that only half counts reaches 8 bytes behind it), memory, a whole register. */
    private static final int RESULT = 0x80;

    private static final int LOADED = 0xB0;
    private static final int GATHERED = 0xD0;
    private static final int UPPER = VcpuState.YMM_HIGH - VcpuState.XMM;

    private final int destination;
    private final int first;
    private final int source;
    private final int other;
    private final int immediate;
    private final int upperImmediate;
    private final Mem mem;

    AvxOp(Insn insn, int destination, int first, int source, int other, long immediate) {
        super(insn);
        this.destination = destination;
        this.first = first;
        this.source = source;
        this.other = other;
        this.immediate = (int) immediate;
        this.upperImmediate = ((int) immediate & 0xff) >> insn.row.immediateLane;
        this.mem = insn.mem;
    }

    @Override
    void execute(Cpu c) throws Throwable {
        if (c.avxBlocked) {
            throw c.avxFault();
        }
        long d = c.scratch() + RESULT;
        long s = SOURCE == Shape.MEMORY ? load(c, SOURCE_BYTES) : c.base + source;
        long o = OTHER == Shape.MEMORY ? load(c, OTHER_BYTES) : c.base + other;
        if (DESTINATION == Shape.MEMORY && IMMEDIATE) {
            // A conversion changes MXCSR, which it must not when its store faults.
            c.checkWritable(mem.linear(c, DESTINATION_BYTES, true), DESTINATION_BYTES);
        }
        if (FIRST) {
            copyLane(c.base + first, d);
            if (WIDE) {
                copyLane(c.base + first + UPPER, d + 16);
            }
        } else {
            for (int i = 0; i < 32; i += 8) {
                Raw.putLong(d + i, 0);
            }
        }
        if (WIDE && !WHOLE) {
            lanes(c, d, s, o);
        } else {
            if (WIDE && SOURCE == Shape.REGISTER && SOURCE_BYTES == 32) {
                s = c.scratch() + GATHERED;
                copyLane(c.base + source, s);
                copyLane(c.base + source + UPPER, s + 16);
            }
            call(c, d, s, o, immediate);
        }
        commit(c, d);
    }

    private void lanes(Cpu c, long d, long s, long o) throws Throwable {
        c.simdExceptions = 0;
        c.simdCollecting = true;
        try {
            call(c, d, s, o, immediate);
            call(
                    c,
                    d + RESULT_STRIDE,
                    SOURCE == Shape.REGISTER && STRIDE == 16 ? s + UPPER : s + STRIDE,
                    OTHER == Shape.MEMORY ? o + 16 : o + UPPER,
                    upperImmediate);
        } finally {
            c.simdCollecting = false;
        }
        FloatMath.finish(c);
    }

    private static void call(Cpu c, long d, long s, long o, int immediate) throws Throwable {
        if (OTHER != Shape.NONE) {
            METHOD.invokeExact(c, d, s, o);
        } else if (IMMEDIATE) {
            METHOD.invokeExact(c, d, s, immediate);
        } else {
            METHOD.invokeExact(c, d, s);
        }
    }

    private long load(Cpu c, int bytes) {
        return VectorMemory.source(c, mem, bytes, ALIGNED, c.scratch() + LOADED);
    }

    private void commit(Cpu c, long d) {
        if (DESTINATION == Shape.REGISTER) {
            long to = c.base + destination;
            copyLane(d, to);
            if (DESTINATION_BYTES == 32) {
                copyLane(d + 16, to + UPPER);
            } else {
                Raw.putLong(to + UPPER, 0);
                Raw.putLong(to + UPPER + 8, 0);
            }
        } else if (DESTINATION == Shape.MEMORY) {
            VectorMemory.store(c, mem, DESTINATION_BYTES, ALIGNED, d);
        } else if (DESTINATION == Shape.ADDRESS) {
            c.put(GENERAL_WIDTH, destination, Raw.getLong(d));
        }
    }

    private static void copyLane(long from, long to) {
        Raw.putLong(to, Raw.getLong(from));
        Raw.putLong(to + 8, Raw.getLong(from + 8));
    }
}
