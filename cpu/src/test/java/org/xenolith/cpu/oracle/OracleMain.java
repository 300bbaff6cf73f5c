package org.xenolith.cpu.oracle;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.xenolith.cpu.decode.InsnTable;
import org.xenolith.cpu.decode.Row;

/**
 * Compares the interpreter with the host's processor for as long as one likes.
 *
 * <p>Arguments: a regular expression that rows must contain (default: all), and the number of mismatches to show a
 * row (default 1). Properties: {@code xenolith.seed}, {@code xenolith.oracle.cases} (cases a row, default 200),
 * {@code xenolith.oracle.sequences} (sequences of up to eight instructions, default none),
 * {@code xenolith.oracle.slow} (true: through the engine's slow paths).
 */
public final class OracleMain {
    private OracleMain() {}

    /** Runs and prints. */
    public static void main(String[] arguments) {
        long seed = Long.getLong("xenolith.seed", System.nanoTime());
        int cases = Integer.getInteger("xenolith.oracle.cases", 200);
        int sequences = Integer.getInteger("xenolith.oracle.sequences", 0);
        String filter = arguments.length > 0 ? arguments[0] : "";
        int show = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 1;
        HostFeatures host = new HostFeatures();
        List<Row> rows = new ArrayList<>();
        for (Row row : InsnTable.get().rows()) {
            if (Exclusions.reason(row) != null || !row.text.matches(".*" + filter + ".*")) {
                continue;
            }
            if (!host.has(row)) {
                System.out.println("skipped, the host has no " + row.feature + ": " + CaseText.key(row));
                continue;
            }
            rows.add(row);
        }
        System.out.println("seed " + seed + ", " + rows.size() + " rows");
        Map<String, Integer> bad = new TreeMap<>();
        long start = System.nanoTime();
        try (Differential differential = new Differential()) {
            differential.slowPaths(Boolean.getBoolean("xenolith.oracle.slow"));
            differential.random(rows, cases, new SplittableRandom(seed), mismatch -> {
                int n = bad.merge(mismatch.row().text, 1, Integer::sum);
                if (n <= show) {
                    System.out.println(mismatch);
                }
            });
            differential.sequences(rows, sequences, new SplittableRandom(seed), mismatch -> {
                int n = bad.merge("sequences", 1, Integer::sum);
                if (n <= show * 3) {
                    System.out.println(mismatch);
                }
            });
            double seconds = (System.nanoTime() - start) / 1e9;
            System.out.printf(
                    "%d cases in %.1f s (%.0f a second)%n", differential.ran(), seconds, differential.ran() / seconds);
        }
        bad.forEach((row, n) -> System.out.println(n + " of " + cases + ": " + row.replaceAll("\\s+", " ")));
        System.out.println(bad.size() + " rows of " + rows.size() + " differ");
    }
}
