package org.xenolith.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
final class RoundTest {
    @TempDir
    Path directory;

    private final List<String> told = new ArrayList<>();
    private Round.Setup setup;

    @BeforeEach
    void prepare() throws Exception {
        Path file = Files.writeString(directory.resolve("busybox"), "stands for a program\n");
        setup = new Round.Setup(
                file,
                file,
                Map.of("xbench", file, "xcheck", file),
                "",
                0.1,
                1,
                new PlanWatcher.Limits(Duration.ofSeconds(6), Duration.ofSeconds(4)),
                directory);
    }

    /** A launcher that reads the plan out of the (uncompressed) initramfs and plays the guest. */
    private Machine machine(String body) throws Exception {
        Path xeno = Files.writeString(directory.resolve("xeno"), """
                #!/bin/sh
                echo "$@" >> %s/starts
                while [ "$1" != --initrd ]; do shift; done
                echo XENOLITH-BENCH INIT
                for name in $(grep -a -o -E '[a-z0-9]+ xbench$' "$2" | cut -d' ' -f1); do
                    echo START $name
                    %s
                    echo BEGIN $name
                    echo RESULT $name 3 0.010000 00000000000000aa
                done
                echo XENOLITH-BENCH END
                """.formatted(directory, body));
        assertThat(xeno.toFile().setExecutable(true)).isTrue();
        return Machine.xenolith(xeno, "256M", 1, List.of());
    }

    private Map<String, Outcome> run(String body, String... names) throws Exception {
        return new Round(setup, told::add).guest(machine(body), Workloads.select(List.of(names)));
    }

    @Test
    void allWorkloadsRunInOneGuest() throws Exception {
        Map<String, Outcome> outcomes = run("", "boot", "sieve", "crc");
        assertThat(outcomes).containsOnlyKeys("boot", "sieve", "crc");
        assertThat(outcomes.values()).allMatch(o -> o instanceof Outcome.Measured);
        assertThat(Files.readAllLines(directory.resolve("starts")))
                .singleElement()
                .asString()
                .contains("run --kernel", "--append console=hvc0 quiet", "--memory 256M");
    }

    @Test
    void afterAHangTheRestRunsInANewGuest() throws Exception {
        Map<String, Outcome> outcomes = run("[ $name = crc ] && sleep 50", "boot", "sieve", "crc", "chase");
        assertThat(outcomes.get("crc")).isEqualTo(new Outcome.Failure("no answer within 4 s"));
        assertThat(outcomes.get("chase")).isInstanceOf(Outcome.Measured.class);
        assertThat(Files.readAllLines(directory.resolve("starts"))).hasSize(2);
    }

    @Test
    void aGuestThatDoesNotBootIsNotTriedForEveryWorkload() throws Exception {
        Map<String, Outcome> outcomes = new Round(setup, told::add)
                .guest(
                        new Machine(Contestant.XENOLITH, List.of("/bin/false"), "hvc0", "256M"),
                        Workloads.select(List.of("boot", "sieve", "crc")));
        assertThat(outcomes.values()).allMatch(o -> o instanceof Outcome.Failure);
        assertThat(outcomes.get("sieve").toString()).contains("did not reach init", "status 1");
    }
}
