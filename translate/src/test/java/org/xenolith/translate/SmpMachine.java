package org.xenolith.translate;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.xenolith.cpu.Engine;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.SharedCode;
import org.xenolith.cpu.interpret.Interpreter;
import org.xenolith.memory.MachineMemory;
import org.xenolith.memory.PhysicalToMachine;

/**
 * The machine of {@link Machines} with several processors, each on a thread of its own, under any mix of engines. Processor
 * {@code n} starts at {@code CODE + n * 4096} with its number in rdi and a page of stack.
 */
final class SmpMachine implements AutoCloseable {
    /** Longer than any program here takes, even where many threads share the host: then something hangs. */
    private static final long LIMIT_SECONDS = 30;

    /**
     * Instructions after which a thread lets others run: where processors wait for each other, there may be one core. Odd
     * processors stay in guest code longer.
     */
    private static final long SLICE = 5_000;

    private static final int ODD = 8;

    private static final long HANDLERS = 0x6000;
    private static final long HANDLERS_END = HANDLERS + 32 * 16;

    /** Writes a processor's program. */
    interface Program {
        void emit(Assembler a, int processor);
    }

    /** A processor and what its thread is asked to do between two runs. */
    static final class Processor {
        final VcpuState state = new VcpuState();
        final Engine engine;
        private final ConcurrentLinkedQueue<Runnable> requests = new ConcurrentLinkedQueue<>();
        private volatile String failure;
        /** PAUSE instructions; the processor's thread counts. */
        int pauses;

        private final long slice;

        private Processor(int number, char kind, PhysicalToMachine memory, SharedCode shared) {
            slice = (number & 1) == 0 ? SLICE : SLICE * ODD;
            Machines.enterLongMode(state);
            Interpreter interpreter =
                    new Interpreter(state, Machines.emptyWorld(state, () -> {}, () -> pauses++), memory);
            interpreter.share(shared);
            if (kind == 'T') {
                engine = new TranslatingEngine(interpreter, false, new CodeMemory(8 << 20)).traceEagerly();
            } else {
                if (kind == 'I') {
                    interpreter.cpu().setHostAtomics(NativeAtomics.instance());
                }
                engine = interpreter;
            }
        }

        /** Has the processor's thread do something outside of guest code; returns when it is done. */
        void request(Runnable what) {
            CountDownLatch done = new CountDownLatch(1);
            requests.add(() -> {
                what.run();
                done.countDown();
            });
            state.requestExit();
            try {
                if (!done.await(LIMIT_SECONDS, TimeUnit.SECONDS)) {
                    throw new AssertionError("the processor does not answer");
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new AssertionError("interrupted", e);
            }
        }

        /** Whether it has not failed so far. */
        boolean isFine() {
            return failure == null;
        }

        private void run(long deadline) {
            try {
                while (true) {
                    VcpuExit exit = engine.run(slice);
                    for (Runnable r = requests.poll(); r != null; r = requests.poll()) {
                        r.run();
                    }
                    if (exit instanceof VcpuExit.Halt) {
                        long at = state.rip() - 1;
                        if (at >= HANDLERS && at < HANDLERS_END) {
                            failure = "exception " + (at - HANDLERS) / 16;
                        }
                        return;
                    }
                    if (!(exit instanceof VcpuExit.BudgetSpent) && !(exit instanceof VcpuExit.Kicked)) {
                        failure = exit.toString();
                        return;
                    }
                    Thread.yield();
                    if (System.nanoTime() > deadline) {
                        failure = "no end";
                        return;
                    }
                }
            } catch (RuntimeException | Error e) {
                failure = e.toString();
                throw e;
            }
        }

        private void close() {
            if (engine instanceof TranslatingEngine t) {
                t.close();
            } else {
                ((Interpreter) engine).close();
            }
            state.close();
        }
    }

    final MachineMemory machine = new MachineMemory(32 << 20);
    final PhysicalToMachine memory = new PhysicalToMachine(machine);
    final List<Processor> processors = new ArrayList<>();
    private final String kinds;
    private final List<Thread> threads = new ArrayList<>();

    /**
     * Makes a machine.
     *
     * @param kinds a letter for each processor: T translates, I interprets, i interprets without the host's atomics
     */
    SmpMachine(String kinds) {
        this.kinds = kinds;
        for (int gfn = 0; gfn < Machines.BYTES >> 12; gfn++) {
            memory.map(gfn, machine.allocateFrame(), true);
        }
        Machines.writeTables(memory);
        SharedCode shared = new SharedCode(machine, kinds.length());
        for (int n = 0; n < kinds.length(); n++) {
            Processor p = new Processor(n, kinds.charAt(n), memory, shared);
            p.state.setRip(Machines.CODE + n * 4096L);
            p.state.setGpr(VcpuState.RDI, n);
            p.state.setGpr(VcpuState.RSP, Machines.STACK - n * 4096L);
            processors.add(p);
        }
    }

    /** Puts a program into memory for each processor. */
    SmpMachine load(Program program) {
        Assembler a = new Assembler();
        for (int n = 0; n < processors.size(); n++) {
            long at = Machines.CODE + n * 4096L;
            a.start(at);
            program.emit(a, n);
            memory.write(at, a.finish(), 0, a.size());
        }
        return this;
    }

    /** Starts all processors. */
    SmpMachine start() {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS);
        for (Processor p : processors) {
            threads.add(Thread.ofPlatform().daemon().start(() -> p.run(deadline)));
        }
        return this;
    }

    /** Waits until all have halted, none of them in the handler of an exception. */
    SmpMachine await() {
        try {
            for (Thread thread : threads) {
                thread.join();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted", e);
        }
        for (int n = 0; n < processors.size(); n++) {
            Processor p = processors.get(n);
            if (p.failure != null) {
                throw new AssertionError("processor " + n + " of " + kinds + ": " + p.failure + ", rip="
                        + Long.toHexString(p.state.rip())
                        + " rax=" + Long.toHexString(p.state.gpr(0)) + " rcx="
                        + Long.toHexString(p.state.gpr(1)) + " rdx=" + Long.toHexString(p.state.gpr(2))
                        + " rbp=" + Long.toHexString(p.state.gpr(5)));
            }
        }
        return this;
    }

    SmpMachine run() {
        return start().await();
    }

    @Override
    public void close() {
        for (Processor p : processors) {
            p.close();
        }
        machine.close();
    }
}
