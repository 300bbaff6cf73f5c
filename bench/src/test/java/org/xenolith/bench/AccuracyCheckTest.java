package org.xenolith.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
final class AccuracyCheckTest {
    private static AccuracyCheck.Transcript transcript(List<String> lines, double nap) {
        return new AccuracyCheck.Transcript(Map.of("float", lines), 0, 0.002, nap, nap, 400L << 20, 412L << 20, "");
    }

    @Test
    void aGuestThatAgreesKeepsEveryPromise() {
        List<AccuracyCheck.Finding> findings =
                AccuracyCheck.judge(transcript(List.of("sin 1 2"), 10.02), transcript(List.of("sin 1 2"), 10));
        assertThat(findings).allMatch(AccuracyCheck.Finding::ok);
        assertThat(findings.stream().map(AccuracyCheck.Finding::name)).contains("date", "clock", "sleep", "float");
    }

    @Test
    void aShortNapAndADifferentDigitAreFound() {
        List<AccuracyCheck.Finding> findings = AccuracyCheck.judge(
                transcript(List.of("a", "0.10000000000000002"), 9.8),
                transcript(List.of("a", "0.10000000000000001"), 10));
        assertThat(findings.stream().filter(f -> !f.ok()).map(AccuracyCheck.Finding::name))
                .containsExactly("sleep", "float");
        assertThat(findings.getLast().detail()).contains("1 lines differ", "0.10000000000000002");
    }

    @Test
    void residentMemoryIsJudgedByWhatTheGuestUses() {
        AccuracyCheck.Transcript idle = transcript(List.of(), 10);
        assertThat(AccuracyCheck.memory(idle, 512L << 20))
                .isEqualTo(new AccuracyCheck.Finding(
                        "memory", false, "resident 400 MiB with an idle guest that uses 100 MiB: 300 MiB more"));
        assertThat(AccuracyCheck.memory(idle, 600L << 20).ok()).isTrue();
    }

    @Test
    void aDateIsRightDuringItsWholeSecond() {
        assertThat(AccuracyCheck.dateError(100, 100.0)).isZero();
        assertThat(AccuracyCheck.dateError(100, 100.99)).isZero();
        assertThat(AccuracyCheck.dateError(100, 101.5)).isEqualTo(-0.5);
        assertThat(AccuracyCheck.dateError(100, 99.5)).isEqualTo(0.5);
    }

    @Test
    void clocksThatWereNeverReadAreNotOk() {
        AccuracyCheck.Transcript silent = new AccuracyCheck.Transcript(
                Map.of(), Double.NaN, Double.NaN, Double.NaN, Double.NaN, 0, 0, "ended early");
        assertThat(AccuracyCheck.judge(silent, transcript(List.of("a"), 10))).noneMatch(AccuracyCheck.Finding::ok);
    }

    @Test
    void aGuestThatDoesNotStartIsNotWaitedForLong() throws BenchException {
        try (Console console = Console.start(List.of("/bin/sh", "-c", "echo booting; sleep 50"), Map.of(), null)) {
            AccuracyCheck.Transcript read = AccuracyCheck.read(console, Duration.ofSeconds(3), Duration.ofMinutes(15));
            assertThat(read.trouble()).isEqualTo("not finished within 3 s; last line: booting");
        }
    }

    @Test
    void aTranscriptIsReadFromAConsole() throws BenchException {
        String script = "echo BEGIN clock; echo CLOCK $(date +%s).500000000 100.0; echo DATE $(date +%s); "
                + "echo BEGIN sleep; sleep 0.2; echo SLEPT; echo FREE 2048; echo CLOCK $(date +%s).500000000 100.2; "
                + "echo OUTPUT float; echo one; echo; echo STATUS float 0; "
                + "echo OUTPUT busybox; echo STATUS busybox 3; sleep 50";
        AccuracyCheck.Transcript read;
        try (Console console = Console.start(List.of("/bin/sh", "-c", script), Map.of(), null)) {
            read = AccuracyCheck.read(console, Duration.ofSeconds(20), Duration.ofSeconds(20));
        }
        assertThat(read.trouble()).isEmpty();
        assertThat(read.outputs().get("float")).containsExactly("one", "", "STATUS float 0");
        assertThat(read.outputs().get("busybox")).containsExactly("STATUS busybox 3");
        assertThat(read.guestFreeBytes()).isEqualTo(2048L << 10);
        assertThat(read.residentBytes()).isPositive();
        assertThat(read.napSeconds()).isBetween(0.15, 5.0);
        assertThat(Math.abs(read.clockError())).isLessThan(5);
    }
}
