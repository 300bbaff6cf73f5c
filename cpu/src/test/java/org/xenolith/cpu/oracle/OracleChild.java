package org.xenolith.cpu.oracle;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.xenolith.memory.Raw;

/**
 * The child process that runs test cases natively. Its argument is the file that it shares with the parent:
 * {@link #HEADER} bytes, {@link Layout#SLOTS} cases, as many outcomes. It answers a line {@code from to} on standard
 * input with a line on standard output when those cases are done; the case it is at stands in the header, should it
 * die.
 */
public final class OracleChild {
    static final int HEADER = 4096;
    static final long FILE_SIZE = HEADER + (long) Layout.SLOTS * (TestCase.SIZE + Outcome.SIZE);

    private OracleChild() {}

    static long caseAt(long base, int n) {
        return base + HEADER + (long) n * TestCase.SIZE;
    }

    static long outcomeAt(long base, int n) {
        return base + HEADER + (long) Layout.SLOTS * TestCase.SIZE + (long) n * Outcome.SIZE;
    }

    /** Serves until standard input ends. */
    public static void main(String[] arguments) throws Throwable {
        PrintStream out = System.out;
        try (Arena arena = Arena.ofShared();
                FileChannel channel =
                        FileChannel.open(Path.of(arguments[0]), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            MemorySegment shared = channel.map(FileChannel.MapMode.READ_WRITE, 0, FILE_SIZE, arena);
            long base = shared.address();
            NativeProcessor processor = new NativeProcessor();
            out.println("ready");
            BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String[] words = line.split(" ");
                int from = Integer.parseInt(words[0]);
                int to = Integer.parseInt(words[1]);
                processor.place(caseAt(base, from), to - from);
                for (int i = from; i < to; i++) {
                    Raw.putInt(base, i);
                    processor.run(caseAt(base, i), outcomeAt(base, i));
                }
                Raw.putInt(base, to);
                out.println("done");
            }
        }
    }
}
