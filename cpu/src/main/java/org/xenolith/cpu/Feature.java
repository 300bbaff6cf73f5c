package org.xenolith.cpu;

import java.util.Set;
import org.xenolith.cpu.core.Cr4;

/**
 * The CPUID features, a row each: where the bit is, who sees it, what it needs. What has no row is never shown, so a
 * row may exist only for what the interpreter implements.
 *
 * <p>Names are those of the instruction table's {@code feat:} attribute where it has one. {@link Level} says who sees a
 * feature; a feature disappears together with any that it needs.
 */
public enum Feature {
    // Leaf 1, EDX.
    FPU(1, 0, Register.EDX, 0, Level.BASE),
    DE(1, 0, Register.EDX, 2, Level.BASE, Cr4.DE),
    PSE(1, 0, Register.EDX, 3, Level.BASE, Cr4.PSE),
    TSC(1, 0, Register.EDX, 4, Level.BASE, Cr4.TSD),
    MSR(1, 0, Register.EDX, 5, Level.BASE),
    PAE(1, 0, Register.EDX, 6, Level.BASE, Cr4.PAE),
    MCE(1, 0, Register.EDX, 7, Level.BASE, Cr4.MCE),
    CX8(1, 0, Register.EDX, 8, Level.BASE),
    APIC(1, 0, Register.EDX, 9, Level.BASE),
    SEP(1, 0, Register.EDX, 11, Level.BASE, 0, "MSR"),
    MTRR(1, 0, Register.EDX, 12, Level.BASE, 0, "MSR"),
    PGE(1, 0, Register.EDX, 13, Level.BASE, Cr4.PGE),
    MCA(1, 0, Register.EDX, 14, Level.BASE, 0, "MCE"),
    CMOV(1, 0, Register.EDX, 15, Level.BASE),
    PAT(1, 0, Register.EDX, 16, Level.BASE, 0, "MSR"),
    PSE36(1, 0, Register.EDX, 17, Level.BASE, 0, "PSE"),
    CLFSH(1, 0, Register.EDX, 19, Level.BASE),
    MMX(1, 0, Register.EDX, 23, Level.BASE, 0, "FPU"),
    FXSR(1, 0, Register.EDX, 24, Level.BASE, Cr4.OSFXSR, "FPU"),
    SSE(1, 0, Register.EDX, 25, Level.BASE, Cr4.OSXMMEXCPT, "FXSR"),
    SSE2(1, 0, Register.EDX, 26, Level.BASE, 0, "SSE"),
    SELF_SNOOP(1, 0, Register.EDX, 27, Level.BASE),
    // Leaf 1, ECX.
    SSE3(1, 0, Register.ECX, 0, Level.V2, 0, "SSE2"),
    PCLMULQDQ(1, 0, Register.ECX, 1, Level.EXTRA, 0, "SSE2"),
    SSSE3(1, 0, Register.ECX, 9, Level.V2, 0, "SSE3"),
    FMA(1, 0, Register.ECX, 12, Level.V3, 0, "AVX"),
    CX16(1, 0, Register.ECX, 13, Level.V2),
    /** Without address-space tags in the TLB it only makes kernels do more work. */
    PCID(1, 0, Register.ECX, 17, Level.OPTIONAL, Cr4.PCIDE, "LM"),
    SSE41(1, 0, Register.ECX, 19, Level.V2, 0, "SSSE3"),
    SSE42(1, 0, Register.ECX, 20, Level.V2, 0, "SSE41"),
    X2APIC(1, 0, Register.ECX, 21, Level.EXTRA, 0, "APIC"),
    MOVBE(1, 0, Register.ECX, 22, Level.EXTRA),
    POPCNT(1, 0, Register.ECX, 23, Level.V2),
    /** With it and {@link #ARAT} kernels do without the legacy timer, which is not there. */
    TSC_DEADLINE(1, 0, Register.ECX, 24, Level.EXTRA, 0, "APIC"),
    AES(1, 0, Register.ECX, 25, Level.EXTRA, 0, "SSE2"),
    /** Without {@link #AVX}, kernels would only save the state of FXSAVE more slowly. */
    XSAVE(1, 0, Register.ECX, 26, Level.V3, Cr4.OSXSAVE, "FXSR"),
    AVX(1, 0, Register.ECX, 28, Level.V3, 0, "XSAVE", "SSE42"),
    F16C(1, 0, Register.ECX, 29, Level.V3, 0, "AVX"),
    RDRAND(1, 0, Register.ECX, 30, Level.EXTRA),
    HYPERVISOR(1, 0, Register.ECX, 31, Level.BASE),
    // Leaf 6: power management.
    ARAT(6, 0, Register.EAX, 2, Level.EXTRA, 0, "APIC"),
    // Leaf 7, EBX.
    FSGSBASE(7, 0, Register.EBX, 0, Level.EXTRA, Cr4.FSGSBASE, "LM"),
    TSC_ADJUST(7, 0, Register.EBX, 1, Level.OPTIONAL, 0, "TSC"),
    BMI1(7, 0, Register.EBX, 3, Level.EXTRA),
    AVX2(7, 0, Register.EBX, 5, Level.V3, 0, "AVX"),
    SMEP(7, 0, Register.EBX, 7, Level.EXTRA, Cr4.SMEP),
    BMI2(7, 0, Register.EBX, 8, Level.EXTRA),
    ERMS(7, 0, Register.EBX, 9, Level.EXTRA),
    INVPCID(7, 0, Register.EBX, 10, Level.OPTIONAL, 0, "PCID"),
    FPU_CS_DS_DEPRECATED(7, 0, Register.EBX, 13, Level.BASE),
    RDSEED(7, 0, Register.EBX, 18, Level.EXTRA),
    ADX(7, 0, Register.EBX, 19, Level.EXTRA),
    /** Two changes of the access rights for each copy to or from user memory: hidden unless asked for. */
    SMAP(7, 0, Register.EBX, 20, Level.OPTIONAL, Cr4.SMAP),
    CLFLUSHOPT(7, 0, Register.EBX, 23, Level.EXTRA),
    CLWB(7, 0, Register.EBX, 24, Level.EXTRA),
    SHA(7, 0, Register.EBX, 29, Level.EXTRA, 0, "SSE2"),
    // Leaf 7, ECX and EDX.
    UMIP(7, 0, Register.ECX, 2, Level.EXTRA, Cr4.UMIP),
    RDPID(7, 0, Register.ECX, 22, Level.EXTRA),
    FSRM(7, 0, Register.EDX, 4, Level.EXTRA, 0, "ERMS"),
    /** Kernels that do not see it serialize by IRET to the next instruction, a hundred thousand times in a boot. */
    SERIALIZE(7, 0, Register.EDX, 14, Level.EXTRA),
    ARCH_CAPABILITIES(7, 0, Register.EDX, 29, Level.EXTRA, 0, "MSR"),
    // Leaf 0xD, subleaf 1.
    XSAVEOPT(0xD, 1, Register.EAX, 0, Level.V3, 0, "XSAVE"),
    XSAVEC(0xD, 1, Register.EAX, 1, Level.V3, 0, "XSAVE"),
    // Extended leaf 1.
    LAHF_LM(0x80000001, 0, Register.ECX, 0, Level.V2, 0, "LM"),
    LZCNT(0x80000001, 0, Register.ECX, 5, Level.EXTRA),
    PREFETCHW(0x80000001, 0, Register.ECX, 8, Level.EXTRA),
    SYSCALL(0x80000001, 0, Register.EDX, 11, Level.BASE, 0, "LM"),
    NX(0x80000001, 0, Register.EDX, 20, Level.BASE, 0, "PAE"),
    PAGE_1G(0x80000001, 0, Register.EDX, 26, Level.EXTRA, 0, "LM"),
    RDTSCP(0x80000001, 0, Register.EDX, 27, Level.EXTRA, 0, "TSC"),
    LM(0x80000001, 0, Register.EDX, 29, Level.BASE, 0, "PAE"),
    // Extended leaf 7.
    INVARIANT_TSC(0x80000007, 0, Register.EDX, 8, Level.EXTRA, 0, "TSC");

    /** Who sees a feature. */
    public enum Level {
        /** Every guest: x86-64. */
        BASE,
        /** Guests of the x86-64-v2 level and up. */
        V2,
        /** Beyond v2, for all guests: what is no matter of registers that a kernel must save. */
        EXTRA,
        /** Guests of the x86-64-v3 level and up. */
        V3,
        /** Implemented, but hidden unless asked for, because it makes guests slower here. */
        OPTIONAL
    }

    /** The register of the answer. */
    enum Register {
        EAX,
        EBX,
        ECX,
        EDX
    }

    private final int leaf;
    private final int subleaf;
    private final Register register;
    private final int bit;
    private final Level level;
    private final long cr4;
    private final Set<String> needs;

    Feature(int leaf, int subleaf, Register register, int bit, Level level) {
        this(leaf, subleaf, register, bit, level, 0);
    }

    Feature(int leaf, int subleaf, Register register, int bit, Level level, long cr4, String... needs) {
        this.leaf = leaf;
        this.subleaf = subleaf;
        this.register = register;
        this.bit = bit;
        this.level = level;
        this.cr4 = cr4;
        this.needs = Set.of(needs);
    }

    public int leaf() {
        return leaf;
    }

    public int subleaf() {
        return subleaf;
    }

    /** Index of the register in an answer: eax, ebx, ecx, edx. */
    public int register() {
        return register.ordinal();
    }

    public int bit() {
        return bit;
    }

    public Level level() {
        return level;
    }

    /** The CR4 bit that may be set only when the feature is visible, or 0. */
    public long cr4() {
        return cr4;
    }

    /** Names of the features without which this one is hidden too. */
    public Set<String> needs() {
        return needs;
    }

    /** True when everything that this feature needs is among {@code shown}. */
    boolean needsMet(Set<Feature> shown) {
        for (String need : needs) {
            if (!shown.contains(valueOf(need))) {
                return false;
            }
        }
        return true;
    }
}
