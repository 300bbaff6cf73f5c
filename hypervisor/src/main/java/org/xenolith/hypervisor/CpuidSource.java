package org.xenolith.hypervisor;

/** What CPUID answers before the hypervisor adds what only it knows; the {@code cpu} room's policy. */
@FunctionalInterface
public interface CpuidSource {
    /** Fills {@code result} with eax, ebx, ecx and edx. */
    void leaf(int leaf, int subleaf, int[] result);
}
