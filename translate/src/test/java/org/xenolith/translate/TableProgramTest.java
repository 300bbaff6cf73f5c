package org.xenolith.translate;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.VcpuExit;

/**
 * Programs of the whole instruction table under both engines: registers, vector and x87 state, all memory with page tables and exception
 * frames, and what devices saw must be the same, at the end and whenever a budget is spent. {@code -Dxenolith.programs=N} runs N of each
 * kind, {@code -Dxenolith.seed=S} repeats a run, and {@code -Dxenolith.program=P} runs the one program that a message names.
 */
class TableProgramTest {
    private static final long SEED = Long.getLong("xenolith.seed", System.nanoTime());
    private static final Long ONLY = Long.getLong("xenolith.program");
    private static final int PROGRAMS = Integer.getInteger("xenolith.programs", 120);
    private static final long MOST = 60_000;

    @Test
    void kernelProgramsEndInTheSameStateUnderBothEngines() {
        run(false, false, 0);
    }

    @Test
    void userProgramsEndInTheSameStateUnderBothEngines() {
        run(true, false, 1);
    }

    @Test
    void everyBudgetStopsKernelProgramsInTheSameState() {
        run(false, true, 2);
    }

    @Test
    void everyBudgetStopsUserProgramsInTheSameState() {
        run(true, true, 3);
    }

    private static void run(boolean user, boolean slices, int kind) {
        if (ONLY != null) {
            if ((ONLY & 3) == kind) {
                compare(ONLY, user, slices);
            }
            return;
        }
        SplittableRandom seeds = new SplittableRandom(SEED + kind);
        int astray = 0;
        long faults = 0;
        long instructions = 0;
        long translated = 0;
        for (int n = 0; n < PROGRAMS; n++) {
            long[] counts = compare(seeds.nextLong() & ~3L | kind, user, slices);
            if (counts == null) {
                astray++;
                continue;
            }
            faults += counts[0];
            instructions += counts[1];
            translated += counts[2];
        }
        System.out.println("programs: seed " + SEED + ", " + instructions + " instructions, " + translated
                + " of them in emitted code, " + faults + " page faults; " + astray
                + " programs that went astray differ");
        assertThat(astray).as("seed %d", SEED).isLessThan(Math.max(5, PROGRAMS / 50));
        assertThat(faults).isGreaterThan(PROGRAMS);
        assertThat(translated).isGreaterThan(instructions / 4);
    }

    /** A budget, and the external interrupt that arrives before it, or -1. */
    private record Slice(long budget, int interrupt) {}

    /** Page faults, instructions, and those in emitted code. */
    private static long[] compare(long seed, boolean user, boolean slices) {
        SplittableRandom random = new SplittableRandom(seed);
        // The code lies across a page's end.
        long start = ProgramMachine.CODE + 0x1000 - random.nextInt(0x300);
        TableProgram program = new TableProgram(start, random);
        byte[] code = program.make(10 + random.nextInt(50), 1 + random.nextInt(12));
        long machineSeed = random.nextLong();
        List<Slice> done = new ArrayList<>();
        try (ProgramMachine expected = new ProgramMachine(false, user, new SplittableRandom(machineSeed));
                ProgramMachine actual = new ProgramMachine(true, user, new SplittableRandom(machineSeed))) {
            expected.load(start, code);
            actual.load(start, code);
            String left;
            String right;
            VcpuExit exit;
            do {
                Slice slice = new Slice(
                        slices ? 1 + random.nextInt(80) : MOST,
                        random.nextInt(slices ? 8 : 2) == 0 ? random.nextInt(100) : -1);
                done.add(slice);
                exit = expected.run(slice.budget, slice.interrupt);
                VcpuExit other = actual.run(slice.budget, slice.interrupt);
                long flags = program.undefinedFlags(expected.state.rip()) ? ~0x8D5L : -1;
                left = exit + " " + expected.registers(flags);
                right = other + " " + actual.registers(flags);
            } while (left.equals(right) && exit instanceof VcpuExit.BudgetSpent && expected.state.retired() < MOST);
            left += "\n" + expected.devices();
            right += "\n" + actual.devices();
            byte[] memory = expected.memory();
            byte[] other = actual.memory();
            if (left.equals(right) && Arrays.equals(memory, other)) {
                return new long[] {
                    expected.pageFaults(), actual.state.retired(), ((TranslatingEngine) actual.engine).executed()
                };
            }
            try (ProgramMachine again = new ProgramMachine(false, user, new SplittableRandom(machineSeed))) {
                again.load(start, code);
                if (leaves(again, start, start + code.length, done)) {
                    return null;
                }
            }
            String what = "-Dxenolith.program=" + seed + ", code at 0x" + Long.toHexString(start) + ": "
                    + HexFormat.of().formatHex(code);
            assertThat(right).as(what).isEqualTo(left);
            for (int i = 0; i < memory.length; i++) {
                assertThat(other[i]).as("memory at 0x%x, %s", i + 0x1000, what).isEqualTo(memory[i]);
            }
            throw new IllegalStateException(what);
        }
    }

    /**
     * Whether a program goes astray, when it has overwritten a return address for example: then it executes data, and the flags
     * that some instructions leave undefined are not defined again.
     */
    private static boolean leaves(ProgramMachine m, long start, long end, List<Slice> slices) {
        for (Slice slice : slices) {
            long stop = m.state.retired() + slice.budget;
            int interrupt = slice.interrupt;
            while (m.state.retired() < stop) {
                long rip = m.state.rip();
                boolean kernel = rip >= 0x1000 && rip < ProgramMachine.CODE && m.state.cpl() == 0;
                boolean among = rip >= ProgramMachine.DATA && (rip & 4095) == ProgramMachine.RET;
                if ((rip < start || rip >= end) && !kernel && !among) {
                    return true;
                }
                if (!(m.run(1, interrupt) instanceof VcpuExit.BudgetSpent)) {
                    return false;
                }
                interrupt = -1;
            }
        }
        return false;
    }
}
