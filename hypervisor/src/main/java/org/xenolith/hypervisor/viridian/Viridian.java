package org.xenolith.hypervisor.viridian;

import java.util.Set;
import org.xenolith.abi.ShutdownReason;
import org.xenolith.hypervisor.Domain;
import org.xenolith.hypervisor.DomainMemory;
import org.xenolith.hypervisor.Vcpu;
import org.xenolith.hypervisor.time.TscScale;
import org.xenolith.memory.GuestPhysical;
import org.xenolith.memory.Raw;

/** The Viridian interface of one domain: what its virtual CPUs share. Fields are guarded by {@code this}. */
public final class Viridian {
    /** CPUID leaves below {@code CPUID_BASE + 0x100} are Viridian's. */
    public static final int CPUID_BASE = 0x40000000;
    /** Where Xen's leaves and its hypercall MSR are in such a domain. */
    public static final int XEN_CPUID_BASE = 0x40000100;

    public static final int XEN_HYPERCALL_MSR = 0x40000200;
    /** MSRs from {@link #CPUID_BASE} up to here are Viridian's. */
    private static final int LAST_MSR = 0x400001FF;

    static final int MSR_GUEST_OS_ID = 0x40000000;
    static final int MSR_HYPERCALL = 0x40000001;
    static final int MSR_TIME_REF_COUNT = 0x40000020;
    static final int MSR_REFERENCE_TSC = 0x40000021;
    static final int MSR_TSC_FREQUENCY = 0x40000022;
    static final int MSR_APIC_FREQUENCY = 0x40000023;
    static final int MSR_CRASH_CTL = 0x40000105;

    /** Windows Server 2008, as Xen says. */
    private static final int BUILD = 0x1772;

    private static final int VERSION = 6 << 16;
    private static final int SPINLOCK_RETRIES = 2047;

    private static final int PRIVILEGE_TIME_REF_COUNT = 1 << 1;
    private static final int PRIVILEGE_SYNIC = 1 << 2;
    private static final int PRIVILEGE_STIMER = 1 << 3;
    private static final int PRIVILEGE_APIC = 1 << 4;
    private static final int PRIVILEGE_HYPERCALL = 1 << 5;
    private static final int PRIVILEGE_VP_INDEX = 1 << 6;
    private static final int PRIVILEGE_REFERENCE_TSC = 1 << 9;
    private static final int PRIVILEGE_FREQUENCY = 1 << 11;

    private static final int FEATURE_CPU_HOTPLUG = 1 << 3;
    private static final int FEATURE_CRASH = 1 << 10;
    private static final int FEATURE_SINT_POLLING = 1 << 17;

    private static final int RECOMMEND_TLB_FLUSH = 1 << 2;
    private static final int RECOMMEND_APIC_MSRS = 1 << 3;
    private static final int RECOMMEND_RELAXED_TIMING = 1 << 5;

    private static final int CALL_FLUSH_SPACE = 2;
    private static final int CALL_FLUSH_LIST = 3;
    private static final int CALL_LONG_SPIN_WAIT = 8;
    private static final int STATUS_INVALID_CODE = 2;

    /** Ticks of 100 ns in a second, and the scale that makes them of the time-stamp counter: ticks << 64 / hertz. */
    private static final long TICKS = 10_000_000;

    private static final long APIC_FREQUENCY = 100_000_000;
    private static final int PAGE_TSC_SCALE = 8;
    private static final int PAGE_TSC_OFFSET = 16;

    private final Domain domain;
    private final Set<ViridianFeature> features;
    private long guestOsId;
    private long hypercall;
    private long referenceTsc;
    /** The pinned page of the reference TSC, or -1. */
    private int referenceTscMfn = -1;

    public Viridian(Domain domain, Set<ViridianFeature> features) {
        this.domain = domain;
        this.features = ViridianFeature.complete(features);
    }

    boolean has(ViridianFeature feature) {
        return features.contains(feature);
    }

    /** Whether an MSR is of this interface, there or not. */
    public static boolean hasMsr(int msr) {
        return msr >= MSR_GUEST_OS_ID && msr <= LAST_MSR;
    }

    /** CPUID leaves 0x40000000 to 0x400000FF; {@code result} is zero. */
    public synchronized void cpuid(int leaf, int[] result) {
        switch (leaf - CPUID_BASE) {
            case 0 -> {
                result[0] = CPUID_BASE + 6;
                result[1] = 0x7263694D; // Micr
                result[2] = 0x666F736F; // osof
                result[3] = 0x76482074; // t Hv
            }
            case 1 -> result[0] = 0x31237648; // Hv#1
            case 2 -> {
                if (guestOsId != 0) {
                    result[0] = BUILD;
                    result[1] = VERSION;
                }
            }
            case 3 -> {
                result[0] = PRIVILEGE_APIC
                        | PRIVILEGE_HYPERCALL
                        | PRIVILEGE_VP_INDEX
                        | flag(ViridianFeature.FREQ, PRIVILEGE_FREQUENCY)
                        | flag(ViridianFeature.TIME_REF_COUNT, PRIVILEGE_TIME_REF_COUNT)
                        | flag(ViridianFeature.REFERENCE_TSC, PRIVILEGE_REFERENCE_TSC)
                        | flag(ViridianFeature.SYNIC, PRIVILEGE_SYNIC)
                        | flag(ViridianFeature.STIMER, PRIVILEGE_STIMER);
                result[3] = flag(ViridianFeature.CPU_HOTPLUG, FEATURE_CPU_HOTPLUG)
                        | flag(ViridianFeature.CRASH_CTL, FEATURE_CRASH)
                        | flag(ViridianFeature.SYNIC, FEATURE_SINT_POLLING);
            }
            case 4 -> {
                if ((guestOsId >>> 40 & 0xff) >= 4) {
                    result[0] = RECOMMEND_RELAXED_TIMING
                            | RECOMMEND_APIC_MSRS
                            | flag(ViridianFeature.HCALL_REMOTE_TLB_FLUSH, RECOMMEND_TLB_FLUSH);
                    result[1] = SPINLOCK_RETRIES;
                }
            }
            case 5 -> result[0] = flag(ViridianFeature.NO_VP_LIMIT, -1);
            default -> {
                // Nothing about hardware.
            }
        }
    }

    private int flag(ViridianFeature feature, int value) {
        return has(feature) ? value : 0;
    }

    /** The counter of 100 ns. */
    long referenceTime() {
        return Math.unsignedMultiplyHigh(domain.clock().timeStampCounter(), tscScale());
    }

    /** As Xen computes it, so that page and register agree: in kilohertz, and in two shifts. */
    private long tscScale() {
        TscScale scale = domain.clock().scale();
        return (TICKS / 1000 << 32) / scale.kilohertz() << 32;
    }

    /** Reads a register that all virtual CPUs share; false for #GP. */
    synchronized boolean read(int msr, long[] result) {
        switch (msr) {
            case MSR_GUEST_OS_ID -> result[0] = guestOsId;
            case MSR_HYPERCALL -> result[0] = hypercall;
            case MSR_TIME_REF_COUNT -> {
                result[0] = referenceTime();
                return has(ViridianFeature.TIME_REF_COUNT);
            }
            case MSR_REFERENCE_TSC -> {
                result[0] = referenceTsc;
                return has(ViridianFeature.REFERENCE_TSC);
            }
            case MSR_TSC_FREQUENCY -> {
                result[0] = domain.clock().scale().frequency();
                return has(ViridianFeature.FREQ);
            }
            case MSR_APIC_FREQUENCY -> {
                result[0] = APIC_FREQUENCY;
                return has(ViridianFeature.FREQ);
            }
            case MSR_CRASH_CTL -> result[0] = Long.MIN_VALUE;
            default -> {
                return false;
            }
        }
        return true;
    }

    /** Writes a register that all virtual CPUs share; false for #GP. */
    synchronized boolean write(int msr, long value) {
        switch (msr) {
            case MSR_GUEST_OS_ID -> guestOsId = value;
            case MSR_HYPERCALL -> {
                hypercall = value;
                if (isEnabled(value)) {
                    writeHypercallPage(frame(value));
                }
            }
            case MSR_REFERENCE_TSC -> {
                if (!has(ViridianFeature.REFERENCE_TSC)) {
                    return false;
                }
                referenceTsc = value;
                close();
                if (isEnabled(value)) {
                    referenceTscMfn = domain.memory().pin(frame(value));
                    writeReferenceTsc();
                }
            }
            case MSR_CRASH_CTL -> {
                if (value < 0) {
                    domain.setShutdownCode(ShutdownReason.CRASH);
                }
            }
            default -> {
                return false;
            }
        }
        return true;
    }

    static boolean isEnabled(long pageMsr) {
        return (pageMsr & 1) != 0;
    }

    static long frame(long pageMsr) {
        return pageMsr >>> GuestPhysical.FRAME_SHIFT;
    }

    /** {@code OR EAX, 0x80000000; VMCALL; RET}: bit 31 tells these hypercalls from Xen's. */
    private void writeHypercallPage(long gfn) {
        byte[] page = new byte[GuestPhysical.FRAME_SIZE];
        java.util.Arrays.fill(page, (byte) 0xCC);
        byte[] code = {0x0D, 0, 0, 0, (byte) 0x80, 0x0F, 0x01, (byte) 0xC1, (byte) 0xC3};
        System.arraycopy(code, 0, page, 0, code.length);
        if (DomainMemory.isValid(gfn)
                && domain.memory().map().write(gfn << GuestPhysical.FRAME_SHIFT, page, 0, page.length)) {
            domain.contentChangedWhileRunning(gfn);
        }
    }

    /** The page may not be there, although the register says so: the guest's loss. */
    private void writeReferenceTsc() {
        if (referenceTscMfn < 0) {
            return;
        }
        long page = domain.memory().address(referenceTscMfn);
        Raw.fill(page, GuestPhysical.FRAME_SIZE, (byte) 0);
        Raw.putLongVolatile(page + PAGE_TSC_SCALE, tscScale());
        Raw.putLongVolatile(page + PAGE_TSC_OFFSET, 0);
        // The sequence; 0 would say that the page is no use.
        Raw.putIntVolatile(page, 1);
    }

    /**
     * A hypercall with bit 31 set.
     *
     * @param vcpu who makes it
     * @param input the guest's input value: call code in the low 16 bits
     * @return the status for its result register
     */
    public long hypercall(Vcpu vcpu, long input) {
        int code = (int) input & 0xffff;
        switch (code) {
            case CALL_LONG_SPIN_WAIT -> {
                vcpu.yieldProcessor();
                return 0;
            }
            case CALL_FLUSH_SPACE, CALL_FLUSH_LIST -> {
                if (has(ViridianFeature.HCALL_REMOTE_TLB_FLUSH)) {
                    domain.flushTlbs();
                    return 0;
                }
                return STATUS_INVALID_CODE;
            }
            default -> {
                return STATUS_INVALID_CODE;
            }
        }
    }

    /** Lets go of the guest's memory. */
    public synchronized void close() {
        if (referenceTscMfn >= 0) {
            domain.memory().unpin(referenceTscMfn);
            referenceTscMfn = -1;
        }
    }
}
