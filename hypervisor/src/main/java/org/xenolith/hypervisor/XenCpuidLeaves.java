package org.xenolith.hypervisor;

import org.xenolith.abi.XenCpuid;
import org.xenolith.abi.XenVersionOp;
import org.xenolith.hypervisor.time.TscScale;
import org.xenolith.hypervisor.viridian.Viridian;

/**
 * What the hypervisor adds to a domain's CPUID policy: the leaves by which a guest finds Xen, and what differs between the
 * virtual CPUs of one domain.
 */
final class XenCpuidLeaves {
    private static final int FEATURES_ECX_X2APIC = 1 << 21;
    private static final int FEATURES_ECX_HYPERVISOR = 1 << 31;
    private static final int FEATURES_EDX_APIC = 1 << 9;
    private static final int EXTENDED_EDX_RDTSCP = 1 << 27;

    private final CpuidSource policy;

    XenCpuidLeaves(CpuidSource policy) {
        this.policy = policy;
    }

    void leaf(Vcpu vcpu, int leaf, int subleaf, int[] result) {
        Viridian viridian = vcpu.domain().viridian();
        if (viridian != null && leaf >>> 8 == Viridian.CPUID_BASE >>> 8) {
            clear(result);
            viridian.cpuid(leaf, result);
            return;
        }
        int base = viridian == null ? XenCpuid.BASE : Viridian.XEN_CPUID_BASE;
        if (leaf >>> 8 == base >>> 8) {
            xen(vcpu, base, leaf - base, subleaf, result);
            return;
        }
        policy.leaf(leaf, subleaf, result);
        switch (leaf) {
            case 1 -> {
                result[1] = result[1] & 0x00ffffff | vcpu.apicId() << 24;
                result[2] |= FEATURES_ECX_HYPERVISOR;
            }
            case 0xB, 0x1F -> result[3] = vcpu.apicId();
            case 0x8000001E -> result[0] = vcpu.apicId();
            default -> {
                // The same for all virtual CPUs.
            }
        }
    }

    private static void clear(int[] result) {
        result[0] = 0;
        result[1] = 0;
        result[2] = 0;
        result[3] = 0;
    }

    private void xen(Vcpu vcpu, int base, int leaf, int subleaf, int[] result) {
        clear(result);
        switch (leaf) {
            case 0 -> {
                result[0] = base + XenCpuid.LEAVES - 1;
                result[1] = XenCpuid.SIGNATURE_EBX;
                result[2] = XenCpuid.SIGNATURE_ECX;
                result[3] = XenCpuid.SIGNATURE_EDX;
            }
            case 1 -> result[0] = XenVersionOp.MAJOR << 16 | XenVersionOp.MINOR;
            case 2 -> {
                result[0] = 1;
                result[1] = base == XenCpuid.BASE ? XenCpuid.HYPERCALL_PAGE_MSR : Viridian.XEN_HYPERCALL_MSR;
            }
            case 3 -> time(vcpu, subleaf, result);
            case 4 -> {
                result[0] = XenCpuid.HVM_VCPU_ID_PRESENT | XenCpuid.HVM_DOMAIN_ID_PRESENT | XenCpuid.HVM_UPCALL_VECTOR;
                int[] features = new int[4];
                policy.leaf(1, 0, features);
                if ((features[3] & FEATURES_EDX_APIC) == 0) {
                    result[0] &= ~XenCpuid.HVM_UPCALL_VECTOR;
                } else if ((features[2] & FEATURES_ECX_X2APIC) != 0) {
                    result[0] |= XenCpuid.HVM_X2APIC_VIRTUALIZED;
                }
                result[1] = vcpu.id();
                result[2] = vcpu.domain().id();
            }
            default -> {
                // Leaf 5 is for PV guests; others do not exist.
            }
        }
    }

    private void time(Vcpu vcpu, int subleaf, int[] result) {
        TscScale scale = vcpu.domain().clock().scale();
        switch (subleaf) {
            case 0 -> {
                int[] extended = new int[4];
                policy.leaf(0x80000001, 0, extended);
                result[0] = XenCpuid.TSC_RELIABLE;
                if ((extended[3] & EXTENDED_EDX_RDTSCP) != 0) {
                    result[0] |= XenCpuid.TSC_RDTSCP;
                }
                result[2] = scale.kilohertz();
            }
            case 1 -> {
                result[2] = scale.multiplier();
                result[3] = scale.shift();
            }
            case 2 -> result[0] = scale.kilohertz();
            default -> {
                // No more.
            }
        }
    }
}
