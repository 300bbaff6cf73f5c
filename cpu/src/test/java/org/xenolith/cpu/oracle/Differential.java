package org.xenolith.cpu.oracle;

import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import org.xenolith.cpu.decode.Row;
import org.xenolith.memory.Raw;

/** Runs cases on both processors, a batch at a time and side by side, and hands mismatches to somebody. */
final class Differential implements AutoCloseable {
    /** A case that came out differently. */
    record Mismatch(
            Row row, TestCase testCase, Outcome hardware, Outcome ours, List<String> differences, String broken) {
        @Override
        public String toString() {
            return row.text.replaceAll("\\s+", " ") + "\n  " + CaseText.format(testCase) + "\n  hardware "
                    + CaseText.format(testCase, hardware) + "\n  ours     "
                    + (broken != null ? broken : CaseText.format(testCase, ours)) + "\n  "
                    + String.join("\n  ", differences);
        }
    }

    private final OracleProcess oracle = new OracleProcess();
    private final InterpretedProcessor interpreter = new InterpretedProcessor();
    private final Arena arena = Arena.ofShared();
    private final long scratch = arena.allocate(Outcome.SIZE, 64).address();

    private final boolean runs32BitCode = oracle.runs32BitCode();

    /** Cases that ran. */
    long ran;

    /** Whether the engine has to take its slow paths: see {@link InterpretedProcessor#slowPaths}. */
    void slowPaths(boolean on) {
        interpreter.slowPaths = on;
    }

    /** Compares one batch; {@code rows.get(i)} is the row of {@code cases.get(i)}. */
    void run(List<Row> rows, List<TestCase> cases, Consumer<Mismatch> mismatches) {
        int count = cases.size();
        oracle.put(cases);
        oracle.start(count);
        interpreter.place(oracle.caseAt(0), count);
        List<Outcome> ours = new ArrayList<>(count);
        List<String> broken = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            Raw.fill(scratch, Outcome.SIZE, (byte) 0);
            interpreter.run(oracle.caseAt(i), scratch);
            ours.add(Outcome.load(scratch));
            Throwable thrown = interpreter.broken;
            broken.add(thrown == null ? null : describe(thrown));
        }
        oracle.finish(count);
        for (int i = 0; i < count; i++) {
            Outcome hardware = oracle.outcome(i);
            if (rows.get(i).semantics.equals("Fxsave.fxsave")) {
                hardware.hideMxcsrMask(cases.get(i));
            }
            List<String> differences = Comparison.differences(rows.get(i), cases.get(i), hardware, ours.get(i));
            if (!differences.isEmpty() || broken.get(i) != null) {
                mismatches.accept(
                        new Mismatch(rows.get(i), cases.get(i), hardware, ours.get(i), differences, broken.get(i)));
            }
        }
        ran += count;
    }

    private static String describe(Throwable thrown) {
        StackTraceElement[] trace = thrown.getStackTrace();
        return thrown + (trace.length > 0 ? " at " + trace[0] : "");
    }

    /** Random cases: {@code perRow} of each row. */
    void random(List<Row> rows, int perRow, SplittableRandom random, Consumer<Mismatch> mismatches) {
        List<Row> batchRows = new ArrayList<>();
        List<TestCase> batch = new ArrayList<>();
        for (Row row : rows) {
            for (int i = 0; i < perRow; i++) {
                TestCase c = CaseGenerator.next(row, batch.size(), random);
                if (c.mode == 2 && !runs32BitCode) {
                    continue;
                }
                batch.add(c);
                batchRows.add(row);
                if (batch.size() == Layout.SLOTS) {
                    run(batchRows, batch, mismatches);
                    batch.clear();
                    batchRows.clear();
                }
            }
        }
        if (!batch.isEmpty()) {
            run(batchRows, batch, mismatches);
        }
    }

    /** Random sequences of simple instructions from the given rows. */
    void sequences(List<Row> rows, int count, SplittableRandom random, Consumer<Mismatch> mismatches) {
        List<Row> simple = rows.stream().filter(CaseGenerator::fitsSequence).toList();
        List<Row> jumps = rows.stream()
                .filter(row -> row.semantics.startsWith("Control.jcc"))
                .toList();
        Map<String, Row> byText = new HashMap<>();
        jumps.forEach(row -> byText.put(row.text, row));
        for (int done = 0; done < count; done += Layout.SLOTS) {
            List<Row> batchRows = new ArrayList<>();
            List<TestCase> batch = new ArrayList<>();
            for (int i = 0; i < Math.min(Layout.SLOTS, count - done); i++) {
                TestCase c = CaseGenerator.sequence(simple, jumps, batch.size(), random);
                if (c.mode == 2 && !runs32BitCode) {
                    continue;
                }
                batch.add(c);
                batchRows.add(byText.get(c.row));
            }
            run(batchRows, batch, mismatches);
        }
    }

    @Override
    public void close() {
        oracle.close();
        interpreter.close();
        arena.close();
    }
}
