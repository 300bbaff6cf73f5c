package org.xenolith.cpu.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.cpu.testing.Asm.RAX;
import static org.xenolith.cpu.testing.Asm.RBX;
import static org.xenolith.cpu.testing.Asm.RCX;
import static org.xenolith.cpu.testing.Asm.RDI;
import static org.xenolith.cpu.testing.TestMachine.CODE;
import static org.xenolith.cpu.testing.TestMachine.DATA;
import static org.xenolith.cpu.testing.TestMachine.DATA0;

import org.junit.jupiter.api.Test;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.testing.Asm;
import org.xenolith.cpu.testing.TestMachine;
import org.xenolith.cpu.testing.TestMachine.Fault;

/** External interrupts, NMIs, HLT and the windows between instructions where they come in. */
public class InterruptTest {
    private static void interrupt(TestMachine m, int vector) {
        m.world.interrupts.add(vector);
        m.state.raise(VcpuState.EVENT_INTERRUPT);
    }

    @Test
    void interruptsWaitForIf() {
        try (TestMachine m = TestMachine.long64()) {
            m.load(m.code().mov(2, RAX, 1).sti().nop().mov(2, RBX, 2).hlt());
            interrupt(m, 0x40);
            Fault f = m.fault();
            assertThat(f.vector()).isEqualTo(0x40);
            // STI opens the window behind the instruction that follows it.
            assertThat(f.rip()).isEqualTo(CODE + 7);
            assertThat(f.flags() & 0x200).isEqualTo(0x200);
            assertThat(m.reg(RAX)).isEqualTo(1);
            m.runToHalt();
            assertThat(m.reg(RBX)).isEqualTo(2);
        }
    }

    @Test
    void stiThenHltCannotMissAnInterrupt() {
        try (TestMachine m = TestMachine.long64()) {
            m.load(m.code().sti().hlt().cli().hlt());
            interrupt(m, 0x41);
            // HLT is the shadowed instruction: it leaves, and the interrupt comes when the processor runs again.
            assertThat(m.run()).isInstanceOf(VcpuExit.Halt.class);
            assertThat(m.state.rip()).isEqualTo(CODE + 2);
            Fault f = m.fault();
            assertThat(f.vector()).isEqualTo(0x41);
            assertThat(f.rip()).isEqualTo(CODE + 2);
        }
    }

    @Test
    void movSsShadowsInterruptsForOneInstruction() {
        try (TestMachine m = TestMachine.protected32()) {
            m.load(m.code()
                    .mov(2, RAX, DATA0)
                    .sti()
                    .loadSeg(Asm.SS, RAX)
                    .nop()
                    .nop()
                    .hlt());
            interrupt(m, 0x42);
            assertThat(m.fault().rip()).isEqualTo(CODE + 9);
        }
    }

    @Test
    void queuedInterruptsComeOneAfterTheOther() {
        try (TestMachine m = TestMachine.long64()) {
            m.load(m.code().nop().nop().hlt());
            m.state.setRflags(0x202);
            interrupt(m, 0x50);
            interrupt(m, 0x51);
            assertThat(m.fault().vector()).isEqualTo(0x50);
            Fault second = m.fault();
            assertThat(second.vector()).isEqualTo(0x51);
            assertThat(second.rip()).isEqualTo(CODE);
            m.runToHalt();
            assertThat(m.state.rip()).isEqualTo(CODE + 3);
        }
    }

    @Test
    void nmiIgnoresIfAndBlocksFurtherOnesUntilIret() {
        try (TestMachine m = TestMachine.long64()) {
            m.load(m.code().nop().mov(2, RAX, 1).hlt());
            m.state.raise(VcpuState.EVENT_NMI);
            Fault f = m.fault();
            assertThat(f.vector()).isEqualTo(2);
            assertThat(f.rip()).isEqualTo(CODE);
            m.state.raise(VcpuState.EVENT_NMI);
            // Handler: IRET, then the second one at once.
            f = m.fault();
            assertThat(f.vector()).isEqualTo(2);
            assertThat(f.rip()).isEqualTo(CODE);
            m.runToHalt();
            assertThat(m.reg(RAX)).isEqualTo(1);
        }
    }

    @Test
    void repeatedStringsLetInterruptsIn() {
        try (TestMachine m = TestMachine.long64()) {
            m.load(m.code().db(0xF3, 0xAA).hlt());
            m.set(RDI, DATA).set(RCX, 0x10000).set(RAX, 0xAB);
            m.state.setRflags(0x202);
            interrupt(m, 0x60);
            assertThat(m.fault().vector()).isEqualTo(0x60);
            m.runToHalt();
            assertThat(m.reg(RCX)).isZero();
            assertThat(m.memory.read(DATA + 0xFFFF, 1)).isEqualTo(0xAB);
        }
    }

    @Test
    void requestExitStopsAnEndlessLoop() throws InterruptedException {
        try (TestMachine m = TestMachine.long64()) {
            m.load(m.code().label("here").jmp("here"));
            Thread kicker = new Thread(() -> {
                try {
                    Thread.sleep(50);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
                m.state.requestExit();
            });
            kicker.start();
            assertThat(m.engine.run(Long.MAX_VALUE)).isInstanceOf(VcpuExit.Kicked.class);
            kicker.join();
            assertThat(m.state.rip()).isEqualTo(CODE);
        }
    }

    @Test
    void interruptsDoNotDisturbArithmeticFlags() {
        try (TestMachine m = TestMachine.long64()) {
            m.load(m.code()
                    .alu(Asm.CMP, 2, RAX, 1)
                    .jcc(Asm.B, "below")
                    .mov(2, RBX, 1)
                    .label("below")
                    .hlt());
            m.state.setRflags(0x202);
            m.engine.run(1);
            interrupt(m, 0x40);
            Fault f = m.fault();
            assertThat(f.flags() & 0x95).isEqualTo(0x95);
            m.runToHalt();
            assertThat(m.reg(RBX)).isZero();
        }
    }
}
