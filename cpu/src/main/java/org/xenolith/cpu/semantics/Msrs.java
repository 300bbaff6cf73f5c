package org.xenolith.cpu.semantics;

import org.xenolith.cpu.CpuidPolicy;
import org.xenolith.cpu.Efer;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Cr0;
import org.xenolith.cpu.core.Descriptors;
import org.xenolith.memory.Raw;

/**
 * The model specific registers that are the processor's own. All others are the world's: local APIC, MTRRs, what a
 * vendor put there.
 */
final class Msrs {
    private static final int TSC = 0x10;
    private static final int PLATFORM_INFO = 0xCE;
    private static final int MISC_FEATURES_ENABLES = 0x140;
    private static final int SYSENTER_CS = 0x174;
    private static final int SYSENTER_ESP = 0x175;
    private static final int SYSENTER_EIP = 0x176;
    private static final int MISC_ENABLE = 0x1A0;
    private static final int DEBUG_CONTROL = 0x1D9;
    private static final int PAT = 0x277;
    private static final int EFER = 0xC0000080;
    private static final int STAR = 0xC0000081;
    private static final int LSTAR = 0xC0000082;
    private static final int CSTAR = 0xC0000083;
    private static final int SFMASK = 0xC0000084;
    private static final int FS_BASE = 0xC0000100;
    private static final int GS_BASE = 0xC0000101;
    private static final int KERNEL_GS_BASE = 0xC0000102;
    private static final int TSC_AUX = 0xC0000103;

    /** PLATFORM_INFO: CPUID faulting can be had. */
    private static final long HAS_CPUID_FAULTING = 1L << 31;
    /** DEBUGCTL: last-branch records and single-stepping by branches; no trace store, no trace messages. */
    private static final long DEBUG_CONTROL_WRITABLE = 3;

    private static final int FS_BASE_OFFSET = VcpuState.SEGMENTS + VcpuState.FS * VcpuState.SEGMENT_SIZE;
    private static final int GS_BASE_OFFSET = VcpuState.SEGMENTS + VcpuState.GS * VcpuState.SEGMENT_SIZE;

    private Msrs() {}

    static long read(Cpu c, int msr) {
        return switch (msr) {
            case TSC -> c.world.timeStampCounter();
            case PLATFORM_INFO -> HAS_CPUID_FAULTING;
            case MISC_FEATURES_ENABLES -> c.control(VcpuState.MISC_FEATURES);
            case SYSENTER_CS -> c.control(VcpuState.SYSENTER_CS);
            case SYSENTER_ESP -> c.control(VcpuState.SYSENTER_ESP);
            case SYSENTER_EIP -> c.control(VcpuState.SYSENTER_EIP);
            case MISC_ENABLE -> c.control(VcpuState.MISC_ENABLE);
            case DEBUG_CONTROL -> c.control(VcpuState.DEBUG_CONTROL);
            case PAT -> c.control(VcpuState.PAT);
            case EFER -> c.control(VcpuState.EFER);
            case STAR -> c.control(VcpuState.STAR);
            case LSTAR -> c.control(VcpuState.LSTAR);
            case CSTAR -> c.control(VcpuState.CSTAR);
            case SFMASK -> c.control(VcpuState.SFMASK);
            case FS_BASE -> c.control(FS_BASE_OFFSET);
            case GS_BASE -> c.control(GS_BASE_OFFSET);
            case KERNEL_GS_BASE -> c.control(VcpuState.KERNEL_GS_BASE);
            case TSC_AUX -> Raw.getInt(c.base + VcpuState.TSC_AUX) & 0xffffffffL;
            default -> {
                long[] result = new long[1];
                if (!c.world.readMsr(msr, result)) {
                    throw c.generalProtection(0);
                }
                yield result[0];
            }
        };
    }

    static void write(Cpu c, int msr, long value) {
        switch (msr) {
            case PLATFORM_INFO -> throw c.generalProtection(0);
            case MISC_FEATURES_ENABLES -> setMasked(c, VcpuState.MISC_FEATURES, value, SystemInsns.CPUID_FAULTING);
            case DEBUG_CONTROL -> setMasked(c, VcpuState.DEBUG_CONTROL, value, DEBUG_CONTROL_WRITABLE);
            case SYSENTER_CS -> c.setControl(VcpuState.SYSENTER_CS, value & 0xffffffffL);
            case SYSENTER_ESP -> setAddress(c, VcpuState.SYSENTER_ESP, value);
            case SYSENTER_EIP -> setAddress(c, VcpuState.SYSENTER_EIP, value);
            case MISC_ENABLE -> c.setControl(VcpuState.MISC_ENABLE, value);
            case PAT -> setPat(c, value);
            case EFER -> setEfer(c, value);
            case STAR -> c.setControl(VcpuState.STAR, value);
            case LSTAR -> setAddress(c, VcpuState.LSTAR, value);
            case CSTAR -> setAddress(c, VcpuState.CSTAR, value);
            case SFMASK -> setLow(c, VcpuState.SFMASK, value);
            case FS_BASE -> setAddress(c, FS_BASE_OFFSET, value);
            case GS_BASE -> setAddress(c, GS_BASE_OFFSET, value);
            case KERNEL_GS_BASE -> setAddress(c, VcpuState.KERNEL_GS_BASE, value);
            case TSC_AUX -> setLow(c, VcpuState.TSC_AUX, value);
            default -> {
                if (!c.world.writeMsr(msr, value)) {
                    throw c.generalProtection(0);
                }
            }
        }
    }

    private static void setAddress(Cpu c, int offset, long value) {
        if (!Descriptors.canonical(value)) {
            throw c.generalProtection(0);
        }
        c.setControl(offset, value);
    }

    private static void setMasked(Cpu c, int offset, long value, long writable) {
        if ((value & ~writable) != 0) {
            throw c.generalProtection(0);
        }
        c.setControl(offset, value);
    }

    private static void setLow(Cpu c, int offset, long value) {
        if (value >>> 32 != 0) {
            throw c.generalProtection(0);
        }
        c.setControl(offset, value);
    }

    /** Memory types 2 and 3, and those above 7, do not exist. */
    private static void setPat(Cpu c, long value) {
        for (int n = 0; n < 8; n++) {
            int type = (int) (value >>> n * 8) & 0xff;
            if (type > 7 || type == 2 || type == 3) {
                throw c.generalProtection(0);
            }
        }
        c.setControl(VcpuState.PAT, value);
    }

    private static void setEfer(Cpu c, long value) {
        long old = c.control(VcpuState.EFER);
        value = value & ~Efer.LMA | old & Efer.LMA;
        if ((value & ~(CpuidPolicy.eferMask(c.world) | Efer.LMA)) != 0) {
            throw c.generalProtection(0);
        }
        boolean paging = (c.control(VcpuState.CR0) & Cr0.PG) != 0;
        if (paging && ((old ^ value) & Efer.LME) != 0) {
            throw c.generalProtection(0);
        }
        c.setControl(VcpuState.EFER, value);
        if (((old ^ value) & Efer.NXE) != 0) {
            c.flushTlb();
        }
        c.refresh();
    }
}
