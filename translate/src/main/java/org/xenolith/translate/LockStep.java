package org.xenolith.translate;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.xenolith.cpu.EngineMeter;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.TrialMemory;
import org.xenolith.cpu.decode.Disassembler;
import org.xenolith.cpu.interpret.Interpreter;
import org.xenolith.memory.Raw;

/**
 * Runs each translated block twice, first in the interpreter and then as host code, and compares what became of registers
 * and memory.
 *
 * <p>The interpreter's run is a trial ({@link Cpu#beginTrial}): its stores do not reach guest memory, and the state block is
 * put back. Then translated code runs in earnest. Where it stops earlier than the interpreter (a store to its own code,
 * an access that crosses pages) both start again and meet at that instruction. Instructions that translated code hands
 * back, accesses to devices, faults, interrupts and everything outside 64-bit mode run once, in the interpreter.
 *
 * <p>Other threads of the host write to guest memory between the two runs: event channels, console. So a difference counts
 * only when it comes again and again. What the architecture leaves open is not compared: see {@link Undefined}.
 */
final class LockStep implements AutoCloseable {
    /** A difference counts when it comes again after so often in a row. */
    private static final int TRIES = 3;
    /** Rounds in which the two may fail to meet at one instruction before the interpreter goes on alone. */
    private static final int ROUNDS = 64;
    /** State that is compared: all but the engine's scratch. */
    private static final int COMPARED = VcpuState.SCRATCH;

    private final TranslatingEngine engine;
    private final Interpreter inner;
    private final Statistics statistics;
    private final Disassembler.Symbols symbols;
    private final EngineMeter meter;
    private final Cpu c;
    private final VcpuState state;
    private TrialMemory memory = new TrialMemory();
    /** The first of the block's trials that went farthest. */
    private TrialMemory wide = new TrialMemory();

    private final Arena arena = Arena.ofShared();
    /** State as it was before the block. */
    private final long before = arena.allocate(COMPARED, 64).address();
    /** State as translated code made it, while the interpreter uses the state block. */
    private final long after = arena.allocate(COMPARED, 64).address();
    /** State as the interpreter made it. */
    private final MemorySegment interpreted = arena.allocate(COMPARED, 64);

    private final long expected = interpreted.address();
    /** State as translated code made it: the state block itself. */
    private final MemorySegment translated;

    LockStep(TranslatingEngine engine, Interpreter inner, Statistics statistics, Disassembler.Symbols symbols) {
        this.engine = engine;
        this.inner = inner;
        this.statistics = statistics;
        this.symbols = symbols;
        meter = inner.meter();
        c = inner.cpu();
        state = inner.state();
        translated = MemorySegment.ofAddress(c.base).reinterpret(COMPARED);
    }

    /** Runs and compares the block at rip, or lets the interpreter go on; null to continue. */
    VcpuExit step(long left) {
        engine.sample(state.rip());
        TranslatedBlock block = engine.blockAt(state.rip());
        if (block == null) {
            return engine.handBack(1, left);
        }
        int length = block.instructions;
        if (length == 0) {
            return engine.leave(engine.execute(block.code, 1), left);
        }
        if (length > left) {
            return inner.run(left);
        }
        Raw.copy(c.base, before, COMPARED);
        int limit = length;
        int tries = 0;
        int widest = -1;
        long undefinedFlags = 0;
        long kills = engine.kills();
        for (int round = 0; round < ROUNDS; round++) {
            int done = interpret(block, limit, false);
            if (kills != engine.kills()) {
                block = engine.blockAt(state.rip());
                if (block == null || block.instructions != length) {
                    break;
                }
                kills = engine.kills();
            }
            int exit = engine.execute(block.code, length);
            int executed = (int) engine.lastExecuted();
            if (executed < done) {
                // A trace was left, or an instruction must be handed back.
                done = again(block, executed);
            }
            if (executed == done) {
                boolean sameMemory = memory.matches();
                if (sameMemory && sameState(0)) {
                    statistics.compared++;
                    return engine.leave(exit, left - executed);
                }
                Undefined undefined = Undefined.after(block, executed, engine::entry);
                if (undefined.everything() || sameMemory && sameState(undefined.flags())) {
                    statistics.undefined++;
                    return engine.leave(exit, left - executed);
                }
                undefinedFlags = undefined.flags();
                if (done < limit) {
                    // The interpreter met a fault, perhaps in the middle of a string instruction: meet before that one.
                    limit = done;
                } else {
                    tries++;
                }
            } else if (executed > done && done < limit) {
                tries++;
            } else {
                tries = 0;
                limit = executed;
            }
            if (tries > TRIES) {
                String report = new Difference(block, symbols, before, expected, c.base, memory)
                        .report(done, executed, undefinedFlags);
                memory.restore();
                restore();
                return new VcpuExit.Disagreement(report);
            }
            if (done > widest) {
                widest = done;
                wide = swap(wide);
                undo(wide, tries);
            } else {
                undo(executed > done ? wide : memory, tries);
            }
        }
        statistics.unsettled++;
        return inner.run(length);
    }

    /** The trial anew, up to where translated code has stopped; what that has done stays. */
    private int again(TranslatedBlock block, int limit) {
        Raw.copy(c.base, after, COMPARED);
        restore();
        int done = interpret(block, limit, true);
        restoreFrom(after);
        return done;
    }

    /** The trial: up to {@code limit} instructions in the interpreter. Returns how many it could execute. */
    private int interpret(TranslatedBlock block, int limit, boolean again) {
        int outer = meter.begin(EngineMeter.Phase.INTERPRETER);
        // String instructions stop in the middle for an event; it can wait for the end of the trial.
        int events = Raw.getAndAndInt(c.base + VcpuState.EVENTS, 0);
        c.beginTrial(memory, again);
        int done;
        try {
            done = attempt(block, limit);
        } finally {
            c.endTrial();
            state.raise(events);
        }
        Raw.copy(c.base, expected, COMPARED);
        // Translated code counts what it executes, a trial does not.
        Raw.putLong(expected + VcpuState.RETIRED, state.retired() + done);
        restore();
        meter.resume(outer);
        return done;
    }

    /** Goes the way of a trace and not farther: behind it may be what must not be done twice. */
    private int attempt(TranslatedBlock block, int limit) {
        if (block.path == null) {
            return inner.attempt(limit);
        }
        int done = 0;
        while (done < limit && (state.rip() & 4095) == block.path[done] && inner.attempt(1) == 1) {
            done++;
        }
        return done;
    }

    /** Keeps the memory of the last trial and gives that of another one for the next. */
    private TrialMemory swap(TrialMemory other) {
        TrialMemory last = memory;
        memory = other;
        return last;
    }

    /**
     * Takes back what translated code has done, which a trial tells that went at least as far. Before the last try, memory
     * becomes what it was before the first.
     */
    private void undo(TrialMemory trial, int tries) {
        statistics.instructions -= engine.lastExecuted();
        trial.takeBack();
        if (tries == TRIES) {
            // Translated code may have changed more than the interpreter, and that is to be seen in the report.
            trial.restore();
            wide.restore();
        }
        restore();
    }

    /** The state before the block, with the events that others have raised since. */
    private void restore() {
        restoreFrom(before);
    }

    private void restoreFrom(long copy) {
        Raw.copy(copy, c.base, VcpuState.EVENTS);
        int behind = VcpuState.EVENTS + Integer.BYTES;
        Raw.copy(copy + behind, c.base + behind, COMPARED - behind);
        // System calls change privilege.
        c.refresh();
    }

    /** Whether the states are the same but for some flags. */
    private boolean sameState(long undefinedFlags) {
        if (translated.mismatch(interpreted) < 0) {
            return true;
        }
        for (int offset = 0; offset < COMPARED; offset += Long.BYTES) {
            long difference = Raw.getLong(expected + offset) ^ Raw.getLong(c.base + offset);
            if (difference != 0 && (difference & Difference.compared(offset, undefinedFlags)) != 0) {
                return false;
            }
        }
        return true;
    }

    @Override
    public void close() {
        memory.close();
        wide.close();
        arena.close();
    }
}
