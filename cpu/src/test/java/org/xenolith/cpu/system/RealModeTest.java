package org.xenolith.cpu.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.cpu.testing.Asm.RAX;
import static org.xenolith.cpu.testing.Asm.RBX;
import static org.xenolith.cpu.testing.Asm.RCX;
import static org.xenolith.cpu.testing.Asm.RDX;
import static org.xenolith.cpu.testing.Asm.RSP;
import static org.xenolith.cpu.testing.Asm.abs;
import static org.xenolith.cpu.testing.Asm.mem;

import org.junit.jupiter.api.Test;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.testing.Asm;
import org.xenolith.cpu.testing.TestMachine;

/** Real mode, and the way out of it. */
public class RealModeTest {
    @Test
    void segmentsAreShiftedSelectors() {
        try (TestMachine m = TestMachine.real()) {
            Asm a = m.code();
            a.mov(1, RAX, 0x2000)
                    .loadSeg(Asm.DS, RAX)
                    .storeImm(1, abs(0x34), 0xBEEF)
                    .hlt();
            m.load(a).runToHalt();
            assertThat(m.memory.read(0x20034, 2)).isEqualTo(0xBEEF);
        }
    }

    @Test
    void intPushesThreeWordsAndIretTakesThemBack() {
        try (TestMachine m = TestMachine.real()) {
            Asm a = m.code();
            a.sti().int_(0x21).mov(1, RBX, 7).hlt();
            TestMachine.Fault f = m.load(a).fault();
            assertThat(f.vector()).isEqualTo(0x21);
            assertThat(f.rip()).isEqualTo(3);
            assertThat(f.cs()).isEqualTo(0x1000);
            assertThat(f.flags() & 0x200).isEqualTo(0x200);
            assertThat(m.state.rflags() & 0x200).isZero();
            m.runToHalt();
            assertThat(m.reg(RBX)).isEqualTo(7);
            assertThat(m.state.rflags() & 0x200).isEqualTo(0x200);
        }
    }

    @Test
    void divideErrorPointsAtTheInstruction() {
        try (TestMachine m = TestMachine.real()) {
            Asm a = m.code();
            a.mov(1, RCX, 0).nop().rr(1, 6, RCX, 0xF7).hlt();
            TestMachine.Fault f = m.load(a).fault();
            assertThat(f.vector()).isZero();
            assertThat(f.rip()).isEqualTo(4);
        }
    }

    @Test
    void wordAcrossTheSegmentEndFaults() {
        try (TestMachine m = TestMachine.real()) {
            Asm a = m.code();
            a.load(1, RAX, abs(0xFFFF)).hlt();
            assertThat(m.load(a).fault().vector()).isEqualTo(13);
        }
    }

    @Test
    void stackPointerWrapsAtSixteenBits() {
        try (TestMachine m = TestMachine.real()) {
            m.state.setSegment(VcpuState.SS, 0x2000, 0x20000, 0xFFFF, 0x93);
            m.set(RSP, 0xABCD0000L);
            Asm a = m.code();
            a.mov(1, RAX, 0x1234).push(RAX).hlt();
            m.load(a).runToHalt();
            assertThat(m.memory.read(0x2FFFE, 2)).isEqualTo(0x1234);
            assertThat(m.reg(RSP)).isEqualTo(0xABCDFFFEL);
        }
    }

    @Test
    void farCallAndReturn() {
        try (TestMachine m = TestMachine.real()) {
            m.memory.put(0x18000, new Asm(16, 0).mov(1, RDX, 0x55).db(0xCB).bytes());
            Asm a = m.code();
            a.callFar(0x1800, 0).mov(1, RBX, 0x66).hlt();
            m.load(a).runToHalt();
            assertThat(m.reg(RDX)).isEqualTo(0x55);
            assertThat(m.reg(RBX)).isEqualTo(0x66);
            assertThat(m.state.selector(VcpuState.CS)).isEqualTo(0x1000);
        }
    }

    @Test
    void addressesBeyondOneMegabyteAreReachedWithoutWrap() {
        try (TestMachine m = TestMachine.real()) {
            Asm a = m.code();
            a.mov(1, RAX, 0xFFFF)
                    .loadSeg(Asm.ES, RAX)
                    .storeImm(1, abs(0x20).in(Asm.ES), 0x4711)
                    .hlt();
            m.load(a).runToHalt();
            assertThat(m.memory.read(0x100010, 2)).isEqualTo(0x4711);
        }
    }

    @Test
    void protectedModeIsEnteredByCr0AndAFarJump() {
        try (TestMachine m = TestMachine.real()) {
            m.descriptor(0x08, 0, 0xFFFFF, 0x9A, 0xC);
            m.descriptor(0x10, 0, 0xFFFFF, 0x92, 0xC);
            m.memory.write(0xB000, 2, 0x1F);
            m.memory.write(0xB002, 4, TestMachine.GDT);
            Asm a = m.code();
            a.cli().lgdt(abs(0xB000)).readCr(RAX, 0).alu(Asm.OR, 2, RAX, 1).writeCr(0, RAX);
            a.jmpFar32(0x08, TestMachine.CODE + 0x100);
            m.load(a);
            Asm p = new Asm(32, TestMachine.CODE + 0x100);
            p.mov(2, RAX, 0x10).loadSeg(Asm.DS, RAX).loadSeg(Asm.SS, RAX).mov(2, RSP, 0x9000);
            p.storeImm(2, abs(0x300000), 0x12345678).push(RAX).hlt();
            m.memory.put(TestMachine.CODE + 0x100, p.bytes());
            m.runToHalt();
            assertThat(m.memory.get32(0x300000)).isEqualTo(0x12345678);
            assertThat(m.memory.get32(0x8FFC)).isEqualTo(0x10);
            // The processor marks the descriptors that it used as accessed.
            assertThat(m.memory.read(TestMachine.GDT + 0x08 + 5, 1) & 1).isEqualTo(1);
            assertThat(m.memory.read(TestMachine.GDT + 0x10 + 5, 1) & 1).isEqualTo(1);
        }
    }

    @Test
    void longModeIsReachedTheWayKernelsDo() {
        try (TestMachine m = TestMachine.real()) {
            m.map4Level();
            m.descriptor(0x08, 0, 0xFFFFF, 0x9A, 0xC);
            m.descriptor(0x10, 0, 0xFFFFF, 0x92, 0xC);
            m.descriptor(0x18, 0, 0xFFFFF, 0x9A, 0xA);
            m.memory.write(0xB000, 2, 0x1F);
            m.memory.write(0xB002, 4, TestMachine.GDT);
            Asm a = m.code();
            a.cli().lgdt(abs(0xB000)).readCr(RAX, 0).alu(Asm.OR, 2, RAX, 1).writeCr(0, RAX);
            a.jmpFar32(0x08, TestMachine.CODE + 0x100);
            m.load(a);
            Asm p = new Asm(32, TestMachine.CODE + 0x100);
            p.mov(2, RAX, 0x10).loadSeg(Asm.DS, RAX).loadSeg(Asm.SS, RAX).mov(2, RSP, 0x9000);
            p.mov(2, RAX, 0x20).writeCr(4, RAX);
            p.mov(2, RAX, TestMachine.TABLES).writeCr(3, RAX);
            p.writeMsr(0xC0000080, 0x100);
            p.readCr(RAX, 0).alu(Asm.OR, 2, RAX, 0x80000000L).writeCr(0, RAX);
            p.jmpFar32(0x18, TestMachine.CODE + 0x200);
            m.memory.put(TestMachine.CODE + 0x100, p.bytes());
            Asm l = new Asm(64, TestMachine.CODE + 0x200);
            l.mov(3, RBX, 0x1122334455667788L).store(3, mem(RSP, -8), RBX);
            l.mov(2, RCX, 0xC0000080L).rdmsr().hlt();
            m.memory.put(TestMachine.CODE + 0x200, l.bytes());
            m.runToHalt();
            assertThat(m.memory.get64(0x8FF8)).isEqualTo(0x1122334455667788L);
            assertThat(m.reg(RAX)).isEqualTo(0x500);
            assertThat(m.state.in64BitMode()).isTrue();
        }
    }

    @Test
    void aMissingInterruptTableIsATripleFault() {
        try (TestMachine m = TestMachine.real()) {
            m.state.setInt(VcpuState.IDTR_LIMIT, 0);
            m.load(m.code().int_(0x10));
            assertThat(m.run()).isInstanceOf(org.xenolith.cpu.VcpuExit.TripleFault.class);
        }
    }
}
