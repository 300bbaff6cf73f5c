package org.xenolith.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

final class ReportTest {
    private static Report report() {
        Results results = new Results(Workloads.all().subList(0, 3));
        results.add(
                Contestant.XENOLITH,
                Map.of(
                        "boot", new Outcome.Measured(1, 20, 20, "-"),
                        "integer", new Outcome.Measured(6, 1, 1, "0000000000000001"),
                        "sieve", new Outcome.Failure("no answer within 90 s")));
        results.add(
                Contestant.TCG,
                Map.of(
                        "boot", new Outcome.Measured(1, 2, 2, "-"),
                        "integer", new Outcome.Measured(60, 1, 1, "0000000000000001"),
                        "sieve", new Outcome.Measured(500, 1, 1, "0000000000000002")));
        return new Report(results, Map.of("host", "a machine"), List.of("sql left out: no library"));
    }

    @Test
    void theTableHasTimesRatiosMeansNotesAndProblems() {
        assertThat(report().table().lines().map(l -> l.strip().replaceAll(" +", " ")))
                .contains(
                        "host: a machine",
                        "workload xenolith tcg tcg/xeno tcg/xeno min..max",
                        "boot 20.0 s 2.00 s 0.10 0.10..0.10",
                        "integer 167 ms 16.7 ms 0.10 0.10..0.10",
                        "sieve failed 2.00 ms - -",
                        "xenolith: integer: 60.0 million guest instructions a second",
                        "note: sql left out: no library",
                        "PROBLEM: xenolith: sieve: no answer within 90 s");
    }

    @Test
    void theJsonHasTheSameNumbersUnderStableNames() {
        JsonNode root = JsonMapper.builder().build().readTree(report().json());
        JsonNode integer = root.get("workloads").get(1);
        assertThat(integer.get("name").asString()).isEqualTo("integer");
        assertThat(integer.get("tcgOverXenolith").get("median").asDouble()).isEqualTo(0.1);
        assertThat(integer.get("engines")
                        .get("xenolith")
                        .get("instructionsPerSecond")
                        .asDouble())
                .isEqualTo(6e7);
        assertThat(root.get("workloads")
                        .get(2)
                        .get("engines")
                        .get("xenolith")
                        .get("rounds")
                        .get(0)
                        .get("reason")
                        .asString())
                .isEqualTo("no answer within 90 s");
        assertThat(root.get("problems").size()).isEqualTo(1);
    }

    @Test
    void timesHaveThreeDigitsAndAUnit() {
        assertThat(List.of(Report.seconds(1.5e-6), Report.seconds(0.012345), Report.seconds(0.5), Report.seconds(12)))
                .containsExactly("1.50 us", "12.3 ms", "500 ms", "12.0 s");
    }

    @Test
    void columnsAreAligned() {
        assertThat(Report.align(List.of(List.of("a", "1"), List.of("long", "200"))))
                .isEqualTo("a       1\nlong  200\n");
    }
}
