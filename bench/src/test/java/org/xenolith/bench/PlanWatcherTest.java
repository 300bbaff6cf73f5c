package org.xenolith.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Guests are shell scripts here: what matters is what they print and when they stop. */
@Timeout(60)
final class PlanWatcherTest {
    private static PlanWatcher.Progress watch(String script) throws BenchException {
        PlanWatcher.Limits limits = new PlanWatcher.Limits(Duration.ofSeconds(5), Duration.ofSeconds(5));
        try (Console console = Console.start(List.of("/bin/sh", "-c", script), Map.of(), null)) {
            return new PlanWatcher(limits, what -> {}).watch(console, true);
        }
    }

    private static final String GOOD = "echo XENOLITH-BENCH INIT; echo START sieve; echo BEGIN sieve; sleep 0.3; "
            + "echo RESULT sieve 3 0.300000 00000000000000aa; ";

    @Test
    void aPlanThatGoesThroughGivesBootTimeAndResults() throws BenchException {
        PlanWatcher.Progress progress = watch(GOOD + "echo XENOLITH-BENCH END; sleep 100");
        assertThat(progress.finished()).isTrue();
        assertThat(progress.bootSeconds()).isBetween(0.0, 5.0);
        assertThat(progress.outcomes().get("sieve")).isInstanceOfSatisfying(Outcome.Measured.class, m -> {
            assertThat(m.units()).isEqualTo(3);
            assertThat(m.hostSeconds()).isBetween(0.25, 5.0);
        });
    }

    @Test
    void aGuestThatHangsFailsTheWorkloadItHangsIn() throws BenchException {
        PlanWatcher.Progress progress = watch(GOOD + "echo START pipe; echo BEGIN pipe; sleep 100");
        assertThat(progress.finished()).isFalse();
        assertThat(progress.outcomes()).containsKey("sieve");
        assertThat(progress.outcomes().get("pipe")).isEqualTo(new Outcome.Failure("no answer within 5 s"));
        assertThat(progress.trouble()).isEqualTo("no answer within 5 s in pipe");
    }

    @Test
    void aGuestThatEndsEarlyTellsItsStatus() throws BenchException {
        PlanWatcher.Progress progress = watch(GOOD + "echo START pipe; exit 77");
        assertThat(progress.outcomes().get("pipe")).isEqualTo(new Outcome.Failure("ended early with status 77"));
    }

    @Test
    void aGuestThatNeverReachesInitShowsItsLastLine() throws BenchException {
        PlanWatcher.Progress progress = watch("echo not a kernel >&2; exit 5");
        assertThat(progress.bootSeconds()).isNegative();
        assertThat(progress.trouble()).isEqualTo("ended early with status 5; last line: not a kernel");
    }

    @Test
    void aPanicStopsThePlanAtOnce() throws BenchException {
        PlanWatcher.Progress progress = watch(GOOD + "echo START pipe; echo Kernel panic - not syncing; sleep 100");
        assertThat(progress.outcomes().get("pipe")).isEqualTo(new Outcome.Failure("Kernel panic - not syncing"));
    }

    @Test
    void aClockThatStandsStillIsAFailure() throws BenchException {
        PlanWatcher.Progress progress = watch("echo XENOLITH-BENCH INIT; echo BEGIN crc; "
                + "echo RESULT crc 5 0.000000 00000000000000aa; echo XENOLITH-BENCH END");
        assertThat(progress.outcomes().get("crc")).isInstanceOf(Outcome.Failure.class);
    }
}
