package org.xenolith.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.xenolith.cli.Subcommand;
import picocli.CommandLine;

final class BenchCommandTest {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    private int run(String... arguments) {
        BenchCommand command = new BenchCommand(
                new PrintStream(out, true, StandardCharsets.UTF_8), new PrintStream(err, true, StandardCharsets.UTF_8));
        return new CommandLine(command)
                .setCaseInsensitiveEnumValuesAllowed(true)
                .execute(arguments);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--rounds=0",
                "--rounds=1000",
                "--seconds=0",
                "--seconds=-1",
                "--seconds=NaN",
                "--engine=kvm",
                "--only=sleeve",
                "--memory=lots",
                "--memory=0M",
                "--timeout=0",
                "--smp=0",
                "--smp=33",
                "--stress,--smp=1",
                "--stress,--seconds=1000000",
                "--peer-machine=pc;rm",
                "--engine=tcg,--no-peer"
            })
    void aBadValueIsOneLineAndStatusTwo(String argument) {
        assertThat(run(argument.split(",(?=--)"))).isEqualTo(BenchCommand.USAGE);
        assertThat(err.toString(StandardCharsets.UTF_8).lines()).hasSize(1);
        assertThat(out.size()).isZero();
    }

    @Test
    void theCommandLineFindsTheVerb() {
        assertThat(ServiceLoader.load(Subcommand.class).stream()
                        .map(p -> p.get().command())
                        .map(c -> c instanceof CommandLine line ? line.getCommand() : c)
                        .toList())
                .hasAtLeastOneElementOfType(BenchCommand.class);
    }

    @Test
    void theListShowsEveryWorkload() {
        assertThat(run("--list")).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8))
                .contains(Workloads.all().stream().map(Workload::cost).toList());
    }

    @Test
    void anotherContestantGoesFirstInEachRound() {
        List<Contestant> all = List.of(Contestant.XENOLITH, Contestant.TCG, Contestant.NATIVE);
        assertThat(BenchCommand.turns(all, 1)).isEqualTo(all);
        assertThat(BenchCommand.turns(all, 2)).containsExactly(Contestant.TCG, Contestant.NATIVE, Contestant.XENOLITH);
        assertThat(BenchCommand.turns(all, 4)).isEqualTo(all);
    }

    @Test
    void thePeerIsFoundOnTheSearchPathOnly() {
        assertThat(Peer.find("/nowhere::/bin", "sh")).contains(Path.of("/bin/sh"));
        assertThat(Peer.find("/nowhere", "sh")).isEmpty();
        assertThat(Peer.find(null, "sh")).isEmpty();
    }

    @Test
    void qemuIsGivenOneProcessorAndNothingButASerialPort() {
        assertThat(Machine.tcg("qemu", "microvm", "512M", 1).boot(Path.of("k"), Path.of("i"), "debug"))
                .containsSubsequence(
                        "qemu", "-accel", "tcg", "-cpu", "max", "-smp", "1", "-kernel", "k", "-initrd", "i")
                .contains("console=ttyS0 quiet loglevel=1 panic=-1 debug", "512M");
    }
}
