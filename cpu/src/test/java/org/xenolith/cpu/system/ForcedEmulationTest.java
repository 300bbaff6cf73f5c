package org.xenolith.cpu.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.cpu.testing.Asm.RAX;
import static org.xenolith.cpu.testing.Asm.RBX;

import org.junit.jupiter.api.Test;
import org.xenolith.cpu.CpuidPolicy;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.interpret.Interpreter;
import org.xenolith.cpu.testing.Asm;
import org.xenolith.cpu.testing.TestMachine;

/** The forced emulation prefix, a UD2 with a signature, in policies with and without it. */
class ForcedEmulationTest {
    private static final int PREFIX_LENGTH = 5;

    private static Asm prefix(Asm a) {
        return a.ud2().db('x', 'e', 'n');
    }

    private static long runForced(TestMachine m, Asm code) {
        m.load(code);
        CpuidPolicy policy = CpuidPolicy.v2().withForcedEmulation();
        try (Interpreter engine = new Interpreter(m.state, m.world, m.memory, policy)) {
            assertThat(engine.run(1000)).isInstanceOf(VcpuExit.Halt.class);
        }
        return m.memory.read(m.reg(Asm.RSP), 8);
    }

    @Test
    void withoutThePolicyItIsAnUndefinedInstruction() {
        try (TestMachine m = TestMachine.long64()) {
            Asm a = prefix(m.code()).mov(RAX, 5).hlt();
            TestMachine.Fault f = m.load(a).fault();
            assertThat(f.vector()).isEqualTo(6);
            assertThat(f.rip()).isEqualTo(TestMachine.CODE);
        }
    }

    @Test
    void thePrefixedInstructionRuns() {
        try (TestMachine m = TestMachine.long64()) {
            runForced(m, prefix(m.code().mov(RBX, 7)).mov(RAX, 5).hlt());
            assertThat(m.reg(RAX)).isEqualTo(5);
            assertThat(m.reg(RBX)).isEqualTo(7);
        }
    }

    @Test
    void aFaultPointsBehindThePrefix() {
        try (TestMachine m = TestMachine.long64()) {
            long pushed = runForced(m, prefix(m.code()).int_(0x40).hlt());
            assertThat(pushed).as("software interrupt").isEqualTo(TestMachine.CODE + PREFIX_LENGTH + 2);
        }
        try (TestMachine m = TestMachine.long64()) {
            long pushed = runForced(m, prefix(m.code()).ud2().db('x', 'e', 'm'));
            assertThat(pushed).as("undefined instruction").isEqualTo(TestMachine.CODE + PREFIX_LENGTH);
        }
    }

    @Test
    void aPlainUndefinedInstructionStaysOne() {
        try (TestMachine m = TestMachine.long64()) {
            assertThat(runForced(m, m.code().nop().ud2().hlt())).isEqualTo(TestMachine.CODE + 1);
        }
    }

    @Test
    void aSingleStepComesAfterThePrefixedInstruction() {
        try (TestMachine m = TestMachine.long64()) {
            m.state.setRflags(m.state.rflags() | 0x100);
            long pushed = runForced(m, prefix(m.code()).nop().hlt());
            assertThat(pushed).isEqualTo(TestMachine.CODE + PREFIX_LENGTH + 1);
        }
    }
}
