package org.xenolith.abi;

/**
 * Operations of {@link HypercallNumber#MEMORY_OP}: the low {@value #SHIFT} bits of the first argument are the operation,
 * the rest the extent to continue from; the second argument points to the operation's structure.
 *
 * <p>{@code memory_reservation} is {@code {pointer extents, ulong nr_extents, u32 extent_order @16, u32 mem_flags @20,
 * u16 domid @24}}, 32 bytes; these operations return how many extents they have dealt with.
 */
public final class MemoryOp {
    /** {@code memory_reservation}. */
    public static final int INCREASE_RESERVATION = 0;
    /** {@code memory_reservation}. */
    public static final int DECREASE_RESERVATION = 1;
    /** No argument: the highest machine frame number plus one. */
    public static final int MAXIMUM_RAM_PAGE = 2;
    /** {@code {u16 domid}}: frames that the domain has. */
    public static final int CURRENT_RESERVATION = 3;
    /** {@code {u16 domid}}: frames that the domain may have. */
    public static final int MAXIMUM_RESERVATION = 4;

    public static final int MACHPHYS_MFN_LIST = 5;
    /** {@code memory_reservation}. */
    public static final int POPULATE_PHYSMAP = 6;
    /** {@code {u16 domid, u16 size @2, u32 space @4, ulong index @8, ulong gfn @16}}, 24 bytes. */
    public static final int ADD_TO_PHYSMAP = 7;
    /** {@code {u32 nr_entries, pointer buffer @8}}: entries {u64 address, u64 size, u32 type}, 20 bytes each. */
    public static final int MEMORY_MAP = 9;

    public static final int MACHINE_MEMORY_MAP = 10;
    /** {@code {memory_reservation in, memory_reservation out, ulong nr_exchanged}}: PV guests. */
    public static final int EXCHANGE = 11;

    public static final int MACHPHYS_MAPPING = 12;
    public static final int SET_MEMORY_MAP = 13;
    /** {@code {u16 domid}}: the highest guest frame number. */
    public static final int MAXIMUM_GPFN = 14;
    /** {@code {u16 domid, ulong gfn @8}}, 16 bytes. */
    public static final int REMOVE_FROM_PHYSMAP = 15;

    public static final int SET_POD_TARGET = 16;
    public static final int GET_POD_TARGET = 17;
    public static final int GET_SHARING_FREED_PAGES = 18;
    public static final int GET_SHARING_SHARED_PAGES = 19;
    public static final int PAGING_OP = 20;
    public static final int ACCESS_OP = 21;
    public static final int SHARING_OP = 22;
    /**
     * {@code {u16 domid, u16 space @2, u16 size @4, u16 foreign_domid @6, pointer indexes @8, pointer gfns @16,
     * pointer errors @24}}, 32 bytes.
     */
    public static final int ADD_TO_PHYSMAP_BATCH = 23;

    public static final int CLAIM_PAGES = 24;
    public static final int MACHPHYS_COMPAT_MFN_LIST = 25;
    public static final int GET_VNUMAINFO = 26;
    public static final int RESERVED_DEVICE_MEMORY_MAP = 27;
    public static final int ACQUIRE_RESOURCE = 28;

    /** Bits of the operation number. */
    public static final int SHIFT = 6;

    public static final int MASK = (1 << SHIFT) - 1;

    /** What {@link #ADD_TO_PHYSMAP} maps. */
    public static final int SPACE_SHARED_INFO = 0;

    public static final int SPACE_GRANT_TABLE = 1;
    public static final int SPACE_GMFN = 2;
    public static final int SPACE_GMFN_RANGE = 3;
    public static final int SPACE_GMFN_FOREIGN = 4;
    public static final int SPACE_DEV_MMIO = 5;
    /** In the index of {@link #SPACE_GRANT_TABLE}: a frame of version 2 status words. */
    public static final long GRANT_STATUS_INDEX = 1L << 31;

    /** Size of an entry of {@link #MEMORY_MAP}. */
    public static final int E820_ENTRY_SIZE = 20;

    private MemoryOp() {}
}
