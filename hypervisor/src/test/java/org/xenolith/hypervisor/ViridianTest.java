package org.xenolith.hypervisor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.charset.StandardCharsets;
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.xenolith.abi.HypercallNumber;
import org.xenolith.abi.XenCpuid;
import org.xenolith.cpu.VcpuState;
import org.xenolith.hypervisor.viridian.ViridianFeature;

class ViridianTest {
    private static final int OS_ID = 0x40000000;
    private static final int HYPERCALL = 0x40000001;
    private static final int TIME_REF_COUNT = 0x40000020;
    private static final int REFERENCE_TSC = 0x40000021;
    private static final int SIMP = 0x40000083;
    private static final int SINT0 = 0x40000090;
    private static final int STIMER0_CONFIG = 0x400000B0;
    private static final int STIMER0_COUNT = 0x400000B1;

    private final TestHost host = new TestHost();
    private int next = 1;

    @AfterEach
    void tearDown() {
        host.close();
    }

    private Vcpu with(ViridianFeature... features) {
        Set<ViridianFeature> set = EnumSet.of(ViridianFeature.BASE, features);
        return host.domain(
                        DomainSettings.pvh(next++, "viridian", 1, 2 * TestHost.FRAMES)
                                .withViridian(set),
                        host.clock)
                .vcpus()
                .getFirst();
    }

    private static int[] cpuid(Vcpu vcpu, int leaf) {
        int[] result = new int[4];
        vcpu.cpuid(leaf, 0, result);
        return result;
    }

    private static long read(Vcpu vcpu, int msr) {
        long[] result = new long[1];
        assertThat(vcpu.readMsr(msr, result)).as("MSR 0x%x", msr).isTrue();
        return result[0];
    }

    private static String text(int... words) {
        byte[] bytes = new byte[words.length * 4];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) (words[i / 4] >>> i % 4 * 8);
        }
        return new String(bytes, StandardCharsets.US_ASCII);
    }

    @Test
    void viridianComesFirstAndXenBehindIt() {
        Vcpu vcpu = with();
        int[] first = cpuid(vcpu, 0x40000000);
        assertThat(text(first[1], first[2], first[3])).isEqualTo("Microsoft Hv");
        assertThat(text(cpuid(vcpu, 0x40000001)[0])).isEqualTo("Hv#1");
        int[] xen = cpuid(vcpu, 0x40000100);
        assertThat(text(xen[1], xen[2], xen[3])).isEqualTo("XenVMMXenVMM");
        assertThat(xen[0]).isEqualTo(0x40000100 + XenCpuid.LEAVES - 1);
        assertThat(cpuid(vcpu, 0x40000102)[1]).isEqualTo(0x40000200);
        assertThat(vcpu.writeMsr(0x40000200, 0x5000)).isTrue();
        assertThat(TestHost.read(vcpu.domain(), 0x5000, 1)).isEqualTo(0xB8);
    }

    @Test
    void aDomainWithoutItSeesXenOnly() {
        Vcpu vcpu = host.domain(next++, 1).vcpus().getFirst();
        int[] first = cpuid(vcpu, 0x40000000);
        assertThat(text(first[1], first[2], first[3])).isEqualTo("XenVMMXenVMM");
        assertThat(vcpu.writeMsr(REFERENCE_TSC, 1)).isFalse();
        assertThat(vcpu.readMsr(HYPERCALL, new long[1])).isFalse();
    }

    @Test
    void whatWasNotGivenIsNotThere() {
        Vcpu vcpu = with();
        for (int msr : new int[] {TIME_REF_COUNT, REFERENCE_TSC, 0x40000022, SIMP, SINT0, STIMER0_CONFIG, 0x40000081}) {
            assertThat(vcpu.readMsr(msr, new long[1])).as("MSR 0x%x", msr).isFalse();
        }
        for (int msr : new int[] {TIME_REF_COUNT, REFERENCE_TSC, SIMP, STIMER0_COUNT, 0x40000003, 0x400001FF}) {
            assertThat(vcpu.writeMsr(msr, 1)).as("MSR 0x%x", msr).isFalse();
        }
        assertThat(cpuid(vcpu, 0x40000003)[0]).isEqualTo(0x70);
        assertThat(cpuid(vcpu, 0x40000002)[0])
                .as("before the guest named itself")
                .isZero();
        assertThat(vcpu.writeMsr(OS_ID, 4L << 40 | 1)).isTrue();
        assertThat(cpuid(vcpu, 0x40000002)[0]).isEqualTo(0x1772);
        assertThat(cpuid(vcpu, 0x40000004)[1]).isEqualTo(2047);
    }

    @Test
    void theReferencePageAgreesWithTheCounter() {
        Vcpu vcpu = with(ViridianFeature.REFERENCE_TSC, ViridianFeature.TIME_REF_COUNT);
        assertThat(vcpu.writeMsr(REFERENCE_TSC, 0x6001)).isTrue();
        Domain domain = vcpu.domain();
        assertThat(TestHost.read(domain, 0x6000, 4)).isEqualTo(1);
        long scale = TestHost.read(domain, 0x6008, 8);
        long byPage = Math.unsignedMultiplyHigh(vcpu.timeStampCounter(), scale) + TestHost.read(domain, 0x6010, 8);
        assertThat(read(vcpu, TIME_REF_COUNT)).isEqualTo(byPage);
        assertThat(byPage).isCloseTo(host.clock.now() / 100, within(1L));
        assertThat(read(vcpu, REFERENCE_TSC)).isEqualTo(0x6001);
    }

    @Test
    void aPageThatIsNotThereIsNotWritten() {
        Vcpu vcpu = with(ViridianFeature.REFERENCE_TSC, ViridianFeature.STIMER);
        assertThat(vcpu.writeMsr(REFERENCE_TSC, -1)).isTrue();
        assertThat(vcpu.writeMsr(HYPERCALL, -1)).isTrue();
        assertThat(vcpu.writeMsr(SIMP, -1)).isTrue();
        assertThat(vcpu.writeMsr(0x40000073, -1)).isTrue();
        assertThat(vcpu.writeMsr(STIMER0_COUNT, 1)).isTrue();
        assertThat(vcpu.writeMsr(STIMER0_CONFIG, 1 << 16 | 1)).isTrue();
    }

    @Test
    void aPageGoesBackWhenTheRegisterIsClearedAndWithTheDomain() {
        long available = host.machine.available();
        Vcpu vcpu = with(ViridianFeature.REFERENCE_TSC, ViridianFeature.SYNIC);
        Domain domain = vcpu.domain();
        vcpu.writeMsr(REFERENCE_TSC, 0x6001);
        vcpu.writeMsr(SIMP, 0x7001);
        int mfn = domain.memory().map().mfn(6);
        assertThat(domain.memory().pins(mfn)).isOne();
        vcpu.writeMsr(REFERENCE_TSC, 0);
        assertThat(domain.memory().pins(mfn)).isZero();
        vcpu.writeMsr(REFERENCE_TSC, 0x6001);
        assertThat(domain.memory().remove(6)).isTrue();
        domain.destroy();
        assertThat(host.machine.available()).isEqualTo(available);
    }

    @Test
    void aTimerPutsAMessageIntoItsSlot() throws InterruptedException {
        Vcpu vcpu = with(ViridianFeature.STIMER);
        Domain domain = vcpu.domain();
        assertThat(vcpu.writeMsr(SIMP, 0x7001)).isTrue();
        assertThat(vcpu.writeMsr(SINT0 + 2, 0x0F)).as("an exception's vector").isFalse();
        assertThat(vcpu.writeMsr(SINT0 + 2, 0x50)).isTrue();
        assertThat(vcpu.writeMsr(STIMER0_CONFIG, 1)).isTrue();
        assertThat(read(vcpu, STIMER0_CONFIG)).as("no interrupt, no timer").isZero();
        assertThat(vcpu.writeMsr(STIMER0_CONFIG, 2 << 16 | 1 << 3)).isTrue();
        assertThat(vcpu.writeMsr(STIMER0_COUNT, 1)).isTrue();
        assertThat(read(vcpu, STIMER0_CONFIG) & 1).as("enabled by its count").isOne();
        domain.start();
        while (TestHost.read(domain, 0x7200, 4) == 0) {
            Thread.sleep(1);
        }
        domain.pause();
        assertThat(TestHost.read(domain, 0x7200, 4)).isEqualTo(0x80000010L);
        assertThat(TestHost.read(domain, 0x7200 + 24, 8)).isEqualTo(1);
        assertThat(vcpu.domain().vcpus().getFirst().controller().pending()).isEqualTo(0x50);
    }

    @Test
    void hypercallsWithBit31AreNotXens() {
        Vcpu vcpu = with(ViridianFeature.HCALL_REMOTE_TLB_FLUSH);
        VcpuState state = vcpu.state();
        state.setGpr(VcpuState.RCX, 8);
        assertThat(TestHost.call(vcpu, 0x80000000 | HypercallNumber.XEN_VERSION))
                .isZero();
        int flushes = TestHost.engine(vcpu.domain()).flushes;
        state.setGpr(VcpuState.RCX, 2);
        assertThat(TestHost.call(vcpu, 0x80000000)).isZero();
        state.setGpr(VcpuState.RCX, 0x5C);
        assertThat(TestHost.call(vcpu, 0x80000000)).isEqualTo(2);
        assertThat(flushes).isNotNegative();
        assertThat(TestHost.call(vcpu, HypercallNumber.XEN_VERSION, 0)).isEqualTo(4 << 16 | 17);
    }

    @Test
    void featuresHaveTheNamesOfTheConfigurationFile() {
        assertThat(ViridianFeature.named("reference_tsc")).contains(ViridianFeature.REFERENCE_TSC);
        assertThat(ViridianFeature.named("REFERENCE_TSC")).isEmpty();
        assertThat(ViridianFeature.named("xyz")).isEmpty();
    }
}
