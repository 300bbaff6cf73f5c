package org.xenolith.translate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.decode.Decoder;
import org.xenolith.cpu.decode.Insn;

class AssemblerTest {
    private static final long SEED = Long.getLong("xenolith.seed", System.nanoTime());

    @Test
    void theDecoderReadsBackEveryAddressingForm() {
        SplittableRandom random = new SplittableRandom(SEED);
        Assembler a = new Assembler();
        Decoder decoder = new Decoder();
        for (int n = 0; n < 20_000; n++) {
            int w = 1 + random.nextInt(3);
            int reg = random.nextInt(16);
            int base = random.nextInt(17) - 1;
            int index = random.nextInt(17) - 1;
            index = index == 4 ? Assembler.NONE : index;
            int scale = index < 0 ? 0 : random.nextInt(4);
            int displacement = random.nextInt() >> random.nextInt(32);
            a.start(0);
            a.rm(0, w, Assembler.MAP_1, 0x8B, reg, base, index, scale, displacement);
            byte[] code = Arrays.copyOf(a.finish(), 16);
            Insn i = decoder.decode(at -> code[at] & 0xff, 0, 3);
            String what = "seed " + SEED + ": w " + w + " reg " + reg + " base " + base + " index " + index;
            assertThat(i.row.mnemonic).as(what).isEqualTo("mov");
            assertThat(i.length()).as(what).isEqualTo(a.size());
            assertThat((int) i.operandSize).as(what).isEqualTo(w);
            assertThat((int) i.reg).as(what).isEqualTo(reg);
            assertThat(i.mem.base()).as(what).isEqualTo(base < 0 ? VcpuState.ZERO : base * 8);
            assertThat(i.mem.index()).as(what).isEqualTo(index < 0 ? VcpuState.ZERO : index * 8);
            assertThat(i.mem.scale()).as(what).isEqualTo(scale);
            assertThat(i.mem.displacement()).as(what).isEqualTo(displacement);
        }
    }

    @Test
    void objdumpReadsTheSame() throws IOException, InterruptedException {
        Path objdump = Path.of("/usr/bin/objdump");
        assumeTrue(Files.isExecutable(objdump), "skipped, no objdump");
        Assembler a = new Assembler();
        a.start(0);
        a.mov(3, Assembler.R10, Assembler.RAX);
        a.mov(1, Assembler.RAX, Assembler.R15);
        a.load(3, Assembler.R11, Assembler.R14, -0x6b0);
        a.store(1, Assembler.R14, 0x20, Assembler.RAX);
        a.storeImmediate(2, Assembler.R14, 0x14, 5);
        a.constant(Assembler.R12, 1);
        a.constant(Assembler.RDX, -1);
        a.constant(Assembler.R13, 0x123456789abcL);
        a.lea(Assembler.R10, Assembler.R13, Assembler.R12, 2, 0);
        a.lea(Assembler.R10, Assembler.NONE, Assembler.RCX, 3, 16);
        a.alu(Assembler.XOR, 2, Assembler.R11, Assembler.R10);
        a.aluImmediate(Assembler.AND, 3, Assembler.R10, -4096);
        a.aluMemory(Assembler.CMP, 3, Assembler.R10, Assembler.R11, 8);
        a.aluMemoryImmediate(Assembler.SUB, 3, Assembler.R14, 8, 40);
        a.shift(Assembler.SHR, 3, Assembler.R11, 7);
        a.push(Assembler.R15);
        a.pop(Assembler.RBX);
        a.popMemory(Assembler.R14, 0x30);
        a.lahf();
        a.sahf();
        a.setcc(0, Assembler.RAX);
        a.setcc(Assembler.NE, Assembler.RSI);
        a.jmpMemory(Assembler.R14, 0x40);
        a.rm(Assembler.LOCK, 2, Assembler.MAP_0F, 0xB1, 9, 12, Assembler.NONE, 0, 0);
        a.plus(3, Assembler.MAP_0F, 0xC8, Assembler.R10, 0);
        a.ret();
        List<String> expected = List.of(
                "mov r10,rax",
                "mov ax,r15w",
                "mov r11,QWORD PTR [r14-0x6b0]",
                "mov WORD PTR [r14+0x20],ax",
                "mov DWORD PTR [r14+0x14],0x5",
                "mov r12d,0x1",
                "mov rdx,0xffffffffffffffff",
                "movabs r13,0x123456789abc",
                "lea r10,[r13+r12*4+0x0]",
                "lea r10,[rcx*8+0x10]",
                "xor r11d,r10d",
                "and r10,0xfffffffffffff000",
                "cmp r10,QWORD PTR [r11+0x8]",
                "sub QWORD PTR [r14+0x8],0x28",
                "shr r11,0x7",
                "push r15",
                "pop rbx",
                "pop QWORD PTR [r14+0x30]",
                "lahf",
                "sahf",
                "seto al",
                "setne sil",
                "jmp QWORD PTR [r14+0x40]",
                "lock cmpxchg DWORD PTR [r12],r9d",
                "bswap r10",
                "ret");
        Path file = Files.createTempFile("xenolith-assembler", ".bin");
        try {
            Files.write(file, Arrays.copyOf(a.finish(), a.size()));
            Process process = new ProcessBuilder(
                            objdump.toString(),
                            "-D",
                            "-b",
                            "binary",
                            "-m",
                            "i386:x86-64",
                            "-M",
                            "intel",
                            "--no-show-raw-insn",
                            file.toString())
                    .redirectErrorStream(true)
                    .start();
            List<String> lines;
            try (var reader = process.inputReader()) {
                lines = reader.lines()
                        .filter(line -> line.matches("\\s+[0-9a-f]+:\\t.*"))
                        .map(line ->
                                line.substring(line.indexOf('\t') + 1).strip().replaceAll("\\s+", " "))
                        .toList();
            }
            process.waitFor();
            assertThat(lines).isEqualTo(expected);
        } finally {
            Files.delete(file);
        }
    }

    @Test
    void jumpsReachTheirLabelsInBothDirections() {
        Assembler a = new Assembler();
        a.start(0x1000);
        int back = a.label();
        int forward = a.label();
        a.bind(back);
        a.jcc(Assembler.E, forward);
        a.jmp(back);
        a.bind(forward);
        a.ret();
        byte[] code = a.finish();
        assertThat(code[2]).isEqualTo((byte) 5);
        assertThat(code[7]).isEqualTo((byte) -11);
    }

    @Test
    void aLabelThatIsNeverPlacedIsRefused() {
        Assembler a = new Assembler();
        a.start(0);
        a.jmp(a.label());
        assertThatIllegalStateException().isThrownBy(a::finish).withMessageContaining("never placed");
    }
}
