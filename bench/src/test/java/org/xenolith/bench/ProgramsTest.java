package org.xenolith.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class ProgramsTest {
    @TempDir
    Path directory;

    /** A compiler of our own: writes the file that follows -o, unless sqlite is asked for. */
    private Path compiler() throws Exception {
        Path script = directory.resolve("cc");
        Files.writeString(script, """
                #!/bin/sh
                echo "$@" >> %s
                out=
                while [ $# -gt 0 ]; do
                    case $1 in
                        -o) out=$2; shift ;;
                        -lsqlite3) echo 'sql.c:3:10: fatal error: sqlite3.h: No such file'; exit 1 ;;
                    esac
                    shift
                done
                echo program > "$out"
                """.formatted(directory.resolve("runs")));
        assertThat(script.toFile().setExecutable(true)).isTrue();
        return script;
    }

    private void install(String header) throws Exception {
        Path file = directory.resolve("root").resolve(header);
        Files.createDirectories(file.getParent());
        Files.writeString(file, "");
    }

    private Programs programs() throws Exception {
        return new Programs(directory.resolve("cache"), compiler().toString(), directory.resolve("root"));
    }

    @Test
    void aMissingLibraryCostsItsProgramOnly() throws Exception {
        install("usr/include/python3.11/Python.h");
        install("usr/include/python3/numpy.h");
        Programs.Built built = programs().build();
        assertThat(built.files())
                .containsOnlyKeys("xbench", "xbench-xz", "xbench-python", "xbench-cc", "xstress", "xcheck");
        assertThat(built.missing()).containsOnlyKeys("xbench-sql", "xbench-perl");
        assertThat(built.missing().get("xbench-sql")).contains("libsqlite3-dev", "sqlite3.h");
        assertThat(built.missing().get("xbench-perl")).contains("libperl-dev", "/perl/*/CORE/perl.h");
    }

    @Test
    void ofSeveralVersionsWithHeadersTheNewestIsTaken() throws Exception {
        install("usr/include/python3.9/Python.h");
        install("usr/include/python3.11/Python.h");
        install("usr/include/python3.13/other.h");
        install("usr/lib/x86_64-linux-gnu/perl/5.36/CORE/perl.h");
        programs().build();
        Path root = directory.resolve("root");
        assertThat(Files.readAllLines(directory.resolve("runs")))
                .anyMatch(run -> run.contains(" -I" + root.resolve("usr/include/python3.11") + " ")
                        && run.contains(" -lpython3.11 "))
                .anyMatch(run -> run.contains(" -I" + root.resolve("usr/lib/x86_64-linux-gnu/perl/5.36/CORE") + " "))
                .noneMatch(run -> run.contains("{") || run.contains("python3.9"));
    }

    /** Whatever a user's environment says: it is not the guest's. */
    @ParameterizedTest
    @ValueSource(strings = {"xz", "sql", "perl", "python", "cc"})
    void theChecksumDoesNotDependOnTheEnvironment(String workload) throws Exception {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/gcc")), "needs gcc");
        Programs.Recipe recipe = Programs.RECIPES.stream()
                .filter(r -> r.name().equals("xbench-" + workload))
                .findFirst()
                .orElseThrow();
        Programs.Built built = new Programs(directory.resolve("cache"), "gcc").build(List.of(recipe));
        assumeTrue(built.missing().isEmpty(), () -> built.missing().toString());
        String program = built.files().get(recipe.name()).toString();
        String plain = checksum(program, workload, Map.of());
        Map<String, String> hostile = Map.of(
                "PERL5OPT",
                "-Mnowhere",
                "PERL_HASH_SEED",
                "17",
                "PYTHONHOME",
                "/nowhere",
                "PYTHONHASHSEED",
                "17",
                "LC_ALL",
                "C.UTF-8",
                "CPATH",
                "/nowhere");
        assertThat(checksum(program, workload, hostile)).isEqualTo(plain).matches("[0-9a-f]{16}");
    }

    private static String checksum(String program, String workload, Map<String, String> environment) throws Exception {
        ProcessBuilder builder = new ProcessBuilder(program, "--units", "2", workload).redirectErrorStream(true);
        builder.environment().clear();
        builder.environment().putAll(environment);
        Process process = builder.start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
        assertThat(output).startsWith("BEGIN " + workload + "\nRESULT " + workload + " 2 ");
        return output.strip().substring(output.strip().lastIndexOf(' ') + 1);
    }

    @Test
    void whatIsBuiltIsNotBuiltAgain() throws Exception {
        install("usr/include/python3.11/Python.h");
        install("usr/lib/x86_64-linux-gnu/perl/5.36/CORE/perl.h");
        programs().build();
        long first = Files.lines(directory.resolve("runs")).count();
        Programs.Built again = programs().build();
        assertThat(first).isEqualTo(Programs.RECIPES.size());
        /* Only the one that failed is tried again. */
        assertThat(Files.lines(directory.resolve("runs")).count()).isEqualTo(first + 1);
        assertThat(again.files().get("xbench")).isExecutable();
    }

    @Test
    void aMissingCompilerIsOneLineThatSaysWhatToInstall() {
        assertThatThrownBy(() -> new Programs(directory, "no-such-cc").build())
                .isInstanceOf(BenchException.class)
                .hasMessageContaining("apt-get install gcc libc6-dev");
    }

    @Test
    void aProgramThatMayNotBeRunIsCopied() throws Exception {
        Path kept = Files.writeString(directory.resolve("kept"), "contents");
        Path copy = new Programs(directory.resolve("cache"), "cc").runnable(kept);
        assertThat(copy).isExecutable().hasContent("contents").isNotEqualTo(kept);
        assertThat(new Programs(directory.resolve("cache"), "cc").runnable(copy))
                .isEqualTo(copy);
    }

    @Test
    void theFirstErrorOfALogIsFound() {
        assertThat(Programs.firstError("a.c: In function f:\n a.c:1: error: what\n more"))
                .isEqualTo("a.c:1: error: what");
        assertThat(Programs.firstError("ld: warning: static\nld: undefined reference to `f'\n"))
                .isEqualTo("ld: undefined reference to `f'");
        assertThat(Programs.firstError("")).isEqualTo("no message");
    }
}
