package org.xenolith.cpu.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.cpu.testing.Asm.R11;
import static org.xenolith.cpu.testing.Asm.RAX;
import static org.xenolith.cpu.testing.Asm.RBP;
import static org.xenolith.cpu.testing.Asm.RBX;
import static org.xenolith.cpu.testing.Asm.RCX;
import static org.xenolith.cpu.testing.Asm.RDX;
import static org.xenolith.cpu.testing.Asm.RSP;
import static org.xenolith.cpu.testing.Asm.abs;
import static org.xenolith.cpu.testing.Asm.mem;
import static org.xenolith.cpu.testing.TestMachine.CODE;
import static org.xenolith.cpu.testing.TestMachine.CODE0;
import static org.xenolith.cpu.testing.TestMachine.CODE3;
import static org.xenolith.cpu.testing.TestMachine.CODE3_32;
import static org.xenolith.cpu.testing.TestMachine.DATA;
import static org.xenolith.cpu.testing.TestMachine.DATA0;
import static org.xenolith.cpu.testing.TestMachine.DATA3;

import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cr0;
import org.xenolith.cpu.testing.Asm;
import org.xenolith.cpu.testing.TestMachine;
import org.xenolith.cpu.testing.TestMachine.Fault;

/** Exceptions, system calls and mode changes of long mode. */
public class LongModeTest {
    private static final long NOT_CANONICAL = 0x0000_8000_0000_0000L;
    private static final int MSR_STAR = 0xC0000081;
    private static final int MSR_LSTAR = 0xC0000082;
    private static final int MSR_SFMASK = 0xC0000084;
    private static final int MSR_GS_BASE = 0xC0000101;
    private static final int MSR_KERNEL_GS_BASE = 0xC0000102;
    private static final int MSR_FS_BASE = 0xC0000100;

    private static Fault fault(Consumer<TestMachine> prepare, Consumer<Asm> code) {
        try (TestMachine m = TestMachine.long64()) {
            prepare.accept(m);
            Asm a = m.code();
            code.accept(a);
            a.hlt();
            return m.load(a).fault();
        }
    }

    private static void assertFault(Fault f, int vector, long error) {
        assertThat(f.vector()).isEqualTo(vector);
        assertThat(f.error()).isEqualTo(error);
    }

    @Test
    void addressesThatAreNotCanonicalAreGeneralProtectionOrStackFaults() {
        assertFault(fault(m -> {}, a -> a.mov(3, RAX, NOT_CANONICAL).load(3, RBX, mem(RAX, 0))), 13, 0);
        assertFault(fault(m -> {}, a -> a.mov(3, RAX, NOT_CANONICAL).store(3, mem(RAX, -1), RBX)), 13, 0);
        assertFault(fault(m -> {}, a -> a.mov(3, RBP, NOT_CANONICAL).load(3, RBX, mem(RBP, 0))), 12, 0);
        Fault push = fault(
                m -> {
                    m.gate64(12, CODE0, TestMachine.HANDLERS + 0xC0, 1, 0x8E);
                    m.memory.put64(TestMachine.TSS + 0x24, 0x7000);
                },
                a -> a.mov(3, RSP, NOT_CANONICAL + 8).push(RAX));
        assertFault(push, 12, 0);
        Fault jump = fault(m -> {}, a -> a.mov(3, RAX, NOT_CANONICAL).rr(2, 4, RAX, 0xFF));
        assertFault(jump, 13, 0);
        assertThat(jump.rip()).isEqualTo(CODE + 10);
    }

    @Test
    void theFrameIsAlignedAndAlwaysHoldsTheStackPointer() {
        try (TestMachine m = TestMachine.long64()) {
            m.set(RSP, TestMachine.STACK0 - 5);
            Fault f = m.load(m.code().ud2()).fault();
            assertThat(f).isEqualTo(new Fault(6, -1, CODE, CODE0, 0x10002, TestMachine.STACK0 - 5, DATA0));
            assertThat(m.reg(RSP)).isEqualTo(TestMachine.STACK0 - 16 - 40);
        }
    }

    @Test
    void interruptsFromUserModeUseTheTssStackAndANullSs() {
        try (TestMachine m = TestMachine.long64()) {
            m.user();
            Fault f = m.load(m.code().int_(0x80)).fault();
            assertThat(f).isEqualTo(new Fault(0x80, -1, CODE + 2, CODE3, 2, TestMachine.STACK3, DATA3));
            assertThat(m.state.selector(VcpuState.SS)).isZero();
            assertThat(m.state.cpl()).isZero();
        }
    }

    @Test
    void istReplacesTheStackEvenWithoutAPrivilegeChange() {
        try (TestMachine m = TestMachine.long64()) {
            m.gate64(6, CODE0, TestMachine.HANDLERS + 0x60, 3, 0x8E);
            m.memory.put64(TestMachine.TSS + 0x24 + 16, 0x7000);
            Fault f = m.load(m.code().ud2()).fault();
            assertThat(f.sp()).isEqualTo(TestMachine.STACK0);
            assertThat(m.reg(RSP)).isEqualTo(0x7000 - 40);
        }
    }

    @Test
    void opcodesThatLongModeTookAwayAreUndefined() {
        for (int opcode : new int[] {
            0x06, 0x07, 0x0E, 0x16, 0x17, 0x1E, 0x1F, 0x27, 0x2F, 0x37, 0x3F, 0x60, 0x61, 0x9A, 0xCE, 0xD4, 0xD5, 0xD6,
            0xEA, 0x82
        }) {
            assertThat(fault(m -> {}, a -> a.db(opcode, 0, 0, 0, 0, 0, 0)).vector())
                    .as("%x", opcode)
                    .isEqualTo(6);
        }
    }

    @Test
    void lockOnWhatCannotBeLockedIsUndefined() {
        assertThat(fault(m -> {}, a -> a.db(0xF0).aluRR(Asm.ADD, 2, RAX, RBX)).vector())
                .isEqualTo(6);
        assertThat(fault(m -> {}, a -> a.db(0xF0).load(2, RAX, abs(DATA))).vector())
                .isEqualTo(6);
        assertThat(fault(m -> {}, a -> a.db(0xF0).rm(2, RAX, abs(DATA), 0x39)).vector())
                .isEqualTo(6);
        assertThat(fault(m -> {}, a -> a.db(0xF0, 0x90)).vector()).isEqualTo(6);
    }

    @Test
    void instructionsOfSixteenBytesAreRefused() {
        try (TestMachine m = TestMachine.long64()) {
            Asm a = m.code();
            for (int i = 0; i < 14; i++) {
                a.db(0x66);
            }
            a.nop().hlt();
            m.load(a).runToHalt();
            assertThat(m.state.rip()).isEqualTo(CODE + 16);
        }
        assertFault(
                fault(m -> {}, a -> {
                    for (int i = 0; i < 15; i++) {
                        a.db(0x66);
                    }
                    a.nop();
                }),
                13,
                0);
    }

    @Test
    void syscallAndSysretSwitchWithoutMemory() {
        try (TestMachine m = TestMachine.long64()) {
            m.user();
            m.state.setLong(VcpuState.STAR, (long) CODE0 << 32 | (long) CODE3_32 << 48);
            m.state.setLong(VcpuState.LSTAR, CODE + 0x100);
            m.state.setLong(VcpuState.SFMASK, 0x601);
            m.state.setRflags(0x603);
            Asm a = m.code();
            a.syscall().ud2();
            a.padTo(CODE + 0x100, 0x90)
                    .pushf()
                    .pop(RAX)
                    .readSeg(RBX, Asm.SS)
                    .readSeg(RDX, Asm.CS)
                    .sysretq();
            Fault f = m.load(a).fault();
            assertThat(f).isEqualTo(new Fault(6, -1, CODE + 2, CODE3, 0x10603, TestMachine.STACK3, DATA3));
            assertThat(m.reg(RAX)).isEqualTo(2);
            assertThat(m.reg(RBX) & 0xFFFF).isEqualTo(DATA0);
            assertThat(m.reg(RDX) & 0xFFFF).isEqualTo(CODE0);
            assertThat(m.reg(RCX)).isEqualTo(CODE + 2);
            assertThat(m.reg(R11)).isEqualTo(0x603);
        }
    }

    @Test
    void sysretWithoutRexGoesToCompatibilityMode() {
        try (TestMachine m = TestMachine.long64()) {
            m.state.setLong(VcpuState.STAR, (long) CODE0 << 32 | (long) CODE3_32 << 48);
            m.set(RCX, CODE + 0x100).set(R11, 0x202);
            Asm a = m.code();
            a.db(0x0F, 0x07);
            a.padTo(CODE + 0x100, 0x90).db(0x40).ud2();
            m.set(RAX, 0xFFFFFFFFL);
            Fault f = m.load(a).fault();
            // 40 is INC EAX there.
            assertThat(f).isEqualTo(new Fault(6, -1, CODE + 0x101, CODE3_32, 0x10256, TestMachine.STACK0, DATA3));
            assertThat(m.reg(RAX)).isZero();
        }
    }

    @Test
    void syscallWantsItsEnableBit() {
        assertThat(fault(m -> m.state.setLong(VcpuState.EFER, m.state.getLong(VcpuState.EFER) & ~1), Asm::syscall)
                        .vector())
                .isEqualTo(6);
        assertFault(fault(TestMachine::user, Asm::sysretq), 13, 0);
    }

    @Test
    void sysenterAndSysexitUseTheirThreeRegisters() {
        try (TestMachine m = TestMachine.long64()) {
            m.user();
            m.state.setLong(VcpuState.SYSENTER_CS, CODE0);
            m.state.setLong(VcpuState.SYSENTER_ESP, TestMachine.STACK0);
            m.state.setLong(VcpuState.SYSENTER_EIP, CODE + 0x100);
            Asm a = m.code();
            a.sysenter();
            a.padTo(CODE + 0x80, 0x90).ud2();
            a.padTo(CODE + 0x100, 0x90).readSeg(RAX, Asm.CS).movRR(3, RBX, RSP);
            a.mov(2, RDX, CODE + 0x80).mov(2, RCX, TestMachine.STACK3).db(0x48).sysexit();
            Fault f = m.load(a).fault();
            assertThat(m.reg(RAX) & 0xFFFF).isEqualTo(CODE0);
            assertThat(m.reg(RBX)).isEqualTo(TestMachine.STACK0);
            assertThat(f.vector()).isEqualTo(6);
            assertThat(f.rip()).isEqualTo(CODE + 0x80);
            assertThat(f.cs()).isEqualTo(CODE0 + 32 | 3);
            assertThat(f.ss()).isEqualTo(CODE0 + 40 | 3);
            assertThat(f.sp()).isEqualTo(TestMachine.STACK3);
        }
    }

    @Test
    void swapgsExchangesTheBases() {
        try (TestMachine m = TestMachine.long64()) {
            Asm a = m.code();
            a.writeMsr(MSR_GS_BASE, DATA)
                    .writeMsr(MSR_KERNEL_GS_BASE, DATA + 0x100)
                    .swapgs();
            a.load(3, RBX, abs(0).in(Asm.GS))
                    .mov(2, RCX, MSR_KERNEL_GS_BASE & 0xffffffffL)
                    .rdmsr()
                    .hlt();
            m.memory.put64(DATA + 0x100, 0x1234567890L);
            m.load(a).runToHalt();
            assertThat(m.reg(RBX)).isEqualTo(0x1234567890L);
            assertThat(m.reg(RAX)).isEqualTo(DATA);
        }
        assertFault(fault(TestMachine::user, Asm::swapgs), 13, 0);
    }

    @Test
    void baseMsrsRefuseAddressesThatAreNotCanonical() {
        assertFault(fault(m -> {}, a -> a.writeMsr(MSR_FS_BASE, NOT_CANONICAL)), 13, 0);
        assertFault(fault(m -> {}, a -> a.writeMsr(MSR_LSTAR, NOT_CANONICAL)), 13, 0);
        assertFault(fault(m -> {}, a -> a.writeMsr(0x12345, 0)), 13, 0);
        assertFault(fault(m -> {}, a -> a.writeMsr(0xC0000080, 1L << 20)), 13, 0);
    }

    @Test
    void starMsrsReadBack() {
        try (TestMachine m = TestMachine.long64()) {
            Asm a = m.code();
            a.writeMsr(MSR_STAR, 0x0018000800000000L)
                    .writeMsr(MSR_SFMASK, 0x47700)
                    .mov(2, RAX, 0)
                    .mov(2, RDX, 0);
            a.mov(2, RCX, MSR_STAR & 0xffffffffL).rdmsr().hlt();
            m.load(a).runToHalt();
            assertThat(m.reg(RDX)).isEqualTo(0x00180008);
            assertThat(m.state.getLong(VcpuState.SFMASK)).isEqualTo(0x47700);
        }
    }

    @Test
    void compatibilityModeRunsThirtyTwoBitCodeAndFaultsIntoLongMode() {
        try (TestMachine m = TestMachine.long64()) {
            Asm a = m.code();
            a.pushImm(TestMachine.CODE0_32).pushImm(CODE + 0x100).db(0x48, 0xCB);
            a.padTo(CODE + 0x100, 0x90);
            a.raw(new Asm(32, 0).mov(2, RAX, -1).inc(2, RAX).push(RAX).ud2().bytes());
            Fault f = m.load(a).fault();
            assertThat(f.vector()).isEqualTo(6);
            assertThat(f.cs()).isEqualTo(TestMachine.CODE0_32);
            assertThat(f.sp()).isEqualTo(TestMachine.STACK0 - 4);
            assertThat(m.state.in64BitMode()).isTrue();
        }
    }

    @Test
    void iretqGoesToUserModeAndBack() {
        try (TestMachine m = TestMachine.long64()) {
            Asm a = m.code();
            a.pushImm(DATA3)
                    .pushImm(TestMachine.STACK3)
                    .pushImm(0x202)
                    .pushImm(CODE3)
                    .pushImm(CODE + 0x100)
                    .iret();
            a.padTo(CODE + 0x100, 0x90).readSeg(RAX, Asm.CS).cli();
            Fault f = m.load(a).fault();
            assertFault(f, 13, 0);
            assertThat(m.reg(RAX) & 0xFFFF).isEqualTo(CODE3);
            assertThat(f.sp()).isEqualTo(TestMachine.STACK3);
        }
    }

    @Test
    void iretqToAnAddressThatIsNotCanonicalFaultsBeforeAnythingChanged() {
        Fault f = fault(m -> {}, a -> {
            a.pushImm(DATA3).pushImm(TestMachine.STACK3).pushImm(0x202).pushImm(CODE3);
            a.mov(3, RAX, NOT_CANONICAL).push(RAX).iret();
        });
        assertFault(f, 13, 0);
        assertThat(f.cs()).isEqualTo(CODE0);
    }

    @Test
    void alignmentIsCheckedInUserModeOnly() {
        Consumer<TestMachine> on = m -> {
            m.state.setLong(VcpuState.CR0, m.state.getLong(VcpuState.CR0) | Cr0.AM);
            m.state.setRflags(0x40002);
        };
        assertFault(
                fault(
                        m -> {
                            on.accept(m);
                            m.user();
                        },
                        a -> a.load(2, RAX, abs(DATA + 1))),
                17,
                0);
        assertFault(
                fault(
                        m -> {
                            on.accept(m);
                            m.user();
                        },
                        a -> a.store(3, abs(DATA + 4), RAX)),
                17,
                0);
        assertThat(fault(
                                m -> {
                                    on.accept(m);
                                    m.user();
                                },
                                a -> a.load(0, RAX, abs(DATA + 1))
                                        .load(1, RAX, abs(DATA + 2))
                                        .ud2())
                        .vector())
                .isEqualTo(6);
        assertThat(fault(on, a -> a.load(2, RAX, abs(DATA + 1)).ud2()).vector()).isEqualTo(6);
    }

    @Test
    void floatingPointUnavailableAndPendingErrors() {
        assertThat(fault(m -> cr0(m, Cr0.TS, 0), a -> a.db(0xD9, 0xE8)).vector())
                .isEqualTo(7);
        assertThat(fault(m -> cr0(m, Cr0.EM, 0), a -> a.db(0xD9, 0xE8)).vector())
                .isEqualTo(7);
        assertThat(fault(m -> cr0(m, Cr0.TS, 0), a -> a.db(0x0F, 0x28, 0xC1)).vector())
                .isEqualTo(7);
        assertThat(fault(m -> cr0(m, Cr0.EM, 0), a -> a.db(0x0F, 0x28, 0xC1)).vector())
                .isEqualTo(6);
        assertThat(fault(m -> m.state.setLong(VcpuState.CR4, 0x20), a -> a.db(0x0F, 0x28, 0xC1))
                        .vector())
                .isEqualTo(6);
        // FWAIT heeds TS only with MP.
        assertThat(fault(m -> cr0(m, Cr0.TS | Cr0.MP, 0), a -> a.db(0x9B)).vector())
                .isEqualTo(7);
        assertThat(fault(m -> cr0(m, Cr0.TS, Cr0.MP), a -> a.db(0x9B).ud2()).vector())
                .isEqualTo(6);
        // 1/0 with the zero-divide exception unmasked: reported by the next waiting instruction.
        Fault mf = fault(
                m -> m.state.setShort(VcpuState.FCW, 0x37B),
                a -> a.db(0xD9, 0xE8, 0xD9, 0xEE, 0xDE, 0xF9).db(0x9B));
        assertThat(mf.vector()).isEqualTo(16);
        assertThat(mf.rip()).isEqualTo(CODE + 6);
    }

    private static void cr0(TestMachine m, long set, long clear) {
        m.state.setLong(VcpuState.CR0, m.state.getLong(VcpuState.CR0) & ~clear | set);
    }

    @Test
    void simdExceptionsAreXmOrUndefinedWithoutTheKernelsConsent() {
        Consumer<Asm> divide = a -> a.db(0x0F, 0x57, 0xC0, 0x0F, 0x57, 0xC9, 0x0F, 0x5E, 0xC1);
        assertThat(fault(m -> m.state.setInt(VcpuState.MXCSR, 0x1F00), divide).vector())
                .isEqualTo(19);
        assertThat(fault(
                                m -> {
                                    m.state.setInt(VcpuState.MXCSR, 0x1F00);
                                    m.state.setLong(VcpuState.CR4, m.state.getLong(VcpuState.CR4) & ~0x400);
                                },
                                divide)
                        .vector())
                .isEqualTo(6);
    }

    @Test
    void controlRegisterWritesRefuseImpossibleCombinations() {
        assertFault(
                fault(
                        m -> {},
                        a -> a.readCr(RAX, 0).alu(Asm.AND, 2, RAX, 0x7FFFFFFE).writeCr(0, RAX)),
                13,
                0);
        assertFault(fault(m -> {}, a -> a.mov(2, RAX, 0).writeCr(4, RAX)), 13, 0);
        assertFault(fault(m -> {}, a -> a.mov(3, RAX, 1L << 40).writeCr(4, RAX)), 13, 0);
        assertFault(fault(m -> {}, a -> a.mov(3, RAX, 1L << 40).writeCr(0, RAX)), 13, 0);
        assertFault(
                fault(
                        m -> {},
                        a -> a.readCr(RAX, 0).alu(Asm.OR, 2, RAX, 0x20000000).writeCr(0, RAX)),
                13,
                0);
        assertThat(fault(m -> {}, a -> a.readCr(RAX, 1)).vector()).isEqualTo(6);
        assertThat(fault(m -> {}, a -> a.readCr(RAX, 5)).vector()).isEqualTo(6);
    }

    @Test
    void faultingInstructionsLeaveRegistersAlone() {
        try (TestMachine m = TestMachine.long64()) {
            m.set(RSP, 0).set(RAX, 5);
            m.gate64(14, CODE0, TestMachine.HANDLERS + 0xE0, 1, 0x8E);
            m.memory.put64(TestMachine.TSS + 0x24, 0x7000);
            Fault f = m.load(m.code().push(RAX)).fault();
            assertThat(f.vector()).isEqualTo(14);
            assertThat(f.sp()).isZero();
            assertThat(f.error()).isEqualTo(2);
            assertThat(m.state.getLong(VcpuState.CR2)).isEqualTo(-8);
        }
    }

    @Test
    void tripleFaultWhenNothingIsLeft() {
        try (TestMachine m = TestMachine.long64()) {
            m.state.setInt(VcpuState.IDTR_LIMIT, 0);
            m.load(m.code().ud2());
            assertThat(m.run()).isInstanceOf(VcpuExit.TripleFault.class);
        }
    }

    @Test
    void doubleFaultWhenThePageFaultHandlerHasNoStack() {
        try (TestMachine m = TestMachine.long64()) {
            m.gate64(8, CODE0, TestMachine.HANDLERS + 0x80, 1, 0x8E);
            m.memory.put64(TestMachine.TSS + 0x24, 0x7000);
            m.set(RSP, 0x40000000);
            Fault f = m.load(m.code().push(RAX)).fault();
            assertFault(f, 8, 0);
        }
    }

    @Test
    void hypercallsAndHaltLeaveWithRipBehindThem() {
        try (TestMachine m = TestMachine.long64()) {
            m.load(m.code().db(0x0F, 0x01, 0xC1).db(0x0F, 0x01, 0xD9).hlt());
            assertThat(m.run()).isInstanceOf(VcpuExit.Hypercall.class);
            assertThat(m.state.rip()).isEqualTo(CODE + 3);
            assertThat(m.run()).isInstanceOf(VcpuExit.Hypercall.class);
            assertThat(m.state.rip()).isEqualTo(CODE + 6);
            assertThat(m.run()).isInstanceOf(VcpuExit.Halt.class);
        }
    }
}
