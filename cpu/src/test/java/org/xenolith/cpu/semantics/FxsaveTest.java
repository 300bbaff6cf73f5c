package org.xenolith.cpu.semantics;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.Efer;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cr0;
import org.xenolith.cpu.core.Cr4;
import org.xenolith.cpu.core.GuestFault;
import org.xenolith.memory.Raw;

public class FxsaveTest {
    private static final int[] FXSAVE = {0x0F, 0xAE, 0x06};
    private static final int[] FXSAVE64 = {0x48, 0x0F, 0xAE, 0x06};
    private static final int[] FXRSTOR = {0x0F, 0xAE, 0x0E};
    private static final int[] FXRSTOR64 = {0x48, 0x0F, 0xAE, 0x0E};
    private static final int[] XSAVE = {0x0F, 0xAE, 0x26};
    private static final int[] XSAVEOPT = {0x0F, 0xAE, 0x36};
    private static final int[] XSAVEC = {0x0F, 0xC7, 0x26};
    private static final int[] XRSTOR = {0x0F, 0xAE, 0x2E};
    private static final int[] XGETBV = {0x0F, 0x01, 0xD0};
    private static final int[] XSETBV = {0x0F, 0x01, 0xD1};

    private final VectorMachine machine = new VectorMachine();
    private final VcpuState state = machine.state;
    private final long image = machine.host(VectorMachine.DATA);

    @AfterEach
    void close() {
        machine.close();
    }

    /** A state in which every field differs: TOP is 5. */
    private void fill() {
        state.setShort(VcpuState.FCW, 0x27F);
        state.setShort(VcpuState.FSW, 0x2800 | 0x4100);
        state.setShort(VcpuState.FTW, 0xE3);
        state.setShort(VcpuState.FOP, 0x5D9);
        state.setLong(VcpuState.FIP, 0x00007FFF12345678L);
        state.setLong(VcpuState.FDP, 0x00007FFE87654321L);
        for (int n = 0; n < 8; n++) {
            state.setLong(VcpuState.ST + n * 16, 0x8000000000000000L + n);
            state.setShort(VcpuState.ST + n * 16 + 8, 0x4000 + n);
        }
        for (int n = 0; n < 16; n++) {
            machine.xmm(n, 0x100L + n, 0x200L + n);
        }
        state.setInt(VcpuState.MXCSR, 0x3FA0);
    }

    private void forget() {
        Raw.fill(state.address() + VcpuState.FXSAVE, 24, (byte) 0);
        Raw.fill(state.address() + VcpuState.ST, 384, (byte) 0);
        state.setInt(VcpuState.MXCSR, 0x1F80);
    }

    private void assertFilled(int registers) {
        assertThat(state.getShort(VcpuState.FCW)).isEqualTo(0x27F);
        assertThat(state.getShort(VcpuState.FSW)).isEqualTo(0x6900);
        assertThat(state.getShort(VcpuState.FTW)).isEqualTo(0xE3);
        assertThat(state.getShort(VcpuState.FOP)).isEqualTo(0x5D9);
        for (int n = 0; n < 8; n++) {
            assertThat(state.getLong(VcpuState.ST + n * 16)).isEqualTo(0x8000000000000000L + n);
            assertThat(state.getShort(VcpuState.ST + n * 16 + 8)).isEqualTo(0x4000 + n);
        }
        for (int n = 0; n < registers; n++) {
            assertThat(machine.low(n)).isEqualTo(0x100L + n);
            assertThat(machine.high(n)).isEqualTo(0x200L + n);
        }
        assertThat(machine.mxcsr()).isEqualTo(0x3FA0);
    }

    @Test
    void anImageHasTheX87RegistersInStackOrder() {
        fill();
        assertThat(machine.run(FXSAVE64)).isEqualTo(VectorMachine.NO_FAULT);
        for (int n = 0; n < 8; n++) {
            assertThat(Raw.getLong(image + 32 + n * 16)).isEqualTo(0x8000000000000000L + (5 + n & 7));
        }
        assertThat(Raw.getLong(image + 8)).isEqualTo(0x00007FFF12345678L);
        assertThat(Raw.getInt(image + 28)).isEqualTo(0xFFFF);
        forget();
        assertThat(machine.run(FXRSTOR64)).isEqualTo(VectorMachine.NO_FAULT);
        assertFilled(16);
        assertThat(state.getLong(VcpuState.FDP)).isEqualTo(0x00007FFE87654321L);
    }

    @Test
    void withoutRexThePointersAre32BitsWide() {
        fill();
        Raw.putLong(image + 8, -1);
        machine.run(FXSAVE);
        assertThat(Raw.getLong(image + 8)).isEqualTo(0x12345678L);
        forget();
        machine.run(FXRSTOR);
        assertFilled(16);
        assertThat(state.getLong(VcpuState.FIP)).isEqualTo(0x12345678L);
    }

    @Test
    void legacyCodeSavesEightRegisters() {
        fill();
        machine.compatibilityMode();
        Raw.putLong(image + 160 + 8 * 16, 77);
        machine.run(FXSAVE);
        assertThat(Raw.getLong(image + 160 + 7 * 16)).isEqualTo(0x107);
        assertThat(Raw.getLong(image + 160 + 8 * 16)).isEqualTo(77);
        forget();
        machine.run(FXRSTOR);
        assertFilled(8);
        assertThat(machine.low(8)).isZero();
    }

    @Test
    void fastFxsaveLeavesOutTheXmmRegistersOfTheKernel() {
        fill();
        state.setLong(VcpuState.EFER, state.getLong(VcpuState.EFER) | Efer.FFXSR);
        machine.run(FXSAVE64);
        assertThat(Raw.getLong(image + 160)).isZero();
        assertThat(Raw.getInt(image + 24)).isEqualTo(0x3FA0);
    }

    @Test
    void badImagesChangeNothing() {
        fill();
        machine.run(FXSAVE);
        Raw.putInt(image + 24, 0x10000);
        Raw.putInt(image, 0);
        assertThat(machine.run(FXRSTOR)).isEqualTo(GuestFault.GP);
        assertFilled(16);
        state.setGpr(VcpuState.RSI, VectorMachine.DATA + 8);
        assertThat(machine.run(FXRSTOR)).isEqualTo(GuestFault.GP);
        assertThat(machine.run(FXSAVE)).isEqualTo(GuestFault.GP);
    }

    @Test
    void restoringAnUnmaskedExceptionMakesItPending() {
        machine.run(FXSAVE);
        Raw.putShort(image, (short) 0x37E);
        Raw.putShort(image + 2, (short) 1);
        machine.run(FXRSTOR);
        assertThat(state.getShort(VcpuState.FSW)).isEqualTo(0x8081);
    }

    @Test
    void taskSwitchedAndEmulationFault() {
        state.setLong(VcpuState.CR0, state.getLong(VcpuState.CR0) | Cr0.TS);
        assertThat(machine.run(FXSAVE)).isEqualTo(GuestFault.NM);
        assertThat(machine.run(XSAVE)).isEqualTo(GuestFault.NM);
        state.setLong(VcpuState.CR0, state.getLong(VcpuState.CR0) | Cr0.EM);
        assertThat(machine.run(FXSAVE)).isEqualTo(GuestFault.UD);
    }

    private void request(long components) {
        state.setGpr(VcpuState.RAX, components);
        state.setGpr(VcpuState.RDX, 0);
    }

    @Test
    void xsaveKeepsWhatWasNotAskedFor() {
        fill();
        request(1);
        Raw.putLong(image + 160, 55);
        Raw.putLong(image + 512, 2);
        assertThat(machine.run(XSAVE)).isEqualTo(VectorMachine.NO_FAULT);
        assertThat(Raw.getLong(image + 512)).isEqualTo(3);
        assertThat(Raw.getLong(image + 160)).isEqualTo(55);
        assertThat(Raw.getShort(image)).isEqualTo((short) 0x27F);
    }

    @Test
    void xrstorResetsWhatTheImageDoesNotHave() {
        fill();
        request(3);
        machine.run(XSAVE);
        Raw.putLong(image + 512, 1);
        forget();
        machine.xmm(3, 1, 1);
        assertThat(machine.run(XRSTOR)).isEqualTo(VectorMachine.NO_FAULT);
        assertThat(state.getShort(VcpuState.FCW)).isEqualTo(0x27F);
        assertThat(machine.low(3)).isZero();
        // The standard format always has MXCSR.
        assertThat(machine.mxcsr()).isEqualTo(0x3FA0);
    }

    @Test
    void optimizedSavesLeaveOutInitialState() {
        request(3);
        Raw.putLong(image + 160, 55);
        machine.xmm(0, 0, 0);
        state.setShort(VcpuState.FCW, 0x27F);
        machine.run(XSAVEOPT);
        assertThat(Raw.getLong(image + 512)).isEqualTo(1);
        assertThat(Raw.getLong(image + 160)).isEqualTo(55);
        machine.run(XSAVEC);
        assertThat(Raw.getLong(image + 512)).isEqualTo(1);
        assertThat(Raw.getLong(image + 520)).isEqualTo(0x8000000000000003L);
        machine.mxcsr(0x1FA0);
        machine.run(XSAVEC);
        assertThat(Raw.getLong(image + 512)).isEqualTo(3);
        machine.mxcsr(0x1F80);
        assertThat(machine.run(XRSTOR)).isEqualTo(VectorMachine.NO_FAULT);
        assertThat(machine.mxcsr()).isEqualTo(0x1FA0);
    }

    @Test
    void badHeadersFault() {
        request(3);
        machine.run(XSAVE);
        for (int at : new int[] {512, 520, 528}) {
            Raw.putLong(image + at, 8);
            assertThat(machine.run(XRSTOR)).as("header at " + at).isEqualTo(GuestFault.GP);
            Raw.putLong(image + at, 0);
        }
        Raw.putLong(image + 520, 0x8000000000000001L);
        Raw.putLong(image + 512, 3);
        assertThat(machine.run(XRSTOR)).isEqualTo(GuestFault.GP);
        state.setGpr(VcpuState.RSI, VectorMachine.DATA + 16);
        assertThat(machine.run(XSAVE)).isEqualTo(GuestFault.GP);
    }

    @Test
    void xcr0IsCheckedAndNeedsTheOperatingSystem() {
        state.setGpr(VcpuState.RCX, 0);
        assertThat(machine.run(XGETBV)).isEqualTo(VectorMachine.NO_FAULT);
        assertThat(state.gpr(VcpuState.RAX)).isEqualTo(3);
        for (long bad : new long[] {0, 2, 4, 7}) {
            request(bad);
            assertThat(machine.run(XSETBV)).as("xcr0 " + bad).isEqualTo(GuestFault.GP);
        }
        request(1);
        assertThat(machine.run(XSETBV)).isEqualTo(VectorMachine.NO_FAULT);
        assertThat(state.getLong(VcpuState.XCR0)).isEqualTo(1);
        state.setLong(VcpuState.CR4, state.getLong(VcpuState.CR4) & ~Cr4.OSXSAVE);
        assertThat(machine.run(XGETBV)).isEqualTo(GuestFault.UD);
        assertThat(machine.run(XSAVE)).isEqualTo(GuestFault.UD);
    }
}
