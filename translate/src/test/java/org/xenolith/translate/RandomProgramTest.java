package org.xenolith.translate;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.VcpuState;

/** Both engines on the same programs. */
class RandomProgramTest {
    private static final long SEED = Long.getLong("xenolith.seed", System.nanoTime());

    @Test
    void randomIntegerProgramsEndInTheSameStateUnderBothEngines() {
        SplittableRandom seeds = new SplittableRandom(SEED);
        for (int n = 0; n < 150; n++) {
            compare(seeds.nextLong(), -1, false);
        }
    }

    @Test
    void everyBudgetStopsBothEnginesAtTheSameInstruction() {
        SplittableRandom seeds = new SplittableRandom(SEED + 1);
        for (int n = 0; n < 100; n++) {
            compare(seeds.nextLong(), -1, true);
        }
    }

    @Test
    void aPageThatIsMissingFaultsInTheMiddleOfABlockAsInTheInterpreter() {
        SplittableRandom seeds = new SplittableRandom(SEED + 2);
        for (int n = 0; n < 100; n++) {
            compare(seeds.nextLong(), n % 3, n % 2 == 0);
        }
    }

    @Test
    void anExactEngineGivesEveryFlagAndEveryAccessedBitThatTheInterpreterGives() {
        SplittableRandom seeds = new SplittableRandom(SEED + 3);
        for (int n = 0; n < 300; n++) {
            long seed = seeds.nextLong();
            SplittableRandom random = new SplittableRandom(seed);
            RandomProgram program = new RandomProgram(random, true);
            byte[] code = program.make(20 + random.nextInt(60), 1 + random.nextInt(40));
            byte[] data = new byte[Machines.DATA_BYTES];
            random.nextBytes(data);
            try (Machines expected = new Machines(false, true);
                    Machines actual = new Machines(true, true)) {
                for (Machines m : new Machines[] {expected, actual}) {
                    m.load(code, program.size());
                    m.memory.write(Machines.DATA, data, 0, data.length);
                    if (n % 3 == 0) {
                        m.unmap(Machines.DATA + 0x1000);
                    }
                }
                VcpuExit left;
                do {
                    long budget = 1 + random.nextInt(200);
                    left = expected.run(budget);
                    VcpuExit right = actual.run(budget);
                    assertThat(right + " " + actual.registers(true))
                            .as("seed %d", seed)
                            .isEqualTo(left + " " + expected.registers(true));
                } while (left instanceof VcpuExit.BudgetSpent);
                assertThat(actual.data()).as("seed %d", seed).isEqualTo(expected.data());
                assertThat(actual.tables()).as("seed %d", seed).isEqualTo(expected.tables());
            }
        }
    }

    private static void compare(long seed, int missingPage, boolean slices) {
        SplittableRandom random = new SplittableRandom(seed);
        RandomProgram program = new RandomProgram(random);
        byte[] code = program.make(20 + random.nextInt(60), 1 + random.nextInt(40));
        byte[] data = new byte[Machines.DATA_BYTES];
        random.nextBytes(data);
        try (Machines expected = new Machines(false);
                Machines actual = new Machines(true)) {
            for (Machines m : new Machines[] {expected, actual}) {
                m.load(code, program.size());
                m.memory.write(Machines.DATA, data, 0, data.length);
                if (missingPage >= 0 && (seed & 1) == 0) {
                    m.unmap(Machines.DATA + missingPage * 4096L);
                } else if (missingPage >= 0) {
                    m.readOnly(Machines.DATA + missingPage * 4096L);
                }
            }
            VcpuExit left;
            do {
                long budget = slices ? 1 + random.nextInt(100) : 1_000_000;
                left = expected.run(budget);
                VcpuExit right = actual.run(budget);
                assertThat(right + " " + actual.registers(false))
                        .as("seed %d", seed)
                        .isEqualTo(left + " " + expected.registers(false));
            } while (left instanceof VcpuExit.BudgetSpent);
            // The data include the frame of a fault, with the flags in it.
            assertThat(actual.registers(true)).as("seed %d", seed).isEqualTo(expected.registers(true));
            assertThat(actual.data()).as("seed %d", seed).isEqualTo(expected.data());
            assertThat(actual.state.getLong(VcpuState.CR2))
                    .as("seed %d", seed)
                    .isEqualTo(expected.state.getLong(VcpuState.CR2));
        }
    }
}
