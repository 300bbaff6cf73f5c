package org.xenolith.abi;

/**
 * Operations of {@link HypercallNumber#GRANT_TABLE_OP}: first argument the operation, second a pointer to an array of its
 * structure, third the number of elements. Each element has a {@link GrantStatus} of its own.
 */
public final class GrantTableOp {
    /** {@code {u64 host_addr, u32 flags, u32 ref, u16 dom | OUT s16 status @18, u32 handle @20, u64 dev_bus_addr @24}}. */
    public static final int MAP_GRANT_REF = 0;
    /** {@code {u64 host_addr, u64 dev_bus_addr, u32 handle | OUT s16 status @20}}. */
    public static final int UNMAP_GRANT_REF = 1;
    /** {@code {u16 dom, u32 nr_frames @4, OUT s16 status @8, pointer frames @16}}; frames are ulong. */
    public static final int SETUP_TABLE = 2;

    public static final int DUMP_TABLE = 3;
    public static final int TRANSFER = 4;
    /** {@code {source {u64 ref or gfn, u16 dom @8, u16 offset @10}, dest @16, u16 len @32, u16 flags @34, s16 status @36}}. */
    public static final int COPY = 5;
    /** {@code {u16 dom, OUT u32 nr_frames @4, OUT u32 max_nr_frames @8, OUT s16 status @12}}. */
    public static final int QUERY_SIZE = 6;

    public static final int UNMAP_AND_REPLACE = 7;
    /** {@code {u32 version}}, in and out. */
    public static final int SET_VERSION = 8;
    /** {@code {u32 nr_frames, u16 dom @4, OUT s16 status @6, pointer frames @8}}; frames are u64. */
    public static final int GET_STATUS_FRAMES = 9;
    /** {@code {u16 dom, OUT u32 version @4}}. */
    public static final int GET_VERSION = 10;
    /** {@code {u32 ref_a, u32 ref_b, OUT s16 status}}. */
    public static final int SWAP_GRANT_REF = 11;

    public static final int CACHE_FLUSH = 12;

    public static final int MAP_SIZE = 32;
    public static final int UNMAP_SIZE = 24;
    public static final int SETUP_TABLE_SIZE = 24;
    public static final int COPY_SIZE = 40;
    public static final int QUERY_SIZE_SIZE = 16;
    public static final int GET_STATUS_FRAMES_SIZE = 16;
    public static final int SWAP_SIZE = 12;

    /** Flags of {@link #MAP_GRANT_REF}. */
    public static final int MAP_DEVICE = 1;

    public static final int MAP_HOST = 2;
    public static final int MAP_READONLY = 4;
    public static final int MAP_APPLICATION = 8;
    public static final int MAP_CONTAINS_PTE = 16;

    /** Flags of {@link #COPY}: source, destination is a grant reference. */
    public static final int COPY_SOURCE_REF = 1;

    public static final int COPY_DEST_REF = 2;

    private GrantTableOp() {}
}
