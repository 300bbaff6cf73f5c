package org.xenolith.cpu.oracle;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.xenolith.cpu.decode.InsnTable;
import org.xenolith.cpu.decode.Row;

/** The interpreter against results recorded from a real processor: runs on every host. */
class OracleFixtureTest {
    private static Replay replay;

    @BeforeAll
    static void open() {
        replay = new Replay();
    }

    @AfterAll
    static void close() {
        replay.close();
    }

    @TestFactory
    Stream<DynamicTest> everyRowDoesWhatHardwareDid() {
        return tests(Fixtures.all());
    }

    @TestFactory
    Stream<DynamicTest> mismatchesOfThePastStayFixed() {
        return tests(Fixtures.regressions());
    }

    private static Stream<DynamicTest> tests(Map<String, List<Fixtures.Recorded>> rows) {
        return rows.entrySet().stream()
                .map(entry -> DynamicTest.dynamicTest(entry.getKey(), () -> {
                    Row row = replay.row(entry.getKey());
                    assertThat(row)
                            .as("row of the instruction table: %s", entry.getKey())
                            .isNotNull();
                    StringBuilder differences = new StringBuilder();
                    for (Fixtures.Recorded recorded : entry.getValue()) {
                        differences.append(replay.run(row, recorded));
                    }
                    assertThat(differences.toString()).isEmpty();
                }));
    }

    @Test
    void everyRowOfUserModeHasFixturesOrAReasonNotTo() {
        Map<String, List<Fixtures.Recorded>> fixtures = Fixtures.all();
        List<String> missing = InsnTable.get().rows().stream()
                .filter(row -> Exclusions.reason(row) == null)
                .map(CaseText::key)
                .filter(key -> !fixtures.containsKey(key))
                .toList();
        assertThat(missing).as("rows without fixtures (run RecordMain)").isEmpty();
    }

    @Test
    void exclusionsNameRowsThatExist() {
        List<String> semantics =
                InsnTable.get().rows().stream().map(row -> row.semantics).toList();
        assertThat(semantics).containsAll(Exclusions.all().keySet());
    }
}
