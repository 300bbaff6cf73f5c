package org.xenolith.cpu.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.cpu.testing.Asm.RAX;
import static org.xenolith.cpu.testing.Asm.RBX;
import static org.xenolith.cpu.testing.Asm.RCX;
import static org.xenolith.cpu.testing.Asm.RDI;
import static org.xenolith.cpu.testing.Asm.RSI;
import static org.xenolith.cpu.testing.Asm.abs;
import static org.xenolith.cpu.testing.Asm.mem;
import static org.xenolith.cpu.testing.TestMachine.CODE;
import static org.xenolith.cpu.testing.TestMachine.DATA;
import static org.xenolith.cpu.testing.TestMachine.TABLES;
import static org.xenolith.cpu.testing.TestMachine.pte;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.testing.Asm;
import org.xenolith.cpu.testing.TestMachine;

/** What a guest and its devices see must not depend on how an engine cuts code into blocks. */
class ExactCountTest {
    private static final long A = 0x20;
    private static final long DEVICE = 0x0900_0000;
    private static final int VECTOR = 0x40;

    @Test
    void timeIsReadBehindExactlyTheInstructionsBeforeIt() {
        try (TestMachine m = TestMachine.long64()) {
            m.world.timeStampCounter = m.state::retired;
            m.load(m.code()
                    .nop()
                    .nop()
                    .nop()
                    .db(0x0F, 0x31)
                    .mov(3, RBX, 1)
                    .nop()
                    .db(0x0F, 0x01, 0xF9)
                    .hlt());
            m.engine.run(5);
            assertThat(m.reg(RAX)).isEqualTo(3);
            m.runToHalt();
            assertThat(m.reg(RAX)).isEqualTo(6);
        }
    }

    @Test
    void aDeviceInTheMiddleOfABlockSeesTheExactCount() {
        try (TestMachine m = TestMachine.long64()) {
            mapDevice(m);
            List<Long> counts = new ArrayList<>();
            m.world.onDevice = () -> counts.add(m.state.retired());
            m.load(m.code()
                    .mov(3, RSI, DATA)
                    .nop()
                    .load(2, RAX, mem(RSI, 0))
                    .inc(3, RBX)
                    .store(2, mem(RSI, 8), RBX)
                    .push(RBX)
                    .hlt());
            m.runToHalt();
            assertThat(counts).containsExactly(2L, 4L);
            assertThat(m.reg(RBX)).isEqualTo(1);
            assertThat(m.state.retired()).isEqualTo(7);
        }
    }

    @Test
    void anInterruptThatADeviceRaisesComesDirectlyBehindTheAccess() {
        try (TestMachine m = TestMachine.long64()) {
            mapDevice(m);
            m.state.setRflags(0x202);
            m.world.onDevice = () -> {
                m.world.interrupts.add(VECTOR);
                m.state.raise(VcpuState.EVENT_INTERRUPT);
            };
            Asm code = m.code().mov(3, RSI, DATA).nop().store(2, mem(RSI, 0), RAX);
            long behind = CODE + code.bytes().length;
            m.load(code.inc(3, RBX).inc(3, RBX).hlt());
            TestMachine.Fault frame = m.fault();
            assertThat(frame.vector()).isEqualTo(VECTOR);
            assertThat(frame.rip()).isEqualTo(behind);
            assertThat(m.reg(RBX)).isZero();
        }
    }

    @Test
    void aRepeatedInstructionOnADeviceStartsAgainWhereItWas() {
        try (TestMachine m = TestMachine.long64()) {
            mapDevice(m);
            // The last eight bytes of the page before, then the device: STOSQ comes to it in its second iteration.
            m.load(m.code()
                    .mov(3, RDI, DATA - 8)
                    .mov(3, RCX, 3)
                    .mov(3, RAX, 7)
                    .db(0xF3, 0x48, 0xAB)
                    .hlt());
            m.runToHalt();
            assertThat(m.world.log)
                    .containsExactly(
                            "write " + Long.toHexString(DEVICE) + " 8 7",
                            "write " + Long.toHexString(DEVICE + 8) + " 8 7");
            assertThat(m.memory.read(DATA - 8, 8)).isEqualTo(7);
            assertThat(m.reg(RCX)).isZero();
            assertThat(m.state.retired()).isEqualTo(5);
        }
    }

    @Test
    void decodingABlockDoesNotTouchThePageBehindIt() {
        try (TestMachine m = TestMachine.long64()) {
            // At the end of the page, behind a block's first instruction, one that goes on in the next page.
            long end = CODE + 0x1000;
            m.memory.put(
                    end - 3, new Asm(64, end - 3).nop().mov(2, RAX, 5).hlt().bytes());
            m.memory.put64(pte(end), end | 7);
            m.state.setRip(end - 3);
            assertThat(m.engine.run(1)).isInstanceOf(VcpuExit.BudgetSpent.class);
            assertThat(m.memory.read(pte(end), 8) & A).isZero();
            m.state.setRip(end - 3);
            m.runToHalt();
            assertThat(m.memory.read(pte(end), 8) & A).isNotZero();
            assertThat(m.reg(RAX)).isEqualTo(5);
        }
    }

    @Test
    void codeIsFetchedOnceUntilThePageIsInvalidated() {
        try (TestMachine m = TestMachine.long64()) {
            // Another function whose address falls into the same slots of a TLB and of the jump cache.
            long first = 0x200000;
            long other = 0xA00400;
            m.memory.put64(TABLES + 0x2000 + (other >>> 21) * 8, 0x400087);
            m.memory.put(first, new Asm(64, first).ret().bytes());
            m.memory.put(0x400400, new Asm(64, other).ret().bytes());
            m.load(m.code()
                    .mov(3, RSI, first)
                    .mov(3, RDI, other)
                    .mov(3, RAX, ~A)
                    .rr(2, 2, RSI, 0xFF)
                    .rm(3, RAX, abs(pte(first)), 0x21)
                    .rr(2, 2, RDI, 0xFF)
                    .rr(2, 2, RSI, 0xFF)
                    .load(3, RBX, abs(pte(first)))
                    .invlpg(abs(first))
                    .rr(2, 2, RSI, 0xFF)
                    .load(3, RCX, abs(pte(first)))
                    .hlt());
            m.runToHalt();
            assertThat(m.reg(RBX) & A).isZero();
            assertThat(m.reg(RCX) & A).isNotZero();
        }
    }

    @Test
    void aPendingEventDoesNotChangeHowARepeatedInstructionIsCounted() {
        try (TestMachine m = TestMachine.long64()) {
            m.load(m.code()
                    .mov(3, RSI, DATA)
                    .mov(3, RDI, DATA + 0x1001)
                    .mov(3, RCX, 3000)
                    .db(0xFD)
                    .db(0xF3, 0xA4)
                    .hlt());
            m.engine.run(4);
            // Not open to delivery, so it stays.
            m.state.raise(VcpuState.EVENT_INTERRUPT);
            m.runToHalt();
            assertThat(m.reg(RCX)).isZero();
            assertThat(m.state.retired()).isEqualTo(6);
        }
    }

    @Test
    void aLongRepeatedInstructionIsCutSoThatABudgetHolds() {
        try (TestMachine m = TestMachine.long64()) {
            Asm code = m.code().mov(3, RSI, DATA).mov(3, RCX, -1);
            long rip = CODE + code.bytes().length;
            m.load(code.db(0xF3, 0xAC).hlt());
            assertThat(m.engine.run(3)).isInstanceOf(VcpuExit.BudgetSpent.class);
            assertThat(m.state.retired()).isEqualTo(3);
            assertThat(m.reg(RCX)).isNotEqualTo(-1L);
            assertThat(m.state.rip()).isEqualTo(rip);
        }
    }

    /** The page of {@link TestMachine#DATA} is no memory. */
    private static void mapDevice(TestMachine m) {
        m.memory.put64(pte(DATA), DEVICE | 7);
    }
}
