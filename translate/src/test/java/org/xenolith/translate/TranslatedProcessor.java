package org.xenolith.translate;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.xenolith.cpu.Engine;
import org.xenolith.cpu.decode.Decoder;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.decode.InsnTable;
import org.xenolith.cpu.decode.Row;
import org.xenolith.cpu.interpret.Interpreter;
import org.xenolith.cpu.oracle.EngineProcessor;
import org.xenolith.cpu.oracle.TestCase;

/** Runs the oracle's test cases on a translator, and counts for each row of the instruction table what was really translated. */
final class TranslatedProcessor {
    private static final long CODE_BYTES = 16 << 20;

    /** Cases of one row. */
    static final class Count {
        /** Of one instruction in 64-bit code. */
        int cases;
        /** That the translator emits. */
        int listed;
        /** That ended in emitted code, without the interpreter. */
        int translated;
    }

    /** To be closed by whoever runs the cases. */
    final EngineProcessor processor;

    private final Decoder decoder = new Decoder();
    private final Map<Row, Count> counts = new LinkedHashMap<>();
    private TranslatingEngine engine;
    private long executed;

    TranslatedProcessor() {
        processor = new EngineProcessor(this::around);
        InsnTable.get().rows().forEach(row -> counts.put(row, new Count()));
    }

    private Engine around(Interpreter interpreter) {
        engine = new TranslatingEngine(interpreter, false, new CodeMemory(CODE_BYTES));
        return engine;
    }

    /** Counts the case that just ran. */
    void ran(Row row, TestCase c) {
        long done = engine.executed() - executed;
        executed = engine.executed();
        if (c.steps > 1 || c.mode != 3) {
            return;
        }
        Count count = counts.get(row);
        count.cases++;
        if (listed(c)) {
            count.listed++;
            count.translated += done > 0 ? 1 : 0;
        } else if (done > 0) {
            throw new IllegalStateException("translated, although it is not emitted: " + row);
        }
    }

    private boolean listed(TestCase c) {
        Insn insn = decoder.decode(offset -> offset < c.code.length ? c.code[offset] & 0xff : 0xCC, 0, 3);
        return insn != null && insn.length() == c.code.length && engine.emits(insn);
    }

    /** Rows with listed cases none of which ran in emitted code; not those that emitted code leaves alone in user programs. */
    List<String> neverTranslated() {
        return counts.entrySet().stream()
                .filter(entry ->
                        !entry.getKey().has("sys") && !entry.getKey().semantics.equals("Stack.popf"))
                .filter(entry -> entry.getValue().listed > 0 && entry.getValue().translated == 0)
                .map(entry -> entry.getKey().text)
                .toList();
    }

    /** Counts for people. */
    String summary() {
        int rows = 0;
        int emitted = 0;
        long cases = 0;
        long listed = 0;
        long translated = 0;
        for (Count count : counts.values()) {
            rows += count.cases > 0 ? 1 : 0;
            emitted += count.listed > 0 ? 1 : 0;
            cases += count.cases;
            listed += count.listed;
            translated += count.translated;
        }
        return rows + " rows, " + emitted + " of them emitted, " + (rows - emitted) + " handed back; " + cases
                + " cases of 64-bit code, " + listed + " of emitted instructions, " + translated
                + " of these ran translated";
    }

    /** A line a row: cases, listed, translated. */
    String details() {
        StringBuilder text = new StringBuilder();
        counts.forEach((row, count) ->
                text.append(String.format("%5d %5d %5d  %s%n", count.cases, count.listed, count.translated, row.text)));
        return text.toString();
    }
}
