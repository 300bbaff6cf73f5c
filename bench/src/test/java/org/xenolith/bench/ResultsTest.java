package org.xenolith.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class ResultsTest {
    private static final Workload SIEVE = Workloads.find("sieve").orElseThrow();
    private static final Workload INTEGER = Workloads.find("integer").orElseThrow();
    private static final Workload PIPE = Workloads.find("pipe").orElseThrow();

    private static Outcome measured(long units, double seconds) {
        return new Outcome.Measured(units, seconds, seconds, "00000000000000aa");
    }

    @Test
    void ratiosPairTheRoundsAndDivideTimesNotRates() {
        Results results = new Results(List.of(SIEVE));
        results.add(Contestant.TCG, Map.of("sieve", measured(100, 1)));
        results.add(Contestant.XENOLITH, Map.of("sieve", measured(400, 1)));
        results.add(Contestant.XENOLITH, Map.of("sieve", measured(300, 1)));
        results.add(Contestant.TCG, Map.of("sieve", measured(100, 1)));
        Statistics ratio =
                results.ratio(Contestant.TCG, Contestant.XENOLITH, SIEVE).orElseThrow();
        assertThat(ratio.max()).isCloseTo(4.0, within(1e-9));
        assertThat(ratio.min()).isCloseTo(3.0, within(1e-9));
    }

    @Test
    void aFailedRoundTakesNoPartInRatiosAndIsReportedOnce() {
        Results results = new Results(List.of(SIEVE));
        for (int round = 0; round < 2; round++) {
            results.add(Contestant.XENOLITH, Map.of("sieve", new Outcome.Failure("no answer within 90 s")));
            results.add(Contestant.TCG, Map.of("sieve", measured(100, 1)));
        }
        assertThat(results.ratio(Contestant.TCG, Contestant.XENOLITH, SIEVE)).isEmpty();
        assertThat(results.problems()).containsExactly("xenolith: sieve: no answer within 90 s");
    }

    @Test
    void differentChecksumsAreAProblemEvenWhenAllFinish() {
        Results results = new Results(List.of(SIEVE));
        results.add(Contestant.NATIVE, Map.of("sieve", measured(100, 1)));
        results.add(Contestant.XENOLITH, Map.of("sieve", new Outcome.Measured(9, 1, 1, "00000000000000ab")));
        assertThat(results.problems())
                .hasSize(1)
                .first()
                .asString()
                .contains("different checksums", "00000000000000ab");
    }

    @Test
    void aGuestClockThatRunsWrongIsNotBelieved() {
        Outcome.Measured hurried = new Outcome.Measured(10, 1.0, 2.0, "00000000000000aa");
        assertThat(hurried.clockAgrees()).isFalse();
        assertThat(hurried.secondsPerUnit()).isEqualTo(0.2);
        assertThat(new Outcome.Measured(10, 1.0, 1.03, "00000000000000aa").secondsPerUnit())
                .isEqualTo(0.1);
    }

    @Test
    void countedInstructionsBecomeARate() {
        Results results = new Results(List.of(INTEGER, PIPE));
        results.add(Contestant.XENOLITH, Map.of("integer", measured(6, 1), "pipe", measured(6, 1)));
        assertThat(results.instructionsPerSecond(Contestant.XENOLITH, INTEGER).orElseThrow())
                .isCloseTo(60e6, within(1.0));
        assertThat(results.instructionsPerSecond(Contestant.XENOLITH, PIPE)).isEmpty();
    }

    @Test
    void meansAreTakenByGroupAndOfAll() {
        Results results = new Results(List.of(SIEVE, PIPE));
        results.add(Contestant.XENOLITH, Map.of("sieve", measured(1, 1), "pipe", measured(1, 4)));
        results.add(Contestant.TCG, Map.of("sieve", measured(1, 4), "pipe", measured(1, 4)));
        assertThat(results.meanRatio(Contestant.TCG, Contestant.XENOLITH, Group.INTEGER)
                        .orElseThrow())
                .isCloseTo(4.0, within(1e-9));
        assertThat(results.meanRatio(Contestant.TCG, Contestant.XENOLITH, null).orElseThrow())
                .isCloseTo(2.0, within(1e-9));
        assertThat(results.meanRatio(Contestant.TCG, Contestant.XENOLITH, Group.FLOAT))
                .isEmpty();
    }
}
