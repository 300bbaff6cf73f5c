package org.xenolith.translate;

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
import org.xenolith.cpu.oracle.Differential;
import org.xenolith.cpu.oracle.Exclusions;
import org.xenolith.cpu.oracle.Fixtures;
import org.xenolith.cpu.oracle.HostFeatures;
import org.xenolith.cpu.oracle.Replay;

/**
 * The translator against real processors: what was recorded from one, and random cases side by side with this host's, for 20
 * seconds or exactly {@code -Dxenolith.oracle.cases=N} a row. {@code -Dxenolith.oracle.details=true} prints a line for each row of the
 * instruction table: cases, those of emitted instructions, those that ran translated.
 */
class TranslatedOracleTest {
    private static final long LIMIT_NANOS = 20_000_000_000L;
    private static final int CASES_A_ROUND = 12;
    private static final int ROUNDS = 40;

    @Test
    void whatWasRecordedFromHardwareComesOutOfTheTranslatorToo() {
        TranslatedProcessor translated = new TranslatedProcessor();
        StringBuilder differences = new StringBuilder();
        try (Replay replay = new Replay(translated.processor, translated::ran)) {
            for (Map<String, List<Fixtures.Recorded>> rows : List.of(Fixtures.all(), Fixtures.regressions())) {
                rows.forEach((key, cases) -> {
                    Row row = replay.row(key);
                    cases.forEach(recorded -> differences.append(replay.run(row, recorded)));
                });
            }
        }
        System.out.println("recorded cases: " + translated.summary());
        assertThat(differences.toString()).isEmpty();
    }

    @Test
    void randomCasesComeOutAsOnTheRealProcessorAndEveryEmittedRowRunsTranslated() {
        Assumptions.assumeTrue(Differential.available(), "skipped: the host is not Linux on x86-64");
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
        TranslatedProcessor translated = new TranslatedProcessor();
        try (Differential differential = new Differential(translated.processor, translated::ran)) {
            for (int round = 0; round < (exact != null ? 1 : ROUNDS) && System.nanoTime() < end; round++) {
                differential.random(
                        rows,
                        exact != null ? exact : CASES_A_ROUND,
                        random,
                        mismatch -> mismatches.putIfAbsent(mismatch.row().text, mismatch.toString()));
                differential.sequences(
                        rows,
                        exact != null ? exact * 100 : 1000,
                        random,
                        mismatch -> mismatches.putIfAbsent("sequence", mismatch.toString()));
            }
            System.out.println("oracle: seed " + seed + ", " + differential.ran() + " cases; " + translated.summary()
                    + (skipped.isEmpty() ? "" : "; skipped, the host lacks: " + skipped));
        }
        if (Boolean.getBoolean("xenolith.oracle.details")) {
            System.out.println(translated.details());
        }
        assertThat(mismatches.values()).as("mismatches, seed %d", seed).isEmpty();
        assertThat(translated.neverTranslated())
                .as("emitted, but no case ran translated")
                .isEmpty();
    }
}
