package org.xenolith.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Guests of a host process of their own, driven by the program as a person calls it. */
class HostProcessIT {
    private static final int SECONDS = 240;
    /** Longer than a busy machine takes to start a verb. */
    private static final int IDLE_SECONDS = 15;

    @TempDir
    private Path directory;

    private record Said(int status, String out, String err) {}

    private Process start(String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-Xmx512m",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName()));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.directory(directory.toFile());
        builder.environment().put("XENOLITH_RUNTIME", directory.resolve("run").toString());
        builder.environment().put("XENOLITH_IDLE", Integer.toString(IDLE_SECONDS));
        builder.environment().put("LC_ALL", "C.UTF-8");
        return builder.start();
    }

    private Said xeno(String... arguments) throws Exception {
        Process process = start(arguments);
        process.getOutputStream().close();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        String err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(SECONDS, TimeUnit.SECONDS)).isTrue();
        return new Said(process.exitValue(), out, err);
    }

    private String good(String... arguments) throws Exception {
        Said said = xeno(arguments);
        assertThat(said.status()).as(String.join(" ", arguments) + said).isZero();
        return said.out();
    }

    /** Asks again until the answer is as wanted. */
    private String eventually(Predicate<String> wanted, String... arguments) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
        String answer = good(arguments);
        while (!wanted.test(answer)) {
            assertThat(System.nanoTime())
                    .as(String.join(" ", arguments) + ": " + answer + log())
                    .isLessThan(deadline);
            Thread.sleep(500);
            answer = good(arguments);
        }
        return answer;
    }

    private String log() throws IOException {
        Path log = directory.resolve("run/host.log");
        return Files.exists(log) ? "\nlog:\n" + Files.readString(log) : "";
    }

    @AfterEach
    void stop() throws Exception {
        xeno("daemon", "stop", "--force");
    }

    @Test
    void twoGuestsLiveInAHostProcessThatEndsWithThem() throws Exception {
        Files.writeString(
                directory.resolve("web.cfg"),
                "name='web'\ntype='pvh'\nkernel='debian:cloud'\nmemory=256\nextra='console=hvc0'\n");
        Files.writeString(
                directory.resolve("db.cfg"),
                "name='db'\nkernel='debian:cloud'\nmemory=256\nvcpus=1\nmaxvcpus=2\ncpu_weight=512");
        assertThat(xeno("daemon").status()).as("none runs yet").isEqualTo(1);
        assertThat(good("create", "web.cfg")).isEmpty();
        good("xl", "create", "-p", "db.cfg");
        assertThat(good("domid", "web")).isEqualTo("1\n");
        assertThat(xeno("create", "web.cfg").err()).contains("there is a domain named web already");
        assertThat(good("xl", "list").lines().map(line -> line.replaceAll(" .*", "")))
                .containsExactly("Name", "Domain-0", "web", "db");
        assertThat(good("list", "db")).containsPattern("db +2 .* --p---  +0\\.0");
        good("unpause", "db");

        talk("web");

        good("rename", "db", "data");
        assertThat(good("domname", "2")).isEqualTo("data\n");
        eventually(out -> out.contains("feature-poweroff"), "xenstore-ls", "/local/domain/2/control");
        good("mem-set", "data", "200");
        assertThat(good("xenstore-read", "/local/domain/2/memory/target")).isEqualTo("204800\n");
        eventually(out -> memory(out) <= 202, "list", "data");
        good("vcpu-set", "data", "2");
        assertThat(good("xenstore-read", "/local/domain/2/cpu/1/availability")).isEqualTo("online\n");
        assertThat(good("vcpu-list", "data").lines()).hasSize(3);
        assertThat(good("sched-credit2", "-d", "data")).containsPattern("data +2 +512 +0\n");
        good("sched-credit2", "-d", "data", "-w", "100", "-c", "50");
        good("vcpu-pin", "data", "0", "0");
        assertThat(good("sched-credit2")).containsPattern("data +2 +100 +50\n").contains("Cpupool Pool-0: ratelimit=");
        good("pause", "data");
        assertThat(good("list", "data")).containsPattern("data .* --p---");
        good("unpause", "data");

        assertThat(xeno("shutdown", "-w", "web").err()).contains("Domain 1 has been shut down, reason code 0");
        assertThat(xeno("domid", "web").status()).isEqualTo(1);
        assertThat(good("console", "web")).as("its past can be read").contains("Linux version", "sum-42");
        assertThat(good("dmesg")).contains("d1 web: powered off");
        good("destroy", "data");
        assertThat(good("list").lines()).hasSize(2);

        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
        while (Files.exists(directory.resolve("run/host.sock"))) {
            assertThat(System.nanoTime()).as("idle exit" + log()).isLessThan(deadline);
            Thread.sleep(200);
        }
        assertThat(log()).contains("d2 data: destroyed", "nothing to do for " + IDLE_SECONDS + " s: ending");
    }

    private static int memory(String list) {
        String row = list.lines().skip(1).findFirst().orElseThrow();
        return Integer.parseInt(row.strip().split(" +")[2]);
    }

    /** Types at a shell and reads what it says, on one console while another listens. */
    private void talk(String domain) throws Exception {
        Process listener = start("console", domain);
        Process console = start("console", domain);
        try (OutputStream keys = console.getOutputStream()) {
            expect(console, "~ # ");
            keys.write("echo sum-$((40+2))\n".getBytes(StandardCharsets.UTF_8));
            keys.flush();
            expect(console, "sum-42");
            expect(listener, "sum-42");
        } finally {
            console.destroy();
            listener.destroy();
        }
    }

    private static void expect(Process console, String text) throws IOException {
        StringBuilder seen = new StringBuilder();
        while (seen.indexOf(text) < 0) {
            int next = console.getInputStream().read();
            assertThat(next).as("'" + text + "' in " + seen).isNotNegative();
            seen.append((char) next);
        }
    }

    @Test
    void aGuestThatCannotBeMadeIsOneLine() throws Exception {
        Files.writeString(directory.resolve("junk"), "this is no kernel");
        Said junk = xeno("create", "/dev/null", "name=a", "kernel=junk");
        assertThat(junk.status()).isEqualTo(1);
        assertThat(junk.err()).startsWith("xeno: ").doesNotContain("\tat ");
        assertThat(junk.err().lines()).hasSize(1);
        Said large = xeno("create", "/dev/null", "name=b", "kernel=debian:cloud", "memory=16000000");
        assertThat(large.status()).as(large.toString()).isEqualTo(1);
        assertThat(large.err().lines()).hasSize(1);
        Said noDomain = xeno("xl", "pause", "c");
        assertThat(noDomain.err()).isEqualTo("xl: c is an invalid domain identifier (rc=-6)\n");
    }
}
