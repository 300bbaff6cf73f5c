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
                "c5 fc 58 c1                | vaddps ymm0, ymm0, ymm1",
                "c5 f2 58 10                | vaddss xmm2, xmm1, dword ptr [rax]",
                "c4 e3 71 4a c2 30          | vblendvps xmm0, xmm1, xmm2, xmm3",
                "c4 e2 6d 90 04 88          | vpgatherdd ymm0, dword ptr [rax+ymm1*4], ymm2",
                "c4 e2 ed 90 04 88          | vpgatherdq ymm0, qword ptr [rax+xmm1*4], ymm2",
                "c4 e2 7d 20 00             | vpmovsxbw ymm0, xmmword ptr [rax]",
                "c4 e3 7d 19 c8 01          | vextractf128 xmm0, ymm1, 0x1",
                "c4 e2 f5 b8 c2             | vfmadd231pd ymm0, ymm1, ymm2",
                "c5 e5 71 d1 04             | vpsrlw ymm3, ymm1, 0x4",
                "c5 fc 77                   | vzeroall",
                "0f 18 08                   | prefetcht0 byte ptr [rax]",
                "0f ae 07                   | fxsave [rdi]",
                "48 0f ae 07                | fxsave64 [rdi]",
                "d1 e0                      | shl eax, 1",
                "0f ba e0 07                | bt eax, 0x7",
            })
    void readsAsTheManualsWriteIt(String hex, String expected) {
        assertThat(text(hex, 3)).isEqualTo(expected);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "c5 fd 6e c0       | VMOVD with VEX.L",
                "c5 78 28 c1       | not this one",
                "c5 e8 28 c1       | VMOVAPS with a register in VEX.vvvv",
                "66 c5 fc 58 c1    | 66 before VEX",
                "f0 c5 fc 58 00    | LOCK before VEX",
                "48 c5 fc 58 c1    | REX before VEX",
                "c4 e3 75 06 c2 00 | not this one",
                "c4 e3 f5 06 c2 00 | VPERM2F128 with VEX.W",
                "c4 e3 71 06 c2 00 | VPERM2F128 of 128 bits",
                "c4 e2 6d 90 00    | a gather without SIB",
                "c4 e2 6d 90 c1    | a gather from a register",
                "c4 e4 7d 58 c1    | opcode map 4",
            })
    void encodingsOfVexThatAreNoInstructions(String hex, String why) {
        byte[] code = HexFormat.of().parseHex(hex.replace(" ", ""));
        Disassembler.Line line = new Disassembler(Disassembler.Symbols.NONE).line(code, 0, code.length, 0x1000, 3);
        assertThat(line.insn() == null).as(why).isEqualTo(!why.equals("not this one"));
    }

    @Test
    void vexMeansLesAndLdsOutsideLongModeUnlessTheModRmByteIsARegister() {
        assertThat(text("c5 10", 2)).isEqualTo("lds edx, [eax]");
        assertThat(text("c4 10", 1)).isEqualTo("les dx, [bx+si]");
        assertThat(text("c5 fc 58 c1", 2)).isEqualTo("vaddps ymm0, ymm0, ymm1");
        // VEX.W chooses the precision in all modes, but the width of a general register in 64-bit mode only.
        assertThat(text("c4 e2 f1 98 c2", 2)).isEqualTo("vfmadd132pd xmm0, xmm1, xmm2");
        assertThat(text("c4 e1 f9 6e c0", 2)).isEqualTo("vmovd xmm0, eax");
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
