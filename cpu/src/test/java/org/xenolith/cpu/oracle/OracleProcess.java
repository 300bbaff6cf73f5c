package org.xenolith.cpu.oracle;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.xenolith.memory.Raw;

/** The parent's side of {@link OracleChild}: starts it, feeds it batches, and starts it again when a case kills it. */
final class OracleProcess implements AutoCloseable {
    private static final int START_ATTEMPTS = 20;

    private final Arena arena = Arena.ofShared();
    private final Path file;
    private final long base;
    private Process process;
    private BufferedReader answers;
    private OutputStream commands;

    OracleProcess() {
        try {
            Path memory = Path.of("/dev/shm");
            file = Files.isWritable(memory)
                    ? Files.createTempFile(memory, "xenolith-oracle", ".bin")
                    : Files.createTempFile("xenolith-oracle", ".bin");
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
                base = channel.map(FileChannel.MapMode.READ_WRITE, 0, OracleChild.FILE_SIZE, arena)
                        .address();
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot share a file with the oracle process", e);
        }
    }

    /** True where instructions of the table can be run natively. */
    static boolean available() {
        return System.getProperty("os.arch").equals("amd64")
                && System.getProperty("os.name").equals("Linux");
    }

    /** True when the host's kernel has a code segment of 32 bits for programs. */
    boolean runs32BitCode() {
        TestCase nop = new TestCase("");
        nop.mode = 2;
        nop.code = new byte[] {(byte) 0x90};
        nop.in = BaseState.of(0);
        put(List.of(nop));
        start(1);
        finish(1);
        return outcome(0).exit == Layout.EXIT_NEXT;
    }

    /** Writes cases to the shared file: case {@code i} becomes number {@code i}. */
    void put(List<TestCase> cases) {
        for (int i = 0; i < cases.size(); i++) {
            cases.get(i).store(OracleChild.caseAt(base, i));
        }
    }

    /** Host address of a case in shared form. */
    long caseAt(int n) {
        return OracleChild.caseAt(base, n);
    }

    /** Starts running the first {@code count} cases, without waiting. */
    void start(int count) {
        ensure();
        send(0, count);
    }

    /** Waits until the cases of {@link #start} are done. */
    void finish(int count) {
        while (true) {
            if ("done".equals(read())) {
                return;
            }
            process.destroyForcibly();
            process = null;
            int died = Raw.getInt(base);
            Raw.fill(OracleChild.outcomeAt(base, died), Outcome.SIZE, (byte) 0);
            Raw.putInt(OracleChild.outcomeAt(base, died), Layout.CRASH);
            if (died + 1 >= count) {
                return;
            }
            ensure();
            send(died + 1, count);
        }
    }

    Outcome outcome(int n) {
        return Outcome.load(OracleChild.outcomeAt(base, n));
    }

    private void send(int from, int to) {
        Raw.putInt(base, from);
        try {
            commands.write((from + " " + to + "\n").getBytes(StandardCharsets.US_ASCII));
            commands.flush();
        } catch (IOException e) {
            // A child that is gone is found by the read that follows.
            answers = null;
        }
    }

    private String read() {
        try {
            return answers == null ? null : answers.readLine();
        } catch (IOException e) {
            return null;
        }
    }

    private void ensure() {
        if (process != null && process.isAlive() && answers != null) {
            return;
        }
        // The JVM places its class space at random, sometimes where test cases live: then the next try is luckier.
        for (int attempt = 0; attempt < START_ATTEMPTS; attempt++) {
            if (launch()) {
                return;
            }
        }
        throw new IllegalStateException("the oracle process does not start");
    }

    private boolean launch() {
        try {
            ProcessBuilder builder = new ProcessBuilder(
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                    "--enable-native-access=ALL-UNNAMED",
                    "-XX:+UseSerialGC",
                    "-Xmx64m",
                    "-XX:CompressedClassSpaceSize=16m",
                    "-XX:-CreateCoredumpOnCrash",
                    "-XX:ErrorFile=/dev/null",
                    "-cp",
                    System.getProperty("java.class.path"),
                    OracleChild.class.getName(),
                    file.toString());
            builder.redirectError(new File("/dev/null"));
            if (Boolean.getBoolean("xenolith.oracle.verbose")) {
                builder.redirectError(ProcessBuilder.Redirect.INHERIT);
            }
            process = builder.start();
            answers = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.US_ASCII));
            commands = process.getOutputStream();
            return "ready".equals(answers.readLine());
        } catch (IOException e) {
            throw new UncheckedIOException("cannot start the oracle process", e);
        }
    }

    @Override
    public void close() {
        try {
            if (process != null) {
                commands.close();
                process.destroy();
            }
            Files.deleteIfExists(file);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot end the oracle process", e);
        } finally {
            arena.close();
        }
    }
}
