package org.xenolith.bench;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class StressRunTest {
    private static StressRun.Verdict verdict(String... lines) {
        StressRun.Reader reader = new StressRun.Reader(4);
        for (String line : lines) {
            reader.line(line);
        }
        return reader.verdict("it ended with status 3");
    }

    @Test
    void aGuestThatPassesEverythingIsWell() {
        StressRun.Verdict verdict =
                verdict("PROCESSORS 4", "PHASE one by one", "PASS futex 12", "PROCESSORS 4", "STRESS END");
        assertThat(verdict.failures()).isEmpty();
        assertThat(verdict.passed()).containsExactly("futex 12");
    }

    @Test
    void failuresAndTheKernelsComplaintsAreReported() {
        StressRun.Verdict verdict = verdict(
                "PROCESSORS 4",
                "PASS futex 12",
                "FAILED litmus a flag was seen before its data",
                "PROCESSORS 4",
                "COMPLAINT [ 12.5] watchdog: BUG: soft lockup - CPU#1 stuck for 22s!",
                "STRESS END");
        assertThat(verdict.failures()).hasSize(2).first().isEqualTo("FAILED litmus a flag was seen before its data");
    }

    @Test
    void anEarlyEndAndMissingProcessorsAreFailures() {
        assertThat(verdict("PROCESSORS 4", "PASS futex 12").failures())
                .containsExactly("the guest did not get to the end: it ended with status 3");
        assertThat(verdict("PROCESSORS 4", "PASS futex 12", "PROCESSORS 3", "STRESS END")
                        .failures())
                .containsExactly("the guest has 3 processors of 4");
        assertThat(verdict("PROCESSORS 4", "PROCESSORS 4", "STRESS END").failures())
                .containsExactly("no test passed");
    }
}
