package org.xenolith.cpu.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.cpu.testing.Asm.RAX;
import static org.xenolith.cpu.testing.Asm.RBX;
import static org.xenolith.cpu.testing.Asm.RCX;
import static org.xenolith.cpu.testing.Asm.RDI;
import static org.xenolith.cpu.testing.Asm.RSI;
import static org.xenolith.cpu.testing.Asm.abs;
import static org.xenolith.cpu.testing.TestMachine.CODE;
import static org.xenolith.cpu.testing.TestMachine.DATA;
import static org.xenolith.cpu.testing.TestMachine.pte;

import org.junit.jupiter.api.Test;
import org.xenolith.cpu.testing.Asm;
import org.xenolith.cpu.testing.TestMachine;

/** Code that changes code: what is stored is what runs next. */
public class SelfModifyingCodeTest {
    @Test
    void theNextInstructionOfTheSameBlock() {
        try (TestMachine m = TestMachine.long64()) {
            Asm a = m.code();
            // The immediate of the MOV behind the store.
            a.storeImm(0, abs(CODE + 9), 0x55).mov(2, RAX, 0x11).hlt();
            m.load(a).runToHalt();
            assertThat(m.reg(RAX)).isEqualTo(0x55);
        }
    }

    @Test
    void aLoopThatRewritesItself() {
        try (TestMachine m = TestMachine.long64()) {
            Asm a = m.code();
            a.mov(2, RCX, 100).mov(2, RBX, 0).label("again");
            long immediate = a.here() + 2;
            a.alu(Asm.ADD, 2, RBX, 1)
                    .incM(0, abs(immediate))
                    .dec(2, RCX)
                    .jcc(Asm.NE, "again")
                    .hlt();
            m.load(a).runToHalt();
            assertThat(m.reg(RBX)).isEqualTo(5050);
        }
    }

    @Test
    void anotherPageThatRanAlready() {
        try (TestMachine m = TestMachine.long64()) {
            m.memory.put(DATA, new Asm(64, DATA).mov(2, RAX, 1).ret().bytes());
            Asm a = m.code();
            a.mov(2, RSI, DATA).rr(2, 2, RSI, 0xFF).movRR(2, RBX, RAX);
            a.storeImm(0, abs(DATA + 1), 2).rr(2, 2, RSI, 0xFF).hlt();
            m.load(a).runToHalt();
            assertThat(m.reg(RBX)).isEqualTo(1);
            assertThat(m.reg(RAX)).isEqualTo(2);
        }
    }

    @Test
    void throughAnotherMapping() {
        try (TestMachine m = TestMachine.long64()) {
            m.memory.put64(pte(0x300000), DATA | 7);
            m.memory.put(DATA, new Asm(64, DATA).mov(2, RAX, 1).ret().bytes());
            Asm a = m.code();
            a.mov(2, RSI, DATA).rr(2, 2, RSI, 0xFF).movRR(2, RBX, RAX);
            a.storeImm(0, abs(0x300001), 2).rr(2, 2, RSI, 0xFF).hlt();
            m.load(a).runToHalt();
            assertThat(m.reg(RBX)).isEqualTo(1);
            assertThat(m.reg(RAX)).isEqualTo(2);
        }
    }

    @Test
    void anInstructionAcrossTwoPages() {
        try (TestMachine m = TestMachine.long64()) {
            m.memory.put(
                    DATA + 0xFFE,
                    new Asm(64, DATA).mov(2, RAX, 0x01010101).ret().bytes());
            Asm a = m.code();
            a.mov(2, RSI, DATA + 0xFFE).rr(2, 2, RSI, 0xFF).movRR(2, RBX, RAX);
            a.storeImm(0, abs(DATA + 0x1000), 2).rr(2, 2, RSI, 0xFF).movRR(2, RCX, RAX);
            a.storeImm(0, abs(DATA + 0xFFF), 3).rr(2, 2, RSI, 0xFF).hlt();
            m.load(a).runToHalt();
            assertThat(m.reg(RBX)).isEqualTo(0x01010101);
            assertThat(m.reg(RCX)).isEqualTo(0x01010201);
            assertThat(m.reg(RAX)).isEqualTo(0x01010203);
        }
    }

    @Test
    void anInstructionAcrossTwoPagesWhoseSecondPageIsMappedElsewhere() {
        try (TestMachine m = TestMachine.long64()) {
            m.memory.put(DATA + 0xFFE, new byte[] {(byte) 0xB8, 1, 1, 1, 1, (byte) 0xC3});
            m.memory.put(DATA + 0x5000, new byte[] {7, 7, 7, (byte) 0xC3});
            Asm a = m.code();
            a.mov(2, RSI, DATA + 0xFFE).rr(2, 2, RSI, 0xFF).movRR(2, RBX, RAX);
            a.mov(2, RDI, DATA + 0x5000 | 7)
                    .store(3, abs(pte(DATA + 0x1000)), RDI)
                    .invlpg(abs(DATA + 0x1000));
            a.rr(2, 2, RSI, 0xFF).hlt();
            m.load(a).runToHalt();
            assertThat(m.reg(RBX)).isEqualTo(0x01010101);
            assertThat(m.reg(RAX)).isEqualTo(0x07070701);
        }
    }

    @Test
    void aPageThatIsMappedElsewhere() {
        try (TestMachine m = TestMachine.long64()) {
            m.memory.put(DATA, new Asm(64, DATA).mov(2, RAX, 1).ret().bytes());
            m.memory.put(DATA + 0x1000, new Asm(64, DATA).mov(2, RAX, 2).ret().bytes());
            Asm a = m.code();
            a.mov(2, RSI, DATA).rr(2, 2, RSI, 0xFF).movRR(2, RBX, RAX);
            a.mov(2, RDI, DATA + 0x1000 | 7)
                    .store(3, abs(pte(DATA)), RDI)
                    .readCr(RCX, 3)
                    .writeCr(3, RCX);
            a.rr(2, 2, RSI, 0xFF).hlt();
            m.load(a).runToHalt();
            assertThat(m.reg(RBX)).isEqualTo(1);
            assertThat(m.reg(RAX)).isEqualTo(2);
        }
    }

    @Test
    void stringStoresIntoCode() {
        try (TestMachine m = TestMachine.long64()) {
            Asm a = m.code();
            a.mov(2, RDI, DATA).mov(2, RCX, 5).mov(2, RAX, 0x90).db(0xF3, 0xAA);
            a.mov(2, RSI, DATA).rr(2, 2, RSI, 0xFF).mov(2, RBX, 3);
            a.mov(2, RDI, DATA).mov(2, RCX, 4).mov(2, RAX, 0xC0FEC0FEL).db(0xF3, 0xAB);
            a.storeImm(0, abs(DATA + 16), 0xC3).rr(2, 2, RSI, 0xFF).hlt();
            m.memory.write(DATA + 5, 1, 0xC3);
            m.load(a).runToHalt();
            // Eight times INC AL.
            assertThat(m.reg(RAX)).isEqualTo(0xC0FEC006L);
        }
    }

    @Test
    void storesByTheHypervisorAreSeenAfterInvalidation() {
        try (TestMachine m = TestMachine.long64()) {
            m.load(m.code().mov(2, RAX, 1).hlt()).runToHalt();
            m.memory.write(CODE + 1, 1, 9);
            m.engine.invalidateFrame(CODE >>> 12);
            m.state.setRip(CODE);
            m.runToHalt();
            assertThat(m.reg(RAX)).isEqualTo(9);
        }
    }
}
