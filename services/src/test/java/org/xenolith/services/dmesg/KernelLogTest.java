package org.xenolith.services.dmesg;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.xenolith.services.GuestMemory;
import org.xenolith.services.Seed;
import org.xenolith.services.TestKernel;
import org.xenolith.services.loader.ElfSegment;
import org.xenolith.services.loader.KernelImage;
import org.xenolith.services.symbols.SymbolTable;

/** Writes the ring buffer as the kernel does, behind page tables, and reads it back. */
class KernelLogTest {
    private static final long LINEAR = 0xffffffff82000000L;
    private static final int PRB = 0x100;
    private static final int RING = 0x200;
    private static final int DESCRIPTORS = 0x1000;
    private static final int INFOS = 0x2000;
    private static final int DATA = 0x4000;
    private static final int COUNT_BITS = 5;
    private static final int DATA_BITS = 10;
    private static final long ID_MASK = -1L >>> 2;
    /** The kernel starts its counters so that they wrap soon. */
    private static final long FIRST_ID = -(1L << COUNT_BITS) & ID_MASK;

    @TempDir
    Path directory;

    private final GuestMemory memory = new GuestMemory(16);
    private final KernelMemory linear = KernelMemory.longMode(memory.physical(), 0x8000);
    private long head = FIRST_ID - 1 & ID_MASK;
    private long tail = FIRST_ID;
    private long position = -(1L << DATA_BITS);
    private long tailPosition = position;
    private final List<String> expected = new ArrayList<>();

    @AfterEach
    void close() {
        memory.close();
    }

    @Test
    void messagesComeOutAsDmesgPrintsThem() throws Exception {
        setUp(48);
        add("Linux version 6.1", 0, 5);
        add("two\nlines", 1_234_567_890L, 6);
        add("", 12_345_678_901_234L, 4);
        assertThat(read())
                .isEqualTo(List.of(
                        "[    0.000000] Linux version 6.1",
                        "[    1.234567] two",
                        "[    1.234567] lines",
                        "[12345.678901] "));
    }

    @Test
    void theRingMayHaveWrappedManyTimes() throws Exception {
        for (int layout : new int[] {48, 40}) {
            setUp(layout);
            SplittableRandom random = Seed.random("theRingMayHaveWrappedManyTimes");
            for (int i = 0; i < 500; i++) {
                add("message " + i + " " + "x".repeat(random.nextInt(60)), i * 1000L, 6);
                if (i % 50 == 0) {
                    assertThat(read()).hasSameSizeAs(expected).isEqualTo(expected);
                }
            }
        }
    }

    @Test
    void aMessageThatIsBeingWrittenIsLeftOut() throws Exception {
        setUp(48);
        add("whole", 0, 6);
        add("half", 0, 6);
        long slot = head & (1 << COUNT_BITS) - 1;
        memory.physical().write(DESCRIPTORS + slot * 24, 8, head);
        assertThat(read()).containsExactly("[    0.000000] whole");
    }

    @Test
    void rubbishIsNeverAnException() throws Exception {
        SplittableRandom random = Seed.random("rubbishIsNeverAnException");
        for (int round = 0; round < 300; round++) {
            setUp(48);
            add("one", 0, 6);
            add("two", 0, 6);
            for (int i = 0; i < 5; i++) {
                int base = new int[] {RING, DESCRIPTORS, INFOS, DATA}[random.nextInt(4)];
                memory.physical().write(base + random.nextInt(80), 1, random.nextInt());
            }
            KernelLog.read(linear, symbols());
        }
    }

    @Test
    void whatIsMissingIsSaid() throws Exception {
        assertThat(KernelLog.read(linear, SymbolTable.EMPTY))
                .isInstanceOfSatisfying(
                        KernelLog.Result.Unavailable.class,
                        result -> assertThat(result.reason()).contains("prb"));
        assertThat(KernelLog.read((at, to, offset, length) -> false, symbols()))
                .isInstanceOfSatisfying(
                        KernelLog.Result.Unavailable.class,
                        result -> assertThat(result.reason()).contains("not mapped"));
    }

    @Test
    void stockKernelsHaveTheLayoutThatWeRead() throws Exception {
        List<Path> kernels = TestKernel.stockKernels();
        assumeFalse(
                kernels.isEmpty(),
                "skipped, no stock kernel: set -Dxenolith.test.kernels to a directory with vmlinuz-*");
        for (Path path : kernels) {
            try (KernelImage image = KernelImage.load(path)) {
                KernelMemory file = (at, to, offset, length) -> {
                    for (ElfSegment segment : image.elf().segments()) {
                        if (segment.virtual() < 0
                                && at >= segment.virtual()
                                && at + length <= segment.virtual() + segment.fileSize()) {
                            MemorySegment content = image.elf().content(segment);
                            MemorySegment.copy(
                                    content, ValueLayout.JAVA_BYTE, at - segment.virtual(), to, offset, length);
                            return true;
                        }
                    }
                    return false;
                };
                // nothing is logged before the kernel runs, but the ring buffer is there
                assertThat(KernelLog.read(file, SymbolTable.of(image.elf())))
                        .isEqualTo(new KernelLog.Result.Messages(List.of()));
            }
        }
    }

    private List<String> read() throws Exception {
        return ((KernelLog.Result.Messages) KernelLog.read(linear, symbols())).lines();
    }

    private SymbolTable symbols() throws Exception {
        Path map = directory.resolve("System.map");
        Files.writeString(map, Long.toHexString(LINEAR + PRB) + " d prb\n");
        return SymbolTable.systemMap(map);
    }

    /** Page tables at 0x8000 map the first 32 KiB to {@link #LINEAR}. */
    private void setUp(int textRing) {
        memory.physical().write(0x8000 + (LINEAR >>> 39 & 511) * 8, 8, 0x9003);
        memory.physical().write(0x9000 + (LINEAR >>> 30 & 511) * 8, 8, 0xA003);
        memory.physical().write(0xA000 + (LINEAR >>> 21 & 511) * 8, 8, 0xB003);
        for (int page = 0; page < 8; page++) {
            memory.physical().write(0xB000 + page * 8, 8, 0x8000_0000_0000_0003L | (long) page << 12);
        }
        head = FIRST_ID - 1 & ID_MASK;
        tail = FIRST_ID;
        position = -(1L << DATA_BITS);
        tailPosition = position;
        expected.clear();
        memory.fill(new byte[0x8000]);
        memory.physical().write(PRB, 8, LINEAR + RING);
        memory.physical().write(RING, 4, COUNT_BITS);
        memory.physical().write(RING + 8, 8, LINEAR + DESCRIPTORS);
        memory.physical().write(RING + 16, 8, LINEAR + INFOS);
        memory.physical().write(RING + textRing, 4, DATA_BITS);
        memory.physical().write(RING + textRing + 8, 8, LINEAR + DATA);
        if (textRing == 48) {
            memory.physical().write(RING + 40, 8, FIRST_ID);
        }
    }

    private void add(String text, long nanoseconds, int level) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        long begin = 1;
        long next = 1;
        head = head + 1 & ID_MASK;
        if ((head - tail & ID_MASK) >= 1 << COUNT_BITS) {
            tail = tail + 1 & ID_MASK;
            expected.removeFirst();
        }
        if (bytes.length > 0) {
            int size = 8 + bytes.length + 7 & -8;
            begin = position;
            next = begin + size;
            int at = (int) (begin & (1 << DATA_BITS) - 1);
            if (begin >>> DATA_BITS != next >>> DATA_BITS) {
                at = 0;
                next = (next >>> DATA_BITS << DATA_BITS) + size;
            }
            while (next - tailPosition > 1 << DATA_BITS) {
                dropOldest();
            }
            memory.physical().write(DATA + at, 8, head);
            memory.physical().write(DATA + at + 8, bytes, 0, bytes.length);
            position = next;
        }
        long slot = head & (1 << COUNT_BITS) - 1;
        long descriptor = DESCRIPTORS + slot * 24;
        memory.physical().write(descriptor, 8, 2L << 62 | head);
        memory.physical().write(descriptor + 8, 8, begin);
        memory.physical().write(descriptor + 16, 8, next);
        long info = INFOS + slot * 88;
        memory.physical().write(info, 8, expected.size());
        memory.physical().write(info + 8, 8, nanoseconds);
        memory.physical().write(info + 16, 2, bytes.length);
        memory.physical().write(info + 19, 1, level << 5 | 3);
        memory.physical().write(RING + 24, 8, head | 1L << 62);
        memory.physical().write(RING + 32, 8, tail);
        expected.add(new LogRecord(0, nanoseconds, level, text).format());
    }

    /** The kernel marks messages reusable before it writes over their text. */
    private void dropOldest() {
        long slot = tail & (1 << COUNT_BITS) - 1;
        tailPosition = memory.physical().read(DESCRIPTORS + slot * 24 + 16, 8);
        tail = tail + 1 & ID_MASK;
        expected.removeFirst();
    }
}
