package org.xenolith.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GuestProgramsTest {
    @TempDir
    private Path directory;

    private String run(byte[] program, int status, String... arguments) throws Exception {
        Assumptions.assumeTrue(
                System.getProperty("os.name").equals("Linux")
                        && System.getProperty("os.arch").equals("amd64"),
                "skipped: these programs run on x86-64 Linux only");
        Path file = Files.write(directory.resolve("program"), program);
        assertThat(file.toFile().setExecutable(true)).isTrue();
        String[] command = new String[arguments.length + 1];
        command[0] = file.toString();
        System.arraycopy(arguments, 0, command, 1, arguments.length);
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(out).isEqualTo(status);
        return out;
    }

    @Test
    void theLeaderStartsAProgramWithItsArgumentsEnvironmentAndASessionOfItsOwn() throws Exception {
        String out = run(
                GuestPrograms.leader(),
                7,
                "/bin/sh",
                "-c",
                "read -r stat < /proc/self/stat; set -- $stat; echo $$ $6; echo $PATH; exit 7");
        String[] lines = out.split("\n");
        String[] ids = lines[0].split(" ");
        assertThat(ids[1]).as("session of the shell").isEqualTo(ids[0]);
        assertThat(lines[1]).isEqualTo(System.getenv("PATH"));
    }

    @Test
    void theLeaderGivesBackTheDefaultsOfInterruptAndQuit() throws Exception {
        String out = run(
                GuestPrograms.leader(),
                0,
                "/bin/sh",
                "-c",
                "while read -r name value; do [ $name = SigIgn: ] && echo $value; done < /proc/self/status; exit 0");
        assertThat(Long.parseUnsignedLong(out.strip(), 16) & 0b110).isZero();
    }

    @Test
    void theLeaderSaysWhenItCannotRunTheProgram() throws Exception {
        run(GuestPrograms.leader(), 126, "/no/such/program");
        run(GuestPrograms.leader(), 126);
    }

    @Test
    void theReportProgramIsAStaticExecutable() throws Exception {
        Path file = Files.write(directory.resolve("report"), GuestPrograms.report());
        assertThat(DebianPackages.isStaticX86(file)).isTrue();
    }
}
