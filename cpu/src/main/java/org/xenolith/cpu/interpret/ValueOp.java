package org.xenolith.cpu.interpret;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.decode.Mem;

/**
 * Template of the operations whose semantics map values to a value. Every {@code static final} here is a constant to
 * HotSpot in the hidden classes made from it, so each of them compiles to the few moves of its shape.
 */
final class ValueOp extends Op {
    private static final Shape SHAPE = Shape.of(MethodHandles.lookup());
    private static final MethodHandle METHOD = SHAPE.method();
    private static final int W = SHAPE.width();
    private static final int DESTINATION = SHAPE.destination();
    private static final int DW = SHAPE.destinationWidth();
    private static final boolean UPDATE = SHAPE.update();
    private static final boolean LOCKED = SHAPE.locked();
    private static final int FIRST = SHAPE.first();
    private static final int FW = SHAPE.firstWidth();
    private static final int SECOND = SHAPE.second();
    private static final int SW = SHAPE.secondWidth();
    private static final int THIRD = SHAPE.third();
    private static final int TW = SHAPE.thirdWidth();
    private static final int ARGUMENTS = (UPDATE ? 1 : 0)
            + (FIRST != Shape.NONE ? 1 : 0)
            + (SECOND != Shape.NONE ? 1 : 0)
            + (THIRD != Shape.NONE ? 1 : 0);

    private final int destination;
    private final int first;
    private final int second;
    private final int third;
    private final long immediate;
    private final Mem mem;

    ValueOp(Insn insn, int destination, int first, int second, int third, long immediate) {
        super(insn);
        this.destination = destination;
        this.first = first;
        this.second = second;
        this.third = third;
        this.immediate = immediate;
        this.mem = insn.mem;
    }

    @Override
    void execute(Cpu c) throws Throwable {
        if (DESTINATION == Shape.NONE) {
            effect(c);
        } else if (DESTINATION == Shape.REGISTER) {
            c.put(DW, destination, compute(c, UPDATE ? c.get(DW, destination) : 0));
        } else if (UPDATE) {
            updateMemory(c);
        } else {
            long value = compute(c, 0);
            c.store(DW, mem.linear(c, 1 << DW, true), value);
        }
    }

    private void updateMemory(Cpu c) throws Throwable {
        long va = mem.linear(c, 1 << DW, true);
        c.requireAlignment(va, 1 << DW);
        long host = c.writable(va, 1 << DW);
        if (host == 0) {
            updateSlowly(c, va);
        } else if (LOCKED) {
            updateLocked(c, host);
        } else {
            Cpu.writeHost(DW, host, compute(c, Cpu.readHost(DW, host)));
        }
    }

    private void updateLocked(Cpu c, long host) throws Throwable {
        long flagResult = c.flagResult;
        long flagCarry = c.flagCarry;
        long flagAux = c.flagAux;
        long old = Cpu.readHost(DW, host);
        while (true) {
            long seen = c.compareExchangeHost(DW, host, old, compute(c, old));
            if (seen == old) {
                return;
            }
            old = seen;
            // ADC and SBB read the carry that was there before the first attempt.
            c.flagResult = flagResult;
            c.flagCarry = flagCarry;
            c.flagAux = flagAux;
        }
    }

    /** Across two pages, or on a device. */
    private void updateSlowly(Cpu c, long va) throws Throwable {
        // Flags change before the store.
        c.requireCounted();
        c.checkWritable(va, 1 << DW);
        if (LOCKED) {
            c.stopOthers();
        }
        try {
            long old = c.load(DW, va);
            c.store(DW, va, compute(c, old));
        } finally {
            if (LOCKED) {
                c.resumeOthers();
            }
        }
    }

    private long compute(Cpu c, long old) throws Throwable {
        if (UPDATE) {
            return switch (ARGUMENTS) {
                case 1 -> (long) METHOD.invokeExact(c, W, old);
                case 2 -> (long) METHOD.invokeExact(c, W, old, first(c));
                case 3 -> (long) METHOD.invokeExact(c, W, old, first(c), second(c));
                default -> (long) METHOD.invokeExact(c, W, old, first(c), second(c), third(c));
            };
        }
        return switch (ARGUMENTS) {
            case 0 -> (long) METHOD.invokeExact(c, W);
            case 1 -> (long) METHOD.invokeExact(c, W, first(c));
            case 2 -> (long) METHOD.invokeExact(c, W, first(c), second(c));
            default -> (long) METHOD.invokeExact(c, W, first(c), second(c), third(c));
        };
    }

    private void effect(Cpu c) throws Throwable {
        switch (ARGUMENTS) {
            case 0 -> METHOD.invokeExact(c, W);
            case 1 -> METHOD.invokeExact(c, W, first(c));
            case 2 -> METHOD.invokeExact(c, W, first(c), second(c));
            default -> METHOD.invokeExact(c, W, first(c), second(c), third(c));
        }
    }

    private long first(Cpu c) {
        return source(c, FIRST, FW, first);
    }

    private long second(Cpu c) {
        return source(c, SECOND, SW, second);
    }

    private long third(Cpu c) {
        return source(c, THIRD, TW, third);
    }

    private long source(Cpu c, int kind, int w, int register) {
        return switch (kind) {
            case Shape.REGISTER -> c.get(w, register);
            case Shape.MEMORY -> c.load(w, mem.linear(c, 1 << w, false));
            case Shape.IMMEDIATE -> immediate;
            default -> mem.offset(c);
        };
    }
}
