package org.xenolith.hypervisor.viridian;

import org.xenolith.hypervisor.InterruptController;
import org.xenolith.hypervisor.Vcpu;
import org.xenolith.hypervisor.VcpuTimer;
import org.xenolith.memory.GuestPhysical;
import org.xenolith.memory.Raw;

/** One virtual CPU's registers of the Viridian interface. Used by its own thread only. */
public final class ViridianVcpu {
    private static final int MSR_VP_INDEX = 0x40000002;
    private static final int MSR_EOI = 0x40000070;
    private static final int MSR_ICR = 0x40000071;
    private static final int MSR_TPR = 0x40000072;
    private static final int MSR_VP_ASSIST_PAGE = 0x40000073;
    private static final int MSR_SCONTROL = 0x40000080;
    private static final int MSR_SVERSION = 0x40000081;
    private static final int MSR_SIEFP = 0x40000082;
    private static final int MSR_SIMP = 0x40000083;
    private static final int MSR_EOM = 0x40000084;
    private static final int MSR_SINT0 = 0x40000090;
    private static final int MSR_STIMER0_CONFIG = 0x400000B0;
    private static final int MSR_CRASH_P0 = 0x40000100;

    private static final int SINTS = 16;
    private static final int STIMERS = 4;
    private static final int CRASH_PARAMETERS = 5;
    private static final int FIRST_VECTOR = 0x10;
    private static final long SINT_MASKED = 1 << 16;

    private static final long STIMER_ENABLE = 1;
    private static final long STIMER_PERIODIC = 1 << 1;
    private static final long STIMER_LAZY = 1 << 2;
    private static final long STIMER_AUTO_ENABLE = 1 << 3;

    private static final int MESSAGE_SIZE = 256;
    private static final int MESSAGE_TIMER_EXPIRED = 0x80000010;
    private static final int TIMER_PAYLOAD = 24;
    private static final long NANOS_PER_TICK = 100;
    /** When a message slot is full, it is tried again so much later. */
    private static final long RETRY_NANOS = 1_000_000;

    private static final int MSR_APIC_BASE = 0x1B;
    private static final int MSR_X2APIC = 0x800;
    private static final long APIC_X2 = 1 << 10;
    private static final int APIC_TPR = 0x08;
    private static final int APIC_EOI = 0x0B;
    private static final int APIC_ICR = 0x30;
    private static final int APIC_ICR_HIGH = 0x31;

    /** A page of the guest that a register names; kept while it is enabled. */
    private final class Page {
        long value;
        private int mfn = -1;

        void set(long newValue) {
            release();
            value = newValue;
            if (Viridian.isEnabled(newValue)) {
                mfn = vcpu.domain().memory().pin(Viridian.frame(newValue));
            }
        }

        /** Host address, or 0 when there is no such page. */
        long address() {
            return mfn < 0 ? 0 : vcpu.domain().memory().address(mfn);
        }

        void release() {
            if (mfn >= 0) {
                vcpu.domain().memory().unpin(mfn);
                mfn = -1;
            }
        }
    }

    /** A synthetic timer. Times are in units of 100 ns. */
    private final class Stimer {
        final int index;
        final VcpuTimer timer = vcpu.newTimer(this::fire);
        long config;
        long count;
        private long expiration;
        private boolean started;
        /** It has expired, and its message has not been delivered. */
        private boolean pending;

        Stimer(int index) {
            this.index = index;
        }

        int sint() {
            return (int) (config >>> 16) & SINTS - 1;
        }

        void configure(long value) {
            stop();
            config = value;
            if (sint() == 0 || count == 0) {
                config &= ~STIMER_ENABLE;
            }
            start();
        }

        void setCount(long value) {
            stop();
            count = value;
            if (count == 0) {
                config &= ~STIMER_ENABLE;
            } else if ((config & STIMER_AUTO_ENABLE) != 0) {
                config |= STIMER_ENABLE;
            }
            start();
        }

        long visibleConfig() {
            return pending && (config & STIMER_PERIODIC) == 0 ? config & ~STIMER_ENABLE : config;
        }

        private void stop() {
            timer.cancel();
            started = false;
            pending = false;
        }

        private void start() {
            if ((config & STIMER_ENABLE) == 0 || count == 0) {
                return;
            }
            long now = viridian.referenceTime();
            if ((config & STIMER_PERIODIC) == 0) {
                expiration = count;
            } else if (!started || (config & STIMER_LAZY) != 0 || expiration + count - now <= 0) {
                expiration = now + count;
            } else {
                expiration += count;
            }
            started = true;
            arm(Math.max(0, expiration - now));
        }

        private void arm(long ticks) {
            long most = Long.MAX_VALUE / 4 / NANOS_PER_TICK;
            timer.set(vcpu.domain().clock().now() + Math.min(ticks, most) * NANOS_PER_TICK);
        }

        private void fire() {
            if ((config & STIMER_ENABLE) == 0) {
                return;
            }
            pending = true;
            if (!deliver(sint(), index, expiration)) {
                timer.set(vcpu.domain().clock().now() + RETRY_NANOS);
                return;
            }
            pending = false;
            if ((config & STIMER_PERIODIC) != 0) {
                start();
            } else {
                config &= ~STIMER_ENABLE;
                started = false;
            }
        }
    }

    private final Viridian viridian;
    private final Vcpu vcpu;
    private final InterruptController controller;
    private final Page vpAssist = new Page();
    private final Page messages = new Page();
    private long control;
    private long eventFlags;
    private final long[] sints = new long[SINTS];
    private final Stimer[] stimers = new Stimer[STIMERS];
    private final long[] crash = new long[CRASH_PARAMETERS];

    public ViridianVcpu(Viridian viridian, Vcpu vcpu, InterruptController controller) {
        this.viridian = viridian;
        this.vcpu = vcpu;
        this.controller = controller;
        java.util.Arrays.fill(sints, SINT_MASKED);
        for (int i = 0; i < STIMERS; i++) {
            stimers[i] = new Stimer(i);
        }
    }

    /** RDMSR; false for #GP. */
    public boolean read(int msr, long[] result) {
        if (msr >= MSR_CRASH_P0 && msr < MSR_CRASH_P0 + CRASH_PARAMETERS) {
            result[0] = crash[msr - MSR_CRASH_P0];
            return true;
        }
        if (msr >= MSR_STIMER0_CONFIG && msr < MSR_STIMER0_CONFIG + 2 * STIMERS) {
            Stimer timer = stimers[(msr - MSR_STIMER0_CONFIG) / 2];
            result[0] = (msr & 1) == 0 ? timer.visibleConfig() : timer.count;
            return viridian.has(ViridianFeature.STIMER);
        }
        switch (msr) {
            case MSR_VP_INDEX -> {
                result[0] = vcpu.id();
                return true;
            }
            case MSR_ICR -> {
                result[0] = readApic(APIC_ICR);
                return true;
            }
            case MSR_TPR -> {
                result[0] = readApic(APIC_TPR);
                return true;
            }
            case MSR_VP_ASSIST_PAGE -> {
                result[0] = vpAssist.value;
                return true;
            }
            default -> {
                // Below.
            }
        }
        if (!isSynic(msr)) {
            return viridian.read(msr, result);
        }
        result[0] = switch (msr) {
            case MSR_SCONTROL -> control;
            case MSR_SVERSION -> 1;
            case MSR_SIEFP -> eventFlags;
            case MSR_SIMP -> messages.value;
            case MSR_EOM -> 0;
            default -> sints[msr - MSR_SINT0];
        };
        return viridian.has(ViridianFeature.SYNIC);
    }

    private static boolean isSynic(int msr) {
        return msr >= MSR_SCONTROL && msr <= MSR_EOM || msr >= MSR_SINT0 && msr < MSR_SINT0 + SINTS;
    }

    /** WRMSR; false for #GP. */
    public boolean write(int msr, long value) {
        if (msr >= MSR_CRASH_P0 && msr < MSR_CRASH_P0 + CRASH_PARAMETERS) {
            crash[msr - MSR_CRASH_P0] = value;
            return true;
        }
        if (msr >= MSR_STIMER0_CONFIG && msr < MSR_STIMER0_CONFIG + 2 * STIMERS) {
            if (!viridian.has(ViridianFeature.STIMER)) {
                return false;
            }
            Stimer timer = stimers[(msr - MSR_STIMER0_CONFIG) / 2];
            if ((msr & 1) == 0) {
                timer.configure(value);
            } else {
                timer.setCount(value);
            }
            return true;
        }
        switch (msr) {
            case MSR_VP_INDEX -> {
                return true;
            }
            case MSR_EOI -> {
                writeApic(APIC_EOI, 0);
                return true;
            }
            case MSR_ICR -> {
                writeApic(APIC_ICR, value);
                return true;
            }
            case MSR_TPR -> {
                writeApic(APIC_TPR, value & 0xff);
                return true;
            }
            case MSR_VP_ASSIST_PAGE -> {
                vpAssist.set(value);
                return true;
            }
            default -> {
                return isSynic(msr) ? writeSynic(msr, value) : viridian.write(msr, value);
            }
        }
    }

    private boolean writeSynic(int msr, long value) {
        if (!viridian.has(ViridianFeature.SYNIC)) {
            return false;
        }
        switch (msr) {
            case MSR_SCONTROL -> control = value;
            case MSR_SVERSION -> {
                return false;
            }
            case MSR_SIEFP -> eventFlags = value;
            case MSR_SIMP -> messages.set(value);
            case MSR_EOM -> {
                // A timer whose message had no room tries again by itself.
            }
            default -> {
                if ((value & 0xff) < FIRST_VECTOR) {
                    return false;
                }
                sints[msr - MSR_SINT0] = value;
            }
        }
        return true;
    }

    /** Puts a timer's message into its slot and raises its interrupt; false when there is no page, or the slot is full. */
    private boolean deliver(int sint, int timer, long expiration) {
        long page = messages.address();
        if (page == 0) {
            return false;
        }
        long message = page + (long) sint * MESSAGE_SIZE;
        if (Raw.getIntVolatile(message) != 0) {
            return false;
        }
        Raw.putInt(message + 4, TIMER_PAYLOAD);
        Raw.putLong(message + 8, 0);
        Raw.putInt(message + 16, timer);
        Raw.putInt(message + 20, 0);
        Raw.putLong(message + 24, expiration);
        Raw.putLong(message + 32, viridian.referenceTime());
        Raw.putIntVolatile(message, MESSAGE_TIMER_EXPIRED);
        if ((sints[sint] & SINT_MASKED) == 0) {
            controller.raise((int) sints[sint] & 0xff);
        }
        return true;
    }

    private boolean isX2Apic(long[] base) {
        return controller.readMsr(MSR_APIC_BASE, base) && (base[0] & APIC_X2) != 0;
    }

    private long readApic(int register) {
        long[] value = new long[1];
        if (isX2Apic(value)) {
            controller.readMsr(MSR_X2APIC + register, value);
            return value[0];
        }
        long page = value[0] & -GuestPhysical.FRAME_SIZE;
        long low = controller.mmioRead(page + register * 16L, 4) & 0xffffffffL;
        return register == APIC_ICR ? low | controller.mmioRead(page + APIC_ICR_HIGH * 16L, 4) << 32 : low;
    }

    private void writeApic(int register, long value) {
        long[] base = new long[1];
        if (isX2Apic(base)) {
            controller.writeMsr(MSR_X2APIC + register, value);
            return;
        }
        long page = base[0] & -GuestPhysical.FRAME_SIZE;
        if (register == APIC_ICR) {
            controller.mmioWrite(page + APIC_ICR_HIGH * 16L, 4, value >>> 32);
        }
        controller.mmioWrite(page + register * 16L, 4, value & 0xffffffffL);
    }

    /** Lets go of the guest's memory. */
    public void close() {
        vpAssist.release();
        messages.release();
    }
}
