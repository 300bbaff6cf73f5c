package org.xenolith.cpu.decode;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DisassemblerTest {
    private static final Disassembler.Symbols SYMBOLS =
            address -> address >= 0xffffffff81000000L && address < 0xffffffff81002000L
                    ? "start+0x" + Long.toHexString(address - 0xffffffff81000000L)
                    : null;

    private static String text(String hex, int mode) {
        byte[] code = HexFormat.of().parseHex(hex.replace(" ", ""));
        Disassembler.Line line = new Disassembler(Disassembler.Symbols.NONE).line(code, 0, code.length, 0x1000, mode);
        assertThat(line.length()).isEqualTo(code.length);
        return line.text();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "48 89 e5                   | mov rbp, rsp",
                "48 8b 84 c8 10 01 00 00    | mov rax, qword ptr [rax+rcx*8+0x110]",
                "65 48 8b 04 25 c0 fb 01 00 | mov rax, qword ptr gs:0x1fbc0",
                "48 8b 05 10 00 00 00       | mov rax, qword ptr [rip+0x10]  # 0x1017",
                "48 b8 ef cd ab 89 67 45 23 01 | mov rax, 0x123456789abcdef",
                "83 c0 80                   | add eax, 0xffffff80",
                "48 83 e4 f0                | and rsp, 0xfffffffffffffff0",
                "41 80 7c 24 08 ff          | cmp byte ptr [r12+0x8], 0xff",
                "40 88 f0                   | mov al, sil",
                "88 e0                      | mov al, ah",
                "e8 fb ff ff ff             | call 0x1000",
                "74 fe                      | je 0x1000",
                "ff 25 00 00 00 00          | jmp qword ptr [rip+0x0]  # 0x1006",
                "f3 48 ab                   | rep stosq",
                "f3 a4                      | rep movsb",
                "f2 ae                      | repne scasb",
                "f0 0f b1 0f                | lock cmpxchg dword ptr [rdi], ecx",
                "0f 1f 84 00 00 00 00 00    | nop dword ptr [rax+rax*1]",
                "f3 0f 1e fa                | endbr64",
                "90                         | nop",
                "f3 90                      | pause",
                "48 98                      | cdqe",
                "99                         | cdq",
                "48 cf                      | iretq",
                "0f 22 d8                   | mov cr3, rax",
                "0f 01 10                   | lgdt [rax]",
                "0f 01 c1                   | vmcall",
                "e4 60                      | in al, 0x60",
                "ef                         | out dx, eax",
                "6a ff                      | push 0xffffffffffffffff",
                "0f a0                      | push fs",
                "66 0f 6f 01                | movdqa xmm0, xmmword ptr [rcx]",
                "f2 41 0f 58 c1             | addsd xmm0, xmm9",
                "db 2f                      | fld tbyte ptr [rdi]",
                "d8 c1                      | fadd st, st(1)",
                "de c9                      | fmulp st(1), st",
                "df f1                      | fcomip st, st(1)",
                "c4 e2 78 f2 c1             | andn eax, eax, ecx",
                "0f 18 08                   | prefetcht0 byte ptr [rax]",
                "0f ae 07                   | fxsave [rdi]",
                "48 0f ae 07                | fxsave64 [rdi]",
                "d1 e0                      | shl eax, 1",
                "0f ba e0 07                | bt eax, 0x7",
            })
    void readsAsTheManualsWriteIt(String hex, String expected) {
        assertThat(text(hex, 3)).isEqualTo(expected);
    }

    @Test
    void realModeAndProtectedModeHaveTheirOwnSizes() {
        assertThat(text("8b 47 fe", 1)).isEqualTo("mov ax, word ptr [bx-0x2]");
        assertThat(text("66 b8 78 56 34 12", 1)).isEqualTo("mov eax, 0x12345678");
        assertThat(text("ea 05 00 00 f0", 1)).isEqualTo("jmp 0xf000:0x5");
        assertThat(text("40", 2)).isEqualTo("inc eax");
        assertThat(text("a1 00 10 00 00", 2)).isEqualTo("mov eax, dword ptr ds:0x1000");
        assertThat(text("2e 8b 03", 2)).isEqualTo("mov eax, dword ptr cs:[ebx]");
    }

    @Test
    void addressesHaveNamesWhereSymbolsKnowThem() {
        Disassembler disassembler = new Disassembler(SYMBOLS);
        byte[] call = HexFormat.of().parseHex("e8fb0f0000");
        assertThat(disassembler.line(call, 0, 5, 0xffffffff81000000L, 3).text())
                .isEqualTo("call 0xffffffff81001000 <start+0x1000>");
        byte[] load = HexFormat.of().parseHex("488b0509000000");
        assertThat(disassembler.line(load, 0, 7, 0xffffffff81000000L, 3).text())
                .isEqualTo("mov rax, qword ptr [rip+0x9]  # start+0x10");
        byte[] move = HexFormat.of().parseHex("48c7c720000081");
        assertThat(disassembler.line(move, 0, 7, 0x10, 3).text())
                .isEqualTo("mov rdi, 0xffffffff81000020  # start+0x20");
    }

    @Test
    void whatIsNoInstructionIsOneByteAndTheRestGoesOn() {
        byte[] code = HexFormat.of().parseHex("06c3");
        List<Disassembler.Line> lines = new Disassembler(Disassembler.Symbols.NONE).lines(code, 0, 2, 0x1000, 3, 10);
        assertThat(lines).extracting(Disassembler.Line::text).containsExactly("(bad 0x06)", "ret");
    }

    @Test
    void bytesThatEndTooEarlyAreNotReadBeyondTheirEnd() {
        byte[] code = HexFormat.of().parseHex("488b05");
        Disassembler.Line line = new Disassembler(Disassembler.Symbols.NONE).line(code, 0, 3, 0x1000, 3);
        assertThat(line.insn()).isNull();
        assertThat(line.length()).isEqualTo(3);
    }

    @Test
    void whateverBytesComeThereIsALineForThem() {
        Random random = new Random(7);
        byte[] code = new byte[1 << 16];
        random.nextBytes(code);
        for (int mode = 1; mode <= 3; mode++) {
            List<Disassembler.Line> lines = new Disassembler(Disassembler.Symbols.NONE)
                    .lines(code, 0, code.length, 0x1000, mode, Integer.MAX_VALUE);
            assertThat(lines).allSatisfy(line -> assertThat(line.text()).isNotBlank());
        }
    }
}
