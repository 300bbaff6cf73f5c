package org.xenolith.hypervisor;

import java.util.concurrent.atomic.AtomicLongArray;
import org.xenolith.abi.HvmParam;
import org.xenolith.abi.ShutdownReason;

/** The parameters of a domain in a hardware container, see {@link HvmParam}. Who may change which is the hypercall's business. */
public final class HvmParams {
    private final AtomicLongArray values = new AtomicLongArray(HvmParam.COUNT);

    HvmParams() {
        // Xen's default is to reboot. Kernels that want a reboot ask for one; a triple fault is an accident that its
        // owner wants to hear about.
        values.set(HvmParam.TRIPLE_FAULT_REASON, ShutdownReason.CRASH);
    }

    /** A parameter's value. */
    public long get(int index) {
        return values.get(index);
    }

    /** Sets a parameter. */
    public void set(int index, long value) {
        values.set(index, value);
    }

    /** The vector by which events are announced without an APIC, or 0. */
    int callbackVector() {
        long value = values.get(HvmParam.CALLBACK_IRQ);
        return value >>> HvmParam.CALLBACK_TYPE_SHIFT == HvmParam.CALLBACK_VECTOR ? (int) value & 0xff : 0;
    }
}
