package org.xenolith.cpu.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.cpu.testing.Asm.RAX;
import static org.xenolith.cpu.testing.Asm.RBX;
import static org.xenolith.cpu.testing.Asm.RCX;
import static org.xenolith.cpu.testing.Asm.RDI;
import static org.xenolith.cpu.testing.Asm.abs;
import static org.xenolith.cpu.testing.TestMachine.CODE;
import static org.xenolith.cpu.testing.TestMachine.DATA;
import static org.xenolith.cpu.testing.TestMachine.DATA0;

import org.junit.jupiter.api.Test;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cr4;
import org.xenolith.cpu.testing.Asm;
import org.xenolith.cpu.testing.TestMachine;
import org.xenolith.cpu.testing.TestMachine.Fault;

/** Single-stepping and debug registers. */
public class DebugTest {
    private static final long TF = 0x100;
    private static final long RF = 0x10000;
    private static final long BS = 1 << 14;
    private static final long BD = 1 << 13;

    private static long dr(TestMachine m, int n) {
        return m.state.getLong(VcpuState.DR + n * 8);
    }

    private static void setDr(TestMachine m, int n, long value) {
        m.state.setLong(VcpuState.DR + n * 8, value);
    }

    @Test
    void singleStepTrapsBehindEachInstruction() {
        try (TestMachine m = TestMachine.long64()) {
            m.load(m.code().nop().mov(2, RAX, 1).nop().hlt());
            m.state.setRflags(2 | TF);
            Fault f = m.fault();
            assertThat(f.vector()).isEqualTo(1);
            assertThat(f.rip()).isEqualTo(CODE + 1);
            assertThat(f.flags() & TF).isEqualTo(TF);
            assertThat(dr(m, 6) & (BS | 15)).isEqualTo(BS);
            assertThat(m.state.rflags() & TF).isZero();
            assertThat(m.fault().rip()).isEqualTo(CODE + 6);
            assertThat(m.fault().rip()).isEqualTo(CODE + 7);
            assertThat(m.reg(RAX)).isEqualTo(1);
        }
    }

    @Test
    void theStepTrapOfAHypercallComesWhenTheGuestGoesOn() {
        try (TestMachine m = TestMachine.long64()) {
            m.load(m.code().db(0x0F, 0x01, 0xC1).nop().hlt());
            m.state.setRflags(2 | TF);
            assertThat(m.run()).isInstanceOf(VcpuExit.Hypercall.class);
            assertThat(m.state.rip()).isEqualTo(CODE + 3);
            Fault f = m.fault();
            assertThat(f.vector()).isEqualTo(1);
            assertThat(f.rip()).isEqualTo(CODE + 3);
            assertThat(dr(m, 6) & BS).isEqualTo(BS);
        }
    }

    @Test
    void aRepeatedStoreTrapsBehindEachIteration() {
        try (TestMachine m = TestMachine.long64()) {
            m.load(m.code().db(0xF3, 0xAA).nop().hlt());
            m.set(RCX, 3).set(RDI, DATA);
            m.state.setRflags(2 | TF);
            assertThat(m.fault().rip()).isEqualTo(CODE);
            assertThat(m.reg(RCX)).isEqualTo(2);
            assertThat(m.fault().rip()).isEqualTo(CODE);
            assertThat(m.fault().rip()).isEqualTo(CODE + 2);
            assertThat(m.reg(RCX)).isZero();
        }
    }

    @Test
    void popfThatSetsTfTrapsOneInstructionLater() {
        try (TestMachine m = TestMachine.long64()) {
            m.load(m.code().pushImm(2 | TF).popf().nop().nop().hlt());
            assertThat(m.fault().rip()).isEqualTo(CODE + 7);
        }
    }

    @Test
    void movSsHoldsTheStepTrapBack() {
        try (TestMachine m = TestMachine.protected32()) {
            m.load(m.code().mov(2, RAX, DATA0).loadSeg(Asm.SS, RAX).nop().nop().hlt());
            m.state.setRflags(2 | TF);
            assertThat(m.fault().rip()).isEqualTo(CODE + 5);
            assertThat(m.fault().rip()).isEqualTo(CODE + 8);
        }
    }

    @Test
    void executionBreakpointsFaultBeforeTheInstructionAndRfLetsItPass() {
        try (TestMachine m = TestMachine.long64()) {
            m.load(m.code().nop().mov(2, RAX, 7).hlt());
            setDr(m, 1, CODE + 1);
            setDr(m, 7, 0x400 | 1 << 2);
            Fault f = m.fault();
            assertThat(f.vector()).isEqualTo(1);
            assertThat(f.rip()).isEqualTo(CODE + 1);
            // This one fault does not set RF in the frame: its handler does, when it wants to go on.
            assertThat(f.flags() & RF).isZero();
            assertThat(dr(m, 6) & 15).isEqualTo(2);
            assertThat(m.reg(RAX)).isZero();
            m.memory.put64(m.reg(Asm.RSP) + 16, f.flags() | RF);
            m.runToHalt();
            assertThat(m.reg(RAX)).isEqualTo(7);
            assertThat(m.state.rip()).isEqualTo(CODE + 7);
        }
    }

    @Test
    void dataBreakpointsTrapBehindTheAccess() {
        try (TestMachine m = TestMachine.long64()) {
            m.load(m.code()
                    .load(2, RBX, abs(DATA + 4))
                    .store(2, abs(DATA + 4), RAX)
                    .nop()
                    .hlt());
            setDr(m, 0, DATA + 4);
            // Writes of 4 bytes.
            setDr(m, 7, 0x400 | 2 | 1 << 16 | 3 << 18);
            m.set(RAX, 0x55);
            Fault f = m.fault();
            assertThat(f.vector()).isEqualTo(1);
            assertThat(f.rip()).isEqualTo(CODE + 14);
            assertThat(dr(m, 6) & (BS | 15)).isEqualTo(1);
            assertThat(m.memory.get32(DATA + 4)).isEqualTo(0x55);
        }
        try (TestMachine m = TestMachine.long64()) {
            m.load(m.code().load(0, RBX, abs(DATA + 7)).nop().hlt());
            setDr(m, 0, DATA + 4);
            // Reads and writes.
            setDr(m, 7, 0x400 | 2 | 3 << 16 | 3 << 18);
            assertThat(m.fault().rip()).isEqualTo(CODE + 7);
        }
        try (TestMachine m = TestMachine.long64()) {
            m.load(m.code()
                    .load(0, RBX, abs(DATA + 8))
                    .store(0, abs(DATA + 3), RBX)
                    .hlt());
            setDr(m, 0, DATA + 4);
            setDr(m, 7, 0x400 | 2 | 3 << 16 | 3 << 18);
            m.runToHalt();
            assertThat(m.state.rip()).isEqualTo(CODE + 15);
        }
    }

    @Test
    void stringStoresHitDataBreakpoints() {
        try (TestMachine m = TestMachine.long64()) {
            m.set(RDI, DATA).set(RCX, 4).set(RAX, 0);
            m.load(m.code().db(0xF3, 0xAA).hlt());
            setDr(m, 0, DATA + 3);
            setDr(m, 7, 0x400 | 2 | 1 << 16);
            Fault f = m.fault();
            assertThat(f.vector()).isEqualTo(1);
            assertThat(f.rip()).isEqualTo(CODE + 2);
            assertThat(dr(m, 6) & 15).isEqualTo(1);
            assertThat(m.reg(RCX)).isZero();
        }
    }

    @Test
    void portBreakpointsNeedDe() {
        try (TestMachine m = TestMachine.long64()) {
            m.state.setLong(VcpuState.CR4, m.state.getLong(VcpuState.CR4) | Cr4.DE);
            m.load(m.code().out(0x80).nop().hlt());
            setDr(m, 2, 0x80);
            setDr(m, 7, 0x400 | 2 << 4 | 2L << 24);
            Fault f = m.fault();
            assertThat(f.vector()).isEqualTo(1);
            assertThat(f.rip()).isEqualTo(CODE + 2);
            assertThat(dr(m, 6) & 15).isEqualTo(4);
        }
    }

    @Test
    void generalDetectGuardsTheDebugRegisters() {
        try (TestMachine m = TestMachine.long64()) {
            m.load(m.code().readDr(RAX, 0).hlt());
            setDr(m, 7, 0x400 | 1 << 13);
            Fault f = m.fault();
            assertThat(f.vector()).isEqualTo(1);
            assertThat(f.rip()).isEqualTo(CODE);
            assertThat(dr(m, 6) & BD).isEqualTo(BD);
            assertThat(dr(m, 7) & 1 << 13).isZero();
        }
    }

    @Test
    void dr4AndDr5AreAliasesUntilDe() {
        try (TestMachine m = TestMachine.long64()) {
            m.load(m.code().readDr(RAX, 4).readDr(RBX, 5).hlt()).runToHalt();
            assertThat(m.reg(RAX)).isEqualTo(0xFFFF0FF0L);
            assertThat(m.reg(RBX)).isEqualTo(0x400);
        }
        try (TestMachine m = TestMachine.long64()) {
            m.state.setLong(VcpuState.CR4, m.state.getLong(VcpuState.CR4) | Cr4.DE);
            assertThat(m.load(m.code().readDr(RAX, 4)).fault().vector()).isEqualTo(6);
        }
    }

    @Test
    void upperHalvesOfDr6AndDr7AreRefused() {
        for (int n : new int[] {6, 7}) {
            try (TestMachine m = TestMachine.long64()) {
                assertThat(m.load(m.code().mov(3, RAX, 1L << 32).writeDr(n, RAX))
                                .fault()
                                .vector())
                        .isEqualTo(13);
            }
        }
    }

    @Test
    void breakpointInstructionsAreTraps() {
        try (TestMachine m = TestMachine.long64()) {
            Fault f = m.load(m.code().int_(3).hlt()).fault();
            assertThat(f.vector()).isEqualTo(3);
            assertThat(f.rip()).isEqualTo(CODE + 1);
        }
        try (TestMachine m = TestMachine.long64()) {
            Fault f = m.load(m.code().db(0xF1).hlt()).fault();
            assertThat(f.vector()).isEqualTo(1);
            assertThat(f.rip()).isEqualTo(CODE + 1);
        }
    }
}
