package org.xenolith.cpu.semantics;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cr0;
import org.xenolith.cpu.core.Cr4;
import org.xenolith.cpu.core.GuestFault;
import org.xenolith.memory.Raw;

/** What the oracle cannot show of AVX in a user program: enabling it, and what faults leave behind. */
public class AvxTest {
    private static final int[] VADDPS_YMM = {0xC5, 0xEC, 0x58, 0xCB}; // vaddps ymm1, ymm2, ymm3
    private static final int[] VADDPS_XMM = {0xC5, 0xE8, 0x58, 0xCB}; // vaddps xmm1, xmm2, xmm3
    private static final int[] ADDPS = {0x0F, 0x58, 0xCB}; // addps xmm1, xmm3
    private static final int[] ANDN = {0xC4, 0xE2, 0x78, 0xF2, 0xC1}; // andn eax, eax, ecx
    private static final int[] VMOVAPS_LOAD = {0xC5, 0xFC, 0x28, 0x0E}; // vmovaps ymm1, [rsi]
    private static final int[] VMOVUPS_LOAD = {0xC5, 0xFC, 0x10, 0x0E}; // vmovups ymm1, [rsi]
    private static final int[] VADDPS_LOAD = {0xC5, 0xEC, 0x58, 0x0E}; // vaddps ymm1, ymm2, [rsi]
    private static final int[] VZEROUPPER = {0xC5, 0xF8, 0x77};
    private static final int[] VZEROALL = {0xC5, 0xFC, 0x77};
    private static final int[] VPGATHERQQ = {0xC4, 0xE2, 0xE5, 0x91, 0x0C, 0x16}; // vpgatherqq ymm1, [rsi+ymm2], ymm3
    private static final int[] VMASKMOVPS_STORE = {0xC4, 0xE2, 0x6D, 0x2E, 0x0E}; // vmaskmovps [rsi], ymm2, ymm1
    private static final int[] VMASKMOVPS_LOAD = {0xC4, 0xE2, 0x6D, 0x2C, 0x0E}; // vmaskmovps ymm1, ymm2, [rsi]

    private static final long ONES = 0x3F8000003F800000L;
    private static final long TWOS = 0x4000000040000000L;
    private static final long NON_CANONICAL = 0x0001000000000000L;

    private final VectorMachine machine = new VectorMachine();
    private final VcpuState state = machine.state;

    @AfterEach
    void close() {
        machine.close();
    }

    private void fill(int n, long value) {
        machine.xmm(n, value, value);
        machine.ymmHigh(n, value, value);
    }

    private void change(int register, long clear, long set) {
        state.setLong(register, state.getLong(register) & ~clear | set);
    }

    @Test
    void theOperatingSystemMustHaveEnabledTheState() {
        assertThat(machine.run(VADDPS_YMM)).isEqualTo(VectorMachine.NO_FAULT);
        change(VcpuState.CR0, 0, Cr0.TS);
        assertThat(machine.run(VADDPS_YMM)).isEqualTo(GuestFault.NM);
        assertThat(machine.run(VZEROUPPER)).isEqualTo(GuestFault.NM);
        for (long enabled : new long[] {1, 3}) {
            state.setLong(VcpuState.XCR0, enabled);
            assertThat(machine.run(VADDPS_XMM)).as("xcr0 " + enabled).isEqualTo(GuestFault.UD);
        }
        state.setLong(VcpuState.XCR0, 7);
        change(VcpuState.CR0, Cr0.TS, 0);
        change(VcpuState.CR4, Cr4.OSXSAVE, 0);
        assertThat(machine.run(VADDPS_YMM)).isEqualTo(GuestFault.UD);
        assertThat(machine.run(VPGATHERQQ)).isEqualTo(GuestFault.UD);
        // BMI has nothing to do with vector state.
        assertThat(machine.run(ANDN)).isEqualTo(VectorMachine.NO_FAULT);
    }

    @Test
    void whatBlocksSseDoesNotBlockAvx() {
        change(VcpuState.CR4, Cr4.OSFXSR, 0);
        change(VcpuState.CR0, 0, Cr0.EM);
        assertThat(machine.run(VADDPS_YMM)).isEqualTo(VectorMachine.NO_FAULT);
        assertThat(machine.run(ADDPS)).isEqualTo(GuestFault.UD);
    }

    @Test
    void vexClearsTheUpperHalfAndLegacySseKeepsIt() {
        fill(1, TWOS);
        fill(2, ONES);
        fill(3, ONES);
        assertThat(machine.run(ADDPS)).isEqualTo(VectorMachine.NO_FAULT);
        assertThat(machine.ymmLow(1)).isEqualTo(TWOS);
        assertThat(machine.run(VADDPS_XMM)).isEqualTo(VectorMachine.NO_FAULT);
        assertThat(machine.low(1)).isEqualTo(TWOS);
        assertThat(machine.ymmLow(1)).isZero();
        assertThat(machine.ymmTop(1)).isZero();
        machine.run(VADDPS_YMM);
        assertThat(machine.ymmTop(1)).isEqualTo(TWOS);
    }

    @Test
    void zeroingTouchesTheRegistersOfItsMode() {
        for (int n = 0; n < 16; n++) {
            fill(n, n + 1);
        }
        machine.compatibilityMode();
        machine.run(VZEROUPPER);
        assertThat(machine.ymmLow(7)).isZero();
        assertThat(machine.low(7)).isEqualTo(8);
        assertThat(machine.ymmLow(8)).isEqualTo(9);
        machine.run(VZEROALL);
        assertThat(machine.low(7)).isZero();
        assertThat(machine.low(8)).isEqualTo(9);
    }

    @Test
    void onlyTheMovesThatSayAlignedWantAlignment() {
        state.setGpr(VcpuState.RSI, VectorMachine.DATA + 16);
        assertThat(machine.run(VMOVAPS_LOAD)).isEqualTo(GuestFault.GP);
        state.setGpr(VcpuState.RSI, VectorMachine.DATA + 1);
        assertThat(machine.run(VMOVUPS_LOAD)).isEqualTo(VectorMachine.NO_FAULT);
        assertThat(machine.run(VADDPS_LOAD)).isEqualTo(VectorMachine.NO_FAULT);
    }

    @Test
    void anExceptionInTheUpperLaneKeepsTheLowerLaneToo() {
        fill(1, 7);
        fill(2, ONES);
        fill(3, ONES);
        // A signaling NaN.
        machine.ymmHigh(3, ONES, 0x7F8000013F800000L);
        machine.mxcsr(0x1F80 & ~0x80);
        assertThat(machine.run(VADDPS_YMM)).isEqualTo(GuestFault.XM);
        assertThat(machine.low(1)).isEqualTo(7);
        assertThat(machine.ymmLow(1)).isEqualTo(7);
        assertThat(machine.mxcsr() & 0x3F).isEqualTo(1);
        change(VcpuState.CR4, Cr4.OSXMMEXCPT, 0);
        assertThat(machine.run(VADDPS_YMM)).isEqualTo(GuestFault.UD);
    }

    @Test
    void aGatherGoesOnWhereItFaulted() {
        long data = machine.host(VectorMachine.DATA);
        for (int i = 0; i < 4; i++) {
            Raw.putLong(data + i * 8, 0x1000 + i);
        }
        fill(1, 0x55);
        machine.xmm(2, 0, 8);
        machine.ymmHigh(2, NON_CANONICAL, 24);
        fill(3, -1);
        assertThat(machine.run(VPGATHERQQ)).isEqualTo(GuestFault.GP);
        assertThat(machine.low(1)).isEqualTo(0x1000);
        assertThat(machine.high(1)).isEqualTo(0x1001);
        assertThat(machine.ymmLow(1)).isEqualTo(0x55);
        assertThat(machine.low(3) | machine.high(3)).isZero();
        assertThat(machine.ymmLow(3) & machine.ymmTop(3)).isEqualTo(-1);
        // What has arrived is not looked at again.
        Raw.putLong(data, 0);
        machine.ymmHigh(2, 16, 24);
        assertThat(machine.run(VPGATHERQQ)).isEqualTo(VectorMachine.NO_FAULT);
        assertThat(machine.low(1)).isEqualTo(0x1000);
        assertThat(machine.ymmLow(1)).isEqualTo(0x1002);
        assertThat(machine.ymmTop(1)).isEqualTo(0x1003);
        assertThat(machine.ymmLow(3) | machine.ymmTop(3)).isZero();
    }

    @Test
    void aGatherNeedsThreeDifferentRegisters() {
        assertThat(machine.run(0xC4, 0xE2, 0xE5, 0x91, 0x1C, 0x16)).isEqualTo(GuestFault.UD);
        assertThat(machine.run(0xC4, 0xE2, 0xE5, 0x91, 0x14, 0x16)).isEqualTo(GuestFault.UD);
        assertThat(machine.run(0xC4, 0xE2, 0xE5, 0x91, 0x0C, 0x1E)).isEqualTo(GuestFault.UD);
    }

    @Test
    void maskedMovesLookAtNothingThatIsNotSelected() {
        fill(1, TWOS);
        fill(2, 0);
        state.setGpr(VcpuState.RSI, NON_CANONICAL);
        assertThat(machine.run(VMASKMOVPS_STORE)).isEqualTo(VectorMachine.NO_FAULT);
        assertThat(machine.run(VMASKMOVPS_LOAD)).isEqualTo(VectorMachine.NO_FAULT);
        assertThat(machine.low(1) | machine.ymmTop(1)).isZero();
        fill(1, TWOS);
        machine.xmm(2, Long.MIN_VALUE, 0);
        assertThat(machine.run(VMASKMOVPS_STORE)).isEqualTo(GuestFault.GP);
        state.setGpr(VcpuState.RSI, VectorMachine.DATA);
        machine.ymmHigh(2, 0, Long.MIN_VALUE);
        assertThat(machine.run(VMASKMOVPS_STORE)).isEqualTo(VectorMachine.NO_FAULT);
        long data = machine.host(VectorMachine.DATA);
        assertThat(Raw.getLong(data)).isEqualTo(TWOS & 0xFFFFFFFF00000000L);
        assertThat(Raw.getLong(data + 8) | Raw.getLong(data + 16)).isZero();
        assertThat(Raw.getLong(data + 24)).isEqualTo(TWOS & 0xFFFFFFFF00000000L);
    }
}
