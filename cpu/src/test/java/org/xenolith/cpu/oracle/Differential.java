package org.xenolith.cpu.oracle;

import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.xenolith.cpu.decode.Row;
import org.xenolith.memory.Raw;

/** Runs cases on the host's processor and on an engine, a batch at a time and side by side, and hands mismatches to somebody. */
public final class Differential implements AutoCloseable {
    /** A case that came out differently. */
    public record Mismatch(
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
    private final EngineProcessor engine;
    private final BiConsumer<Row, TestCase> watcher;
    private final Arena arena = Arena.ofShared();
    private final long scratch = arena.allocate(Outcome.SIZE, 64).address();

    private final boolean runs32BitCode = oracle.runs32BitCode();

    /** Cases that ran. */
    private long ran;

    /** Compares the interpreter. */
    Differential() {
        this(new EngineProcessor(), (row, testCase) -> {});
    }

    /** Compares an engine, which is closed in the end; {@code watcher} hears of each case that the engine just ran. */
    public Differential(EngineProcessor engine, BiConsumer<Row, TestCase> watcher) {
        this.engine = engine;
        this.watcher = watcher;
    }

    /** True where instructions of the table can be run natively. */
    public static boolean available() {
        return OracleProcess.available();
    }

    /** Number of cases that ran. */
    public long ran() {
        return ran;
    }

    /** Whether the engine has to take its slow paths: see {@link EngineProcessor#slowPaths}. */
    void slowPaths(boolean on) {
        engine.slowPaths = on;
    }

    /** Compares one batch; {@code rows.get(i)} is the row of {@code cases.get(i)}. */
    void run(List<Row> rows, List<TestCase> cases, Consumer<Mismatch> mismatches) {
        int count = cases.size();
        oracle.put(cases);
        oracle.start(count);
        engine.place(oracle.caseAt(0), count);
        List<Outcome> ours = new ArrayList<>(count);
        List<String> broken = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            Raw.fill(scratch, Outcome.SIZE, (byte) 0);
            engine.run(oracle.caseAt(i), scratch);
            watcher.accept(rows.get(i), cases.get(i));
            ours.add(Outcome.load(scratch));
            Throwable thrown = engine.broken;
            broken.add(thrown == null ? null : describe(thrown));
        }
        oracle.finish(count);
        List<Mismatch> found = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Mismatch mismatch = compare(rows.get(i), cases.get(i), oracle.outcome(i), ours.get(i), broken.get(i));
            if (mismatch != null) {
                found.add(mismatch);
            }
        }
        ran += count;
        for (Mismatch first : found) {
            // Once more: an interrupt of the host while rsp was not canonical shows as a fault on some processors.
            oracle.put(List.of(first.testCase));
            oracle.start(1);
            oracle.finish(1);
            Mismatch again = compare(first.row, first.testCase, oracle.outcome(0), first.ours, first.broken);
            if (again != null) {
                mismatches.accept(again);
            }
        }
    }

    /** The mismatch of a case, or null. */
    private static Mismatch compare(Row row, TestCase testCase, Outcome hardware, Outcome ours, String broken) {
        if (row.semantics.equals("Fxsave.fxsave")) {
            hardware.hideMxcsrMask(testCase);
        }
        List<String> differences = Comparison.differences(row, testCase, hardware, ours);
        return differences.isEmpty() && broken == null
                ? null
                : new Mismatch(row, testCase, hardware, ours, differences, broken);
    }

    private static String describe(Throwable thrown) {
        StackTraceElement[] trace = thrown.getStackTrace();
        return thrown + (trace.length > 0 ? " at " + trace[0] : "");
    }

    /** Random cases: {@code perRow} of each row, but for those that the host cannot run. */
    public void random(List<Row> rows, int perRow, SplittableRandom random, Consumer<Mismatch> mismatches) {
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
    public void sequences(List<Row> rows, int count, SplittableRandom random, Consumer<Mismatch> mismatches) {
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
        engine.close();
        arena.close();
    }
}
