package org.xenolith.translate;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.util.HexFormat;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.VcpuState;
import org.xenolith.memory.Raw;

/** The comparison of engines: what it finds, and what it leaves alone. */
class LockStepTest {
    private static final long SEED = Long.getLong("xenolith.seed", System.nanoTime());

    private static Machines machine(String hex) {
        byte[] code = HexFormat.of().parseHex(hex.replace(" ", ""));
        return new Machines(true).load(code, code.length).verify();
    }

    /** Puts a defect into emitted code: other bytes of the same length in the block at an address. */
    private static void spoil(Machines m, long rip, String emitted, String instead) {
        TranslatingEngine engine = m.translator();
        byte[] from = HexFormat.of().parseHex(emitted);
        byte[] to = HexFormat.of().parseHex(instead);
        long at = engine.blockAt(rip).code;
        long end = engine.memory().next();
        for (; at + from.length <= end; at++) {
            boolean here = true;
            for (int i = 0; i < from.length; i++) {
                here &= Raw.getByte(at + i) == from[i];
            }
            if (here) {
                engine.memory().write(at, to, to.length);
                return;
            }
        }
        throw new AssertionError("the block emits no " + emitted);
    }

    private static String hex(long at, int bytes) {
        StringBuilder s = new StringBuilder();
        for (int i = 0; i < bytes; i++) {
            s.append(String.format("%02x", Raw.getByte(at + i)));
        }
        return s.toString();
    }

    private static String report(VcpuExit exit) {
        assertThat(exit).isInstanceOf(VcpuExit.Disagreement.class);
        return ((VcpuExit.Disagreement) exit).report();
    }

    private static long count(Machines m, String what) {
        return m.engine
                .statistics()
                .lines()
                .filter(line -> line.endsWith(what))
                .mapToLong(line -> Long.parseLong(line.strip().split(" ")[0].replace(",", "")))
                .findFirst()
                .orElse(0);
    }

    @Test
    void aWrongRegisterIsReportedWithTheBlockItsCodeAndBothValues() {
        // mov eax,5; mov ecx,3; add eax,ecx; hlt
        try (Machines m = machine("b805000000 b903000000 01c8 f4")) {
            spoil(m, Machines.CODE, "01c8", "29c8");
            String report = report(m.run(100));
            assertThat(report.lines().findFirst())
                    .hasValue("interpreter and translator disagree about the block at 0x10000 <start>: rax,"
                            + " behind 3 instructions");
            assertThat(report).contains("   0x1000a: 01 c8                          add eax, ecx");
            assertThat(report)
                    .containsPattern("rax +0000000000000000 +0000000000000008 +0000000000000002")
                    .doesNotContain("rcx");
            assertThat(m.state.rip())
                    .as("the state is the one before the block")
                    .isEqualTo(Machines.CODE);
            assertThat(m.state.gpr(0)).isZero();
            assertThat(m.state.retired()).isZero();
        }
    }

    @Test
    void aWrongFlagAloneIsReported() {
        // xor eax,eax; cmp eax,1; setc is not there: only the flags differ; jmp +0; hlt
        try (Machines m = machine("31c0 83f801 eb00 f4")) {
            spoil(m, Machines.CODE, "83f801", "83f800");
            String report = report(m.run(100));
            assertThat(report.lines().findFirst().orElseThrow()).contains(": rflags, behind 3 instructions");
            assertThat(report).containsPattern("rflags +0000000000000002 +0000000000000097 +0000000000000046");
        }
    }

    @Test
    void aWrongStoreIsReportedWithItsAddressAndMemoryIsAsBefore() {
        // mov eax,0x11223344; mov [rbx],eax; hlt
        try (Machines m = machine("b844332211 8903 f4")) {
            m.state.setGpr(VcpuState.RBX, Machines.DATA + 4);
            m.memory.write(Machines.DATA, 8, 0x0102030405060708L);
            spoil(m, Machines.CODE, "b844332211", "b845332211");
            String report = report(m.run(100));
            assertThat(report)
                    .contains("memory at 0x20000: before 0102030405060708, interpreter 1122334405060708,"
                            + " translator 1122334505060708");
            assertThat(m.memory.read(Machines.DATA, 8)).isEqualTo(0x0102030405060708L);
        }
    }

    @Test
    void aStoreThatIsMissingIsReported() {
        // mov eax,1; mov [rbx],eax; hlt: the store becomes a load's length of NOPs
        try (Machines m = machine("b801000000 8903 f4")) {
            m.state.setGpr(VcpuState.RBX, Machines.DATA);
            String emitted = hex(m.translator().blockAt(Machines.CODE).code, 120);
            // mov [r11+rbx],eax with any prefix: find the modrm and SIB that the probe leads to.
            String store = emitted.substring(emitted.indexOf("8904"), emitted.indexOf("8904") + 6);
            spoil(m, Machines.CODE, store, "8b" + store.substring(2));
            assertThat(report(m.run(100)).lines().findFirst().orElseThrow()).contains("rax, memory at 0x20000");
        }
    }

    @Test
    void aTranslationThatOnlyTheTlbStillHasServesBothEngines() {
        // hlt; mov eax,[rbx]; hlt
        try (Machines m = machine("f4 8b03 f4")) {
            m.state.setGpr(VcpuState.RBX, Machines.DATA);
            m.run(1);
            m.run(1);
            m.unmap(Machines.DATA);
            // No INVLPG.
            m.state.setRip(Machines.CODE + 1);
            assertThat(m.run(1)).isInstanceOf(VcpuExit.BudgetSpent.class);
            m.engine.flushTlb();
            m.state.setRip(Machines.CODE + 1);
            assertThat(m.run(100)).isInstanceOf(VcpuExit.Halt.class);
            assertThat(m.state.getLong(VcpuState.CR2)).isEqualTo(Machines.DATA);
        }
    }

    @Test
    void translatedCodeThatRunsOverAFaultIsReported() {
        // hlt; mov eax,[rbx]; hlt, with the probe's branch taken out: it uses the addend of a slot that was flushed
        try (Machines m = machine("f4 8b03 f4")) {
            m.state.setGpr(VcpuState.RBX, Machines.DATA);
            m.run(1);
            m.run(1);
            m.unmap(Machines.DATA);
            m.engine.flushTlb();
            long at = m.translator().blockAt(Machines.CODE + 1).code;
            String emitted = hex(at, 120);
            int branch = emitted.lastIndexOf("0f85");
            spoil(m, Machines.CODE + 1, emitted.substring(branch, branch + 12), "660f1f440000");
            m.state.setRip(Machines.CODE + 1);
            assertThat(report(m.run(1)).lines().findFirst())
                    .hasValue("interpreter and translator disagree about the block at 0x10001:"
                            + " the interpreter refuses instruction 1, translated code executed 1");
        }
    }

    @Test
    void randomProgramsWithFaultsAreTheSameAsInTheInterpreterAndNothingIsReported() {
        SplittableRandom seeds = new SplittableRandom(SEED);
        long compared = 0;
        for (int n = 0; n < 60; n++) {
            long seed = seeds.nextLong();
            SplittableRandom random = new SplittableRandom(seed);
            RandomProgram program = new RandomProgram(random);
            byte[] code = program.make(20 + random.nextInt(60), 1 + random.nextInt(20));
            byte[] data = new byte[Machines.DATA_BYTES];
            random.nextBytes(data);
            try (Machines expected = new Machines(false);
                    Machines actual = new Machines(true).verify()) {
                for (Machines m : new Machines[] {expected, actual}) {
                    m.load(code, program.size());
                    m.memory.write(Machines.DATA, data, 0, data.length);
                    if (n % 2 == 0) {
                        m.unmap(Machines.DATA + n / 2 % 3 * 4096L);
                    }
                }
                VcpuExit left;
                do {
                    long budget = 1 + random.nextInt(3000);
                    left = expected.run(budget);
                    VcpuExit right = actual.run(budget);
                    assertThat(right).as("seed %d", seed).isEqualTo(left);
                    assertThat(actual.registers(false)).as("seed %d", seed).isEqualTo(expected.registers(false));
                } while (left instanceof VcpuExit.BudgetSpent);
                assertThat(actual.registers(true)).as("seed %d", seed).isEqualTo(expected.registers(true));
                assertThat(actual.data()).as("seed %d", seed).isEqualTo(expected.data());
                compared += count(actual, "blocks run by both engines with the same result");
            }
        }
        assertThat(compared).as("seed %d", SEED).isGreaterThan(1000);
    }

    @Test
    void codeThatRewritesItselfIsComparedAndRunsOnce() {
        // mov ecx,5; l: add ebx,1 (the immediate is incremented); inc byte [rip-7]; dec ecx; jnz l; hlt
        try (Machines m = machine("b905000000 83c301 fe05f9ffffff ffc9 75f3 f4")) {
            assertThat(m.run(1000)).isInstanceOf(VcpuExit.Halt.class);
            assertThat(m.state.gpr(VcpuState.RBX)).isEqualTo(1 + 2 + 3 + 4 + 5);
            assertThat(count(m, "blocks run by both engines with the same result"))
                    .isPositive();
        }
    }

    @Test
    void aStringInstructionThatFaultsInTheMiddleIsNoDifference() {
        // rep movsb over the end of the page; hlt. The handler of #PF halts.
        try (Machines m = machine("f3a4 f4").unmap(Machines.DATA + 0x1000)) {
            m.state.setGpr(VcpuState.RSI, Machines.DATA + 0xF80);
            m.state.setGpr(VcpuState.RDI, Machines.DATA + 0x2000);
            m.state.setGpr(VcpuState.RCX, 0x100);
            m.memory.write(Machines.DATA + 0xFF8, 8, 0x1122334455667788L);
            assertThat(m.run(100)).isInstanceOf(VcpuExit.Halt.class);
            assertThat(m.state.gpr(VcpuState.RCX)).isEqualTo(0x80);
            assertThat(m.state.getLong(VcpuState.CR2)).isEqualTo(Machines.DATA + 0x1000);
            assertThat(m.memory.read(Machines.DATA + 0x2078, 8)).isEqualTo(0x1122334455667788L);
        }
    }

    @Test
    void overlappingMovesOnTrialReplicateAsInMemory() {
        // rep movsb with rdi = rsi + 1; hlt
        try (Machines m = machine("f3a4 f4")) {
            m.state.setGpr(VcpuState.RSI, Machines.DATA + 0x10);
            m.state.setGpr(VcpuState.RDI, Machines.DATA + 0x11);
            m.state.setGpr(VcpuState.RCX, 100);
            m.memory.write(Machines.DATA + 0x10, 1, 0x5A);
            assertThat(m.run(100)).isInstanceOf(VcpuExit.Halt.class);
            assertThat(m.memory.read(Machines.DATA + 0x10 + 96, 4)).isEqualTo(0x5A5A5A5AL);
            assertThat(count(m, "blocks run by both engines with the same result"))
                    .isEqualTo(1);
        }
    }

    @Test
    void aDeviceIsAccessedOnceForEachInstruction() {
        // mov eax,[rbx]; inc ecx; mov [rbx],eax; inc ecx; hlt
        try (Machines m = machine("8b03 ffc1 8903 ffc1 f4").device(Machines.DATA)) {
            m.state.setGpr(VcpuState.RBX, Machines.DATA);
            assertThat(m.run(100)).isInstanceOf(VcpuExit.Halt.class);
            assertThat(m.deviceAccesses).isEqualTo(2);
            assertThat(m.state.gpr(VcpuState.RCX)).isEqualTo(2);
        }
    }

    @Test
    void flagsThatAreUndefinedMayDifferAndWhatReadsThemToo() {
        // mov eax,7; mul ecx (SF ZF AF PF are undefined); sets al; hlt: spoiled so that the flags differ
        try (Machines m = machine("b807000000 f7e1 eb00 f4")) {
            spoil(m, Machines.CODE, "f7e1", "f7e9");
            m.state.setGpr(VcpuState.RCX, 3);
            assertThat(m.run(100)).isInstanceOf(VcpuExit.Halt.class);
        }
        assertThat(undefined("f7e1", 1).flags()).isEqualTo(0xD4);
        assertThat(undefined("f7e1 0f98c0", 2).everything())
                .as("sets reads SF of mul")
                .isTrue();
        assertThat(undefined("f7e1 0f92c0", 2).everything())
                .as("setc reads CF, which mul defines")
                .isFalse();
        assertThat(undefined("f7e1 39c8 0f98c0", 3).everything())
                .as("cmp defines all flags again")
                .isFalse();
        assertThat(undefined("f7e1 11c8", 2).everything())
                .as("adc reads CF only")
                .isFalse();
        assertThat(undefined("d3e0 9f", 2).everything())
                .as("lahf reads the AF of a shift")
                .isTrue();
        assertThat(undefined("660fa5c8 90", 2).everything())
                .as("a double shift of a word")
                .isTrue();
    }

    private static Undefined undefined(String hex, int count) {
        byte[] code = HexFormat.of().parseHex(hex.replace(" ", ""));
        try (Arena arena = Arena.ofConfined()) {
            long at = arena.allocate(code.length + 16).address();
            Raw.copy(code, 0, at, code.length);
            TranslatedBlock block = new TranslatedBlock(at, (int) at & 4095, code.length, count, 0, null, 0);
            return Undefined.after(block, count, insn -> Emitted.of(insn, Set.of()));
        }
    }

    @Test
    void whatOtherThreadsWriteToTheSameWordsStaysAndIsNoDifference() throws InterruptedException {
        // l: lock btr dword [rbx],0; inc dword [rbx+8]; dec ecx; jnz l; hlt, while another thread sets bits
        try (Machines m = machine("f00fba3300 ff4308 ffc9 75f4 f4")) {
            m.state.setGpr(VcpuState.RBX, Machines.DATA);
            m.state.setGpr(VcpuState.RCX, 300_000);
            long word = m.memory.frameForWrite(Machines.DATA >>> 12);
            Thread other = Thread.ofPlatform().start(() -> {
                for (int bit = 1; bit < 32; bit++) {
                    Raw.getAndOrInt(word, 1 << bit);
                    Raw.getAndOrInt(word + 4, 1 << bit);
                    try {
                        Thread.sleep(1);
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                }
            });
            assertThat(m.run(10_000_000)).isInstanceOf(VcpuExit.Halt.class);
            other.join();
            assertThat(Raw.getLong(word)).isEqualTo(0xFFFFFFFE_FFFFFFFEL);
            assertThat(m.memory.read(Machines.DATA + 8, 4)).isEqualTo(300_000);
        }
    }

    @Test
    void verificationEndsWhenItIsNoLongerAskedFor() {
        try (Machines m = machine("b805000000 b903000000 01c8 f4")) {
            assertThat(m.engine.name()).isEqualTo("verify");
            m.translator().verify(false, address -> null);
            assertThat(m.engine.name()).isEqualTo("translate");
            spoil(m, Machines.CODE, "01c8", "29c8");
            assertThat(m.run(100)).isInstanceOf(VcpuExit.Halt.class);
            assertThat(m.state.gpr(0)).as("the defect is there").isEqualTo(2);
        }
    }
}
