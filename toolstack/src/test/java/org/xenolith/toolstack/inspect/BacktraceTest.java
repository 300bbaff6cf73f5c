package org.xenolith.toolstack.inspect;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.xenolith.cpu.Efer;
import org.xenolith.cpu.VcpuState;
import org.xenolith.services.symbols.SymbolTable;

class BacktraceTest {
    /** The kernel's image lies at guest-physical 0x1000 and thus at this linear address. */
    private static final long KERNEL = 0xffffffff80001000L;

    private static final long STACK = 0xffffffff80005000L;

    @TempDir
    private Path directory;

    private final FakeMemory memory = new FakeMemory(16);
    private final VcpuState state = new VcpuState();
    private GuestView view;

    @BeforeEach
    void kernel() throws IOException {
        Path map = directory.resolve("System.map");
        Files.writeString(map, """
                ffffffff80001000 T outer
                ffffffff80001100 T middle
                ffffffff80001200 t inner
                ffffffff80001300 T other
                ffffffff80001400 D data
                """);
        SymbolTable symbols = SymbolTable.systemMap(map);
        view = new GuestView(memory, 0x1000, 0xa000, () -> symbols);
        state.setLong(VcpuState.EFER, Efer.LMA);
        state.setSegment(VcpuState.CS, 0x10, 0, -1, 0xa09b);
        state.setSegment(VcpuState.SS, 0x18, 0, -1, 0xc093);
        call(0x1010, KERNEL + 0x100);
        call(0x1120, KERNEL + 0x200);
        call(0x1330, KERNEL);
        state.setRip(KERNEL + 0x210);
        state.setGpr(VcpuState.RSP, STACK);
    }

    @AfterEach
    void close() {
        state.close();
    }

    /** Puts a CALL at a physical address. */
    private void call(long at, long target) {
        memory.write(at, 1, 0xE8);
        memory.write(at + 1, 4, target - (at + 0xffffffff80000000L) - 5);
    }

    private void stack(int slot, long value) {
        memory.put(0x5000 + slot * 8L, value);
    }

    @Test
    void framesWhoseCallsFitAreCertainAndLeftoversAreMarked() {
        stack(0, 0x1234);
        stack(1, KERNEL + 0x335);
        stack(2, KERNEL + 0x125);
        stack(3, KERNEL + 0x404);
        stack(4, KERNEL + 0x15);
        stack(5, KERNEL + 0x50);
        assertThat(Backtrace.of(state, view, 20))
                .containsExactly(
                        "  0xffffffff80001210 <inner+0x10>",
                        "  ? 0xffffffff80001335 <other+0x35>",
                        "  0xffffffff80001125 <middle+0x25>",
                        "  0xffffffff80001015 <outer+0x15>");
    }

    @Test
    void interruptFramesAreFollowedToTheStackTheyCameFrom() {
        stack(0, KERNEL + 0x120);
        stack(1, 0x10);
        stack(2, 0x246);
        stack(3, STACK + 0x800);
        stack(4, 0x18);
        stack(5, KERNEL + 0x125);
        memory.put(0x5800, KERNEL + 0x15);
        memory.put(0x5808, 0x401000);
        memory.put(0x5810, 0x33);
        memory.put(0x5818, 0x202);
        memory.put(0x5820, 0x7ffff000);
        memory.put(0x5828, 0x2b);
        assertThat(Backtrace.of(state, view, 20))
                .containsExactly(
                        "  0xffffffff80001210 <inner+0x10>",
                        "  --- interrupted here:",
                        "  0xffffffff80001120 <middle+0x20>",
                        "  0xffffffff80001015 <outer+0x15>",
                        "  --- entered from user mode at 0x401000");
    }

    @Test
    void codeIsShownWithTheInstructionsBeforeAndTheFaultingByteMarked() {
        byte[] code = HexFormat.of().parseHex("554889e50f0bc3");
        memory.write(0x1200, code, 0, code.length);
        state.setRip(KERNEL + 0x204);
        assertThat(CodeText.around(state, view))
                .contains("55 48 89 e5 <0f> 0b c3")
                .contains("   0xffffffff80001201: 48 89 e5                       mov rbp, rsp\n")
                .contains("=> 0xffffffff80001204: 0f 0b                          ud2\n");
    }

    @Test
    void aReportIsWrittenWhateverTheGuestLeftBehind() {
        state.setRip(0x123456789abcL);
        state.setGpr(VcpuState.RSP, 0xdeadL << 48);
        state.setLong(VcpuState.CR0, 1L << 31 | 1);
        state.setLong(VcpuState.CR3, -1L);
        String report = CrashReport.format(
                "title", "", "processor", state, view, () -> "", new IllegalStateException("x"), false);
        assertThat(report)
                .contains("---- title", "rip 0000123456789abc", "is not mapped")
                .doesNotContain("\tat ");
        assertThat(CrashReport.format(
                        "title", "", "processor", state, view, () -> "", new IllegalStateException("x"), true))
                .contains("\tat ");
        assertThat(List.of(report.split("\n")).getLast()).isEqualTo("----");
    }

    @Test
    void hypercallsAreWrittenWithNamesAndErrors() {
        assertThat(HypercallText.format(state, view, 17, new long[] {0, 0, 0, 0, 0}, 0x40011))
                .isEqualTo("xen_version(version, 0x0) = 0x40011");
        assertThat(HypercallText.format(state, view, 99, new long[] {1, 2, 3, 4, 5}, -38))
                .isEqualTo("hypercall_99(0x1, 0x2, 0x3, 0x4, 0x5) = -ENOSYS");
        memory.write(0x6000, 4, 7);
        assertThat(HypercallText.format(state, view, 32, new long[] {4, 0x6000, 0, 0, 0}, 0))
                .isEqualTo("event_channel_op(send, 0x6000) {port 7} = 0");
    }
}
