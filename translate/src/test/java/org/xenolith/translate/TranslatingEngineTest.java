package org.xenolith.translate;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.xenolith.cpu.EngineMeter;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.VcpuState;

class TranslatingEngineTest {
    private static byte[] bytes(int... values) {
        byte[] code = new byte[values.length];
        for (int i = 0; i < values.length; i++) {
            code[i] = (byte) values[i];
        }
        return code;
    }

    private static Machines machine(int... code) {
        return new Machines(true).load(bytes(code), code.length);
    }

    @Test
    void codeThatOverwritesALaterInstructionOfItsOwnBlockRunsTheNewOne() {
        // mov byte [rip+2],0x22; nop; mov al,0x11; hlt: the byte after B0 becomes 22.
        try (Machines m = machine(0xC6, 0x05, 2, 0, 0, 0, 0x22, 0x90, 0xB0, 0x11, 0xF4)) {
            assertThat(m.run(100)).isInstanceOf(VcpuExit.Halt.class);
            assertThat(m.state.gpr(0)).isEqualTo(0x22);
        }
    }

    @Test
    void aLoopThatRewritesItselfSeesEachNewVersion() {
        // mov ecx,5; l: add ebx,1 (the immediate is incremented); inc byte [rip-7+...]; dec ecx; jnz l; hlt
        int[] code = {
            0xB9, 5, 0, 0, 0, // mov ecx,5
            0x83, 0xC3, 1, // l: add ebx,1
            0xFE, 0x05, 0xF9, 0xFF, 0xFF, 0xFF, // inc byte [rip-7]: the immediate above
            0xFF, 0xC9, // dec ecx
            0x75, 0xF3, // jnz l
            0xF4
        };
        try (Machines m = machine(code)) {
            assertThat(m.run(1000)).isInstanceOf(VcpuExit.Halt.class);
            assertThat(m.state.gpr(VcpuState.RBX)).isEqualTo(1 + 2 + 3 + 4 + 5);
        }
    }

    @Test
    void aBlockThatIsNothingButAJumpMayDieBeforeTheBlockThatItJumpsTo() {
        // jmp l; nop...; l: mov al,0x11; hlt
        try (Machines m = machine(0xEB, 2, 0x90, 0x90, 0xB0, 0x11, 0xF4)) {
            for (int run = 0; run < 2; run++) {
                m.state.setRip(Machines.CODE);
                assertThat(m.run(100)).isInstanceOf(VcpuExit.Halt.class);
            }
            assertThat(m.engine.linear().write(Machines.CODE, bytes(0xEB, 2), 0, 2))
                    .isTrue();
            assertThat(m.engine.linear().write(Machines.CODE + 5, bytes(0x22), 0, 1))
                    .isTrue();
            m.state.setRip(Machines.CODE);
            assertThat(m.run(100)).isInstanceOf(VcpuExit.Halt.class);
            assertThat(m.state.gpr(0)).isEqualTo(0x22);
        }
    }

    @Test
    void codeWrittenFromOutsideIsSeenAfterInvalidation() {
        try (Machines m = machine(0xB0, 0x11, 0xEB, 0xFC)) {
            m.run(100);
            m.memory.write(Machines.CODE + 1, 1, 0x22);
            m.engine.invalidateFrame(Machines.CODE >>> 12);
            m.run(100);
            assertThat(m.state.gpr(0)).isEqualTo(0x22);
        }
    }

    @Test
    void aRequestToExitStopsAnEndlessLoop() throws InterruptedException {
        try (Machines m = machine(0xEB, 0xFE)) {
            Thread kicker = Thread.ofPlatform().start(() -> {
                try {
                    Thread.sleep(50);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
                m.state.requestExit();
            });
            assertThat(m.run(Long.MAX_VALUE / 2)).isInstanceOf(VcpuExit.Kicked.class);
            kicker.join();
        }
    }

    @Test
    void divisionsThatFaultAreTheGuestsFaultsAndNotTheHosts() {
        for (int w = 0; w < 2; w++) {
            for (int digit = 6; digit <= 7; digit++) {
                // [rex.w] div/idiv ecx with ecx = 0, and the quotient that does not fit.
                for (long[] v :
                        new long[][] {{1, 0, 0}, {0, 1, 1}, {0, Long.MIN_VALUE, -1}, {Long.MIN_VALUE, -1, -1}}) {
                    Machines[] both = {new Machines(false), new Machines(true)};
                    for (Machines m : both) {
                        byte[] code = bytes(0x48 - 0x08 * w, 0xF7, 0xC1 | digit << 3, 0xF4);
                        m.load(code, code.length);
                        m.state.setGpr(0, v[0]);
                        m.state.setGpr(2, v[1]);
                        m.state.setGpr(1, v[2]);
                        m.run(50);
                    }
                    assertThat(both[1].registers(false)).isEqualTo(both[0].registers(false));
                    both[0].close();
                    both[1].close();
                }
            }
        }
    }

    @Test
    void statisticsTellWhoExecutedWhatAndNameWhatWasHandedBack() {
        // mov ecx,10; l: in al,0x80; nop; dec ecx; jnz l; hlt
        int[] code = {0xB9, 10, 0, 0, 0, 0xE4, 0x80, 0x90, 0xFF, 0xC9, 0x75, 0xF9, 0xF4};
        try (Machines m = machine(code)) {
            m.run(11);
            assertThat(m.meter().mostHandedBack(9)).isEmpty();
            m.meter().collectDetails();
            assertThat(m.run(1000)).isInstanceOf(VcpuExit.Halt.class);
            long interpreted = m.meter().interpreted();
            assertThat(m.meter().mostHandedBack(2).toString()).contains("name=in AL,Ib, count=7", "name=hlt, count=1");
            assertThat(m.engine.statistics())
                    .contains(
                            String.format("%,14d  instructions retired by the interpreter%n", interpreted),
                            String.format(
                                    "%,14d  instructions retired by translated code%n",
                                    m.state.retired() - interpreted));
            assertThat(m.state.retired()).isEqualTo(1 + 10 * 4 + 1);
        }
    }

    @Test
    void anEmittedInstructionThatIsHandedBackForItsOperandIsMarkedInTheStatistics() {
        // mov [0x20ffe],eax crosses a page; hlt
        try (Machines m = machine(0x89, 0x04, 0x25, 0xFE, 0x0F, 0x02, 0, 0xF4)) {
            m.meter().collectDetails();
            assertThat(m.run(100)).isInstanceOf(VcpuExit.Halt.class);
            assertThat(m.meter().mostHandedBack(9))
                    .extracting(EngineMeter.Entry::name)
                    .contains("mov Ev,Gv (memory) *");
            assertThat(m.engine.statistics()).contains(String.format("%,14d  of the misses crossed a page%n", 1));
        }
    }

    @Test
    void samplesTellWhatTheEngineSpendsItsTimeWith() throws InterruptedException {
        try (Machines m = machine(0xEB, 0xFE)) {
            assertThat(m.meter().shares()).isEmpty();
            m.meter().sample();
            assertThat(m.meter().shares()).isEqualTo("100.0 % the hypervisor (1 samples)");
            Thread sampler = Thread.ofPlatform().start(() -> {
                for (int i = 0; i < 1000 || !m.meter().shares().contains("% translated code"); i++) {
                    m.meter().sample();
                    Thread.onSpinWait();
                }
                m.state.requestExit();
            });
            m.run(Long.MAX_VALUE / 2);
            sampler.join();
            m.meter().sample();
            assertThat(m.meter().shares()).contains("% translated code", "% the hypervisor");
        }
    }

    @Test
    void aFullCodeMemoryIsFlushedAndTheGuestNoticesNothing() {
        // 4 MiB of code memory: run over 1500 different pages of code, twice.
        try (Machines m = new Machines(true)) {
            Assembler a = new Assembler();
            for (int page = 0; page < 1500; page++) {
                long at = 0x200000 + page * 4096L;
                a.start(at);
                for (int i = 0; i < 60; i++) {
                    a.rm(0, 3, Assembler.MAP_1, 0x01, 0, Assembler.RSI, Assembler.NONE, 0, 8 * i);
                    int next = a.label();
                    a.jcc(Assembler.NE, next);
                    a.bind(next);
                }
                if (page < 1499) {
                    a.jmpTo(at + 4096);
                } else {
                    a.byte1(0xF4);
                }
                m.memory.write(at, a.finish(), 0, a.size());
            }
            m.state.setGpr(0, 1);
            m.state.setGpr(VcpuState.RSI, Machines.DATA);
            for (int round = 1; round <= 2; round++) {
                m.state.setRip(0x200000);
                assertThat(m.run(1_000_000)).isInstanceOf(VcpuExit.Halt.class);
                assertThat(m.memory.read(Machines.DATA, 8)).isEqualTo(1500L * round);
            }
            assertThat(m.engine.statistics()).containsPattern("[1-9] +times the code memory was full");
        }
    }
}
