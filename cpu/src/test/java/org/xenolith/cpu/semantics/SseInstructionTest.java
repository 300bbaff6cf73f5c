package org.xenolith.cpu.semantics;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cr0;
import org.xenolith.cpu.core.Cr4;
import org.xenolith.cpu.core.Flags;
import org.xenolith.cpu.core.GuestFault;
import org.xenolith.memory.Raw;

/** SSE and MMX instructions as the engine runs them: encodings, operands, faults. */
public class SseInstructionTest {
    private final VectorMachine machine = new VectorMachine();

    @AfterEach
    void close() {
        machine.close();
    }

    private long flags() {
        return machine.state.rflags() & Flags.ARITHMETIC;
    }

    private void controlBits(int register, long set, long clear) {
        machine.state.setLong(register, machine.state.getLong(register) & ~clear | set);
    }

    @Test
    void scalarMovesBetweenRegistersKeepTheRestAndLoadsClearIt() {
        machine.xmm(0, 1, 2);
        machine.xmm(1, 0x1_0000_0003L, 4);
        machine.run(0xF3, 0x0F, 0x10, 0xC1); // movss xmm0, xmm1
        assertThat(machine.low(0)).isEqualTo(3);
        assertThat(machine.high(0)).isEqualTo(2);
        Raw.putLong(machine.host(VectorMachine.DATA), 0x5555555566666666L);
        machine.run(0xF3, 0x0F, 0x10, 0x06); // movss xmm0, [rsi]
        assertThat(machine.low(0)).isEqualTo(0x66666666L);
        assertThat(machine.high(0)).isZero();
    }

    @Test
    void alignedMovesRefuseUnalignedMemoryAndUnalignedOnesCrossPages() {
        machine.state.setGpr(VcpuState.RSI, VectorMachine.DATA + 4096 - 8);
        Raw.putLong(machine.host(VectorMachine.DATA + 4096 - 8), 0x1122334455667788L);
        Raw.putLong(machine.host(VectorMachine.DATA + 4096), 0x99AABBCCDDEEFF00L);
        assertThat(machine.run(0x0F, 0x28, 0x06)).isEqualTo(GuestFault.GP); // movaps xmm0, [rsi]
        assertThat(machine.run(0x66, 0x0F, 0xFC, 0x06)).isEqualTo(GuestFault.GP); // paddb xmm0, [rsi]
        assertThat(machine.run(0x0F, 0x10, 0x06)).isEqualTo(VectorMachine.NO_FAULT); // movups xmm0, [rsi]
        assertThat(machine.low(0)).isEqualTo(0x1122334455667788L);
        assertThat(machine.high(0)).isEqualTo(0x99AABBCCDDEEFF00L);
        machine.state.setGpr(VcpuState.RSI, VectorMachine.DATA + 3);
        assertThat(machine.run(0x0F, 0x11, 0x06)).isEqualTo(VectorMachine.NO_FAULT); // movups [rsi], xmm0
        assertThat(Raw.getLong(machine.host(VectorMachine.DATA + 11))).isEqualTo(0x99AABBCCDDEEFF00L);
    }

    @Test
    void comparisonsSetTheCarryZeroAndParityFlags() {
        machine.xmm(0, 1.0, 0.0);
        machine.xmm(1, 2.0, 0.0);
        machine.run(0x66, 0x0F, 0x2F, 0xC1); // comisd xmm0, xmm1
        assertThat(flags()).isEqualTo(Flags.CF);
        machine.run(0x66, 0x0F, 0x2F, 0xC8); // comisd xmm1, xmm0
        assertThat(flags()).isZero();
        machine.run(0x66, 0x0F, 0x2F, 0xC0); // comisd xmm0, xmm0
        assertThat(flags()).isEqualTo(Flags.ZF);
        machine.xmm(1, Double.NaN, 0.0);
        machine.run(0x66, 0x0F, 0x2E, 0xC1); // ucomisd xmm0, xmm1
        assertThat(flags()).isEqualTo(Flags.ZF | Flags.PF | Flags.CF);
        assertThat(machine.mxcsr()).isEqualTo(0x1F80);
        machine.run(0x66, 0x0F, 0x2F, 0xC1); // comisd xmm0, xmm1
        assertThat(machine.mxcsr()).isEqualTo(0x1F81);
    }

    @Test
    void conversionsOutOfRangeGiveTheIntegerIndefinite() {
        machine.xmm(0, 3e9, 0.0);
        machine.run(0xF2, 0x0F, 0x2C, 0xC0); // cvttsd2si eax, xmm0
        assertThat(machine.state.gpr(VcpuState.RAX)).isEqualTo(0x80000000L);
        assertThat(machine.mxcsr()).isEqualTo(0x1F81);
        machine.run(0xF2, 0x48, 0x0F, 0x2C, 0xC0); // cvttsd2si rax, xmm0
        assertThat(machine.state.gpr(VcpuState.RAX)).isEqualTo(3_000_000_000L);
        machine.xmm(0, -0x1p63, 0.0);
        machine.mxcsr(0x1F80);
        machine.run(0xF2, 0x48, 0x0F, 0x2D, 0xC0); // cvtsd2si rax, xmm0
        assertThat(machine.state.gpr(VcpuState.RAX)).isEqualTo(Long.MIN_VALUE);
        assertThat(machine.mxcsr()).isEqualTo(0x1F80);
    }

    @Test
    void conversionsRoundAsMxcsrSays() {
        long[] expected = {2, 2, 3, 2};
        for (int mode = 0; mode < 4; mode++) {
            machine.xmm(0, 2.5, 0.0);
            machine.mxcsr(0x1F80 | mode << 13);
            machine.run(0xF2, 0x0F, 0x2D, 0xC0); // cvtsd2si eax, xmm0
            assertThat(machine.state.gpr(VcpuState.RAX)).as("mode " + mode).isEqualTo(expected[mode]);
            assertThat(machine.mxcsr() & 0x3F).isEqualTo(0x20);
        }
    }

    @Test
    void anUnmaskedExceptionLeavesTheDestinationAlone() {
        machine.xmm(0, 1.0, 7.0);
        machine.xmm(1, 0.0, 3.0);
        machine.mxcsr(0x1F80 & ~0x200);
        assertThat(machine.run(0x66, 0x0F, 0x5E, 0xC1)).isEqualTo(GuestFault.XM); // divpd xmm0, xmm1
        assertThat(machine.lowDouble(0)).isEqualTo(1.0);
        // The other lane was inexact, but nothing got that far.
        assertThat(machine.mxcsr()).isEqualTo(0x1D84);
        controlBits(VcpuState.CR4, 0, Cr4.OSXMMEXCPT);
        assertThat(machine.run(0x66, 0x0F, 0x5E, 0xC1)).isEqualTo(GuestFault.UD);
    }

    @Test
    void stickyFlagsOfAllLanesCollect() {
        machine.xmm(0, 1.0, 1.0);
        machine.xmm(1, 0.0, 3.0);
        assertThat(machine.run(0x66, 0x0F, 0x5E, 0xC1)).isEqualTo(VectorMachine.NO_FAULT); // divpd xmm0, xmm1
        assertThat(machine.mxcsr()).isEqualTo(0x1FA4);
        assertThat(machine.lowDouble(0)).isInfinite();
    }

    @Test
    void taskSwitchedAndMissingOsSupportFault() {
        controlBits(VcpuState.CR0, Cr0.TS, 0);
        assertThat(machine.run(0x0F, 0x58, 0xC1)).isEqualTo(GuestFault.NM); // addps
        assertThat(machine.run(0x0F, 0xFC, 0xC1)).isEqualTo(GuestFault.NM); // paddb mm0, mm1
        assertThat(machine.run(0x0F, 0xAE, 0x16)).isEqualTo(GuestFault.NM); // ldmxcsr [rsi]
        controlBits(VcpuState.CR0, 0, Cr0.TS);
        controlBits(VcpuState.CR4, 0, Cr4.OSFXSR);
        assertThat(machine.run(0x0F, 0x58, 0xC1)).isEqualTo(GuestFault.UD);
        assertThat(machine.run(0x0F, 0xFC, 0xC1)).isEqualTo(VectorMachine.NO_FAULT);
    }

    @Test
    void mxcsrRefusesReservedBits() {
        Raw.putInt(machine.host(VectorMachine.DATA), 0x3F80);
        assertThat(machine.run(0x0F, 0xAE, 0x16)).isEqualTo(VectorMachine.NO_FAULT); // ldmxcsr [rsi]
        assertThat(machine.mxcsr()).isEqualTo(0x3F80);
        Raw.putInt(machine.host(VectorMachine.DATA), 0x11F80);
        assertThat(machine.run(0x0F, 0xAE, 0x16)).isEqualTo(GuestFault.GP);
        machine.run(0x0F, 0xAE, 0x5E, 0x04); // stmxcsr [rsi + 4]
        assertThat(Raw.getInt(machine.host(VectorMachine.DATA + 4))).isEqualTo(0x3F80);
    }

    @Test
    void mmxInstructionsOccupyTheX87RegistersUntilEmms() {
        machine.state.setShort(VcpuState.FSW, 0x3800);
        machine.state.setLong(VcpuState.ST + 16, 0x0102030405060708L);
        machine.run(0x0F, 0x6F, 0xC1); // movq mm0, mm1
        assertThat(machine.state.getLong(VcpuState.ST)).isEqualTo(0x0102030405060708L);
        assertThat(machine.state.getShort(VcpuState.ST + 8)).isEqualTo(0xFFFF);
        assertThat(machine.state.getShort(VcpuState.FSW)).isZero();
        assertThat(machine.state.getShort(VcpuState.FTW)).isEqualTo(0xFF);
        machine.run(0x0F, 0x77); // emms
        assertThat(machine.state.getShort(VcpuState.FTW)).isZero();
    }

    @Test
    void aPendingX87ExceptionIsReportedByMmx() {
        machine.state.setShort(VcpuState.FSW, 0x8081);
        assertThat(machine.run(0x0F, 0xFC, 0xC1)).isEqualTo(GuestFault.MF); // paddb mm0, mm1
        assertThat(machine.run(0x0F, 0x77)).isEqualTo(GuestFault.MF); // emms
        assertThat(machine.run(0x66, 0x0F, 0xFC, 0xC1)).isEqualTo(VectorMachine.NO_FAULT); // paddb xmm0, xmm1
    }

    @Test
    void maskedStoresWriteOnlyWhatTheMaskSelects() {
        machine.state.setGpr(VcpuState.RDI, VectorMachine.DATA);
        machine.xmm(0, 0x0807060504030201L, 0x100F0E0D0C0B0A09L);
        machine.xmm(1, 0x80_00_00_00_00_00_80_7FL, 0x80_00_00_00_00_00_00_00L);
        machine.run(0x66, 0x0F, 0xF7, 0xC1); // maskmovdqu xmm0, xmm1
        assertThat(Raw.getLong(machine.host(VectorMachine.DATA))).isEqualTo(0x08_00_00_00_00_00_02_00L);
        assertThat(Raw.getLong(machine.host(VectorMachine.DATA + 8))).isEqualTo(0x10_00_00_00_00_00_00_00L);
    }

    @Test
    void extractsAndInsertsMeetGeneralRegisters() {
        machine.xmm(0, 0x1111222233334444L, 0x5555666677778888L);
        machine.state.setGpr(VcpuState.RAX, -1);
        machine.run(0x66, 0x0F, 0xC5, 0xC0, 0x04); // pextrw eax, xmm0, 4
        assertThat(machine.state.gpr(VcpuState.RAX)).isEqualTo(0x8888);
        machine.state.setGpr(VcpuState.RCX, 0x123456789ABCDEFL);
        machine.run(0x66, 0x48, 0x0F, 0x3A, 0x22, 0xC1, 0x01); // pinsrq xmm0, rcx, 1
        assertThat(machine.high(0)).isEqualTo(0x123456789ABCDEFL);
        machine.run(0x66, 0x0F, 0x6E, 0xC1); // movd xmm0, ecx
        assertThat(machine.low(0)).isEqualTo(0x89ABCDEFL);
        assertThat(machine.high(0)).isZero();
        machine.run(0x66, 0x0F, 0xD7, 0xC0); // pmovmskb eax, xmm0
        assertThat(machine.state.gpr(VcpuState.RAX)).isEqualTo(0b1111);
    }

    private void text(int register, String text) {
        machine.xmm(register, 0, 0);
        byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
        for (int i = 0; i < Math.min(16, bytes.length); i++) {
            Raw.putByte(machine.state.address() + VcpuState.XMM + register * 16 + i, bytes[i]);
        }
    }

    @Test
    void stringComparisonsFindSubstringsRangesAndEnds() {
        text(0, "needle");
        text(1, "in a needle.");
        machine.run(0x66, 0x0F, 0x3A, 0x63, 0xC1, 0x0C); // pcmpistri xmm0, xmm1, equal ordered
        assertThat(machine.state.gpr(VcpuState.RCX)).isEqualTo(5);
        assertThat(flags()).isEqualTo(Flags.CF | Flags.ZF | Flags.SF);
        text(0, "09");
        machine.run(0x66, 0x0F, 0x3A, 0x63, 0xC1, 0x04); // ranges: no digit
        assertThat(machine.state.gpr(VcpuState.RCX)).isEqualTo(16);
        assertThat(flags() & Flags.CF).isZero();
        text(0, "");
        machine.run(0x66, 0x0F, 0x3A, 0x63, 0xC1, 0x3A); // equal each, masked negative polarity: strlen and strcmp
        assertThat(machine.state.gpr(VcpuState.RCX)).isZero();
        machine.state.setGpr(VcpuState.RAX, 2);
        machine.state.setGpr(VcpuState.RDX, -12);
        text(0, "en");
        machine.run(0x66, 0x0F, 0x3A, 0x60, 0xC1, 0x00); // pcmpestrm xmm0, xmm1, equal any, bit mask
        assertThat(machine.low(0)).isEqualTo(0b100_1110_0010);
    }

    @Test
    void dotProductsUseTheChosenLanes() {
        machine.xmm(0, 2.0, 3.0);
        machine.xmm(1, 5.0, 7.0);
        machine.run(0x66, 0x0F, 0x3A, 0x41, 0xC1, 0x31); // dppd xmm0, xmm1, both lanes to the low one
        assertThat(machine.lowDouble(0)).isEqualTo(31.0);
        assertThat(machine.high(0)).isZero();
    }

    @Test
    void roundingToIntegralCanBeQuiet() {
        machine.xmm(1, -2.5, 0.0);
        machine.run(0x66, 0x0F, 0x3A, 0x0B, 0xC1, 0x0A); // roundsd xmm0, xmm1, up, quiet
        assertThat(machine.lowDouble(0)).isEqualTo(-2.0);
        assertThat(machine.mxcsr()).isEqualTo(0x1F80);
        machine.run(0x66, 0x0F, 0x3A, 0x0B, 0xC1, 0x01); // roundsd xmm0, xmm1, down
        assertThat(machine.lowDouble(0)).isEqualTo(-3.0);
        assertThat(machine.mxcsr()).isEqualTo(0x1FA0);
    }

    @Test
    void approximationsStayInsideTheDocumentedError() {
        for (float x = 0.37f; x < 1e6f; x *= 1.7f) {
            float reciprocal = Float.intBitsToFloat(FloatMath.reciprocal(Float.floatToRawIntBits(x)));
            assertThat(Math.abs(reciprocal * (double) x - 1)).isLessThan(1.5 * 0x1p-12);
            float root = Float.intBitsToFloat(FloatMath.reciprocalSquareRoot(Float.floatToRawIntBits(x)));
            assertThat(Math.abs(root * Math.sqrt(x) - 1)).isLessThan(1.5 * 0x1p-12);
        }
        assertThat(FloatMath.reciprocal(0x80000001)).isEqualTo(0xFF800000);
        assertThat(FloatMath.reciprocalSquareRoot(0xBF800000)).isEqualTo(0xFFC00000);
    }
}
