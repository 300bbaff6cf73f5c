package org.xenolith.cpu.oracle;

import java.lang.foreign.Arena;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.xenolith.cpu.decode.InsnTable;
import org.xenolith.cpu.decode.Row;
import org.xenolith.memory.Raw;

/** Runs recorded cases on the interpreter. */
final class Replay implements AutoCloseable {
    private final Arena arena = Arena.ofShared();
    private final long block = arena.allocate(TestCase.SIZE + Outcome.SIZE, 64).address();
    private final InterpretedProcessor interpreter = new InterpretedProcessor();
    private final Map<String, Row> rows = new HashMap<>();

    Replay() {
        for (Row row : InsnTable.get().rows()) {
            rows.put(CaseText.key(row), row);
        }
    }

    /** The table's row for a key, or null. */
    Row row(String key) {
        return rows.get(key);
    }

    /** Differences of one recorded case, as text; empty when the interpreter does what the hardware did. */
    String run(Row row, Fixtures.Recorded recorded) {
        Raw.fill(block, TestCase.SIZE + Outcome.SIZE, (byte) 0);
        recorded.testCase().store(block);
        interpreter.place(block, 1);
        interpreter.run(block, block + TestCase.SIZE);
        Outcome ours = Outcome.load(block + TestCase.SIZE);
        if (interpreter.broken != null) {
            return recorded.line() + "\n  " + interpreter.broken;
        }
        List<String> differences = Comparison.differences(row, recorded.testCase(), recorded.hardware(), ours);
        return differences.isEmpty()
                ? ""
                : recorded.line() + "\n  " + String.join("\n  ", differences) + " (hardware / ours)";
    }

    @Override
    public void close() {
        interpreter.close();
        arena.close();
    }
}
