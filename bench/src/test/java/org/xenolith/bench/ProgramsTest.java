package org.xenolith.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ProgramsTest {
    @TempDir
    Path directory;

    /** A compiler of our own: writes the file that follows -o, unless sqlite is asked for. */
    private Path compiler() throws Exception {
        Path script = directory.resolve("cc");
        Files.writeString(script, """
                #!/bin/sh
                echo run >> %s
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

    @Test
    void aMissingLibraryCostsItsProgramOnly() throws Exception {
        Programs.Built built =
                new Programs(directory.resolve("cache"), compiler().toString()).build();
        assertThat(built.files()).containsOnlyKeys("xbench", "xbench-xz", "xstress", "xcheck");
        assertThat(built.missing().get("xbench-sql")).contains("libsqlite3-dev", "sqlite3.h");
    }

    @Test
    void whatIsBuiltIsNotBuiltAgain() throws Exception {
        String compiler = compiler().toString();
        new Programs(directory.resolve("cache"), compiler).build();
        long first = Files.lines(directory.resolve("runs")).count();
        Programs.Built again = new Programs(directory.resolve("cache"), compiler).build();
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
        assertThat(Programs.firstError("")).isEqualTo("no message");
    }
}
