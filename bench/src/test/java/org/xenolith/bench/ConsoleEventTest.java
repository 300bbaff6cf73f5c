package org.xenolith.bench;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class ConsoleEventTest {
    @Test
    void aResultLineGivesItsFourValues() {
        assertThat(ConsoleEvent.parse("RESULT sieve 417 0.200238 e6366daa179d165e\r"))
                .contains(new ConsoleEvent.Result("sieve", 417, 0.200238, "e6366daa179d165e"));
    }

    @Test
    void aMarkerIsFoundBehindAKernelMessageOnTheSameLine() {
        assertThat(ConsoleEvent.parse("[    1.2] clocksource: switchedBEGIN pipe"))
                .contains(new ConsoleEvent.Begun("pipe"));
        assertThat(ConsoleEvent.parse("[    0.9] Run /init XENOLITH-BENCH INIT"))
                .contains(new ConsoleEvent.InitReached());
    }

    @Test
    void failuresAndPanicsCarryTheirText() {
        assertThat(ConsoleEvent.parse("FAILED jit ended with status 139"))
                .contains(new ConsoleEvent.Failed("jit", "ended with status 139"));
        assertThat(ConsoleEvent.parse("[ 3.1] Kernel panic - not syncing: no init"))
                .contains(new ConsoleEvent.Panicked("Kernel panic - not syncing: no init"));
    }

    @Test
    void anAbsurdCountIsAFailureAndNotAnException() {
        assertThat(ConsoleEvent.parse("RESULT x87 99999999999999999999999 1.0 00000000000000ff"))
                .containsInstanceOf(ConsoleEvent.Failed.class);
    }

    @Test
    void otherLinesMeanNothing() {
        for (String line :
                new String[] {"", "RESULT", "RESULT a b c d", "BEGIN", "hello START", "RESULT sieve 1 2 3"}) {
            assertThat(ConsoleEvent.parse(line)).as(line).isEmpty();
        }
    }
}
