package org.xenolith.translate;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HexFormat;
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
    private static final int PROGRAMS = Integer.getInteger("xenolith.programs", 400);
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
        long faults = 0;
        long instructions = 0;
        long translated = 0;
        for (int n = 0; n < PROGRAMS; n++) {
            long[] counts = compare(seeds.nextLong() & ~3L | kind, user, slices);
            faults += counts[0];
            instructions += counts[1];
            translated += counts[2];
        }
        System.out.println("programs: seed " + SEED + ", " + instructions + " instructions, " + translated
                + " of them in emitted code, " + faults + " page faults");
        assertThat(faults).isGreaterThan(PROGRAMS);
        assertThat(translated).isGreaterThan(instructions / 4);
    }

    /** Page faults, instructions, and those in emitted code. */
    private static long[] compare(long seed, boolean user, boolean slices) {
        SplittableRandom random = new SplittableRandom(seed);
        // The code lies across a page's end.
        long start = ProgramMachine.CODE + 0x1000 - random.nextInt(0x300);
        TableProgram program = new TableProgram(start, random);
        byte[] code = program.make(10 + random.nextInt(50), 1 + random.nextInt(12));

        long machineSeed = random.nextLong();
        try (ProgramMachine expected = new ProgramMachine(false, user, new SplittableRandom(machineSeed));
                ProgramMachine actual = new ProgramMachine(true, user, new SplittableRandom(machineSeed))) {
            expected.load(start, code);
            actual.load(start, code);
            VcpuExit exit;
            do {
                long budget = slices ? 1 + random.nextInt(80) : MOST;
                if (random.nextInt(slices ? 8 : 2) == 0) {
                    int vector = random.nextInt(100);
                    expected.interrupt(vector);
                    actual.interrupt(vector);
                }
                exit = expected.engine.run(budget);
                VcpuExit other = actual.engine.run(budget);
                long flags = program.undefinedFlags(expected.state.rip()) ? ~0x8D5L : -1;
                assertThat(other + " " + actual.registers(flags))
                        .as(() -> describe(seed, start, code))
                        .isEqualTo(exit + " " + expected.registers(flags));
            } while (exit instanceof VcpuExit.BudgetSpent && expected.state.retired() < MOST);
            byte[] memory = expected.memory();
            byte[] other = actual.memory();
            for (int i = 0; i < memory.length; i++) {
                if (memory[i] != other[i]) {
                    assertThat(other[i])
                            .as("memory at 0x%x, %s", i + 0x1000, describe(seed, start, code))
                            .isEqualTo(memory[i]);
                }
            }
            assertThat(actual.devices()).as(() -> describe(seed, start, code)).isEqualTo(expected.devices());
            return new long[] {
                expected.pageFaults(), actual.state.retired(), ((TranslatingEngine) actual.engine).executed()
            };
        }
    }

    private static String describe(long seed, long start, byte[] code) {
        return "-Dxenolith.program=" + seed + ", code at 0x" + Long.toHexString(start) + ": "
                + HexFormat.of().formatHex(code);
    }
}
