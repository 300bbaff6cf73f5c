package org.xenolith.hypervisor;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.xenolith.abi.ConsoleIo;
import org.xenolith.abi.ControlOp;
import org.xenolith.abi.DomainId;
import org.xenolith.abi.Errno;
import org.xenolith.abi.HvmOp;
import org.xenolith.abi.HvmParam;
import org.xenolith.abi.HypercallNumber;
import org.xenolith.abi.MemoryOp;
import org.xenolith.abi.SchedOp;
import org.xenolith.abi.ShutdownReason;
import org.xenolith.abi.VmAssist;
import org.xenolith.abi.XenCpuid;
import org.xenolith.abi.XenVersionOp;
import org.xenolith.cpu.VcpuState;

class HypercallTest {
    private final TestHost host = new TestHost();
    private final Domain domain = host.domain(1, 1);

    @AfterEach
    void tearDown() {
        host.close();
    }

    @Test
    void anUnknownHypercallIsEnosys() {
        assertThat(TestHost.call(domain, 11)).isEqualTo(-Errno.ENOSYS);
        assertThat(TestHost.call(domain, 63)).isEqualTo(-Errno.ENOSYS);
        assertThat(TestHost.call(domain, 1 << 20)).isEqualTo(-Errno.ENOSYS);
        assertThat(TestHost.call(domain, -1)).isEqualTo(-Errno.ENOSYS);
        assertThat(TestHost.call(domain, HypercallNumber.MMU_UPDATE)).isEqualTo(-Errno.ENOSYS);
    }

    @Test
    void userModeMayNotMakeHypercalls() {
        domain.vcpus().getFirst().state().setSegment(VcpuState.SS, 0x2B, 0, -1, 0xC0F3);
        assertThat(TestHost.call(domain, HypercallNumber.XEN_VERSION, XenVersionOp.VERSION))
                .isEqualTo(-Errno.EPERM);
    }

    @Test
    void theVersionIsFourSeventeen() {
        assertThat(TestHost.call(domain, HypercallNumber.XEN_VERSION, XenVersionOp.VERSION))
                .isEqualTo(4 << 16 | 17);
        assertThat(TestHost.call(domain, HypercallNumber.XEN_VERSION, XenVersionOp.PAGESIZE))
                .isEqualTo(4096);
    }

    @Test
    void aPvhGuestSeesItsFeatures() {
        long pointer = TestHost.struct(domain, 8, b -> {});
        assertThat(TestHost.call(domain, HypercallNumber.XEN_VERSION, XenVersionOp.GET_FEATURES, pointer))
                .isZero();
        assertThat(TestHost.read(domain, pointer + 4, 4)).isEqualTo(0x12305);
    }

    @Test
    void theCommandLineOfTheHypervisorIsNotTheGuestsBusiness() {
        assertThat(TestHost.call(domain, HypercallNumber.XEN_VERSION, XenVersionOp.COMMANDLINE, 0x3000))
                .isZero();
        byte[] text = new byte[8];
        assertThat(domain.memory().map().read(0x3000, text, 0, 8)).isTrue();
        assertThat(new String(text, StandardCharsets.US_ASCII)).isEqualTo("<denied>");
        assertThat(TestHost.call(domain, HypercallNumber.XEN_VERSION, XenVersionOp.BUILD_ID, 0))
                .isEqualTo(-Errno.EPERM);
    }

    @Test
    void aBadPointerIsEfault() {
        assertThat(TestHost.call(domain, HypercallNumber.XEN_VERSION, XenVersionOp.GET_FEATURES, 1L << 40))
                .isEqualTo(-Errno.EFAULT);
    }

    @Test
    void a32BitGuestPassesArgumentsInItsOwnRegisters() {
        VcpuState state = domain.vcpus().getFirst().state();
        state.setSegment(VcpuState.CS, 0x10, 0, -1, 0xC09B);
        state.setLong(VcpuState.EFER, 0);
        state.setGpr(VcpuState.RAX, 0xFFFFFFFF00000000L | HypercallNumber.XEN_VERSION);
        state.setGpr(VcpuState.RBX, 0xABCD00000000L | XenVersionOp.VERSION);
        domain.hypercalls().dispatch(domain.vcpus().getFirst());
        assertThat(state.gpr(VcpuState.RAX)).isEqualTo(4 << 16 | 17);
        state.setGpr(VcpuState.RAX, 63);
        domain.hypercalls().dispatch(domain.vcpus().getFirst());
        assertThat(state.gpr(VcpuState.RAX)).isEqualTo(-Errno.ENOSYS & 0xffffffffL);
    }

    @Test
    void theCallsOfAControlDomainTellOthersNothingButTheirVersion() {
        int[] calls = {HypercallNumber.SYSCTL, HypercallNumber.DOMCTL, HypercallNumber.PLATFORM_OP};
        int[] versions = {ControlOp.SYSCTL_VERSION, ControlOp.DOMCTL_VERSION, ControlOp.PLATFORM_VERSION};
        for (int i = 0; i < calls.length; i++) {
            int version = versions[i];
            for (int command = 0; command < 90; command++) {
                int cmd = command;
                long good = TestHost.struct(domain, 128, b -> b.putInt(0, cmd).putInt(4, version));
                assertThat(TestHost.call(domain, calls[i], good)).isEqualTo(-Errno.EPERM);
            }
            long other = TestHost.struct(domain, 128, b -> b.putInt(4, version - 1));
            assertThat(TestHost.call(domain, calls[i], other)).isEqualTo(-Errno.EACCES);
            assertThat(TestHost.call(domain, calls[i], 1L << 40)).isEqualTo(-Errno.EFAULT);
        }
    }

    @Test
    void consoleOutputGoesToTheDebugConsole() {
        TestHost.write(domain, 0x3000, "hello\n".getBytes(StandardCharsets.US_ASCII));
        assertThat(TestHost.call(domain, HypercallNumber.CONSOLE_IO, ConsoleIo.WRITE, 6, 0x3000))
                .isZero();
        assertThat(host.console.toString(StandardCharsets.US_ASCII)).isEqualTo("hello\n");
    }

    @Test
    void aMulticallStoresEachResultAndCannotNest() {
        TestHost.write(domain, 0x3000, new byte[192]);
        TestHost.write(domain, 0x3000, 8, HypercallNumber.XEN_VERSION);
        TestHost.write(domain, 0x3000 + 64, 8, 63);
        TestHost.write(domain, 0x3000 + 128, 8, HypercallNumber.MULTICALL);
        assertThat(TestHost.call(domain, HypercallNumber.MULTICALL, 0x3000, 3)).isZero();
        assertThat(TestHost.read(domain, 0x3008, 8)).isEqualTo(4 << 16 | 17);
        assertThat(TestHost.read(domain, 0x3048, 8)).isEqualTo(-Errno.ENOSYS);
        assertThat(TestHost.read(domain, 0x3088, 8)).isEqualTo(-Errno.EINVAL);
    }

    @Test
    void sharedInfoIsSeenWhereTheGuestMapsItWithAValidClock() {
        assertThat(addToPhysmap(MemoryOp.SPACE_SHARED_INFO, 0, 1)).isZero();
        assertThat(TestHost.read(domain, 0x1000 + 3076, 4)).isEqualTo(1_700_000_000L);
        assertThat(TestHost.read(domain, 0x1000 + 3080, 4)).isEqualTo(123_456_789L);
        assertThat(TestHost.read(domain, 0x1000 + 3072, 4) & 1).isZero();
        assertThat(TestHost.read(domain, 0x1000 + 32 + 24, 4)).isEqualTo(0x80000000L);
        assertThat(TestHost.read(domain, 0x1000 + 32, 4) & 1).isZero();
        assertThat(domain.memory().ownedFrames()).isEqualTo(TestHost.FRAMES - 1);
        // Mapped elsewhere, it leaves the first place.
        assertThat(addToPhysmap(MemoryOp.SPACE_SHARED_INFO, 0, 0x5000)).isZero();
        assertThat(domain.memory().map().mfn(1)).isEqualTo(-1);
    }

    private long addToPhysmap(int space, long index, long gfn) {
        long pointer = TestHost.struct(
                domain,
                24,
                b -> b.putShort(0, (short) DomainId.SELF)
                        .putInt(4, space)
                        .putLong(8, index)
                        .putLong(16, gfn));
        return TestHost.call(domain, HypercallNumber.MEMORY_OP, MemoryOp.ADD_TO_PHYSMAP, pointer);
    }

    @Test
    void addToPhysmapRefusesWhatItCannotMap() {
        assertThat(addToPhysmap(MemoryOp.SPACE_SHARED_INFO, 1, 1)).isEqualTo(-Errno.EINVAL);
        assertThat(addToPhysmap(MemoryOp.SPACE_SHARED_INFO, 0, -1)).isEqualTo(-Errno.EINVAL);
        assertThat(addToPhysmap(MemoryOp.SPACE_GRANT_TABLE, 64, 1)).isEqualTo(-Errno.EINVAL);
        assertThat(addToPhysmap(MemoryOp.SPACE_GMFN_FOREIGN, 0, 1)).isEqualTo(-Errno.EPERM);
        assertThat(addToPhysmap(77, 0, 1)).isEqualTo(-Errno.EINVAL);
    }

    @Test
    void aBalloonGivesFramesBackAndTakesThemAgain() {
        long before = host.machine.available();
        for (int i = 0; i < 10; i++) {
            TestHost.write(domain, 0x3000 + i * 8L, 8, 100 + i);
        }
        TestHost.write(domain, 100 << 12, 8, 0x1234);
        assertThat(reservation(MemoryOp.DECREASE_RESERVATION, 10)).isEqualTo(10);
        assertThat(host.machine.available()).isEqualTo(before + 10);
        assertThat(domain.memory().ownedFrames()).isEqualTo(TestHost.FRAMES - 10);
        assertThat(reservation(MemoryOp.DECREASE_RESERVATION, 10)).isZero();
        assertThat(reservation(MemoryOp.POPULATE_PHYSMAP, 10)).isEqualTo(10);
        assertThat(TestHost.read(domain, 100 << 12, 8))
                .as("a new frame is clean")
                .isZero();
    }

    private long reservation(int operation, int count) {
        long pointer = TestHost.struct(
                domain, 32, b -> b.putLong(0, 0x3000).putLong(8, count).putShort(24, (short) DomainId.SELF));
        return TestHost.call(domain, HypercallNumber.MEMORY_OP, operation, pointer);
    }

    @Test
    void aDomainCannotGrowBeyondItsReservation() {
        domain.memory().setMaxFrames(TestHost.FRAMES + 1);
        TestHost.write(domain, 0x3000, 8, 0x9000);
        TestHost.write(domain, 0x3008, 8, 0x9001);
        assertThat(reservation(MemoryOp.POPULATE_PHYSMAP, 2)).isEqualTo(1);
    }

    @Test
    void theMemoryMapIsAnsweredOnlyWhenThereIsOne() {
        long pointer = TestHost.struct(domain, 16, b -> b.putInt(0, 8).putLong(8, 0x3000));
        assertThat(TestHost.call(domain, HypercallNumber.MEMORY_OP, MemoryOp.MEMORY_MAP, pointer))
                .isEqualTo(-Errno.ENOSYS);
        domain.memory().setRanges(List.of(DomainMemory.Range.ram(0, 4 << 20)));
        assertThat(TestHost.call(domain, HypercallNumber.MEMORY_OP, MemoryOp.MEMORY_MAP, pointer))
                .isZero();
        assertThat(TestHost.read(domain, pointer, 4)).isEqualTo(1);
        assertThat(TestHost.read(domain, 0x3008, 8)).isEqualTo(4 << 20);
        assertThat(TestHost.read(domain, 0x3010, 4)).isEqualTo(1);
    }

    @Test
    void aGuestMaySetOnlyItsOwnParameters() {
        assertThat(param(HvmOp.SET_PARAM, HvmParam.CALLBACK_IRQ, 2L << 56 | 0xF3))
                .isZero();
        assertThat(domain.callbackVector()).isEqualTo(0xF3);
        assertThat(param(HvmOp.SET_PARAM, HvmParam.STORE_PFN, 5)).isEqualTo(-Errno.EPERM);
        assertThat(param(HvmOp.SET_PARAM, HvmParam.COUNT, 5)).isEqualTo(-Errno.EINVAL);
        assertThat(param(HvmOp.GET_PARAM, HvmParam.IOREQ_PFN, 0)).isEqualTo(-Errno.EPERM);
        domain.setHvmParam(HvmParam.STORE_PFN, 0xFEFFC);
        assertThat(param(HvmOp.GET_PARAM, HvmParam.STORE_PFN, 0)).isZero();
        assertThat(TestHost.read(domain, TestHost.ARGUMENTS + 8, 8)).isEqualTo(0xFEFFC);
    }

    private long param(int operation, int index, long value) {
        long pointer = TestHost.struct(
                domain,
                16,
                b -> b.putShort(0, (short) DomainId.SELF).putInt(4, index).putLong(8, value));
        return TestHost.call(domain, HypercallNumber.HVM_OP, operation, pointer);
    }

    @Test
    void pagetableDyingIsAHintThatWeDoNotTake() {
        assertThat(TestHost.call(domain, HypercallNumber.HVM_OP, HvmOp.PAGETABLE_DYING, TestHost.ARGUMENTS))
                .isEqualTo(-Errno.ENOSYS);
    }

    @Test
    void vmAssistKnowsTheRunstateFlagOnly() {
        assertThat(TestHost.call(domain, HypercallNumber.VM_ASSIST, VmAssist.ENABLE, VmAssist.RUNSTATE_UPDATE_FLAG))
                .isZero();
        assertThat(domain.runstateUpdateFlag()).isTrue();
        assertThat(TestHost.call(domain, HypercallNumber.VM_ASSIST, VmAssist.ENABLE, VmAssist.WRITABLE_PAGE_TABLES))
                .isEqualTo(-Errno.EINVAL);
    }

    @Test
    void aShutdownTellsItsReason() {
        long pointer = TestHost.struct(domain, 4, b -> b.putInt(0, ShutdownReason.REBOOT));
        assertThat(TestHost.call(domain, HypercallNumber.SCHED_OP, SchedOp.SHUTDOWN, pointer))
                .isZero();
        assertThat(domain.shutdownFuture()).isCompleted();
        assertThat(domain.shutdownFuture().join().reason()).isEqualTo(ShutdownReason.REBOOT);
    }

    @Test
    void onlyTheHardwareDomainMayPinOrShutOthersDown() {
        assertThat(TestHost.call(domain, HypercallNumber.SCHED_OP, SchedOp.PIN_OVERRIDE, TestHost.ARGUMENTS))
                .isEqualTo(-Errno.EPERM);
        Domain other = host.domain(2, 1);
        long pointer = TestHost.struct(domain, 8, b -> b.putShort(0, (short) other.id()));
        assertThat(TestHost.call(domain, HypercallNumber.SCHED_OP, SchedOp.REMOTE_SHUTDOWN, pointer))
                .isEqualTo(-Errno.EPERM);
        assertThat(other.shutdownFuture()).isNotCompleted();
    }

    @Test
    void theHypercallPageHasAStubForEachNumber() {
        Vcpu vcpu = domain.vcpus().getFirst();
        assertThat(vcpu.writeMsr(XenCpuid.HYPERCALL_PAGE_MSR, 0x7000)).isTrue();
        assertThat(TestHost.read(domain, 0x7000 + 17 * 32, 8)).isEqualTo(0xC1010F_00000011B8L);
        assertThat(TestHost.read(domain, 0x7000 + 17 * 32 + 8, 1)).isEqualTo(0xC3);
        assertThat(TestHost.read(domain, 0x7000 + 23 * 32, 2)).isEqualTo(0x0B0F);
        assertThat(vcpu.writeMsr(XenCpuid.HYPERCALL_PAGE_MSR, 0x7001))
                .as("page 1")
                .isFalse();
        assertThat(vcpu.writeMsr(XenCpuid.HYPERCALL_PAGE_MSR, 1L << 40))
                .as("no memory")
                .isFalse();
        assertThat(vcpu.writeMsr(XenCpuid.HYPERCALL_PAGE_MSR + 1, 0)).isFalse();
        long[] value = {7};
        assertThat(vcpu.readMsr(XenCpuid.HYPERCALL_PAGE_MSR, value)).isTrue();
        assertThat(value[0]).isZero();
        assertThat(vcpu.readMsr(XenCpuid.LAST_MSR, value)).isFalse();
    }

    @Test
    void aGuestFindsXenByCpuid() {
        int[] result = new int[4];
        domain.vcpus().getFirst().cpuid(0x40000000, 0, result);
        assertThat(result).containsExactly(0x40000005, 0x566E6558, 0x65584D4D, 0x4D4D566E);
        domain.vcpus().getFirst().cpuid(0x40000004, 0, result);
        assertThat(result[0] & XenCpuid.HVM_UPCALL_VECTOR).isNotZero();
        assertThat(result[2]).isEqualTo(1);
        domain.vcpus().getFirst().cpuid(1, 0, result);
        assertThat(result[2] >>> 31).isEqualTo(1);
        Domain smp = host.domain(3, 2);
        smp.vcpus().get(1).cpuid(1, 0, result);
        assertThat(result[1] >>> 24).isEqualTo(2);
    }

    @Test
    void aTraceSeesEachHypercall() {
        List<String> seen = new ArrayList<>();
        host.trace = new Trace() {
            @Override
            public void hypercall(Vcpu vcpu, long number, long[] arguments, long result) {
                seen.add(vcpu + " " + number + " " + arguments[0] + " -> " + result);
            }
        };
        Domain traced = host.domain(9, 1);
        TestHost.call(traced, HypercallNumber.XEN_VERSION, XenVersionOp.PAGESIZE);
        assertThat(seen).containsExactly("d9v0 17 7 -> 4096");
    }

    @Test
    void unclaimedPortsReadAsOnes() {
        Vcpu vcpu = domain.vcpus().getFirst();
        assertThat(vcpu.portIn(0x71, 1)).isEqualTo(0xFF);
        assertThat(vcpu.portIn(0x71, 2)).isEqualTo(0xFFFF);
        assertThat(vcpu.portIn(0xCF8, 4)).isEqualTo(-1);
        List<Integer> bytes = new ArrayList<>();
        domain.ports().attachSink(0xE9, bytes::add);
        vcpu.portOut(0xE9, 1, 'x');
        vcpu.portOut(0xE9, 2, 'y' | 'z' << 8);
        assertThat(bytes).containsExactly((int) 'x', (int) 'y', (int) 'z');
        assertThat(vcpu.mmioRead(0xFED00000L, 4)).isEqualTo(0xffffffffL);
    }

    @Test
    void everyFrameGoesBackWhenADomainIsDestroyed() {
        long before = host.machine.available();
        Domain shortLived = host.domain(5, 2);
        long pointer = TestHost.struct(
                shortLived,
                24,
                b -> b.putShort(0, (short) DomainId.SELF)
                        .putInt(4, MemoryOp.SPACE_GRANT_TABLE)
                        .putLong(8, 3)
                        .putLong(16, 0x8000));
        assertThat(TestHost.call(shortLived, HypercallNumber.MEMORY_OP, MemoryOp.ADD_TO_PHYSMAP, pointer))
                .isZero();
        shortLived.destroy();
        assertThat(host.machine.available()).isEqualTo(before);
        assertThat(host.domains.get(5)).isNull();
    }
}
