package org.xenolith.abi;

/**
 * CPUID leaves by which a guest finds Xen, relative to {@link #BASE}.
 *
 * <pre>
 *   +0    eax highest leaf, ebx/ecx/edx "XenVMMXenVMM"
 *   +1    eax major << 16 | minor
 *   +2    eax number of hypercall pages, ebx MSR to write their address to
 *   +3.0  eax 1 counter emulated, 2 counter reliable, 4 RDTSCP; ebx mode; ecx kHz; edx incarnation
 *   +3.1  eax/ebx offset of the counter, ecx multiplier, edx shift to nanoseconds
 *   +3.2  eax host kHz
 *   +4    hardware containers: eax feature bits below, ebx vcpu id, ecx domain id
 *   +5    PV guests: ebx width of machine addresses
 * </pre>
 */
public final class XenCpuid {
    public static final int BASE = 0x40000000;
    public static final int LEAVES = 6;
    public static final int SIGNATURE_EBX = 0x566E6558;
    public static final int SIGNATURE_ECX = 0x65584D4D;
    public static final int SIGNATURE_EDX = 0x4D4D566E;
    /** MSR whose write with a page's guest-physical address fills that page with hypercall stubs. */
    public static final int HYPERCALL_PAGE_MSR = 0x40000000;
    /** One past the last MSR number that belongs to Xen. */
    public static final int LAST_MSR = 0x400001FF;

    public static final int TSC_EMULATED = 1;
    public static final int TSC_RELIABLE = 2;
    public static final int TSC_RDTSCP = 4;

    public static final int HVM_APIC_ACCESS_VIRTUALIZED = 1;
    public static final int HVM_X2APIC_VIRTUALIZED = 1 << 1;
    public static final int HVM_IOMMU_MAPPINGS = 1 << 2;
    public static final int HVM_VCPU_ID_PRESENT = 1 << 3;
    public static final int HVM_DOMAIN_ID_PRESENT = 1 << 4;
    public static final int HVM_EXTENDED_DESTINATION_ID = 1 << 5;
    public static final int HVM_UPCALL_VECTOR = 1 << 6;

    private XenCpuid() {}
}
