package org.xenolith.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GuestSessionTest {
    @TempDir
    private Path directory;

    @Test
    void argumentsOfAnyCharactersReachTheCommand() throws Exception {
        Assumptions.assumeTrue(Files.isExecutable(Path.of("/bin/sh")), "skipped: no /bin/sh");
        long seed = System.nanoTime();
        SplittableRandom random = new SplittableRandom(seed);
        String alphabet = "ab \t\n'\"\\$`!*?[]{}()<>|&;#~=%-é\u4e2d";
        for (int round = 0; round < 20; round++) {
            List<String> command = new ArrayList<>(List.of("printf", "%s\\001"));
            for (int i = random.nextInt(1, 8); i > 0; i--) {
                StringBuilder word = new StringBuilder();
                for (int n = random.nextInt(12); n > 0; n--) {
                    word.append(alphabet.charAt(random.nextInt(alphabet.length())));
                }
                command.add(word.toString());
            }
            // A host's shell may lack "exec --", which busybox has.
            String script = GuestSession.pipe(command).script().replaceFirst("^exec --", "exec");
            Path file = Files.writeString(directory.resolve("command"), script);
            Process sh = new ProcessBuilder("/bin/sh", file.toString()).start();
            String out = new String(sh.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(out)
                    .as("seed %d round %d", seed, round)
                    .isEqualTo(String.join("\u0001", command.subList(2, command.size())) + "\u0001");
        }
    }

    @Test
    void aShellTakesNoCommandAndTheOthersNeedOne() {
        assertThatThrownBy(() -> GuestSession.pipe(List.of())).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new GuestSession(GuestSession.Kind.SHELL, List.of("ls"), 24, 80, "vt100", "x"))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> GuestSession.pipe(List.of("a\0b"))).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void anImpossibleTerminalSizeBecomesTheUsualOne() {
        assertThat(GuestSession.shell(0, 70000, "vt100").settings()).contains("rows=24\n", "columns=80\n");
    }

    @Test
    void oneCommandKeepsTheKernelQuietAndAShellDoesNot() {
        assertThat(GuestSession.pipe(List.of("true")).kernelParameters()).contains("loglevel=0");
        assertThat(GuestSession.shell(24, 80, "vt100").kernelParameters()).isEqualTo("console=hvc0");
    }

    @Test
    void theOverlayTouchesNothingOutsideItsDirectory() throws Exception {
        Path busybox = Files.write(directory.resolve("busybox"), new byte[100]);
        byte[] overlay = GuestSession.pipe(List.of("true")).overlay(busybox).build();
        try (var in = new org.apache.commons.compress.archivers.cpio.CpioArchiveInputStream(
                new java.io.ByteArrayInputStream(overlay))) {
            for (var entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
                assertThat(entry.getName()).startsWith("xenolith");
            }
        }
    }

    @Test
    void theInitScriptIsValidShell() throws Exception {
        Assumptions.assumeTrue(Files.isExecutable(Path.of("/bin/sh")), "skipped: no /bin/sh");
        Path script = directory.resolve("init");
        try (var in = GuestSession.class.getResourceAsStream("init.sh")) {
            Files.write(script, in.readAllBytes());
        }
        Process sh = new ProcessBuilder("/bin/sh", "-n", script.toString())
                .redirectErrorStream(true)
                .start();
        String said = new String(sh.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(sh.waitFor()).as(said).isZero();
    }
}
