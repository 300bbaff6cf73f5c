package org.xenolith.cpu.oracle;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.decode.InsnTable;
import org.xenolith.cpu.decode.Row;

/**
 * The interpreter against the processor that we run on, with random cases: at most a minute, or exactly
 * {@code -Dxenolith.oracle.cases=N} a row. The seed is printed; {@code -Dxenolith.seed=S} repeats a run.
 */
class OracleLiveTest {
    private static final long LIMIT_NANOS = 45_000_000_000L;
    private static final int CASES_A_ROUND = 25;
    private static final int ROUNDS = 40;

    @Test
    void randomCasesComeOutAsOnTheRealProcessor() {
        Assumptions.assumeTrue(OracleProcess.available(), "skipped: the host is not Linux on x86-64");
        long seed = Long.getLong("xenolith.seed", System.nanoTime());
        Integer exact = Integer.getInteger("xenolith.oracle.cases");
        HostFeatures host = new HostFeatures();
        List<Row> rows = new ArrayList<>();
        List<String> skipped = new ArrayList<>();
        for (Row row : InsnTable.get().rows()) {
            if (Exclusions.reason(row) == null) {
                if (host.has(row)) {
                    rows.add(row);
                } else {
                    skipped.add(row.mnemonic + " (" + row.feature + ")");
                }
            }
        }
        Map<String, String> mismatches = new LinkedHashMap<>();
        SplittableRandom random = new SplittableRandom(seed);
        long end = System.nanoTime() + LIMIT_NANOS;
        try (Differential differential = new Differential()) {
            for (int round = 0; round < (exact != null ? 1 : ROUNDS) && System.nanoTime() < end; round++) {
                differential.slowPaths(round % 4 == 3);
                differential.random(
                        rows,
                        exact != null ? exact : CASES_A_ROUND,
                        random,
                        mismatch -> mismatches.putIfAbsent(mismatch.row().text, mismatch.toString()));
                differential.sequences(
                        rows,
                        Layout.SLOTS,
                        random,
                        mismatch -> mismatches.putIfAbsent("sequence", mismatch.toString()));
            }
            System.out.println("oracle: seed " + seed + ", " + rows.size() + " rows, " + differential.ran() + " cases, "
                    + (skipped.isEmpty() ? "no row skipped" : "skipped, the host lacks: " + skipped));
        }
        assertThat(mismatches.values()).as("mismatches, seed %d", seed).isEmpty();
    }
}
