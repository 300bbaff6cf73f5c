package org.xenolith.cpu.system;

import static org.assertj.core.api.Assertions.assertThat;
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
import static org.xenolith.cpu.testing.TestMachine.DATA;
import static org.xenolith.cpu.testing.TestMachine.DATA0;
import static org.xenolith.cpu.testing.TestMachine.DATA3;
import static org.xenolith.cpu.testing.TestMachine.FREE;

import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.testing.Asm;
import org.xenolith.cpu.testing.TestMachine;
import org.xenolith.cpu.testing.TestMachine.Fault;

/** Segmentation, gates, tasks and exceptions of 32-bit protected mode. */
public class ProtectedModeTest {
    private static Fault fault(Consumer<TestMachine> prepare, Consumer<Asm> code) {
        try (TestMachine m = TestMachine.protected32()) {
            prepare.accept(m);
            Asm a = m.code();
            code.accept(a);
            a.hlt();
            return m.load(a).fault();
        }
    }

    private static Fault faultWithSegment(int access, int limit, int flags, Consumer<Asm> code) {
        return fault(m -> m.descriptor(FREE, DATA, limit, access, flags), a -> {
            a.mov(2, RAX, FREE).loadSeg(Asm.DS, RAX);
            code.accept(a);
        });
    }

    private static void assertFault(Fault f, int vector, long error) {
        assertThat(f.vector()).isEqualTo(vector);
        assertThat(f.error()).isEqualTo(error);
    }

    @Test
    void limitsAreCheckedToTheLastByte() {
        try (TestMachine m = TestMachine.protected32()) {
            m.descriptor(FREE, DATA, 0xFFF, 0x93, 4);
            Asm a = m.code();
            a.mov(2, RAX, FREE)
                    .loadSeg(Asm.DS, RAX)
                    .storeImm(2, abs(0xFFC), 0x11223344)
                    .hlt();
            m.load(a).runToHalt();
            assertThat(m.memory.get32(DATA + 0xFFC)).isEqualTo(0x11223344);
        }
        assertFault(faultWithSegment(0x93, 0xFFF, 4, a -> a.storeImm(2, abs(0xFFD), 1)), 13, 0);
        assertFault(faultWithSegment(0x93, 0xFFF, 4, a -> a.load(0, RAX, abs(0x1000))), 13, 0);
    }

    @Test
    void expandDownSegmentsAllowWhatIsAboveTheLimit() {
        try (TestMachine m = TestMachine.protected32()) {
            m.descriptor(FREE, DATA, 0xFFF, 0x97, 4);
            Asm a = m.code();
            a.mov(2, RAX, FREE)
                    .loadSeg(Asm.DS, RAX)
                    .storeImm(2, abs(0x1000), 0x55)
                    .hlt();
            m.load(a).runToHalt();
            assertThat(m.memory.get32(DATA + 0x1000)).isEqualTo(0x55);
        }
        assertFault(faultWithSegment(0x97, 0xFFF, 4, a -> a.load(0, RAX, abs(0xFFF))), 13, 0);
        // Without the B flag the upper bound is 64 KiB.
        assertFault(faultWithSegment(0x97, 0xFFF, 0, a -> a.load(0, RAX, abs(0x10000))), 13, 0);
    }

    @Test
    void readOnlySegmentsAreNotWritten() {
        assertFault(faultWithSegment(0x91, 0xFFFF, 4, a -> a.storeImm(2, abs(0), 1)), 13, 0);
    }

    @Test
    void codeIsNeverWrittenAndExecuteOnlyCodeIsNotRead() {
        assertFault(faultWithSegment(0x9B, 0xFFFF, 4, a -> a.storeImm(2, abs(0), 1)), 13, 0);
        assertFault(
                fault(
                        m -> m.descriptor(FREE, 0, 0xFFFFF, 0x99, 0xC),
                        a -> a.mov(2, RAX, FREE).loadSeg(Asm.DS, RAX)),
                13,
                FREE);
    }

    @Test
    void stackLimitViolationsAreStackFaults() {
        assertFault(
                fault(
                        m -> m.descriptor(FREE, DATA, 0xFFF, 0x93, 4),
                        a -> a.mov(2, RAX, FREE)
                                .loadSeg(Asm.SS, RAX)
                                .mov(2, RSP, 0x800)
                                .mov(2, RBP, 0x1000)
                                .load(2, RBX, mem(RBP, 0))),
                12,
                0);
    }

    @Test
    void segmentLoadsCheckPresenceTypeAndPrivilege() {
        assertFault(
                fault(
                        m -> m.descriptor(FREE, 0, 0xFFF, 0x13, 4),
                        a -> a.mov(2, RAX, FREE).loadSeg(Asm.DS, RAX)),
                11,
                FREE);
        assertFault(
                fault(
                        m -> m.descriptor(FREE, 0, 0xFFF, 0x13, 4),
                        a -> a.mov(2, RAX, FREE).loadSeg(Asm.SS, RAX)),
                12,
                FREE);
        assertFault(
                fault(
                        m -> m.descriptor(FREE, 0, 0xFFF, 0x91, 4),
                        a -> a.mov(2, RAX, FREE).loadSeg(Asm.SS, RAX)),
                13,
                FREE);
        assertFault(fault(m -> {}, a -> a.mov(2, RAX, 0).loadSeg(Asm.SS, RAX)), 13, 0);
        assertFault(fault(m -> {}, a -> a.mov(2, RAX, 0x1000).loadSeg(Asm.ES, RAX)), 13, 0x1000);
        assertFault(fault(m -> {}, a -> a.mov(2, RAX, 0x0C).loadSeg(Asm.ES, RAX)), 13, 0x0C);
        assertFault(
                fault(
                        m -> m.descriptor(FREE, 0, 0xFFF, 0xE4, 4),
                        a -> a.mov(2, RAX, FREE).loadSeg(Asm.ES, RAX)),
                13,
                FREE);
        assertFault(fault(TestMachine::user, a -> a.mov(2, RAX, DATA0).loadSeg(Asm.DS, RAX)), 13, DATA0);
    }

    @Test
    void aNullSegmentLoadsButDoesNotWork() {
        assertFault(fault(m -> {}, a -> a.mov(2, RAX, 3).loadSeg(Asm.GS, RAX).load(0, RBX, abs(0).in(Asm.GS))), 13, 0);
    }

    @Test
    void farJumpsWantPresentCode() {
        assertFault(fault(m -> {}, a -> a.jmpFar32(DATA0, CODE)), 13, DATA0);
        assertFault(fault(m -> {}, a -> a.jmpFar32(0, CODE)), 13, 0);
        assertFault(fault(m -> m.descriptor(FREE, 0, 0xFFFFF, 0x1B, 0xC), a -> a.jmpFar32(FREE, CODE)), 11, FREE);
        assertFault(fault(m -> m.descriptor(FREE, 0, 0xFF, 0x9B, 4), a -> a.jmpFar32(FREE, 0x100)), 13, 0);
        assertFault(fault(TestMachine::user, a -> a.jmpFar32(CODE0, CODE)), 13, CODE0);
    }

    @Test
    void runningOffTheCodeSegmentFaults() {
        Fault f = fault(m -> m.descriptor(FREE, CODE, 0x1FF, 0x9B, 4), a -> {
            a.jmpFar32(FREE, 0x1FF);
            a.padTo(CODE + 0x200, 0x90);
        });
        assertFault(f, 13, 0);
        assertThat(f.rip()).isEqualTo(0x200);
        assertThat(f.cs()).isEqualTo(FREE);
    }

    @Test
    void exceptionsOfUserCodeSwitchToTheInnerStack() {
        try (TestMachine m = TestMachine.protected32()) {
            m.user();
            Asm a = m.code();
            a.nop().ud2();
            Fault f = m.load(a).fault();
            assertThat(f).isEqualTo(new Fault(6, -1, CODE + 1, CODE3, 0x10002, TestMachine.STACK3, DATA3));
            assertThat(m.reg(RSP)).isEqualTo(TestMachine.STACK0 - 20);
            assertThat(m.state.cpl()).isZero();
            assertThat(m.state.selector(VcpuState.SS)).isEqualTo(DATA0);
        }
    }

    @Test
    void softwareInterruptsCheckTheGate() {
        assertFault(
                fault(
                        m -> {
                            m.gate32(0x40, CODE0, TestMachine.HANDLERS, 0x8E);
                            m.user();
                        },
                        a -> a.int_(0x40)),
                13,
                0x40 * 8 + 2);
        assertFault(fault(m -> m.gate32(0x40, CODE0, TestMachine.HANDLERS, 0x0E), a -> a.int_(0x40)), 11, 0x40 * 8 + 2);
        assertFault(fault(m -> m.gate32(0x40, DATA0, TestMachine.HANDLERS, 0x8E), a -> a.int_(0x40)), 13, DATA0);
        assertFault(fault(m -> m.gate32(0x40, 0, TestMachine.HANDLERS, 0x8E), a -> a.int_(0x40)), 13, 0);
        assertFault(fault(m -> m.state.setInt(VcpuState.IDTR_LIMIT, 0x1FF), a -> a.int_(0x40)), 13, 0x40 * 8 + 2);
    }

    @Test
    void interruptGatesClearIfAndTrapGatesDoNot() {
        try (TestMachine m = TestMachine.protected32()) {
            m.gate32(0x40, CODE0, TestMachine.HANDLERS + 0x400, 0x8F);
            Asm a = m.code();
            a.sti().int_(0x40).int_(0x41).hlt();
            m.load(a).fault();
            assertThat(m.state.rflags() & 0x200).isEqualTo(0x200);
            m.fault();
            assertThat(m.state.rflags() & 0x200).isZero();
        }
    }

    @Test
    void aContributoryFaultWhileDeliveringOneIsADoubleFault() {
        Fault f = fault(
                m -> m.gate32(0, CODE0, TestMachine.HANDLERS, 0x0E),
                a -> a.mov(2, RCX, 0).rr(2, 6, RCX, 0xF7));
        assertFault(f, 8, 0);
    }

    @Test
    void aBenignFaultWhileDeliveringIsServedSerially() {
        Fault f = fault(m -> m.gate32(6, CODE0, TestMachine.HANDLERS, 0x0E), Asm::ud2);
        assertFault(f, 11, 6 * 8 + 2 + 1);
    }

    @Test
    void aFaultWhileDeliveringADoubleFaultShutsDown() {
        try (TestMachine m = TestMachine.protected32()) {
            m.gate32(0, CODE0, TestMachine.HANDLERS, 0x0E);
            m.gate32(8, CODE0, TestMachine.HANDLERS, 0x0E);
            m.load(m.code().mov(2, RCX, 0).rr(2, 6, RCX, 0xF7));
            assertThat(m.run()).isInstanceOf(VcpuExit.TripleFault.class);
        }
    }

    @Test
    void callGatesRaisePrivilegeAndCopyParameters() {
        try (TestMachine m = TestMachine.protected32()) {
            long target = CODE + 0x400;
            m.memory.put64(
                    TestMachine.GDT + FREE,
                    target & 0xFFFF | (long) CODE0 << 16 | 2L << 32 | 0xECL << 40 | target >>> 16 << 48);
            m.user();
            Asm a = m.code();
            a.pushImm(0x1111).pushImm(0x2222).callFar(FREE, 0).ud2();
            m.load(a);
            Asm g = new Asm(32, target);
            g.load(2, RAX, mem(RSP, 8))
                    .load(2, RBX, mem(RSP, 12))
                    .load(2, RCX, mem(RSP, 16))
                    .readSeg(RDX, Asm.CS);
            // retf 8 drops the parameters from both stacks.
            g.db(0xCA).dw(8);
            m.memory.put(target, g.bytes());
            Fault f = m.fault();
            assertThat(f.vector()).isEqualTo(6);
            assertThat(f.sp()).isEqualTo(TestMachine.STACK3);
            assertThat(m.reg(RAX)).isEqualTo(0x2222);
            assertThat(m.reg(RBX)).isEqualTo(0x1111);
            assertThat(m.reg(RCX)).isEqualTo(TestMachine.STACK3 - 8);
            assertThat(m.reg(RDX)).isEqualTo(CODE0);
        }
    }

    @Test
    void returnsToOuterLevelsClearSegmentsOfInnerLevels() {
        try (TestMachine m = TestMachine.protected32()) {
            Asm a = m.code();
            a.pushImm(DATA3)
                    .pushImm(TestMachine.STACK3)
                    .pushImm(CODE3)
                    .pushImm(CODE + 0x100)
                    .db(0xCB);
            a.padTo(CODE + 0x100, 0x90);
            a.readSeg(RAX, Asm.DS).load(2, RBX, abs(DATA)).ud2();
            Fault f = m.load(a).fault();
            assertThat(f.vector()).isEqualTo(13);
            assertThat(m.reg(RAX)).isZero();
            assertThat(f.cs()).isEqualTo(CODE3);
        }
    }

    @Test
    void privilegedInstructionsFaultInUserMode() {
        assertFault(fault(TestMachine::user, Asm::hlt), 13, 0);
        assertFault(fault(TestMachine::user, Asm::cli), 13, 0);
        assertFault(fault(TestMachine::user, Asm::sti), 13, 0);
        assertFault(fault(TestMachine::user, a -> a.writeCr(0, RAX)), 13, 0);
        assertFault(fault(TestMachine::user, a -> a.readCr(RAX, 3)), 13, 0);
        assertFault(fault(TestMachine::user, a -> a.lgdt(abs(DATA))), 13, 0);
        assertFault(fault(TestMachine::user, a -> a.ltr(RAX)), 13, 0);
        assertFault(fault(TestMachine::user, Asm::wrmsr), 13, 0);
        assertFault(fault(TestMachine::user, a -> a.invlpg(abs(0))), 13, 0);
        assertFault(fault(TestMachine::user, a -> a.readDr(RAX, 0)), 13, 0);
        assertFault(fault(TestMachine::user, a -> a.db(0x0F, 0x06)), 13, 0);
    }

    @Test
    void portsAreGuardedByIoplAndThePermissionMap() {
        assertFault(
                fault(
                        m -> {
                            m.user();
                            m.memory.write(TestMachine.TSS + 0x68 + 0x80 / 8, 1, 1);
                        },
                        a -> a.out(0x80)),
                13,
                0);
        try (TestMachine m = TestMachine.protected32()) {
            m.user();
            m.memory.write(TestMachine.TSS + 0x68 + 0x80 / 8, 1, 1);
            m.state.setRflags(0x3002);
            m.load(m.code().mov(0, RAX, 0x42).out(0x80).cli().ud2());
            assertThat(m.fault().vector()).isEqualTo(6);
            assertThat(m.world.log).containsExactly("out 80 1 42");
        }
        try (TestMachine m = TestMachine.protected32()) {
            m.user();
            m.load(m.code().mov(0, RAX, 0x43).out(0x81).ud2());
            assertThat(m.fault().vector()).isEqualTo(6);
            assertThat(m.world.log).containsExactly("out 81 1 43");
        }
    }

    @Test
    void userPopfCannotChangeIfOrIopl() {
        try (TestMachine m = TestMachine.protected32()) {
            m.user();
            m.load(m.code().pushImm(0x3FD7).popf().pushf().pop(RAX).ud2());
            m.state.setRflags(2);
            Fault f = m.fault();
            // TF came on too: the #DB of the instruction behind POPF is the first event.
            assertThat(f.vector()).isEqualTo(1);
            assertThat(f.flags() & 0x3200).isZero();
            assertThat(f.flags() & 0xCD5).isEqualTo(0xCD5);
        }
    }

    @Test
    void sixteenBitCodeRunsInItsOwnSegment() {
        try (TestMachine m = TestMachine.protected32()) {
            m.descriptor(TestMachine.CODE0_16, DATA, 0xFFFF, 0x9B, 0);
            m.memory.put(
                    DATA, new Asm(16, 0).mov(1, RAX, 0x1234).pushImm(0x55).hlt().bytes());
            m.set(RAX, 0xFFFF0000L);
            m.load(m.code().jmpFar32(TestMachine.CODE0_16, 0)).runToHalt();
            assertThat(m.reg(RAX)).isEqualTo(0xFFFF1234L);
            assertThat(m.reg(RSP)).isEqualTo(TestMachine.STACK0 - 2);
        }
    }

    // ---------------------------------------------------------------- tasks

    private static final long TASK = 0x21000;

    /** A 32-bit TSS that starts at {@code eip} with its own stack. */
    private static void task(TestMachine m, long at, int selector, long eip) {
        m.descriptor(selector, at, 0x67, 0x89, 0);
        m.memory.write(at + 0x1C, 4, 0);
        m.memory.write(at + 0x20, 4, eip);
        m.memory.write(at + 0x24, 4, 2);
        m.memory.write(at + 0x28, 4, 0xAAAA);
        m.memory.write(at + 0x38, 4, 0x23000);
        for (int seg : new int[] {0x48, 0x50, 0x54, 0x58, 0x5C}) {
            m.memory.write(at + seg, 4, DATA0);
        }
        m.memory.write(at + 0x4C, 4, CODE0);
        m.memory.write(at + 0x66, 2, 0x68);
    }

    @Test
    void jmpToATaskSwitchesEverything() {
        try (TestMachine m = TestMachine.protected32()) {
            task(m, TASK, FREE, CODE + 0x100);
            Asm a = m.code();
            a.mov(2, RBX, 0x77).jmpFar32(FREE, 0).hlt();
            a.padTo(CODE + 0x100, 0x90).push(RAX).hlt();
            m.load(a).runToHalt();
            assertThat(m.state.rip()).isEqualTo(CODE + 0x102);
            assertThat(m.reg(RAX)).isEqualTo(0xAAAA);
            assertThat(m.reg(RBX)).isZero();
            assertThat(m.memory.get32(0x23000 - 4)).isEqualTo(0xAAAA);
            // The old task's state went to its TSS, its descriptor is available again, the new one's busy.
            assertThat(m.memory.get32(TestMachine.TSS + 0x34)).isEqualTo(0x77);
            assertThat(m.memory.get32(TestMachine.TSS + 0x20)).isEqualTo((int) CODE + 12);
            assertThat(m.memory.read(TestMachine.GDT + TestMachine.TSS_SELECTOR + 5, 1))
                    .isEqualTo(0x89);
            assertThat(m.memory.read(TestMachine.GDT + FREE + 5, 1)).isEqualTo(0x8B);
            assertThat(m.state.getLong(VcpuState.CR0) & 8).isEqualTo(8);
        }
    }

    @Test
    void callToATaskNestsAndIretReturns() {
        try (TestMachine m = TestMachine.protected32()) {
            task(m, TASK, FREE, CODE + 0x100);
            Asm a = m.code();
            a.callFar(FREE, 0).mov(2, RDX, 0x99).hlt();
            a.padTo(CODE + 0x100, 0x90)
                    .pushf()
                    .pop(RCX)
                    .store(2, abs(DATA), RCX)
                    .iret();
            m.load(a).runToHalt();
            assertThat(m.reg(RDX)).isEqualTo(0x99);
            assertThat(m.memory.get32(DATA) & 0x4000).isEqualTo(0x4000);
            assertThat(m.memory.read(TASK, 2)).isEqualTo(TestMachine.TSS_SELECTOR);
            assertThat(m.state.rflags() & 0x4000).isZero();
            assertThat(m.memory.read(TestMachine.GDT + FREE + 5, 1)).isEqualTo(0x89);
        }
    }

    @Test
    void anExceptionThroughATaskGateRunsInItsTaskWithTheErrorCodeOnItsStack() {
        try (TestMachine m = TestMachine.protected32()) {
            task(m, TASK, FREE, CODE + 0x100);
            m.gate32(13, FREE, 0, 0x85);
            Asm a = m.code();
            a.mov(2, RAX, 0x1000).loadSeg(Asm.ES, RAX).hlt();
            a.padTo(CODE + 0x100, 0x90).pop(RBX).hlt();
            m.load(a).runToHalt();
            assertThat(m.reg(RBX)).isEqualTo(0x1000);
            assertThat(m.memory.get32(TestMachine.TSS + 0x20)).isEqualTo((int) CODE + 5);
        }
    }

    @Test
    void aBusyTaskIsNotEntered() {
        assertFault(
                fault(
                        m -> {
                            task(m, TASK, FREE, CODE);
                            m.descriptor(FREE, TASK, 0x67, 0x8B, 0);
                        },
                        a -> a.jmpFar32(FREE, 0)),
                13,
                FREE);
        assertFault(
                fault(
                        m -> {
                            task(m, TASK, FREE, CODE);
                            m.descriptor(FREE, TASK, 0x66, 0x89, 0);
                        },
                        a -> a.jmpFar32(FREE, 0)),
                10,
                FREE);
    }

    // ---------------------------------------------------------------- virtual 8086

    private static TestMachine v86(Asm code) {
        TestMachine m = TestMachine.protected32();
        m.memory.put(CODE, code.bytes());
        m.state.setRflags(0x20002);
        for (int seg = VcpuState.ES; seg <= VcpuState.GS; seg++) {
            m.state.setSegment(seg, 0, 0, 0xFFFF, 0xF3);
        }
        m.state.setSegment(VcpuState.CS, 0x1000, 0x10000, 0xFFFF, 0xF3);
        m.state.setSegment(VcpuState.SS, 0x900, 0x9000, 0xFFFF, 0xF3);
        m.state.setSegment(VcpuState.DS, 0x2000, 0x20000, 0xFFFF, 0xF3);
        m.state.setRip(0);
        m.set(RSP, 0x1000);
        return m;
    }

    @Test
    void virtual8086CodeHasRealModeAddressesAndFaultsIntoRingZero() {
        try (TestMachine m = v86(new Asm(16, 0)
                .mov(1, RAX, 0x3000)
                .loadSeg(Asm.ES, RAX)
                .storeImm(1, abs(8).in(Asm.ES), 0x77)
                .hlt())) {
            Fault f = m.fault();
            assertFault(f, 13, 0);
            assertThat(m.memory.read(0x30008, 2)).isEqualTo(0x77);
            assertThat(f.cs()).isEqualTo(0x1000);
            assertThat(f.flags() & 0x20000).isEqualTo(0x20000);
            long frame = m.reg(RSP) + 4;
            assertThat(m.memory.get32(frame + 12)).isEqualTo(0x1000);
            assertThat(m.memory.get32(frame + 16)).isEqualTo(0x900);
            assertThat(m.memory.get32(frame + 20)).isEqualTo(0x3000);
            assertThat(m.memory.get32(frame + 24)).isEqualTo(0x2000);
            assertThat(m.state.rflags() & 0x20000).isZero();
            assertThat(m.state.selector(VcpuState.DS)).isZero();
        }
    }

    @Test
    void virtual8086InterruptsWantIopl3() {
        try (TestMachine m = v86(new Asm(16, 0).int_(0x21).hlt())) {
            assertFault(m.fault(), 13, 0);
        }
        try (TestMachine m = v86(new Asm(16, 0).int_(0x21).hlt())) {
            m.state.setRflags(0x23002);
            assertThat(m.fault().vector()).isEqualTo(0x21);
        }
    }

    @Test
    void iretEntersVirtual8086Mode() {
        try (TestMachine m = TestMachine.protected32()) {
            Asm a = m.code();
            for (int value : new int[] {0, 0, 0x2000, 0, 0x900, 0x800, 0x20002, 0x1000, 0x100}) {
                a.pushImm(value);
            }
            a.iret().padTo(CODE + 0x100, 0x90);
            a.raw(new Asm(16, 0).readSeg(RAX, Asm.DS).hlt().bytes());
            Fault f = m.load(a).fault();
            assertFault(f, 13, 0);
            assertThat(m.reg(RAX) & 0xFFFF).isEqualTo(0x2000);
            assertThat(f.rip()).isEqualTo(0x102);
        }
    }
}
