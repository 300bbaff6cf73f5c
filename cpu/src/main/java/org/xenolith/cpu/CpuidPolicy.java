package org.xenolith.cpu;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import org.xenolith.cpu.core.Cr4;
import org.xenolith.cpu.core.Xcr0;
import org.xenolith.cpu.decode.InsnTable;
import org.xenolith.cpu.decode.Row;

/**
 * What CPUID tells a guest, and which instructions it therefore has. Immutable; the hypervisor overlays APIC ids and
 * its own leaves.
 *
 * <p>All policies say GenuineIntel, family 6, model 0x36: an in-order core without speculation, which is what
 * an interpreter is, and which kernels know to need no mitigation against speculative side channels: no page-table
 * isolation, no retpolines. Intel rather than AMD also because leaf 0x16 then gives the clock at once, where kernels on
 * AMD first look for a timer chip, a hundred thousand port reads long.
 */
public final class CpuidPolicy {
    private static final int MAX_BASIC = 0x16;
    private static final int MAX_EXTENDED = 0x80000008;
    private static final int EXTENDED = 0x80000000;
    /** The leaf that describes the state components of XSAVE. */
    public static final int EXTENDED_STATE = 0xD;

    private static final int SIGNATURE = 0x00030661; // family 6, model 0x36, stepping 1
    private static final int PHYSICAL_BITS = 46;
    private static final int LINEAR_BITS = 48;
    private static final int XSAVE_BYTES = 512 + 64;
    private static final int AVX_BYTES = 256;
    /** Number of the AVX state component, and so of its subleaf. */
    private static final int AVX_COMPONENT = 2;

    /** Leaf 1 edx: the number of APIC identifiers in the package means something. */
    private static final int HTT = 1 << 28;

    private static final int CRYSTAL_HERTZ = 25_000_000;
    private static final int DEFAULT_TSC_KILOHERTZ = 1_000_000;
    private static final String BRAND = "Xenolith virtual processor";

    private static final int VENDOR_EBX_INTEL = 0x756E6547; // Genu
    private static final int VENDOR_EDX_INTEL = 0x49656E69; // ineI
    private static final int VENDOR_ECX_INTEL = 0x6C65746E; // ntel
    private static final int VENDOR_EBX_AMD = 0x68747541; // Auth

    private final Set<Feature> features;
    private final Set<String> names;
    private final List<FeatureWords> words;
    private final int tscKilohertz;
    private final boolean forcedEmulation;
    private final int cores;

    private CpuidPolicy(Set<Feature> wanted, int tscKilohertz, boolean forcedEmulation, int cores) {
        EnumSet<Feature> shown = EnumSet.noneOf(Feature.class);
        shown.addAll(wanted);
        boolean hidden = true;
        while (hidden) {
            // What one round hides can be what others need.
            hidden = shown.removeIf(feature -> !feature.needsMet(shown));
        }
        features = Collections.unmodifiableSet(shown);
        Set<String> shownNames = new HashSet<>();
        for (Feature feature : shown) {
            shownNames.add(feature.name());
        }
        names = Set.copyOf(shownNames);
        words = featureWords(shown);
        this.tscKilohertz = tscKilohertz;
        this.forcedEmulation = forcedEmulation;
        this.cores = cores;
    }

    /** The feature bits of one leaf. */
    private record FeatureWords(int leaf, int subleaf, int[] bits) {}

    private static List<FeatureWords> featureWords(Set<Feature> features) {
        List<FeatureWords> words = new ArrayList<>();
        for (Feature feature : features) {
            FeatureWords word = null;
            for (FeatureWords known : words) {
                if (known.leaf == feature.leaf() && known.subleaf == feature.subleaf()) {
                    word = known;
                }
            }
            if (word == null) {
                word = new FeatureWords(feature.leaf(), feature.subleaf(), new int[4]);
                words.add(word);
            }
            word.bits[feature.register()] |= 1 << feature.bit();
        }
        return List.copyOf(words);
    }

    private static CpuidPolicy of(Predicate<Feature> shown) {
        EnumSet<Feature> wanted = EnumSet.allOf(Feature.class);
        wanted.removeIf(shown.negate());
        return new CpuidPolicy(wanted, DEFAULT_TSC_KILOHERTZ, false, 1);
    }

    /** What x86-64-v2 asks for and all that goes without AVX, as far as it does not slow guests down. */
    public static CpuidPolicy v2() {
        return of(feature -> feature.level().compareTo(Feature.Level.V3) < 0);
    }

    /** {@link #v2} with what x86-64-v3 has besides: AVX, AVX2, FMA, F16C, and XSAVE, which they need. */
    public static CpuidPolicy v3() {
        return of(feature -> feature.level() != Feature.Level.OPTIONAL);
    }

    /**
     * {@link #v3} without the instructions that the host's processor lacks, so that an engine can pass on to it all that the
     * guest uses. Features of the platform and of the kernel's part of the processor do not depend on the host.
     *
     * @param hostFeatures names of the host's features: {@link HostFeatures#names}
     */
    public static CpuidPolicy host(Set<String> hostFeatures) {
        Set<String> instructions = new HashSet<>();
        for (Row row : InsnTable.get().rows()) {
            if (!row.has("sys")) {
                instructions.addAll(row.features);
                instructions.addAll(row.features256);
            }
        }
        return of(feature -> feature.level() != Feature.Level.OPTIONAL
                && (!instructions.contains(feature.name()) || hostFeatures.contains(feature.name())));
    }

    /** Everything that is implemented. */
    public static CpuidPolicy everything() {
        return of(feature -> true);
    }

    /** This policy with one more feature (needs those that it needs to be shown too). */
    public CpuidPolicy with(Feature feature) {
        EnumSet<Feature> wanted = EnumSet.copyOf(features);
        wanted.add(feature);
        return new CpuidPolicy(wanted, tscKilohertz, forcedEmulation, cores);
    }

    /** This policy without a feature and without those that need it. */
    public CpuidPolicy without(Feature feature) {
        EnumSet<Feature> wanted = EnumSet.copyOf(features);
        wanted.remove(feature);
        return new CpuidPolicy(wanted, tscKilohertz, forcedEmulation, cores);
    }

    /** This policy for a guest whose time-stamp counter ticks at another rate. */
    public CpuidPolicy withTscKilohertz(int kilohertz) {
        return new CpuidPolicy(features, kilohertz, forcedEmulation, cores);
    }

    /**
     * This policy with Xen's forced emulation prefix: UD2 with the letters "xen" behind it does nothing but mark the next
     * instruction, instead of #UD. For tests of instruction emulators; other guests rely on UD2 to fault.
     */
    public CpuidPolicy withForcedEmulation() {
        return new CpuidPolicy(features, tscKilohertz, true, cores);
    }

    /**
     * This policy for a machine with so many processors: cores without hyper-threads in one package, with one third-level
     * cache. Their APIC identifiers are two apart, as in Xen, whose hypervisor also pretends a package of such cores.
     */
    public CpuidPolicy withCores(int count) {
        return new CpuidPolicy(features, tscKilohertz, forcedEmulation, count);
    }

    /** Bits of an APIC identifier that tell the cores of the package apart, with the one that is always 0. */
    private int packageBits() {
        return cores == 1 ? 0 : 33 - Integer.numberOfLeadingZeros(cores - 1);
    }

    /** APIC identifiers of the package, as far as a field of some bits can say it. */
    private int packageIds(int most) {
        return Math.min(1 << packageBits(), most);
    }

    public boolean isForcedEmulation() {
        return forcedEmulation;
    }

    public Set<Feature> features() {
        return features;
    }

    /** True when the guest sees a feature; the names are those of the instruction table and of {@link Feature}. */
    public boolean has(String name) {
        return names.contains(name);
    }

    /** ECX means something on input for these leaves only; elsewhere programs leave anything in it. */
    private static boolean hasSubleaves(int leaf) {
        return leaf == 4 || leaf == 7 || leaf == 0xB || leaf == EXTENDED_STATE;
    }

    /** Fills {@code result} with eax, ebx, ecx and edx of a leaf. Leaves that do not exist are zero. */
    public void leaf(int leaf, int subleaf, int[] result) {
        result[0] = 0;
        result[1] = 0;
        result[2] = 0;
        result[3] = 0;
        for (FeatureWords word : words) {
            if (word.leaf == leaf && (word.subleaf == subleaf || !hasSubleaves(leaf))) {
                System.arraycopy(word.bits, 0, result, 0, 4);
            }
        }
        switch (leaf) {
            case 0 -> {
                result[0] = MAX_BASIC;
                vendor(result);
            }
            case 1 -> {
                result[0] = SIGNATURE;
                result[1] = 8 << 8 | packageIds(128) << 16; // CLFLUSH of 64 bytes
                result[3] |= cores > 1 ? HTT : 0;
            }
            case 2 -> {
                result[0] = 0x0000FF01; // see leaf 4
            }
            case 4 -> cache(subleaf, result);
            case 0xB -> {
                result[2] = subleaf & 0xff;
                if (subleaf < 2) {
                    // First the threads of a core, then those of the package.
                    result[0] = subleaf == 0 ? Math.min(1, packageBits()) : packageBits();
                    result[1] = subleaf == 0 ? 1 : cores;
                    result[2] |= (subleaf + 1) << 8;
                }
            }
            case EXTENDED_STATE -> extendedState(subleaf, result);
            case 0x15 -> {
                result[0] = CRYSTAL_HERTZ / 1000;
                result[1] = tscKilohertz;
                result[2] = CRYSTAL_HERTZ;
            }
            case 0x16 -> {
                result[0] = tscKilohertz / 1000;
                result[1] = tscKilohertz / 1000;
                result[2] = 100;
            }
            case EXTENDED -> result[0] = MAX_EXTENDED;
            case 0x80000002, 0x80000003, 0x80000004 -> brand((leaf - 0x80000002) * 16, result);
            case 0x80000006 -> result[2] = 256 << 16 | 6 << 12 | 64; // L2: 256 KiB, 8 ways, 64-byte lines
            case 0x80000008 -> result[0] = LINEAR_BITS << 8 | PHYSICAL_BITS;
            default -> {
                // Feature bits only, or nothing.
            }
        }
    }

    private static void vendor(int[] result) {
        result[1] = VENDOR_EBX_INTEL;
        result[2] = VENDOR_ECX_INTEL;
        result[3] = VENDOR_EDX_INTEL;
    }

    /**
     * Deterministic cache parameters: 32 KiB instruction and data caches and 256 KiB second level for each core. Several cores share
     * a third level of 8 MiB: schedulers then look for an idle core among all.
     */
    private void cache(int subleaf, int[] result) {
        switch (subleaf) {
            case 0 -> cache(result, 1, 1, 8, 64, 1);
            case 1 -> cache(result, 2, 1, 8, 64, 1);
            case 2 -> cache(result, 3, 2, 8, 512, 1);
            case 3 -> {
                if (cores > 1) {
                    cache(result, 3, 3, 16, 8192, 1 << packageBits());
                }
            }
            default -> {
                // No more caches.
            }
        }
    }

    private void cache(int[] result, int type, int level, int ways, int sets, int sharing) {
        result[0] = type | level << 5 | 1 << 8 | sharing - 1 << 14 | packageIds(64) - 1 << 26;
        result[1] = ways - 1 << 22 | 63;
        result[2] = sets - 1;
    }

    /**
     * x87 and SSE state: 512 bytes and the header; AVX state behind it. The processor itself replaces ebx of the first
     * two subleaves by the size of what XCR0 enables.
     */
    private void extendedState(int subleaf, int[] result) {
        if (!features.contains(Feature.XSAVE)) {
            return;
        }
        boolean avx = features.contains(Feature.AVX);
        int size = avx ? XSAVE_BYTES + AVX_BYTES : XSAVE_BYTES;
        if (subleaf == 0) {
            result[0] = (int) (Xcr0.X87 | Xcr0.SSE | (avx ? Xcr0.AVX : 0));
            result[1] = XSAVE_BYTES;
            result[2] = size;
        } else if (subleaf == 1 && features.contains(Feature.XSAVEC)) {
            result[1] = XSAVE_BYTES;
        } else if (subleaf == AVX_COMPONENT && avx) {
            result[0] = AVX_BYTES;
            result[1] = XSAVE_BYTES;
        }
    }

    private static void brand(int offset, int[] result) {
        byte[] text = BRAND.getBytes(StandardCharsets.US_ASCII);
        for (int i = 0; i < 16 && offset + i < text.length; i++) {
            result[i / 4] |= (text[offset + i] & 0xff) << i % 4 * 8;
        }
    }

    // ---------------------------------------------------------------- what a world's CPUID implies

    /** CR4 bits that a guest may set, judged by the CPUID of its world. */
    public static long cr4Mask(World world) {
        long mask = 0;
        int[] result = new int[4];
        int leaf = -1;
        for (Feature feature : CR4_FEATURES) {
            if (feature.leaf() != leaf) {
                leaf = feature.leaf();
                world.cpuid(leaf, 0, result);
            }
            if ((result[feature.register()] >>> feature.bit() & 1) != 0) {
                mask |= feature.cr4();
            }
        }
        // PCE belongs to counters that every Intel processor has; RDPMC faults anyway.
        return mask | Cr4.PCE;
    }

    private static final Set<Feature> CR4_FEATURES = cr4Features();

    private static Set<Feature> cr4Features() {
        EnumSet<Feature> set = EnumSet.allOf(Feature.class);
        set.removeIf(feature -> feature.cr4() == 0);
        return Collections.unmodifiableSet(set);
    }

    /** EFER bits that a guest may set, judged by the CPUID of its world. */
    public static long eferMask(World world) {
        int[] result = new int[4];
        world.cpuid(Feature.SYSCALL.leaf(), 0, result);
        int edx = result[Feature.SYSCALL.register()];
        return ((edx >>> Feature.SYSCALL.bit() & 1) != 0 ? Efer.SCE : 0)
                | ((edx >>> Feature.LM.bit() & 1) != 0 ? Efer.LME : 0)
                | ((edx >>> Feature.NX.bit() & 1) != 0 ? Efer.NXE : 0);
    }

    /** True when the guest sees an AMD processor, whose system-call instructions differ in some modes. */
    public static boolean isAmd(World world) {
        int[] result = new int[4];
        world.cpuid(0, 0, result);
        return result[1] == VENDOR_EBX_AMD;
    }
}
