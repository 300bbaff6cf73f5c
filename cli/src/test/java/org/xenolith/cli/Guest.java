package org.xenolith.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A {@code xeno} of its own process, as a person starts it: for tests that boot whole kernels. */
final class Guest implements AutoCloseable {
    private final Process process;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private final List<Thread> readers = new ArrayList<>();

    private Guest(Process process) {
        this.process = process;
        readers.add(collect(process.getInputStream(), out));
        readers.add(collect(process.getErrorStream(), err));
    }

    /** Starts {@code xeno} with these arguments; its input stays open until {@link #endInput}. */
    static Guest start(String... arguments) throws IOException {
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
        builder.environment().put("LC_ALL", "C.UTF-8");
        return new Guest(builder.start());
    }

    private static Thread collect(InputStream in, ByteArrayOutputStream to) {
        return Thread.ofVirtual().start(() -> {
            byte[] buffer = new byte[8192];
            try (in) {
                for (int n = in.read(buffer); n > 0; n = in.read(buffer)) {
                    synchronized (to) {
                        to.write(buffer, 0, n);
                        to.notifyAll();
                    }
                }
            } catch (IOException e) {
                synchronized (to) {
                    to.notifyAll();
                }
            }
        });
    }

    Guest type(String text) throws IOException {
        return type(text.getBytes(StandardCharsets.UTF_8));
    }

    Guest type(byte[] bytes) throws IOException {
        OutputStream in = process.getOutputStream();
        in.write(bytes);
        in.flush();
        return this;
    }

    Guest endInput() throws IOException {
        process.getOutputStream().close();
        return this;
    }

    /** Waits until the console has shown a text. */
    Guest expect(String text, int seconds) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
        synchronized (out) {
            while (!out.toString(StandardCharsets.UTF_8).contains(text)) {
                long left = deadline - System.nanoTime();
                assertThat(left)
                        .as(() -> "'" + text + "' on the console within " + seconds + " s; got: " + this)
                        .isPositive();
                assertThat(process.isAlive()
                                || out.toString(StandardCharsets.UTF_8).contains(text))
                        .as(() -> "alive while waiting for '" + text + "': " + this)
                        .isTrue();
                out.wait(Math.min(500, left / 1_000_000 + 1));
            }
        }
        return this;
    }

    /** Waits for the end and checks the exit status. */
    Guest ends(int status, int seconds) throws InterruptedException {
        assertThat(process.waitFor(seconds, TimeUnit.SECONDS))
                .as(() -> "ended within " + seconds + " s: " + this)
                .isTrue();
        for (Thread reader : readers) {
            reader.join();
        }
        assertThat(process.exitValue()).as(this::toString).isEqualTo(status);
        return this;
    }

    byte[] output() {
        synchronized (out) {
            return out.toByteArray();
        }
    }

    String text() {
        return new String(output(), StandardCharsets.UTF_8);
    }

    String errors() {
        synchronized (err) {
            return err.toString(StandardCharsets.UTF_8);
        }
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }

    @Override
    public String toString() {
        return "output:\n" + text() + "\nerrors:\n" + errors();
    }
}
