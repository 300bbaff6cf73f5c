package org.xenolith.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Iterator;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class MachineMemoryTest {
    private static final int EXTENT = MachineMemory.EXTENT_FRAMES;

    @Test
    void sizesAreRoundedUpToWholeExtents() {
        try (MachineMemory memory = new MachineMemory((2 << 20) + 1)) {
            assertThat(memory.frames()).isEqualTo(2 * EXTENT);
            assertThat(memory.available()).isEqualTo(2 * EXTENT);
        }
    }

    @Test
    void absurdSizesAreRefusedWithTheirSize() {
        assertThatThrownBy(() -> new MachineMemory(0)).isInstanceOf(MachineMemoryException.class);
        assertThatThrownBy(() -> new MachineMemory(Long.MAX_VALUE))
                .isInstanceOf(MachineMemoryException.class)
                .hasMessageContaining(Long.toString(Long.MAX_VALUE));
    }

    @Test
    void anExhaustedMachineAnswersMinusOne() {
        try (MachineMemory memory = new MachineMemory(2 << 20)) {
            for (int i = 0; i < EXTENT; i++) {
                assertThat(memory.allocateFrame()).isBetween(0, EXTENT - 1);
            }
            assertThat(memory.allocateFrame()).isEqualTo(-1);
            assertThat(memory.allocateExtent()).isEqualTo(-1);
            assertThat(memory.available()).isZero();
        }
    }

    @Test
    void framesGivenBackOneByOneMakeAnExtentAgain() {
        try (MachineMemory memory = new MachineMemory(2 << 20)) {
            int first = memory.allocateExtent();
            assertThat(memory.allocateFrame()).isEqualTo(-1);
            for (int i = EXTENT - 1; i >= 0; i--) {
                memory.release(first + i, 1);
            }
            assertThat(memory.allocateExtent()).isEqualTo(first);
        }
    }

    @Test
    void framesReadAsZerosWhenTheyAreHandedOutAgain() {
        try (MachineMemory memory = new MachineMemory(2 << 20)) {
            int mfn = memory.allocateFrame();
            Raw.putLong(memory.address(mfn) + 8, -1L);
            memory.release(mfn, 1);
            assertThat(memory.allocateFrame()).isEqualTo(mfn);
            assertThat(Raw.getLong(memory.address(mfn) + 8)).isZero();
        }
    }

    @Test
    void aFrameReleasedTwiceIsADefectThatIsReported() {
        try (MachineMemory memory = new MachineMemory(4 << 20)) {
            int mfn = memory.allocateFrame();
            memory.release(mfn, 1);
            assertThatThrownBy(() -> memory.release(mfn, 1)).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> memory.release(memory.frames() - 1, 2))
                    .isInstanceOf(IndexOutOfBoundsException.class);
        }
    }

    @Test
    void noFrameIsHandedOutTwiceInRandomUse() {
        long seed = System.nanoTime();
        SplittableRandom random = new SplittableRandom(seed);
        System.out.println("MachineMemoryTest seed " + seed);
        try (MachineMemory memory = new MachineMemory(16 << 20)) {
            Set<Integer> used = new HashSet<>();
            for (int step = 0; step < 20_000; step++) {
                if (random.nextInt(3) > 0) {
                    int mfn = random.nextInt(200) == 0 ? memory.allocateExtent() : memory.allocateFrame();
                    if (mfn < 0) {
                        continue;
                    }
                    assertThat(used.add(mfn)).as("mfn %d, seed %d", mfn, seed).isTrue();
                    if (step % 7 == 0) {
                        assertThat(memory.mfn(memory.address(mfn) + 4095)).isEqualTo(mfn);
                    }
                } else if (!used.isEmpty()) {
                    int mfn = used.iterator().next();
                    used.remove(mfn);
                    memory.release(mfn, 1);
                }
            }
        }
    }

    /** Memory of the region that the operating system backs, in KiB; what smaps calls Rss. */
    private static long resident(MachineMemory memory) throws IOException {
        String start = Long.toHexString(memory.address(0)) + "-";
        Iterator<String> lines = Files.readAllLines(Path.of("/proc/self/smaps")).iterator();
        while (lines.hasNext()) {
            if (lines.next().startsWith(start)) {
                while (lines.hasNext()) {
                    String line = lines.next();
                    if (line.startsWith("Rss:")) {
                        return Long.parseLong(line.replaceAll("[^0-9]", ""));
                    }
                }
            }
        }
        throw new AssertionError("no mapping at " + start);
    }

    @Test
    void whatIsGivenBackTheOperatingSystemGetsBack() throws IOException {
        assumeTrue(Files.isReadable(Path.of("/proc/self/smaps")), "skipped: no /proc/self/smaps");
        // Large, so that it shares no mapping with a neighbour.
        try (MachineMemory memory = new MachineMemory(1L << 30)) {
            long before = resident(memory);
            int first = memory.allocateExtent();
            for (int i = 0; i < EXTENT; i++) {
                Raw.putLong(memory.address(first + i), 1);
            }
            assertThat(resident(memory) - before).isEqualTo(2048);
            for (int i = 0; i < EXTENT; i += 2) {
                memory.release(first + i, 1);
            }
            assertThat(resident(memory) - before).isEqualTo(1024);
            for (int i = 1; i < EXTENT; i += 2) {
                memory.release(first + i, 1);
            }
            assertThat(resident(memory)).isEqualTo(before);
        }
    }
}
