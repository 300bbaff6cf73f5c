package org.xenolith.abi;

/** Operations of {@link HypercallNumber#HVM_OP}: first argument the operation, second a pointer to its structure. */
public final class HvmOp {
    /** {@code {u16 domid, u32 index @4, u64 value @8}}, 16 bytes; see {@link HvmParam}. */
    public static final int SET_PARAM = 0;
    /** The same structure; the value comes back. */
    public static final int GET_PARAM = 1;

    public static final int SET_PCI_INTX_LEVEL = 2;
    public static final int SET_ISA_IRQ_LEVEL = 3;
    public static final int SET_PCI_LINK_ROUTE = 4;
    /** No argument. */
    public static final int FLUSH_TLBS = 5;

    public static final int TRACK_DIRTY_VRAM = 6;
    public static final int MODIFIED_MEMORY = 7;
    public static final int SET_MEM_TYPE = 8;
    /** {@code {u16 domid, u64 gpa @8}}: a hint about page tables, for hypervisors that shadow them. */
    public static final int PAGETABLE_DYING = 9;
    /** {@code {OUT u64 nanoseconds}}. */
    public static final int GET_TIME = 10;

    public static final int XENTRACE = 11;
    public static final int SET_MEM_ACCESS = 12;
    public static final int GET_MEM_ACCESS = 13;
    public static final int INJECT_TRAP = 14;
    /** {@code {u16 domid, OUT u16 type @2, u64 gfn @8}}, 16 bytes. */
    public static final int GET_MEM_TYPE = 15;
    /** {@code {u32 vcpu, u8 vector}}. */
    public static final int SET_EVTCHN_UPCALL_VECTOR = 23;

    public static final int GUEST_REQUEST_VM_EVENT = 24;
    public static final int ALTP2M = 25;

    /** Answers of {@link #GET_MEM_TYPE}. */
    public static final int MEM_RAM_RW = 0;

    public static final int MEM_RAM_RO = 1;
    public static final int MEM_MMIO_DM = 2;

    private HvmOp() {}
}
