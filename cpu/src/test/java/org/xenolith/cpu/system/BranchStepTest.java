package org.xenolith.cpu.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.cpu.testing.Asm.RAX;
import static org.xenolith.cpu.testing.Asm.RCX;

import org.junit.jupiter.api.Test;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.testing.Asm;
import org.xenolith.cpu.testing.TestMachine;

/** DEBUGCTL: single-stepping from branch to branch. */
public class BranchStepTest {
    private static final int DEBUGCTL = 0x1D9;
    private static final long BTF = 2;
    private static final long TF = 0x100;

    private static TestMachine stepping() {
        TestMachine m = TestMachine.long64();
        m.state.setLong(VcpuState.DEBUG_CONTROL, BTF);
        m.state.setRflags(2 | TF);
        return m;
    }

    @Test
    void onlyATakenBranchTraps() {
        try (TestMachine m = stepping()) {
            Asm a = m.code()
                    .mov(2, RAX, 1)
                    .alu(Asm.CMP, 2, RAX, 1)
                    .jcc(Asm.NE, "end")
                    .nop()
                    .jcc(Asm.E, "end")
                    .ud2()
                    .label("end")
                    .hlt();
            TestMachine.Fault f = m.load(a).fault();
            assertThat(f.vector()).isEqualTo(1);
            assertThat(f.rip()).isEqualTo(a.address("end"));
            assertThat(m.state.getLong(VcpuState.DR + 6 * 8) & 1 << 14).isNotZero();
        }
    }

    @Test
    void aCallOfTheNextInstructionIsABranch() {
        try (TestMachine m = stepping()) {
            Asm a = m.code().nop().call("next").label("next").nop().hlt();
            assertThat(m.load(a).fault().rip()).isEqualTo(a.address("next"));
        }
    }

    @Test
    void aRepeatedStringInstructionIsNoBranch() {
        try (TestMachine m = stepping()) {
            m.set(RCX, 3).set(Asm.RDI, TestMachine.DATA);
            Asm a = m.code().db(0xF3, 0xAA).jmp("end").nop().label("end").hlt();
            assertThat(m.load(a).fault().rip()).isEqualTo(a.address("end"));
            assertThat(m.reg(RCX)).isZero();
        }
    }

    @Test
    void theTrapTurnsItOffSoThatTheNextStepIsOneInstruction() {
        try (TestMachine m = stepping()) {
            Asm a = m.code().nop().jmp("on").nop().label("on").nop().nop().hlt();
            assertThat(m.load(a).fault().rip()).isEqualTo(a.address("on"));
            assertThat(m.state.getLong(VcpuState.DEBUG_CONTROL)).isZero();
            assertThat(m.fault().rip()).isEqualTo(a.address("on") + 1);
        }
    }

    @Test
    void theRegisterHasTwoBitsAndNoTraceStore() {
        try (TestMachine m = TestMachine.long64()) {
            m.load(m.code().writeMsr(DEBUGCTL, 3).mov(RCX, DEBUGCTL).rdmsr().hlt())
                    .runToHalt();
            assertThat(m.reg(RAX)).isEqualTo(3);
        }
        for (int bit = 2; bit < 64; bit++) {
            try (TestMachine m = TestMachine.long64()) {
                assertThat(m.load(m.code().writeMsr(DEBUGCTL, 1L << bit))
                                .fault()
                                .vector())
                        .as("bit %d", bit)
                        .isEqualTo(13);
            }
        }
    }
}
