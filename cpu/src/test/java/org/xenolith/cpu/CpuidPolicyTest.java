package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

class CpuidPolicyTest {
    private static final int[] NOTHING = {0, 0, 0, 0};

    private static int[] leaf(CpuidPolicy policy, int leaf, int subleaf) {
        int[] result = new int[4];
        policy.leaf(leaf, subleaf, result);
        return result;
    }

    @Test
    void v3IsV2WithWhatTheLevelOfThatNameAdds() {
        Set<Feature> added = new HashSet<>(CpuidPolicy.v3().features());
        added.removeAll(CpuidPolicy.v2().features());
        assertThat(added)
                .containsExactlyInAnyOrder(
                        Feature.AVX,
                        Feature.AVX2,
                        Feature.FMA,
                        Feature.F16C,
                        Feature.XSAVE,
                        Feature.XSAVEOPT,
                        Feature.XSAVEC);
        assertThat(CpuidPolicy.v3().features())
                .containsAll(CpuidPolicy.v2().features())
                .contains(Feature.BMI1, Feature.BMI2, Feature.LZCNT, Feature.MOVBE);
    }

    @Test
    void featuresStandWhereTheManualPutsThem() {
        CpuidPolicy v3 = CpuidPolicy.v3();
        int features = leaf(v3, 1, 0)[2];
        assertThat(features >>> 12 & 1).as("FMA").isOne();
        assertThat(features >>> 26 & 1).as("XSAVE").isOne();
        assertThat(features >>> 28 & 1).as("AVX").isOne();
        assertThat(features >>> 29 & 1).as("F16C").isOne();
        assertThat(leaf(v3, 7, 0)[1] >>> 5 & 1).as("AVX2").isOne();
    }

    @Test
    void stateThatIsNotThereHasNoLeaf() {
        assertThat(leaf(CpuidPolicy.v2(), 0xD, 0)).isEqualTo(NOTHING);
        assertThat(leaf(CpuidPolicy.v3().without(Feature.AVX), 0xD, 0)).isEqualTo(new int[] {3, 576, 576, 0});
        assertThat(leaf(CpuidPolicy.v3().without(Feature.AVX), 0xD, 2)).isEqualTo(NOTHING);
        assertThat(leaf(CpuidPolicy.v3(), 0xD, 0)).isEqualTo(new int[] {7, 576, 832, 0});
        assertThat(leaf(CpuidPolicy.v3(), 0xD, 2)).isEqualTo(new int[] {256, 576, 0, 0});
    }

    @Test
    void aHostWithoutXsaveHidesAllThatNeedsIt() {
        Set<String> host = new HashSet<>();
        for (Feature feature : Feature.values()) {
            host.add(feature.name());
        }
        assertThat(CpuidPolicy.host(host).features()).isEqualTo(CpuidPolicy.v3().features());
        host.remove("XSAVE");
        Set<Feature> shown = CpuidPolicy.host(host).features();
        assertThat(shown).doesNotContain(Feature.AVX, Feature.AVX2, Feature.FMA, Feature.F16C, Feature.XSAVEC);
        assertThat(shown).contains(Feature.SSE42, Feature.BMI2);
    }

    @Test
    void severalProcessorsAreCoresOfOnePackageWhoseIdentifiersAreTwoApart() {
        CpuidPolicy one = CpuidPolicy.v2();
        assertThat(leaf(one, 1, 0)[1] >>> 16 & 0xff).isOne();
        assertThat(leaf(one, 1, 0)[3] >>> 28 & 1).isZero();
        assertThat(leaf(one, 4, 3)).isEqualTo(NOTHING);
        assertThat(leaf(one, 0xB, 1)).isEqualTo(new int[] {0, 1, 0x201, 0});
        for (int cores : new int[] {2, 3, 4, 8, 31, 32, 100}) {
            CpuidPolicy policy = CpuidPolicy.v2().withCores(cores);
            int greatest = 2 * (cores - 1);
            int shift = leaf(policy, 0xB, 1)[0];
            assertThat(greatest >>> shift).as("package of %d cores", cores).isZero();
            assertThat(leaf(policy, 0xB, 0)).isEqualTo(new int[] {1, 1, 0x100, 0});
            assertThat(leaf(policy, 0xB, 1)[1]).isEqualTo(cores);
            assertThat(leaf(policy, 1, 0)[1] >>> 16 & 0xff).isEqualTo(Math.min(1 << shift, 128));
            assertThat(leaf(policy, 1, 0)[3] >>> 28 & 1).isOne();
            int[] second = leaf(policy, 4, 2);
            assertThat(second[0] >>> 14 & 0xfff)
                    .as("sharers of the second level")
                    .isZero();
            assertThat((second[0] >>> 26) + 1).isEqualTo(Math.min(1 << shift, 64));
            int[] third = leaf(policy, 4, 3);
            assertThat(third[0] & 0xff).isEqualTo(0x63);
            assertThat((third[0] >>> 14 & 0xfff) + 1)
                    .as("sharers of the third level")
                    .isEqualTo(1 << shift);
        }
        assertThat(leaf(CpuidPolicy.v2().withCores(4).with(Feature.AES), 0xB, 1)[1])
                .isEqualTo(4);
    }

    @Test
    void whatIsNoInstructionDoesNotDependOnTheHost() {
        assertThat(CpuidPolicy.host(Set.of()).features())
                .contains(Feature.TSC_DEADLINE, Feature.APIC, Feature.HYPERVISOR, Feature.LM, Feature.SMEP)
                .doesNotContain(Feature.AVX2, Feature.AES, Feature.POPCNT);
    }
}
