package org.xenolith.cpu.oracle;

import java.lang.foreign.Arena;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import org.xenolith.cpu.decode.InsnTable;
import org.xenolith.cpu.decode.Row;
import org.xenolith.memory.Raw;

/** Runs recorded cases on an engine. */
public final class Replay implements AutoCloseable {
    private final Arena arena = Arena.ofShared();
    private final long block = arena.allocate(TestCase.SIZE + Outcome.SIZE, 64).address();
    private final EngineProcessor engine;
    private final BiConsumer<Row, TestCase> watcher;
    private final Map<String, Row> rows = new HashMap<>();

    /** Of the engine. */
    Replay() {
        this(new EngineProcessor(), (row, testCase) -> {});
    }

    /** Of an engine, which is closed in the end; {@code watcher} hears of each case that the engine just ran. */
    public Replay(EngineProcessor engine, BiConsumer<Row, TestCase> watcher) {
        this.engine = engine;
        this.watcher = watcher;
        for (Row row : InsnTable.get().rows()) {
            rows.put(CaseText.key(row), row);
        }
    }

    /** The table's row for a key, or null. */
    public Row row(String key) {
        return rows.get(key);
    }

    /** Differences of one recorded case, as text; empty when the engine does what the hardware did. */
    public String run(Row row, Fixtures.Recorded recorded) {
        Raw.fill(block, TestCase.SIZE + Outcome.SIZE, (byte) 0);
        recorded.testCase().store(block);
        engine.place(block, 1);
        engine.run(block, block + TestCase.SIZE);
        watcher.accept(row, recorded.testCase());
        Outcome ours = Outcome.load(block + TestCase.SIZE);
        if (engine.broken != null) {
            return recorded.line() + "\n  " + engine.broken;
        }
        List<String> differences = Comparison.differences(row, recorded.testCase(), recorded.hardware(), ours);
        return differences.isEmpty()
                ? ""
                : recorded.line() + "\n  " + String.join("\n  ", differences) + " (hardware / ours)";
    }

    @Override
    public void close() {
        engine.close();
        arena.close();
    }
}
