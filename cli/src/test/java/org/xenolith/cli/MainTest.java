package org.xenolith.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MainTest {
    @TempDir
    private Path directory;

    private record Said(int status, String out, String err) {}

    private static Said xeno(String... args) {
        PrintStream oldOut = System.out;
        PrintStream oldErr = System.err;
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        try {
            System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
            System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
            int status = Main.run(args);
            return new Said(status, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
        } finally {
            System.setOut(oldOut);
            System.setErr(oldErr);
        }
    }

    private static void refuses(ExitStatus status, String reason, String... args) {
        Said said = xeno(args);
        assertThat(said.status()).as(Arrays.toString(args) + said).isEqualTo(status.code());
        assertThat(said.err()).startsWith("xeno: ").contains(reason).doesNotContain("\tat ", "Exception");
        assertThat(said.err().lines().count()).isLessThanOrEqualTo(2);
        assertThat(said.out()).isEmpty();
    }

    @Test
    void helpShowsThreeExamplesFirst() {
        for (List<String> args : List.of(List.of("--help"), List.of("run", "--help"))) {
            Said said = xeno(args.toArray(String[]::new));
            assertThat(said.status()).isZero();
            String[] lines = said.out().split("\n");
            assertThat(Arrays.stream(lines)
                            .limit(8)
                            .filter(l -> l.matches("  (\\./)?xeno .*"))
                            .count())
                    .as(said.out())
                    .isEqualTo(3);
        }
    }

    @Test
    void everyExitStatusIsInTheHelp() {
        String help = xeno("run", "--help").out();
        for (ExitStatus status : ExitStatus.values()) {
            assertThat(help).contains(status.code() + "  " + status.meaning().split(" ")[0]);
        }
        assertThat(Arrays.stream(ExitStatus.values()).map(ExitStatus::code)).doesNotHaveDuplicates();
    }

    @Test
    void valuesMayFollowASpaceOrAnEqualsSign() {
        refuses(ExitStatus.USAGE, "'abc' is no amount of memory", "run", "--memory=abc");
        refuses(ExitStatus.USAGE, "'abc' is no amount of memory", "run", "--memory", "abc");
    }

    @Test
    void versionAndCompletionArePrinted() {
        assertThat(xeno("--version").out()).startsWith("xeno ").contains("Java ");
        assertThat(xeno("completion").out()).contains("_complete_xeno").contains("--kernel");
    }

    @Test
    void wrongUsageIsOneClearLine() {
        refuses(ExitStatus.USAGE, "--bogus", "run", "--bogus");
        refuses(ExitStatus.USAGE, "frobnicate", "frobnicate");
        refuses(ExitStatus.USAGE, "at least 32M", "run", "--memory", "1M");
        refuses(ExitStatus.USAGE, "more than this machine has", "run", "--memory", "999T");
        refuses(ExitStatus.USAGE, "512M", "run", "--memory", "lots");
        refuses(ExitStatus.USAGE, "hypercall", "run", "--trace", "everything");
        refuses(ExitStatus.USAGE, "only hash takes a number", "run", "--trace", "event=5");
        refuses(ExitStatus.USAGE, "hash=1000000", "run", "--trace", "hash=0");
        refuses(ExitStatus.USAGE, "--trace-file needs --trace", "run", "--trace-file", "x");
        refuses(ExitStatus.USAGE, "file:PATH", "run", "--console", "serial");
        refuses(ExitStatus.USAGE, "needs a command", "run", "--tty");
        refuses(ExitStatus.USAGE, "--boot-timeout", "run", "--boot-timeout", "-1");
        refuses(ExitStatus.USAGE, "--engine", "run", "--engine", "warp");
        refuses(ExitStatus.USAGE, "--vcpus 0: give 1 to 32", "run", "--vcpus", "0");
        refuses(ExitStatus.USAGE, "--vcpus 33: give 1 to 32", "run", "--vcpus", "33");
        refuses(ExitStatus.USAGE, "--maxvcpus 1: give 2 (--vcpus) to 32", "run", "--vcpus", "2", "--maxvcpus", "1");
        refuses(ExitStatus.USAGE, "one virtual CPU", "run", "--vcpus", "2", "--deterministic");
        refuses(ExitStatus.USAGE, "compares what one virtual CPU does", "run", "--maxvcpus", "2", "--engine", "verify");
    }

    @Test
    void filesThatCannotBeReadAreNamed() {
        refuses(ExitStatus.NO_INPUT, "/no/such/kernel: no such file", "run", "--kernel", "/no/such/kernel");
        refuses(ExitStatus.NO_INPUT, "it is a directory", "run", "--kernel", directory.toString());
    }

    @Test
    void whatIsNoKernelIsSaidSo() throws Exception {
        Path text = Files.writeString(directory.resolve("text"), "hello".repeat(1000));
        Path empty = Files.writeString(directory.resolve("empty"), "");
        Path initrd = Files.write(directory.resolve("initrd"), new byte[512]);
        refuses(
                ExitStatus.BAD_IMAGE,
                "not a kernel",
                "run",
                "--initrd",
                initrd.toString(),
                "--kernel",
                text.toString());
        refuses(ExitStatus.BAD_IMAGE, "empty", "run", "--initrd", initrd.toString(), "--kernel", empty.toString());
        refuses(
                ExitStatus.BAD_IMAGE,
                "initrd " + empty,
                "run",
                "--kernel",
                text.toString(),
                "--initrd",
                empty.toString());
    }

    @Test
    void anInitrdLargerThanMemoryIsRefused() throws Exception {
        Path kernel = Files.writeString(directory.resolve("kernel"), "x");
        Path large = directory.resolve("large");
        try (var file = new java.io.RandomAccessFile(large.toFile(), "rw")) {
            file.setLength(65L << 20);
        }
        refuses(
                ExitStatus.BAD_IMAGE,
                "does not fit into --memory 64M",
                "run",
                "--memory",
                "64M",
                "--kernel",
                kernel.toString(),
                "--initrd",
                large.toString());
    }

    @Test
    void theTestFrameworkNeedsADirectoryOfTests(@TempDir Path directory) throws IOException {
        assertThat(xeno("xtf", directory.toString()).err()).startsWith("xeno: no tests in " + directory);
        assertThat(xeno("xtf", directory.toString()).status()).isEqualTo(66);
        assertThat(xeno("xtf", directory + "/none").err()).contains("is not a directory");
        Path test = Files.createDirectories(directory.resolve("tests/demo"));
        Files.writeString(
                test.resolve("info.json"),
                "{\"name\": \"demo\", \"category\": \"xsa\", \"environments\": [\"pv64\"], \"variations\": []}");
        assertThat(xeno("xtf", directory.toString(), "other").err())
                .contains("no test, environment or category is called other");
        assertThat(xeno("xtf", directory.toString()).out())
                .contains("test-pv64-demo")
                .contains("1 test, 1 SKIP");
        assertThat(xeno("xtf", directory.toString(), "-o", "json").out()).contains("\"result\": \"SKIP\"");
        assertThat(xeno("xtf", directory.toString()).status()).isZero();
    }
}
