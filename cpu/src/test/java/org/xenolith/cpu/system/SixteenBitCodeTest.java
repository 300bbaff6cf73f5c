package org.xenolith.cpu.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.cpu.testing.Asm.RAX;
import static org.xenolith.cpu.testing.Asm.RBX;
import static org.xenolith.cpu.testing.TestMachine.CODE0;
import static org.xenolith.cpu.testing.TestMachine.CODE0_16;

import org.junit.jupiter.api.Test;
import org.xenolith.cpu.testing.Asm;
import org.xenolith.cpu.testing.TestMachine;

/** 16-bit code in segments that are larger than 64 KiB ("unreal" code), and at the end of those that are not. */
public class SixteenBitCodeTest {
    private static final long HIGH = 0x31230;

    @Test
    void codeAboveSixtyFourKibRunsOnAndReturnsWithItsWholePointer() {
        try (TestMachine m = TestMachine.protected32()) {
            m.descriptor(CODE0_16, 0, 0xFFFFF, 0x9B, 0);
            Asm high = new Asm(16, HIGH)
                    .mov(1, RAX, 0x1234)
                    .int_(0x40)
                    .mov(1, RBX, 0x77)
                    .hlt();
            m.memory.put(HIGH, high.bytes());
            TestMachine.Fault f = m.load(m.code().jmpFar32(CODE0_16, HIGH)).fault();
            assertThat(f.vector()).isEqualTo(0x40);
            assertThat(f.rip()).isEqualTo(HIGH + 5);
            assertThat(f.cs()).isEqualTo(CODE0_16);
            m.runToHalt();
            assertThat(m.reg(RBX) & 0xFFFF).isEqualTo(0x77);
            assertThat(m.state.rip()).isEqualTo(high.here());
        }
    }

    @Test
    void aNearBranchWithSixteenBitOperandCutsThePointer() {
        try (TestMachine m = TestMachine.protected32()) {
            m.descriptor(CODE0_16, 0, 0xFFFFF, 0x9B, 0);
            m.memory.put(
                    HIGH,
                    new Asm(16, HIGH)
                            .label("here")
                            .jmp("there")
                            .nop()
                            .label("there")
                            .hlt()
                            .bytes());
            m.memory.put(
                    HIGH & 0xFFFF,
                    new Asm(16, 0).hlt().hlt().hlt().hlt().hlt().hlt().bytes());
            m.load(m.code().jmpFar32(CODE0_16, HIGH)).runToHalt();
            assertThat(m.state.rip()).isBetween(HIGH & 0xFFFF, (HIGH & 0xFFFF) + 6);
        }
    }

    @Test
    void runningOffTheEndOfASixtyFourKibSegmentFaults() {
        try (TestMachine m = TestMachine.protected32()) {
            m.descriptor(CODE0_16, 0x30000, 0xFFFF, 0x9B, 0);
            m.memory.put(0x3FFFE, new Asm(16, 0xFFFE).nop().nop().bytes());
            m.memory.put(0x30000, new Asm(16, 0).hlt().bytes());
            TestMachine.Fault f = m.load(m.code().jmpFar32(CODE0_16, 0xFFFE)).fault();
            assertThat(f.vector()).isEqualTo(13);
            assertThat(f.error()).isZero();
            assertThat(f.rip()).isEqualTo(0x10000);
        }
    }

    @Test
    void aFarJumpWithThirtyTwoBitOperandLeaves() {
        try (TestMachine m = TestMachine.protected32()) {
            m.descriptor(CODE0_16, 0, 0xFFFFF, 0x9B, 0);
            m.memory.put(HIGH, new Asm(16, HIGH).jmpFar32(CODE0, HIGH + 0x100).bytes());
            m.memory.put(
                    HIGH + 0x100,
                    new Asm(32, HIGH + 0x100).mov(2, RAX, 0x12345678).hlt().bytes());
            m.load(m.code().jmpFar32(CODE0_16, HIGH)).runToHalt();
            assertThat(m.reg(RAX)).isEqualTo(0x12345678);
        }
    }
}
