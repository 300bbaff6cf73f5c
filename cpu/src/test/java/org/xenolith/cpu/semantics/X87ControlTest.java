package org.xenolith.cpu.semantics;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.GuestFault;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.memory.Raw;

/** Pending exceptions, availability, environment images: what no user-mode recording shows. */
class X87ControlTest {
    private static final int NONE = -1;
    private final X87Rig rig = new X87Rig();

    X87ControlTest() {
        run(0xDB, 0xE3);
    }

    @AfterEach
    void close() {
        rig.close();
    }

    private int run(int... bytes) {
        Insn insn = rig.decode(bytes);
        assertThat(insn).isNotNull();
        return rig.run(insn);
    }

    private void controlWord(int value) {
        Raw.putShort(rig.operand(), (short) value);
        assertThat(run(0xD9, 0x2E)).isEqualTo(NONE);
    }

    private void divideOneByZero() {
        run(0xD9, 0xE8);
        run(0xD9, 0xEE);
        assertThat(run(0xDE, 0xF9)).isEqualTo(NONE);
    }

    @Test
    void anUnmaskedExceptionIsRaisedByTheNextWaitingInstructionOnly() {
        controlWord(0x37B);
        divideOneByZero();
        assertThat(rig.state.getShort(VcpuState.FSW) & 0x80FF).isEqualTo(0x8084);
        assertThat(run(0xDF, 0xE0)).isEqualTo(NONE);
        assertThat(rig.state.gpr(VcpuState.RAX) & 0x80FF).isEqualTo(0x8084);
        assertThat(run(0xD9, 0x3E)).isEqualTo(NONE);
        assertThat(run(0xD9, 0xE8)).isEqualTo(GuestFault.MF);
        assertThat(run(0x9B)).isEqualTo(GuestFault.MF);
        assertThat(run(0xD9, 0xD0)).isEqualTo(GuestFault.MF);
        assertThat(run(0xD9, 0x2E)).isEqualTo(GuestFault.MF);
        assertThat(run(0xDB, 0xE2)).isEqualTo(NONE);
        assertThat(run(0x9B)).isEqualTo(NONE);
    }

    @Test
    void unmaskingAFlagThatIsSetMakesItPending() {
        divideOneByZero();
        assertThat(run(0x9B)).isEqualTo(NONE);
        controlWord(0x37B);
        assertThat(run(0x9B)).isEqualTo(GuestFault.MF);
    }

    @Test
    void storingTheEnvironmentMasksEverything() {
        controlWord(0x37B);
        divideOneByZero();
        assertThat(run(0xD9, 0x36)).isEqualTo(NONE);
        assertThat(Raw.getInt(rig.operand())).isEqualTo(0xffff037B);
        assertThat(Raw.getInt(rig.operand() + 4) & 0x80FF).isEqualTo(0x8084);
        assertThat(rig.state.getShort(VcpuState.FCW)).isEqualTo(0x37F);
        assertThat(run(0x9B)).isEqualTo(NONE);
    }

    @Test
    void switchedOffTheUnitRaisesDeviceNotAvailable() {
        for (long bit : new long[] {4, 8}) {
            rig.state.setLong(VcpuState.CR0, 0x31 | bit);
            rig.cpu.refresh();
            assertThat(run(0xD9, 0xE8)).isEqualTo(GuestFault.NM);
            assertThat(run(0xDB, 0xE3)).isEqualTo(GuestFault.NM);
            assertThat(run(0xDF, 0xE0)).isEqualTo(GuestFault.NM);
            assertThat(run(0x9B)).isEqualTo(NONE);
        }
        rig.state.setLong(VcpuState.CR0, 0x3B);
        rig.cpu.refresh();
        assertThat(run(0x9B)).isEqualTo(GuestFault.NM);
    }

    @Test
    void aStoreThatFaultsLeavesTheStackAlone() {
        run(0xD9, 0xE8);
        rig.state.setSegment(VcpuState.DS, 0x2b, 0, 0xfff, 0x4093);
        int before = rig.state.getShort(VcpuState.FSW);
        assertThat(run(0xDD, 0x1E)).isEqualTo(GuestFault.GP);
        assertThat(run(0xDB, 0x3E)).isEqualTo(GuestFault.GP);
        assertThat(run(0xDD, 0x36)).isEqualTo(GuestFault.GP);
        assertThat(rig.state.getShort(VcpuState.FSW)).isEqualTo(before);
        assertThat(rig.state.getShort(VcpuState.FTW) & 0xff).isEqualTo(0x80);
    }

    @Test
    void theEnvironmentNamesTheLastInstructionAndItsOperand() {
        rig.state.setRip(0x12345678);
        run(0xD9, 0x06);
        run(0xD9, 0x36);
        assertThat(Raw.getInt(rig.operand() + 12)).isEqualTo(0x12345678);
        assertThat(Raw.getInt(rig.operand() + 16)).isEqualTo(0x01060033);
        assertThat(Raw.getInt(rig.operand() + 20)).isEqualTo(0x1100);
        assertThat(Raw.getInt(rig.operand() + 24)).isEqualTo(0xffff002b);
    }

    @Test
    void theSixteenBitImageHasFourteenBytesBeforeTheRegisters() {
        run(0xD9, 0xE8);
        run(0xD9, 0xEE);
        Raw.fill(rig.operand(), 108, (byte) 0x55);
        assertThat(run(0x66, 0xDD, 0x36)).isEqualTo(NONE);
        assertThat(Raw.getShort(rig.operand())).isEqualTo((short) 0x37F);
        assertThat(Raw.getShort(rig.operand() + 2)).isEqualTo((short) 0x3000);
        assertThat(Raw.getShort(rig.operand() + 4)).isEqualTo((short) 0x1FFF);
        assertThat(Raw.getShort(rig.operand() + 8)).isEqualTo((short) 0x33);
        assertThat(Raw.getLong(rig.operand() + 24)).isEqualTo(Long.MIN_VALUE);
        assertThat(Raw.getShort(rig.operand() + 32)).isEqualTo((short) 0x3FFF);
        assertThat(Raw.getByte(rig.operand() + 94)).isEqualTo((byte) 0x55);
        assertThat(rig.state.getShort(VcpuState.FTW) & 0xff).isZero();
        assertThat(run(0x66, 0xDD, 0x26)).isEqualTo(NONE);
        assertThat(rig.state.getShort(VcpuState.FTW) & 0xff).isEqualTo(0xC0);
        assertThat(rig.state.getShort(VcpuState.FSW)).isEqualTo(0x3000);
        assertThat(Raw.getLong(rig.cpu.base + VcpuState.ST + 7 * 16)).isEqualTo(Long.MIN_VALUE);
    }

    @Test
    void inRealModeTheImageHasLinearAddressesAndTheOpcode() {
        rig.state.setLong(VcpuState.CR0, 0x32);
        rig.state.setSegment(VcpuState.CS, 0xF000, 0xF0000, 0xffff, 0x9B);
        rig.state.setSegment(VcpuState.DS, 0x10, 0x100, 0xffff, 0x93);
        rig.state.setGpr(VcpuState.RSI, 0x1000);
        rig.cpu.refresh();
        rig.state.setRip(0xABC0);
        run(0xDD, 0x06);
        run(0xD9, 0x36);
        assertThat(Raw.getShort(rig.operand() + 12)).isEqualTo((short) 0xABC0);
        assertThat(Raw.getInt(rig.operand() + 16)).isEqualTo(0xF << 12 | 0x506);
        assertThat(Raw.getShort(rig.operand() + 20)).isEqualTo((short) 0x1100);
        assertThat(Raw.getInt(rig.operand() + 24)).isZero();
        run(0x66, 0xD9, 0x36);
        assertThat(Raw.getShort(rig.operand() + 6)).isEqualTo((short) 0xABC0);
        assertThat(Raw.getShort(rig.operand() + 8)).isEqualTo((short) (0xF << 12 | 0x506));
        assertThat(Raw.getShort(rig.operand() + 10)).isEqualTo((short) 0x1100);
    }

    @Test
    void encodingsThatTheHardwareRejectsAreNotInTheTable() {
        int[] invalid = {
            0xD9D1, 0xD9E2, 0xD9E6, 0xD9EF, 0xDAE0, 0xDAE8, 0xDAF0, 0xDBE5, 0xDBF8, 0xDDF0, 0xDED8, 0xDFE1, 0xDFF8
        };
        for (int code : invalid) {
            assertThat(rig.decode(code >> 8, code & 0xff)).as("%04x", code).isNull();
        }
        for (int code : new int[] {0xD90E, 0xDB26, 0xDB36, 0xDD2E}) {
            assertThat(rig.decode(code >> 8, code & 0xff)).as("%04x", code).isNull();
        }
    }

    @Test
    void instructionsOfTheOldCoprocessorsDoNothing() {
        for (int modrm : new int[] {0xE0, 0xE1, 0xE4}) {
            assertThat(run(0xDB, modrm)).isEqualTo(NONE);
        }
        assertThat(rig.state.getShort(VcpuState.FSW)).isZero();
    }
}
