package org.xenolith.abi;

/**
 * What a virtual CPU shares with the hypervisor (64-bit layout, {@value #SIZE} bytes): in the shared info page, or where
 * {@link VcpuOp#REGISTER_VCPU_INFO} said.
 */
public final class VcpuInfo {
    /** u8: an event is waiting. The guest clears it before it looks. */
    public static final int UPCALL_PENDING = 0;
    /** u8: PV guests only, the virtual interrupt flag, inverted. */
    public static final int UPCALL_MASK = 1;
    /** u64: one bit for each 64 ports of the two-level ABI. */
    public static final int PENDING_SEL = 8;
    /** u64: PV guests only, the page-fault address. */
    public static final int CR2 = 16;
    /** A {@link VcpuTimeInfo}. */
    public static final int TIME = 32;

    public static final int SIZE = 64;

    private VcpuInfo() {}
}
