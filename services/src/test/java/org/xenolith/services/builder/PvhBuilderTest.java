package org.xenolith.services.builder;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.xenolith.abi.E820Type;
import org.xenolith.abi.HvmStartInfo;
import org.xenolith.cpu.VcpuState;
import org.xenolith.memory.MachineMemory;
import org.xenolith.memory.PhysicalToMachine;
import org.xenolith.services.TestKernel;
import org.xenolith.services.loader.ImageFormatException;
import org.xenolith.services.loader.KernelImage;

class PvhBuilderTest {
    private static final long MIB = 1 << 20;

    @TempDir
    Path directory;

    @ParameterizedTest
    @ValueSource(longs = {16, 17, 128, 4031, 4032, 4033, 5000})
    void theMemoryMapHasAllMemoryAroundTheHole(long mib) throws Exception {
        try (MachineMemory machine = new MachineMemory((mib + 8) * MIB)) {
            PhysicalToMachine memory = new PhysicalToMachine(machine);
            BuiltGuest guest = PvhBuilder.build(kernel(), new PvhConfig(mib * MIB, 1, "console=hvc0"), memory);
            long ram = 0;
            long end = 0;
            for (MemoryRange range : guest.memoryMap()) {
                assertThat(range.start()).isGreaterThanOrEqualTo(end);
                end = range.end();
                if (range.type() == E820Type.RAM) {
                    ram += range.size();
                }
                assertThat(memory.mfn(range.start() >> 12)).isNotNegative();
                assertThat(memory.mfn(range.end() - 1 >> 12)).isNotNegative();
            }
            assertThat(ram).isEqualTo(mib * MIB);
            assertThat(guest.ramFrames()).isEqualTo(mib * MIB >> 12);
            assertThat(memory.mfn(GuestLayout.HOLE_START - 4096 >> 12) >= 0).isEqualTo(mib >= 4032);
            assertThat(memory.mfn(GuestLayout.LOCAL_APIC >> 12)).isEqualTo(-1);
            long used = machine.frames() - machine.available();
            assertThat(used).isEqualTo(guest.ramFrames() + 8 + (guest.rsdp() + 4096 - GuestLayout.ACPI_INFO >> 12));
        }
    }

    @Test
    void theKernelIsWhereItWasLinkedAndItsTailIsZeros() throws Exception {
        try (MachineMemory machine = new MachineMemory(32 * MIB)) {
            PhysicalToMachine memory = new PhysicalToMachine(machine);
            KernelImage kernel = kernel();
            PvhBuilder.build(kernel, new PvhConfig(16 * MIB, 1, ""), memory);
            byte[] loaded = new byte[32_480];
            assertThat(memory.read(0x100000, loaded, 0, loaded.length)).isTrue();
            byte[] expected = new byte[32_480];
            byte[] content = kernel.elf()
                    .content(kernel.elf().segments().getFirst())
                    .toArray(java.lang.foreign.ValueLayout.JAVA_BYTE);
            System.arraycopy(content, 0, expected, 0, content.length);
            assertThat(loaded).isEqualTo(expected);
        }
    }

    @Test
    void theStartInfoLeadsToEverythingThatTheKernelMustFind() throws Exception {
        try (MachineMemory machine = new MachineMemory(128 * MIB)) {
            PhysicalToMachine memory = new PhysicalToMachine(machine);
            byte[] first = "first archive".getBytes(StandardCharsets.US_ASCII);
            byte[] second = "second".getBytes(StandardCharsets.US_ASCII);
            PvhConfig config = new PvhConfig(64 * MIB, 3, "console=hvc0 ümlaut")
                    .withInitrd(MemorySegment.ofArray(first), MemorySegment.ofArray(second));
            BuiltGuest guest = PvhBuilder.build(kernel(), config, memory);
            long info = guest.startInfo();
            assertThat(info).isGreaterThanOrEqualTo(guest.kernelEnd());
            assertThat(memory.read(info + HvmStartInfo.MAGIC, 4)).isEqualTo(HvmStartInfo.MAGIC_VALUE);
            assertThat(memory.read(info + HvmStartInfo.VERSION, 4)).isEqualTo(1);
            assertThat(memory.read(info + HvmStartInfo.FLAGS, 4)).isZero();
            assertThat(memory.read(info + HvmStartInfo.NR_MODULES, 4)).isEqualTo(1);
            assertThat(memory.read(info + HvmStartInfo.RSDP, 8)).isEqualTo(guest.rsdp());
            assertThat(string(memory, memory.read(info + HvmStartInfo.CMDLINE, 8)))
                    .isEqualTo("console=hvc0 ümlaut");

            long module = memory.read(info + HvmStartInfo.MODLIST, 8);
            long initrd = memory.read(module, 8);
            assertThat(initrd).isEqualTo(guest.initrdStart());
            assertThat(initrd % 4096).isZero();
            assertThat(initrd).isBetween(guest.startInfo() + 4096, 64 * MIB);
            byte[] loaded = new byte[(int) memory.read(module + 8, 8)];
            memory.read(initrd, loaded, 0, loaded.length);
            // an archive starts at a multiple of 4
            assertThat(loaded).hasSize(16 + second.length).startsWith(first).endsWith(second);

            long map = memory.read(info + HvmStartInfo.MEMMAP, 8);
            int entries = (int) memory.read(info + HvmStartInfo.MEMMAP_ENTRIES, 4);
            List<MemoryRange> told = new ArrayList<>();
            for (int i = 0; i < entries; i++) {
                long at = map + (long) i * HvmStartInfo.MEMMAP_SIZE;
                told.add(new MemoryRange(memory.read(at, 8), memory.read(at + 8, 8), (int) memory.read(at + 16, 4)));
            }
            assertThat(told).isEqualTo(guest.memoryMap());
            assertThat(map + (long) entries * HvmStartInfo.MEMMAP_SIZE)
                    .isLessThanOrEqualTo(memory.read(info + HvmStartInfo.CMDLINE, 8));
        }
    }

    @Test
    void theProcessorStartsFlatInProtectedModeWithTheStartInfoInEbx() throws Exception {
        try (MachineMemory machine = new MachineMemory(32 * MIB);
                VcpuState state = new VcpuState()) {
            BuiltGuest guest =
                    PvhBuilder.build(kernel(), new PvhConfig(16 * MIB, 1, ""), new PhysicalToMachine(machine));
            state.setGpr(VcpuState.RCX, 77);
            guest.applyTo(state);
            assertThat(state.rip()).isEqualTo(0x100000);
            assertThat(state.gpr(VcpuState.RBX)).isEqualTo(guest.startInfo());
            assertThat(state.gpr(VcpuState.RCX)).isZero();
            assertThat(state.getLong(VcpuState.CR0)).isEqualTo(0x11);
            assertThat(state.rflags()).isEqualTo(2);
            assertThat(state.access(VcpuState.CS)).isEqualTo(0xC09B);
            assertThat(state.access(VcpuState.SS)).isEqualTo(0xC093);
            assertThat(state.segmentLimit(VcpuState.DS)).isEqualTo(-1);
            assertThat(state.segmentBase(VcpuState.CS)).isZero();
            assertThat(state.cpl()).isZero();
        }
    }

    @Test
    void whatDoesNotFitIsSaidInOneLineAndLeavesNothingBehind() throws Exception {
        try (MachineMemory machine = new MachineMemory(64 * MIB)) {
            long free = machine.available();
            PhysicalToMachine memory = new PhysicalToMachine(machine);
            MemorySegment big = MemorySegment.ofArray(new byte[(int) (20 * MIB)]);
            assertRefused(new PvhConfig(16 * MIB, 1, "").withInitrd(big), memory, "the initrd does not fit");
            assertRefused(new PvhConfig(21 * MIB, 1, "").withInitrd(big), memory, "the initrd does not fit");
            assertRefused(new PvhConfig(16 * MIB, 1, "x".repeat(2048)), memory, "command line has 2048 bytes");
            assertRefused(new PvhConfig(16 * MIB, 1, "a\0b"), memory, "NUL");
            assertRefused(new PvhConfig(0, 1, ""), memory, "memory of 0 KiB");
            assertRefused(new PvhConfig(-5, 1, ""), memory, "not possible");
            assertRefused(new PvhConfig(Long.MAX_VALUE, 1, ""), memory, "not possible");
            assertRefused(new PvhConfig(16 * MIB, 0, ""), memory, "0 virtual processors");
            assertRefused(new PvhConfig(16 * MIB, 1000, ""), memory, "1000 virtual processors");
            assertRefused(new PvhConfig(512 * MIB, 1, ""), memory, "the host has no memory");
            assertThat(machine.available()).isEqualTo(free);
            KernelImage high = KernelImage.load(TestKernel.kernel()
                    .segment(0x100000, 200 * MIB, new byte[100])
                    .elf());
            assertThatThrownBy(() -> PvhBuilder.build(high, new PvhConfig(64 * MIB, 1, ""), memory))
                    .isInstanceOf(DomainBuildException.class)
                    .hasMessageContaining("the kernel does not fit");
            KernelImage noEntry =
                    KernelImage.load(TestKernel.ordinary().notes(null).elf());
            assertThatThrownBy(() -> PvhBuilder.build(noEntry, new PvhConfig(64 * MIB, 1, ""), memory))
                    .isInstanceOf(ImageFormatException.class);
            assertThat(machine.available()).isEqualTo(free);
            PvhBuilder.build(kernel(), new PvhConfig(16 * MIB, 1, "x".repeat(2047)), memory);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 130, 512})
    void theTablesHaveRightChecksumsAndAnEntryPerProcessor(int vcpus) {
        AcpiTables acpi = AcpiTables.build(vcpus, GuestLayout.ACPI_TABLES);
        assertThat(sum(acpi.rsdp(), 0, 20)).isZero();
        assertThat(sum(acpi.rsdp(), 0, 36)).isZero();
        int tables = 0;
        for (byte[] table : split(acpi.tables())) {
            assertThat(sum(table, 0, table.length)).isZero();
            tables++;
            if (new String(table, 0, 4, StandardCharsets.US_ASCII).equals("APIC")) {
                int entries = 0;
                for (int at = 44; at < table.length; at += table[at + 1]) {
                    boolean wide = table[at] == 9;
                    assertThat(wide ? table[at + 12] & 0xff | table[at + 13] << 8 : table[at + 2] & 0xff)
                            .isEqualTo(entries);
                    assertThat(wide ? table[at + 4] & 0xff | table[at + 5] << 8 : table[at + 3] & 0xff)
                            .isEqualTo(2 * entries);
                    entries++;
                }
                assertThat(entries).isEqualTo(vcpus);
            }
        }
        assertThat(tables).isEqualTo(4);
    }

    @Test
    void theTablesPleaseTheReferenceDisassembler() throws Exception {
        assumeTrue(hasIasl(), "skipped, no iasl (package acpica-tools)");
        for (byte[] table : split(AcpiTables.build(2, GuestLayout.ACPI_TABLES).tables())) {
            String name = new String(table, 0, 4, StandardCharsets.US_ASCII);
            Path file = directory.resolve(name + ".dat");
            Files.write(file, table);
            Process iasl = new ProcessBuilder("iasl", "-d", file.toString())
                    .redirectErrorStream(true)
                    .start();
            String said = new String(iasl.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(iasl.waitFor(20, TimeUnit.SECONDS)).isTrue();
            assertThat(iasl.exitValue()).as(said).isZero();
            String text = Files.readString(directory.resolve(name + ".dsl"), StandardCharsets.ISO_8859_1);
            assertThat(text).doesNotContainIgnoringCase("invalid").doesNotContain("**** ");
            if (name.equals("FACP")) {
                assertThat(text)
                        .containsPattern("Hardware Reduced \\(V5\\) : 1")
                        .containsPattern("VGA Not Present \\(V4\\) : 1")
                        .containsPattern("CMOS RTC Not Present \\(V5\\) : 1");
            }
        }
    }

    private static boolean hasIasl() throws InterruptedException {
        try {
            Process process =
                    new ProcessBuilder("iasl", "-v").redirectErrorStream(true).start();
            process.getInputStream().readAllBytes();
            return process.waitFor() == 0;
        } catch (IOException e) {
            return false;
        }
    }

    private static List<byte[]> split(byte[] tables) {
        List<byte[]> found = new ArrayList<>();
        for (int at = 0; at < tables.length; ) {
            int size = tables[at + 4] & 0xff | (tables[at + 5] & 0xff) << 8;
            found.add(java.util.Arrays.copyOfRange(tables, at, at + size));
            at = at + size + 15 & -16;
        }
        return found;
    }

    private static int sum(byte[] bytes, int from, int to) {
        byte sum = 0;
        for (int i = from; i < to; i++) {
            sum += bytes[i];
        }
        return sum;
    }

    private static String string(PhysicalToMachine memory, long at) {
        byte[] bytes = new byte[2048];
        int length = 0;
        while (memory.read(at + length, 1) != 0) {
            bytes[length] = (byte) memory.read(at + length, 1);
            length++;
        }
        return new String(bytes, 0, length, StandardCharsets.UTF_8);
    }

    private static KernelImage kernel() throws ImageFormatException {
        return KernelImage.load(TestKernel.ordinary().elf());
    }

    private static void assertRefused(PvhConfig config, PhysicalToMachine memory, String because) {
        assertThatThrownBy(() -> PvhBuilder.build(kernel(), config, memory))
                .isInstanceOf(DomainBuildException.class)
                .hasMessageContaining(because)
                .message()
                .doesNotContain("\n");
    }
}
