package org.xenolith.translate;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.decode.Decoder;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.decode.InsnTable;
import org.xenolith.cpu.decode.Row;
import org.xenolith.cpu.oracle.RowEncoder;

/**
 * Hostile code: random bytes, and instructions of the table with random operands some of whose bits are wrong, as user and as
 * kernel, on a {@link ProgramMachine}. The host survives, and the two engines agree on everything that the guest can see, except where what
 * the manuals leave undefined got into the result.
 *
 * <p>{@code -Dxenolith.soup=N} makes N portions of each kind (100,000 take some minutes), {@code -Dxenolith.seed=S} repeats a run.
 */
class ByteSoupTest {
    private static final long SEED = Long.getLong("xenolith.seed", System.nanoTime());
    private static final int PORTIONS = Integer.getInteger("xenolith.soup", 150);
    private static final int BYTES = 256;
    private static final int MOST = 400;
    private static final List<Row> ROWS =
            InsnTable.get().rows().stream().filter(row -> !row.not64).toList();

    @Test
    void randomBytesOfAUserProgramRunTheSameUnderBothEngines() {
        run(false, true);
    }

    @Test
    void randomBytesInTheKernelRunTheSameUnderBothEngines() {
        run(false, false);
    }

    @Test
    void nearlyValidCodeOfAUserProgramRunsTheSameUnderBothEngines() {
        run(true, true);
    }

    @Test
    void nearlyValidCodeInTheKernelRunsTheSameUnderBothEngines() {
        run(true, false);
    }

    private static void run(boolean nearlyValid, boolean user) {
        SplittableRandom seeds = new SplittableRandom(SEED);
        int excused = 0;
        for (int n = 0; n < PORTIONS; n++) {
            long seed = seeds.nextLong();
            SplittableRandom random = new SplittableRandom(seed);
            byte[] code = nearlyValid ? nearlyValid(random) : new byte[BYTES];
            if (!nearlyValid) {
                random.nextBytes(code);
            }
            long start = ProgramMachine.CODE + 0x1000 - random.nextInt(BYTES * 2);
            try (ProgramMachine expected = machine(false, user, seed, start, code);
                    ProgramMachine actual = machine(true, user, seed, start, code)) {
                String left = drive(expected, new SplittableRandom(seed));
                String right = drive(actual, new SplittableRandom(seed));
                boolean same = left.equals(right) && Arrays.equals(expected.memory(), actual.memory());
                if (!same && undefined(user, seed, start, code)) {
                    excused++;
                    continue;
                }
                String what = "seed " + SEED + ", portion " + seed + ": "
                        + HexFormat.of().formatHex(code);
                assertThat(right).as(what).isEqualTo(left);
                assertThat(actual.memory()).as(what).isEqualTo(expected.memory());
            }
        }
        System.out.println("soup: seed " + SEED + ", " + PORTIONS + " portions, " + excused
                + " of them with something undefined in the result");
        assertThat(excused).as("seed %d", SEED).isLessThan(Math.max(8, PORTIONS / 10));
    }

    private static ProgramMachine machine(boolean translate, boolean user, long seed, long start, byte[] code) {
        SplittableRandom random = new SplittableRandom(seed);
        ProgramMachine m = new ProgramMachine(translate, user, random).load(start, code);
        for (int r = 0; r < 16; r++) {
            if (r != 4) {
                m.state.setGpr(
                        r, random.nextInt(3) == 0 ? random.nextLong() : ProgramMachine.DATA + random.nextInt(0x10000));
            }
        }
        return m;
    }

    /** Runs in slices, and says how it ended, what the registers are and what devices saw. */
    private static String drive(ProgramMachine m, SplittableRandom random) {
        VcpuExit exit;
        do {
            exit = m.engine.run(1 + random.nextInt(150));
        } while (exit instanceof VcpuExit.BudgetSpent && m.state.retired() < MOST);
        return exit + " " + m.registers(-1) + "\n" + m.devices();
    }

    private static byte[] nearlyValid(SplittableRandom random) {
        byte[] code = new byte[BYTES];
        int size = 0;
        while (size < BYTES) {
            Row row = ROWS.get(random.nextInt(ROWS.size()));
            byte[] one = RowEncoder.encode(row, random).code();
            if (random.nextInt(16) == 0) {
                one[random.nextInt(one.length)] ^= (byte) (1 << random.nextInt(8));
            }
            if (random.nextInt(16) == 0) {
                int[] prefixes = {0x66, 0x67, 0xF0, 0xF2, 0xF3, 0x2E, 0x64, 0x65, 0x48, 0x41};
                code[size++] = (byte) prefixes[random.nextInt(prefixes.length)];
            }
            for (int i = 0; i < one.length && size < BYTES; i++) {
                code[size++] = one[i];
            }
            if (row.undefinedFlags != 0 && size + 4 <= BYTES) {
                // cmp rax, imm8
                code[size++] = 0x48;
                code[size++] = (byte) 0x83;
                code[size++] = (byte) 0xF8;
                code[size++] = (byte) random.nextInt();
            }
        }
        return code;
    }

    /**
     * Looks, instruction by instruction, for one whose result is undefined, or only approximate, and which is not followed by one
     * that sets all flags.
     */
    private static boolean undefined(boolean user, long seed, long start, byte[] code) {
        Decoder decoder = new Decoder();
        byte[] bytes = new byte[16];
        boolean flags = false;
        try (ProgramMachine m = machine(false, user, seed, start, code)) {
            VcpuExit exit = VcpuExit.BudgetSpent.INSTANCE;
            while (exit instanceof VcpuExit.BudgetSpent && m.state.retired() < MOST + 150) {
                boolean long64 = m.state.in64BitMode();
                long at = m.state.rip() + (long64 ? 0 : m.state.segmentBase(1));
                Arrays.fill(bytes, (byte) 0x90);
                for (int n = 16; n > 0 && !m.engine.linear().read(at, bytes, 0, n); n--) {
                    // Shorter, before the end of a page.
                }
                Insn insn = decoder.decode(i -> i < 16 ? bytes[i] & 0xff : 0x90, 0, long64 ? 3 : 2);
                if (insn == null && flags) {
                    return true;
                }
                if (insn != null) {
                    // With an operand in memory it may fault first, and the flags are pushed.
                    boolean sets = insn.mem == null
                            && insn.row.semantics.matches("Arithmetic\\.(add|sub|cmp|and|or|xor|test|neg)");
                    if (flags && !sets || undefinedResult(insn)) {
                        return true;
                    }
                    flags = insn.row.undefinedFlags != 0 && !insn.row.semantics.startsWith("Arithmetic.");
                }
                exit = m.engine.run(1);
            }
        }
        return false;
    }

    private static boolean undefinedResult(Insn insn) {
        Row row = insn.row;
        return row.has("ulp")
                || row.has("nonoracle") && row.semantics.startsWith("Sse")
                || row.semantics.startsWith("SseMoves.maskmov")
                || row.semantics.matches("Shifts\\.sh[lr]d");
    }
}
