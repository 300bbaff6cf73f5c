package org.xenolith.cpu.oracle;

import java.util.SplittableRandom;
import org.xenolith.cpu.decode.Row;

/** Encodings of rows for tests of the decoder. */
public final class RowEncoder {
    /** Machine code and the mode it is for: 2 is 32-bit, 3 is 64-bit. */
    public record Encoded(byte[] code, int mode) {}

    private RowEncoder() {}

    /** A random valid encoding of a row. */
    public static Encoded encode(Row row, SplittableRandom random) {
        while (true) {
            TestCase c = CaseGenerator.next(row, 0, random);
            if (valid(row, c)) {
                return new Encoded(c.code, c.mode);
            }
        }
    }

    /** The generator also makes what must be refused: LOCK where it is not allowed. */
    private static boolean valid(Row row, TestCase c) {
        for (byte b : c.code) {
            if ((b & 0xff) == 0xF0) {
                return row.lockable;
            }
            if (!CaseGenerator.isPrefix(b & 0xff)) {
                return true;
            }
        }
        return true;
    }
}
