package org.xenolith.translate;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.decode.Decoder;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.decode.InsnTable;
import org.xenolith.cpu.decode.Row;
import org.xenolith.cpu.oracle.CaseGenerator;
import org.xenolith.cpu.oracle.RowEncoder;

/**
 * Everything that the translator emits passes {@link EmittedCodeCheck}: for all rows of the instruction table, for random programs, for
 * random bytes, for real programs. {@code -Dxenolith.seed=S} repeats a run, {@code -Dxenolith.emitted=N} makes N times as much, and
 * {@code -Dxenolith.code=FILE} takes the code of that file (a vmlinux for example) instead of the JVM's.
 */
class EmittedCodeTest {
    private static final long SEED = Long.getLong("xenolith.seed", System.nanoTime());
    private static final int TIMES = Integer.getInteger("xenolith.emitted", 1);
    private static final List<Row> ROWS =
            InsnTable.get().rows().stream().filter(row -> !row.not64).toList();
    private static final int[] POINTERS = {4, 5, 12, 14, 15};
    private static final CaseGenerator.Surroundings AROUND = new CaseGenerator.Surroundings(
            POINTERS,
            9,
            new int[] {0, 1, 2, 3, 6, 7, 8, 10, 11},
            ProgramMachine.DATA,
            ProgramMachine.DATA_PAGES * 4096);

    private final Decoder decoder = new Decoder();
    /** The way that a trace goes at each branch. */
    private final SplittableRandom ways = new SplittableRandom(SEED);

    private int traces;

    /** Translates and checks the blocks that begin at an offset, or at each instruction from there to the end of the page. */
    private void check(Translation t, EmittedCodeCheck check, int offset, byte[] code, boolean all) {
        t.load(offset, code, code.length);
        int at = offset;
        do {
            String which = "block";
            try {
                check.block(t.block(at).code, t.memory.next(), address -> false);
                TranslatedBlock trace = t.trace(at, ways);
                if (trace != null) {
                    which = "trace";
                    traces++;
                    check.block(trace.code, t.memory.next(), address -> false);
                }
            } catch (UnsafeCode e) {
                throw new AssertionError(
                        "seed " + SEED + ", " + which + " at 0x" + Integer.toHexString(at) + " of guest code at 0x"
                                + Integer.toHexString(offset) + ": "
                                + HexFormat.of().formatHex(code),
                        e);
            }
            int from = at - offset;
            Insn insn = decoder.decode(i -> from + i < code.length ? code[from + i] & 0xff : 0xCC, 0, 3);
            at += insn == null ? 1 : insn.length();
        } while (all && at < Math.min(offset + code.length, 4096));
    }

    /** Checks what the translator makes of portions of guest code, and says how much that was. */
    private void portions(int count, boolean all, Function<SplittableRandom, byte[]> code) {
        SplittableRandom seeds = new SplittableRandom(SEED);
        for (boolean exact : new boolean[] {false, true}) {
            try (Translation t = new Translation(exact)) {
                EmittedCodeCheck check = new EmittedCodeCheck(t.trampolines);
                for (int n = 0; n < count * TIMES; n++) {
                    SplittableRandom random = new SplittableRandom(seeds.nextLong());
                    byte[] portion = code.apply(random);
                    int offset = random.nextInt(4) == 0 ? 4096 - random.nextInt(1, 64) : random.nextInt(4096);
                    check(t, check, offset, portion, all);
                }
                System.out.println("emitted code: seed " + SEED + ", " + check.blocks() + " blocks, " + traces
                        + " traces, " + check.instructions() + " instructions of the host");
                assertThat(check.instructions()).isGreaterThan(check.blocks() * 2);
            }
        }
    }

    /** Instructions of the table one behind another, with operands that make sense together when {@code sensible}. */
    private static byte[] sequence(SplittableRandom random, int length, boolean sensible) {
        byte[] code = new byte[length * 16];
        int size = 0;
        for (int n = 0; n < length; n++) {
            Row row = ROWS.get(random.nextInt(ROWS.size()));
            byte[] one = sensible && !row.endsBlock && !row.has("sys")
                    ? CaseGenerator.instruction(row, AROUND, ProgramMachine.CODE + size, random)
                    : RowEncoder.encode(row, random).code();
            System.arraycopy(one, 0, code, size, one.length);
            size += one.length;
        }
        return Arrays.copyOf(code, size);
    }

    @Test
    void everyEncodingOfEveryRowIsEmittedAsHarmlessCode() {
        int[] next = {0};
        portions(
                ROWS.size() * 3,
                false,
                random -> RowEncoder.encode(ROWS.get(next[0]++ % ROWS.size()), random)
                        .code());
    }

    @Test
    void instructionsThatFollowEachOtherAreEmittedAsHarmlessCode() {
        portions(600, false, random -> sequence(random, random.nextInt(2, 30), true));
        portions(150, true, random -> sequence(random, random.nextInt(2, 10), false));
    }

    @Test
    void randomProgramsAreEmittedAsHarmlessCode() {
        portions(6, true, random -> new TableProgram(ProgramMachine.CODE, random).make(random.nextInt(5, 40), 1));
        portions(6, true, random -> {
            RandomProgram program = new RandomProgram(random);
            return Arrays.copyOf(program.make(random.nextInt(5, 40), 1), program.size());
        });
    }

    @Test
    void randomBytesAreEmittedAsHarmlessCode() {
        portions(15, true, random -> {
            byte[] code = new byte[200];
            random.nextBytes(code);
            return code;
        });
    }

    @Test
    void addressesAtTheEdgesAreEmittedAsHarmlessCode() {
        portions(1000, false, EmittedCodeTest::edges);
    }

    /** Accesses that nearly share a page, with displacements around the ends of all ranges, and pointers that move. */
    private static byte[] edges(SplittableRandom random) {
        Assembler a = new Assembler();
        a.start(0);
        int[] edges = {0, 0x7f, -0x80, 0x7fff_ffff, 0x8000_0000, 1 << 30, -(1 << 30), 0x1000};
        for (int n = random.nextInt(2, 12); n > 0; n--) {
            int base = random.nextInt(3) == 0 ? Assembler.RSP : random.nextInt(3) == 0 ? Assembler.R10 : Assembler.RBX;
            int edge = edges[random.nextInt(edges.length)] + random.nextInt(-40, 40);
            switch (random.nextInt(9)) {
                case 0, 1 -> a.store(random.nextInt(4), base, edge, Assembler.RAX);
                case 2, 3 -> a.load(random.nextInt(4), Assembler.RDX, base, edge);
                case 4 ->
                    a.rm(0, 2, Assembler.MAP_0F, 0x28 + random.nextInt(2), 1, base, Assembler.NONE, 0, edge & -16);
                case 5 -> a.aluImmediate(random.nextBoolean() ? Assembler.ADD : Assembler.SUB, 3, base, edge);
                case 6 -> a.lea(base, base, Assembler.NONE, 0, edge);
                case 7 -> a.push(Assembler.RSI);
                default -> a.pop(Assembler.RDI);
            }
        }
        return Arrays.copyOf(a.finish(), a.size());
    }

    @Test
    void codeOfRealProgramsIsEmittedAsHarmlessCode() throws IOException {
        String file = System.getProperty(
                "xenolith.code",
                Path.of(System.getProperty("java.home"), "lib", "server", "libjvm.so")
                        .toString());
        byte[] page = new byte[4096];
        try (RandomAccessFile in = new RandomAccessFile(file, "r")) {
            long pages = in.length() / 4096;
            portions(5, true, random -> {
                try {
                    in.seek(random.nextLong(pages) * 4096);
                    in.readFully(page);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
                return page;
            });
        }
    }
}
