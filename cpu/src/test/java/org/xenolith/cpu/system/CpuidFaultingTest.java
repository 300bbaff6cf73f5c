package org.xenolith.cpu.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.cpu.testing.Asm.RAX;
import static org.xenolith.cpu.testing.Asm.RCX;

import org.junit.jupiter.api.Test;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.testing.TestMachine;

/** CPUID faulting: PLATFORM_INFO offers it, MISC_FEATURES_ENABLES turns it on, only ring 0 is exempt. */
public class CpuidFaultingTest {
    private static final int PLATFORM_INFO = 0xCE;
    private static final int MISC_FEATURES_ENABLES = 0x140;

    @Test
    void itIsOffered() {
        try (TestMachine m = TestMachine.long64()) {
            m.load(m.code().mov(RCX, PLATFORM_INFO).rdmsr().hlt()).runToHalt();
            assertThat(m.reg(RAX) >>> 31 & 1).isOne();
        }
    }

    @Test
    void ringZeroNeverFaults() {
        try (TestMachine m = TestMachine.long64()) {
            m.load(m.code()
                            .writeMsr(MISC_FEATURES_ENABLES, 1)
                            .mov(RAX, 0)
                            .cpuid()
                            .hlt())
                    .runToHalt();
            m.load(m.code().mov(RCX, MISC_FEATURES_ENABLES).rdmsr().hlt());
            m.state.setRip(TestMachine.CODE);
            assertThat(m.runToHalt().reg(RAX)).isOne();
        }
    }

    @Test
    void userModeFaultsWhenItIsOn() {
        try (TestMachine m = TestMachine.long64()) {
            m.state.setLong(VcpuState.MISC_FEATURES, 1);
            TestMachine.Fault f = m.user().load(m.code().nop().cpuid()).fault();
            assertThat(f.vector()).isEqualTo(13);
            assertThat(f.error()).isZero();
            assertThat(f.rip()).isEqualTo(TestMachine.CODE + 1);
        }
    }

    @Test
    void userModeRunsCpuidWhenItIsOff() {
        try (TestMachine m = TestMachine.long64()) {
            assertThat(m.user().load(m.code().cpuid().ud2()).fault().vector()).isEqualTo(6);
        }
    }

    @Test
    void reservedBitsAndTheReadOnlyRegisterFault() {
        for (int msr : new int[] {PLATFORM_INFO, MISC_FEATURES_ENABLES}) {
            try (TestMachine m = TestMachine.long64()) {
                assertThat(m.load(m.code().writeMsr(msr, 2)).fault().vector()).isEqualTo(13);
            }
        }
    }
}
