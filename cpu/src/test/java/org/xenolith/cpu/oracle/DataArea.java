package org.xenolith.cpu.oracle;

import java.lang.foreign.Arena;
import java.util.SplittableRandom;
import org.xenolith.memory.Raw;

/** The data area of test cases: its pattern, and how a case finds it. */
final class DataArea implements AutoCloseable {
    private final Arena arena = Arena.ofShared();
    private final long pattern;
    private final long before;

    DataArea() {
        pattern = arena.allocate(2L * Layout.DATA_SIZE, 64).address();
        before = pattern + Layout.DATA_SIZE;
        SplittableRandom random = new SplittableRandom(0x58656E6F6C697468L);
        for (int i = 0; i < Layout.DATA_SIZE; i += 8) {
            Raw.putLong(pattern + i, random.nextLong());
        }
    }

    /** Prepares the memory of a case in its shared form; {@code at} is the host address of the area. */
    void prepare(long at, long testCase) {
        Raw.copy(pattern, before, Layout.DATA_SIZE);
        int patches = Raw.getByte(testCase + 158);
        long p = testCase + 704;
        for (int i = 0; i < patches; i++, p += 20) {
            Raw.copy(p + 4, before + (Raw.getShort(p) & 0xffff), Raw.getShort(p + 2));
        }
        Raw.copy(before, at, Layout.DATA_SIZE);
    }

    /** Lists in an outcome what a case changed. */
    void collect(long at, long outcome) {
        Outcome.storeChanges(outcome, before, at);
    }

    @Override
    public void close() {
        arena.close();
    }
}
