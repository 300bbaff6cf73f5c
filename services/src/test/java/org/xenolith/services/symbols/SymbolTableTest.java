package org.xenolith.services.symbols;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.xenolith.memory.MachineMemory;
import org.xenolith.memory.PhysicalToMachine;
import org.xenolith.services.Seed;
import org.xenolith.services.TestKernel;
import org.xenolith.services.builder.BuiltGuest;
import org.xenolith.services.builder.PvhBuilder;
import org.xenolith.services.builder.PvhConfig;
import org.xenolith.services.loader.ElfImage;
import org.xenolith.services.loader.ElfSegment;
import org.xenolith.services.loader.ImageFormatException;
import org.xenolith.services.loader.KernelImage;

class SymbolTableTest {
    private static final long BASE = 0xffffffff81000000L;

    @TempDir
    Path directory;

    /** Where Linux put the parts of its table over time. */
    enum Layout {
        LINUX_6_1,
        LINUX_6_2,
        LINUX_6_4,
        LINUX_6_15
    }

    @ParameterizedTest
    @EnumSource(Layout.class)
    void aCompressedTableIsFoundByItsShapeInEveryLayout(Layout layout) {
        SplittableRandom random = Seed.random("aCompressedTableIsFoundByItsShapeInEveryLayout");
        List<Symbol> symbols = symbols(random, 5000 + random.nextInt(600), layout != Layout.LINUX_6_15);
        ByteArrayOutputStream image = new ByteArrayOutputStream();
        image.writeBytes(Seed.bytes(random, 8 * random.nextInt(2000)));
        image.writeBytes(new byte[4096]);
        image.writeBytes(encode(symbols, layout));
        image.writeBytes(Seed.bytes(random, random.nextInt(5000)));
        SymbolTable table = Kallsyms.find(MemorySegment.ofArray(image.toByteArray()));
        assertThat(table.size()).isEqualTo(symbols.size());
        for (int i = 0; i < symbols.size(); i++) {
            assertThat(table.get(i)).isEqualTo(symbols.get(i));
        }
    }

    @Test
    void bytesWithoutATableGiveNoSymbols() {
        SplittableRandom random = Seed.random("bytesWithoutATableGiveNoSymbols");
        assertThat(Kallsyms.find(MemorySegment.ofArray(Seed.bytes(random, 1 << 20)))
                        .size())
                .isZero();
        assertThat(Kallsyms.find(MemorySegment.ofArray(new byte[1 << 20])).size())
                .isZero();
        assertThat(Kallsyms.find(MemorySegment.ofArray(new byte[3])).size()).isZero();
        byte[] steps = new byte[4096];
        for (int i = 0; i + 1 < steps.length; i += 2) {
            steps[i] = (byte) i;
            steps[i + 1] = (byte) (i >> 8);
        }
        assertThat(Kallsyms.find(MemorySegment.ofArray(steps)).size()).isZero();
    }

    @Test
    void aDamagedTableGivesNoSymbolsOrSomeButNoException() {
        SplittableRandom random = Seed.random("aDamagedTableGivesNoSymbolsOrSomeButNoException");
        byte[] image = encode(symbols(random, 1500, true), Layout.LINUX_6_1);
        for (int round = 0; round < 200; round++) {
            byte[] bad = random.nextInt(3) == 0 ? Arrays.copyOf(image, random.nextInt(image.length)) : image.clone();
            for (int i = 0; i < 3 && bad.length > 0; i++) {
                bad[random.nextInt(bad.length)] = (byte) random.nextInt();
            }
            Kallsyms.find(MemorySegment.ofArray(bad));
        }
    }

    @Test
    void aPlaceIsTheNearestSymbolBelowAndAliasesAreTheFirstName() {
        SymbolTable.Builder builder = new SymbolTable.Builder();
        builder.add(BASE + 0x300, 'T', "later");
        builder.add(BASE, 'T', "first");
        builder.add(BASE, 't', "alias");
        builder.add(0x40, 'A', "percpu");
        SymbolTable table = builder.build();
        assertThat(table.describe(BASE)).isEqualTo("first");
        assertThat(table.describe(BASE + 0x2ff)).isEqualTo("first+0x2ff");
        assertThat(table.describe(BASE + 0x301)).isEqualTo("later+0x1");
        assertThat(table.lookup(BASE - 1)).isNull();
        assertThat(table.lookup(0x10)).isNull();
        assertThat(table.describe(BASE + (4 << 20))).isEqualTo("0xffffffff81400000");
        assertThat(table.address("alias")).hasValue(BASE);
        assertThat(table.address("absent")).isEqualTo(OptionalLong.empty());
        assertThat(SymbolTable.EMPTY.describe(5)).isEqualTo("0x5");
    }

    @Test
    void anElfSymbolTableIsPreferredInBothClasses() throws Exception {
        Map<String, Long> symbols = Map.of("_start", 0x100000L, "test_main", 0x100400L, "*section", 0x100200L);
        for (TestKernel kernel :
                List.of(TestKernel.ordinary(), TestKernel.ordinary().narrow(TestKernel.I386))) {
            SymbolTable table = SymbolTable.of(
                    KernelImage.load(kernel.elfWithSymbols(symbols)).elf());
            assertThat(table.size()).isEqualTo(2);
            assertThat(table.describe(0x1003ff)).isEqualTo("_start+0x3ff");
            assertThat(table.describe(0x100402)).isEqualTo("test_main+0x2");
            assertThat(table.get(0).type()).isEqualTo('T');
        }
        assertThat(SymbolTable.of(KernelImage.load(TestKernel.ordinary().elf()).elf())
                        .size())
                .isZero();
    }

    @Test
    void aDamagedElfSymbolTableIsNeverAnException() throws Exception {
        SplittableRandom random = Seed.random("aDamagedElfSymbolTableIsNeverAnException");
        byte[] whole = TestKernel.ordinary().elfWithSymbols(Map.of("_start", 0x100000L, "main", 0x100400L));
        for (int round = 0; round < 2000; round++) {
            byte[] bad = whole.clone();
            for (int i = 0; i < 3; i++) {
                bad[random.nextBoolean() ? random.nextInt(64) : whole.length - 300 + random.nextInt(300)] =
                        (byte) random.nextInt();
            }
            try {
                SymbolTable.of(KernelImage.load(bad).elf());
            } catch (ImageFormatException e) {
                assertThat(e).hasMessageNotContaining("\n");
            }
        }
    }

    @Test
    void aSystemMapIsReadAndDebiansStubIsExplained() throws IOException {
        Path good = directory.resolve("System.map");
        Files.writeString(good, "ffffffff81000000 T startup_64\nffffffff81000100 t other\n");
        assertThat(SymbolTable.systemMap(good).describe(BASE + 0x104)).isEqualTo("other+0x4");
        Path stub = directory.resolve("stub");
        Files.writeString(stub, "ffffffffffffffff B The real System.map is in the linux-image-<version>-dbg package\n");
        assertThatThrownBy(() -> SymbolTable.systemMap(stub))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("-dbg package");
        Files.writeString(stub, "zzz T name\n");
        assertThatThrownBy(() -> SymbolTable.systemMap(stub)).hasMessageContaining("line 1 has no address");
    }

    @Test
    void stockKernelsTellTheirSymbolsFromTheFileAndFromGuestMemory() throws Exception {
        List<Path> kernels = TestKernel.stockKernels();
        assumeFalse(
                kernels.isEmpty(),
                "skipped, no stock kernel: set -Dxenolith.test.kernels to a directory with vmlinuz-*");
        for (Path path : kernels) {
            try (KernelImage image = KernelImage.load(path);
                    MachineMemory machine = new MachineMemory(256 << 20)) {
                SymbolTable table = SymbolTable.of(image.elf());
                assertThat(table.size()).isGreaterThan(50_000);
                assertThat(table.address("startup_64")).hasValue(BASE);
                assertThat(table.address("_text")).hasValue(BASE);
                long schedule = table.address("schedule").orElseThrow();
                assertThat(table.describe(schedule + 5)).isEqualTo("schedule+0x5");
                assertThat(string(image.elf(), table.address("linux_banner").orElseThrow()))
                        .startsWith("Linux version ");
                // The entry note names the same place as the symbol.
                assertThat(table.address("pvh_start_xen")).hasValue(image.elf().pvhEntry() - 0x1000000 + BASE);

                PhysicalToMachine memory = new PhysicalToMachine(machine);
                BuiltGuest guest = PvhBuilder.build(image, new PvhConfig(200 << 20, 1, ""), memory);
                SymbolTable fromMemory = SymbolTable.of(memory, guest.kernelStart(), guest.kernelEnd());
                assertThat(fromMemory.size()).isEqualTo(table.size());
                assertThat(fromMemory.address("schedule")).hasValue(schedule);
            }
        }
    }

    private static String string(ElfImage elf, long address) {
        for (ElfSegment segment : elf.segments()) {
            long offset = address - segment.virtual();
            if (offset >= 0 && offset < segment.fileSize()) {
                byte[] bytes = elf.content(segment).asSlice(offset, 64).toArray(ValueLayout.JAVA_BYTE);
                return new String(bytes, StandardCharsets.US_ASCII);
            }
        }
        return "";
    }

    private static List<Symbol> symbols(SplittableRandom random, int count, boolean percpu) {
        List<Symbol> symbols = new ArrayList<>();
        long address = percpu ? 0 : BASE;
        for (int i = 0; i < count; i++) {
            if (percpu && i == 300) {
                address = BASE;
            }
            StringBuilder name = new StringBuilder();
            int length = random.nextInt(60) == 0 ? 150 + random.nextInt(100) : 3 + random.nextInt(25);
            for (int c = 0; c < length; c++) {
                name.append("abcdefghijklmnopqrstuvwxyz_0123456789".charAt(random.nextInt(37)));
            }
            symbols.add(new Symbol(name.toString(), address, percpu && i < 300 ? 'A' : 't'));
            address += random.nextInt(5) == 0 ? 0 : 16L * random.nextInt(100);
        }
        return symbols;
    }

    /** Compresses as the kernel's build does, though with a poor choice of tokens. */
    private static byte[] encode(List<Symbol> symbols, Layout layout) {
        List<String> tokens = new ArrayList<>();
        for (int i = 0; i < 256; i++) {
            boolean plain = i >= '0' && i <= '9' || i >= 'a' && i <= 'z' || i == '_' || i == 'A';
            tokens.add(plain ? String.valueOf((char) i) : "" + (char) ('a' + i % 26) + (char) ('a' + i / 26));
        }
        TreeMap<String, Integer> pairs = new TreeMap<>();
        for (int i = 0; i < 256; i++) {
            pairs.putIfAbsent(tokens.get(i), i);
        }
        ByteArrayOutputStream names = new ByteArrayOutputStream();
        ByteArrayOutputStream markers = new ByteArrayOutputStream();
        ByteArrayOutputStream offsets = new ByteArrayOutputStream();
        for (int i = 0; i < symbols.size(); i++) {
            Symbol symbol = symbols.get(i);
            if (i % 256 == 0) {
                markers.writeBytes(TestKernel.le(4, names.size()));
            }
            ByteArrayOutputStream packed = new ByteArrayOutputStream();
            String text = symbol.type() + symbol.name();
            for (int at = 0; at < text.length(); ) {
                int size = at + 2 <= text.length() && pairs.containsKey(text.substring(at, at + 2)) ? 2 : 1;
                packed.write(pairs.get(text.substring(at, at + size)));
                at += size;
            }
            if (packed.size() >= 0x80) {
                names.write(packed.size() & 0x7f | 0x80);
                names.write(packed.size() >> 7);
            } else {
                names.write(packed.size());
            }
            names.writeBytes(packed.toByteArray());
            long offset = layout == Layout.LINUX_6_15
                    ? symbol.address() - BASE
                    : symbol.address() >= 0 ? symbol.address() : BASE - 1 - symbol.address();
            offsets.writeBytes(TestKernel.le(4, offset));
        }
        ByteArrayOutputStream table = new ByteArrayOutputStream();
        ByteArrayOutputStream index = new ByteArrayOutputStream();
        for (String token : tokens) {
            index.writeBytes(TestKernel.le(2, table.size()));
            table.writeBytes((token + '\0').getBytes(StandardCharsets.US_ASCII));
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        boolean old = layout == Layout.LINUX_6_1 || layout == Layout.LINUX_6_2;
        if (old) {
            aligned(out, offsets.toByteArray());
            aligned(out, TestKernel.le(8, BASE));
        }
        aligned(out, TestKernel.le(4, symbols.size()));
        aligned(out, names.toByteArray());
        aligned(out, markers.toByteArray());
        if (layout == Layout.LINUX_6_2) {
            byte[] sequence = new byte[symbols.size() * 3];
            for (int i = 0; i < symbols.size(); i++) {
                System.arraycopy(TestKernel.le(3, symbols.size() - 1 - i), 0, sequence, i * 3, 3);
            }
            aligned(out, sequence);
        }
        aligned(out, table.toByteArray());
        aligned(out, index.toByteArray());
        if (!old) {
            aligned(out, offsets.toByteArray());
            aligned(out, TestKernel.le(8, BASE));
        }
        return out.toByteArray();
    }

    private static void aligned(ByteArrayOutputStream out, byte[] part) {
        out.writeBytes(part);
        while (out.size() % 8 != 0) {
            out.write(0);
        }
    }
}
