package org.xenolith.bench;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * A child process and the lines it prints, each with the time of its arrival. Closing it ends the process and what it
 * has started ({@code ./xeno} is a script with a JVM under it).
 */
final class Console implements AutoCloseable {
    private static final int LONGEST_LINE = 16 * 1024;
    private static final int TAIL_LINES = 12;
    private static final int GRACE_SECONDS = 5;

    /**
     * A line of the console.
     *
     * @param text without its end
     * @param nanoTime when its end arrived
     * @param end no more lines follow; the text is empty
     */
    record Line(String text, long nanoTime, boolean end) {}

    private final Process process;
    private final long startNanos;
    private final BlockingQueue<Line> lines = new LinkedBlockingQueue<>();
    private volatile boolean closing;
    /** A bench that is told to end takes its guests with it. */
    private final Thread hook = new Thread(this::kill, "console-shutdown");

    private final Deque<String> tail = new ArrayDeque<>();

    private Console(Process process, long startNanos) {
        this.process = process;
        this.startNanos = startNanos;
        Runtime.getRuntime().addShutdownHook(hook);
        Thread reader = new Thread(this::read, "console-reader");
        reader.setDaemon(true);
        reader.start();
    }

    /** Starts a process; its standard input stays open and empty. */
    static Console start(List<String> command, Map<String, String> environment, Path directory) throws BenchException {
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().putAll(environment);
        if (directory != null) {
            builder.directory(directory.toFile());
        }
        long now = System.nanoTime();
        try {
            return new Console(builder.start(), now);
        } catch (IOException e) {
            throw new BenchException("cannot start " + command.getFirst() + ": " + e.getMessage(), e);
        }
    }

    private void read() {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        byte[] buffer = new byte[8192];
        try (InputStream in = process.getInputStream()) {
            for (int n; (n = in.read(buffer)) > 0; ) {
                long now = System.nanoTime();
                for (int i = 0; i < n; i++) {
                    if (buffer[i] == '\n' || line.size() >= LONGEST_LINE) {
                        put(line, now);
                    } else if (buffer[i] != '\r') {
                        line.write(buffer[i]);
                    }
                }
            }
        } catch (IOException e) {
            /* close() takes the stream away under us; any other reason is worth a line. */
            if (!closing) {
                lines.add(new Line("console lost: " + e.getMessage(), System.nanoTime(), false));
            }
        }
        if (line.size() > 0) {
            put(line, System.nanoTime());
        }
        lines.add(new Line("", System.nanoTime(), true));
    }

    private void put(ByteArrayOutputStream line, long now) {
        String text = line.toString(StandardCharsets.UTF_8);
        line.reset();
        synchronized (tail) {
            if (!text.isBlank()) {
                tail.addLast(text);
            }
            if (tail.size() > TAIL_LINES) {
                tail.removeFirst();
            }
        }
        lines.add(new Line(text, now, false));
    }

    /** When the process was started, by {@link System#nanoTime}. */
    long startNanos() {
        return startNanos;
    }

    /** The next line, or null when none arrives until then. */
    Line next(long deadlineNanos) throws BenchException {
        try {
            return lines.poll(Math.max(0, deadlineNanos - System.nanoTime()), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new BenchException("interrupted");
        }
    }

    /** The last lines, for a report. */
    List<String> tail() {
        synchronized (tail) {
            return List.copyOf(tail);
        }
    }

    /** Exit status, or -1 when the process is still there after a short time. */
    int exitStatus() {
        try {
            return process.waitFor(GRACE_SECONDS, TimeUnit.SECONDS) ? process.exitValue() : -1;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return -1;
        }
    }

    /** Resident memory of the largest process (a launcher script is small, its JVM is not); 0 where /proc is absent. */
    long residentBytes() {
        return Stream.concat(Stream.of(process.toHandle()), process.descendants())
                .mapToLong(p -> residentBytes(p.pid()))
                .max()
                .orElse(0);
    }

    private static long residentBytes(long pid) {
        try (Stream<String> lines = Files.lines(Path.of("/proc/" + pid + "/status"))) {
            return lines.filter(l -> l.startsWith("VmRSS:"))
                    .mapToLong(l -> Long.parseLong(l.replaceAll("\\D", "")) << 10)
                    .findFirst()
                    .orElse(0);
        } catch (IOException | UncheckedIOException e) {
            /* The process has ended, or this is not Linux. */
            return 0;
        }
    }

    private void kill() {
        closing = true;
        List<ProcessHandle> children = process.descendants().toList();
        process.destroy();
        children.forEach(ProcessHandle::destroy);
        if (exitStatus() < 0) {
            process.destroyForcibly();
        }
        children.forEach(ProcessHandle::destroyForcibly);
    }

    @Override
    public void close() {
        kill();
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            /* The hook runs already and does the same. */
            closing = true;
        }
    }
}
