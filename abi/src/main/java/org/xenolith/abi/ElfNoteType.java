package org.xenolith.abi;

/** Types of ELF notes with the name {@code Xen}, by which a kernel says how it wants to be started. */
public final class ElfNoteType {
    public static final String NAME = "Xen";

    public static final int INFO = 0;
    /** Virtual address of the PV entry point. */
    public static final int ENTRY = 1;

    public static final int HYPERCALL_PAGE = 2;
    public static final int VIRT_BASE = 3;
    public static final int PADDR_OFFSET = 4;
    public static final int XEN_VERSION = 5;
    public static final int GUEST_OS = 6;
    public static final int GUEST_VERSION = 7;
    public static final int LOADER = 8;
    public static final int PAE_MODE = 9;
    /** A list of feature names joined by {@code |}, not NUL-terminated. */
    public static final int FEATURES = 10;

    public static final int BSD_SYMTAB = 11;
    public static final int HV_START_LOW = 12;
    public static final int L1_MFN_VALID = 13;
    public static final int SUSPEND_CANCEL = 14;
    public static final int INIT_P2M = 15;
    public static final int MOD_START_PFN = 16;
    public static final int SUPPORTED_FEATURES = 17;
    /** Guest-physical address of the PVH entry point; 4 or 8 bytes. */
    public static final int PHYS32_ENTRY = 18;
    /** {@code {u32 alignment, minimum, maximum}} for kernels whose PVH entry can be loaded elsewhere. */
    public static final int PHYS32_RELOC = 19;

    private ElfNoteType() {}
}
