package org.xenolith.services.loader;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static org.xenolith.services.TestKernel.kernel;
import static org.xenolith.services.TestKernel.le;
import static org.xenolith.services.TestKernel.note;
import static org.xenolith.services.TestKernel.ordinary;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.xenolith.abi.ElfNoteType;
import org.xenolith.services.Seed;
import org.xenolith.services.TestKernel;

class KernelImageTest {
    @TempDir
    Path directory;

    @ParameterizedTest
    @ValueSource(strings = {"none", "gzip", "bzip2", "xz", "lzma", "lzo", "lz4", "zstd"})
    void everyCompressionOfLinuxIsUnpacked(String compression) throws Exception {
        byte[] elf = ordinary().elf();
        try (KernelImage image = KernelImage.load(ordinary().bzImage(compression))) {
            assertThat(image.bytes().mismatch(MemorySegment.ofArray(elf))).isEqualTo(-1);
            assertThat(image.format()).contains(compression.equals("none") ? "not compressed" : compression);
            assertThat(image.elf().pvhEntry()).isEqualTo(0x100000);
            assertThat(image.elf().physicalEnd()).isEqualTo(0x100000 + 32_480);
        }
    }

    @Test
    void aLegacyLz4FrameMayHaveManyBlocks() throws Exception {
        byte[] big = new byte[20 << 20];
        for (int i = 0; i < big.length; i += 97) {
            big[i] = (byte) i;
        }
        TestKernel kernel = kernel().segment(0x100000, big.length, big);
        try (KernelImage image = KernelImage.load(kernel.bzImage("lz4"))) {
            assertThat(image.bytes().mismatch(MemorySegment.ofArray(kernel.elf())))
                    .isEqualTo(-1);
        }
    }

    @Test
    void elfFilesOfBothClassesAreTakenAsTheyAre() throws Exception {
        assertThat(KernelImage.load(ordinary().elf()).elf().is64Bit()).isTrue();
        assertThat(KernelImage.load(ordinary().narrow(TestKernel.I386).elf())
                        .elf()
                        .pvhEntry())
                .isEqualTo(0x100000);
        // the Xen Test Framework packs 64-bit code into a 32-bit file, with an entry note of 4 bytes
        TestKernel xtf = ordinary().narrow(TestKernel.X86_64).notes(note(ElfNoteType.PHYS32_ENTRY, le(4, 0x100004)));
        assertThat(KernelImage.load(xtf.elf()).elf().pvhEntry()).isEqualTo(0x100004);
    }

    @Test
    void whatIsNotAKernelIsNamed() {
        assertRefused(() -> KernelImage.load(new byte[0]), "empty");
        assertRefused(() -> KernelImage.load(new byte[5000]), "not a kernel");
        assertRefused(() -> KernelImage.load("#!/bin/sh\n".getBytes(StandardCharsets.US_ASCII)), "not a kernel");
        assertRefused(() -> KernelImage.load("070701".getBytes(StandardCharsets.US_ASCII)), "cpio archive");
        assertRefused(() -> KernelImage.load("!<arch>\n".getBytes(StandardCharsets.US_ASCII)), "Debian package");
        byte[] arm = new byte[4096];
        System.arraycopy(new byte[] {'A', 'R', 'M', 0x64}, 0, arm, 56, 4);
        assertRefused(() -> KernelImage.load(arm), "ARM64");
        assertRefused(() -> KernelImage.load(TestKernel.pack("gzip", new byte[5000])), "an initrd?");
        assertRefused(() -> KernelImage.load(ordinary().machine(183).elf()), "for ARM64");
        assertRefused(() -> KernelImage.load(ordinary().machine(3).elf()), "i386");
    }

    @Test
    void aKernelWithoutPvhEntryIsRefusedWithAdvice() throws Exception {
        KernelImage none = KernelImage.load(ordinary().notes(null).elf());
        assertRefused(() -> none.elf().pvhEntry(), "CONFIG_PVH");
        KernelImage odd = KernelImage.load(ordinary().notes(note(18, le(3, 1))).elf());
        assertRefused(() -> odd.elf().pvhEntry(), "3 bytes");
        KernelImage outside =
                KernelImage.load(ordinary().notes(note(18, le(8, 0x99999999L))).elf());
        assertRefused(() -> outside.elf().pvhEntry(), "none of its segments");
        byte[] old = TestKernel.bzImage(
                TestKernel.pack("gzip", ordinary().notes(null).narrow(3).elf()), 1 << 20, false);
        assertRefused(() -> KernelImage.load(old), "32-bit only");
    }

    @Test
    void segmentsThatCannotBeLoadedAreRefused() {
        byte[] code = new byte[4096];
        assertRefused(
                () -> KernelImage.load(kernel().segment(0x100000, 8192, code)
                        .segment(0x101000, 4096, code)
                        .elf()),
                "overlap");
        assertRefused(
                () -> KernelImage.load(kernel().segment(0x100000, 100, code).elf()), "in memory");
        assertRefused(() -> KernelImage.load(kernel().segment(-4096, 4096, code).elf()), "below 4 GiB");
        assertRefused(
                () -> KernelImage.load(kernel().segment(0xFFFFF000L, 8192, code).elf()), "below 4 GiB");
        assertRefused(
                () -> KernelImage.load(kernel().segment(0x100000, -1, code).elf()), "in memory");
        assertRefused(
                () -> KernelImage.load(
                        kernel().segment(0x100000, 1L << 40, code).elf()),
                "below 4 GiB");
        assertRefused(() -> KernelImage.load(kernel().elf()), "nothing to load");
        assertRefused(() -> KernelImage.load(Arrays.copyOf(ordinary().elf(), 10_000)), "truncated");
    }

    @Test
    void absurdSizesAreRefusedBeforeAnythingIsUnpacked() {
        byte[] bomb = TestKernel.pack("xz", new byte[40 << 20]);
        assertRefused(() -> KernelImage.load(TestKernel.bzImage(bomb, 1 << 20, true)), "claims to unpack to");
        byte[] liar = bomb.clone();
        System.arraycopy(le(4, 1 << 20), 0, liar, liar.length - 4, 4);
        assertRefused(() -> KernelImage.load(TestKernel.bzImage(liar, 1 << 20, true)), "more");
        System.arraycopy(le(4, 50 << 20), 0, liar, liar.length - 4, 4);
        assertRefused(() -> KernelImage.load(TestKernel.bzImage(liar, 64 << 20, true)), "only");
        System.arraycopy(le(4, 0xffffffffL), 0, liar, liar.length - 4, 4);
        assertRefused(() -> KernelImage.load(TestKernel.bzImage(liar, -1, true)), "claims to unpack to");
    }

    @Test
    void everyTruncationIsRefusedInOneLine() {
        for (String compression : List.of("none", "gzip", "bzip2", "xz", "lzma", "lzo", "lz4", "zstd")) {
            byte[] whole = ordinary().bzImage(compression);
            // 32 bytes of padding follow the payload
            for (int length = 0; length < whole.length - 32; length += 1 + length / 37) {
                byte[] cut = Arrays.copyOf(whole, length);
                assertRefused(() -> KernelImage.load(cut), "");
            }
        }
    }

    @Test
    void everyCorruptionIsAnImageOrARefusal() {
        SplittableRandom random = Seed.random("everyCorruptionIsAnImageOrARefusal");
        List<String> kinds = List.of("none", "gzip", "bzip2", "xz", "lzma", "lzo", "lz4", "zstd", "elf", "elf32");
        for (String kind : kinds) {
            byte[] whole = switch (kind) {
                case "elf" -> ordinary().elf();
                case "elf32" -> ordinary().narrow(TestKernel.I386).elf();
                default -> ordinary().bzImage(kind);
            };
            for (int round = 0; round < 400; round++) {
                byte[] bad = whole.clone();
                int start = switch (random.nextInt(4)) {
                    case 0 -> 0x1f0;
                    case 1 -> 0;
                    default -> kind.startsWith("elf") ? 0 : 2304;
                };
                int flips = 1 + random.nextInt(4);
                for (int i = 0; i < flips; i++) {
                    int span = random.nextBoolean() ? 160 : bad.length - start;
                    bad[start + random.nextInt(span)] = (byte) random.nextInt();
                }
                long begin = System.nanoTime();
                try (KernelImage image = KernelImage.load(bad)) {
                    image.elf().pvhEntry();
                } catch (ImageFormatException e) {
                    assertThat(e.getMessage()).isNotBlank().doesNotContain("\n");
                }
                assertThat(System.nanoTime() - begin).as(kind).isLessThan(5_000_000_000L);
            }
        }
    }

    @Test
    void theCacheGivesTheSameImageAndSurvivesDamage() throws Exception {
        Path kernel = directory.resolve("vmlinuz");
        Files.write(kernel, ordinary().bzImage("xz"));
        List<String> warnings = new ArrayList<>();
        KernelCache cache = new KernelCache(directory.resolve("cache"), warnings::add);
        byte[] elf = ordinary().elf();
        for (int round = 0; round < 3; round++) {
            try (KernelImage image = KernelImage.load(kernel, cache)) {
                assertThat(image.bytes().mismatch(MemorySegment.ofArray(elf))).isEqualTo(-1);
                assertThat(image.bytes().isNative()).isEqualTo(round > 0);
                assertThat(image.format()).isEqualTo("bzImage, xz");
            }
        }
        assertThat(warnings).isEmpty();
        Path entry;
        try (var files = Files.list(directory.resolve("cache"))) {
            List<Path> all = files.toList();
            assertThat(all).hasSize(1);
            entry = all.getFirst();
        }
        byte[] stored = Files.readAllBytes(entry);
        stored[12_345] ^= 1;
        Files.write(entry, stored);
        try (KernelImage image = KernelImage.load(kernel, cache)) {
            assertThat(image.bytes().mismatch(MemorySegment.ofArray(elf))).isEqualTo(-1);
        }
        assertThat(warnings).hasSize(1).first().asString().contains("damaged");
        Files.write(entry, Arrays.copyOf(stored, 100));
        KernelImage.load(kernel, cache).close();
        assertThat(warnings).hasSize(2);
    }

    @Test
    void aCacheThatCannotBeWrittenOnlyWarns() throws Exception {
        Path kernel = directory.resolve("vmlinuz");
        Files.write(kernel, ordinary().bzImage("gzip"));
        Path blocked = directory.resolve("file");
        Files.writeString(blocked, "in the way");
        List<String> warnings = new ArrayList<>();
        KernelImage.load(kernel, new KernelCache(blocked.resolve("cache"), warnings::add))
                .close();
        assertThat(warnings).hasSize(1);
    }

    @Test
    void aChangedKernelIsUnpackedAgain() throws Exception {
        Path kernel = directory.resolve("vmlinuz");
        KernelCache cache = new KernelCache(directory.resolve("cache"), warning -> {});
        Files.write(kernel, ordinary().bzImage("gzip"));
        KernelImage.load(kernel, cache).close();
        byte[] code = new byte[100];
        Files.write(kernel, kernel().segment(0x100000, 100, code).bzImage("gzip"));
        try (KernelImage image = KernelImage.load(kernel, cache)) {
            assertThat(image.elf().physicalEnd()).isEqualTo(0x100000 + 100);
        }
    }

    @Test
    void aPathThatIsNoFileIsRefused() {
        assertRefused(() -> KernelImage.load(directory), directory.toString());
        assertThatThrownBy(() -> KernelImage.load(directory.resolve("absent")))
                .isInstanceOf(NoSuchFileException.class)
                .hasMessageContaining("absent: no such file");
    }

    @Test
    void stockKernelsAreUnpackedWithTheirNotes() throws IOException {
        List<Path> kernels = TestKernel.stockKernels();
        assumeFalse(
                kernels.isEmpty(),
                "skipped, no stock kernel: set -Dxenolith.test.kernels to a directory with vmlinuz-*");
        for (Path path : kernels) {
            try (KernelImage image = KernelImage.load(path)) {
                assertThat(image.notes().text(ElfNoteType.GUEST_OS)).isEqualTo("linux");
                assertThat(image.notes().text(ElfNoteType.FEATURES)).contains("!writable_page_tables");
                assertThat(image.notes().number(ElfNoteType.VIRT_BASE)).hasValue(0xffffffff80000000L);
                assertThat(image.elf().pvhEntry()).isBetween(0x1000000L, 0x2000000L);
                assertThat(image.elf().physicalStart()).isEqualTo(0x1000000L);
            }
        }
    }

    @Test
    void aTruncatedStockKernelIsRefused() throws IOException {
        List<Path> kernels = TestKernel.stockKernels();
        assumeFalse(
                kernels.isEmpty(),
                "skipped, no stock kernel: set -Dxenolith.test.kernels to a directory with vmlinuz-*");
        for (Path path : kernels) {
            byte[] whole = Files.readAllBytes(path);
            for (int part = 0; part < 10; part++) {
                byte[] cut = Arrays.copyOf(whole, (int) ((long) whole.length * part / 10));
                assertRefused(() -> KernelImage.load(cut), "");
            }
        }
    }

    @Test
    void oneWrongBitInASignedStockKernelIsNoticed() throws IOException {
        SplittableRandom random = Seed.random("oneWrongBitInASignedStockKernelIsNoticed");
        for (Path path : TestKernel.stockKernels()) {
            byte[] whole = Files.readAllBytes(path);
            assumeTrue(whole[0] == 'M' && whole.length > 1 << 20, "skipped, the kernel is not a PE file");
            for (int round = 0; round < 5; round++) {
                byte[] bad = whole.clone();
                bad[100_000 + random.nextInt(whole.length - 200_000)] ^= (byte) (1 << random.nextInt(8));
                assertRefused(() -> KernelImage.load(bad), "corrupt");
            }
        }
    }

    private static void assertRefused(ThrowingCallable load, String because) {
        assertThatThrownBy(load)
                .isInstanceOf(ImageFormatException.class)
                .hasMessageContaining(because)
                .message()
                .doesNotContain("\n");
    }
}
