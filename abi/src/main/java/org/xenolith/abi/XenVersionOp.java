package org.xenolith.abi;

/** Operations of {@link HypercallNumber#XEN_VERSION}; the second argument points to where the answer goes. */
public final class XenVersionOp {
    /** No argument; returns {@code major << 16 | minor}. */
    public static final int VERSION = 0;
    /** OUT char[16]. */
    public static final int EXTRAVERSION = 1;
    /** OUT {@code {char compiler[64], compile_by[16], compile_domain[32], compile_date[32]}}. */
    public static final int COMPILE_INFO = 2;
    /** OUT char[1024]. */
    public static final int CAPABILITIES = 3;
    /** OUT char[64]. */
    public static final int CHANGESET = 4;
    /** OUT {@code {ulong virt_start}}. */
    public static final int PLATFORM_PARAMETERS = 5;
    /** {@code {u32 submap_index, OUT u32 submap}}, see {@link XenFeature}. */
    public static final int GET_FEATURES = 6;
    /** No argument; returns the page size. */
    public static final int PAGESIZE = 7;
    /** OUT u8[16]: the domain's UUID. */
    public static final int GUEST_HANDLE = 8;
    /** OUT char[1024]. */
    public static final int COMMANDLINE = 9;
    /** {@code {u32 length, u8 build_id[]}}. */
    public static final int BUILD_ID = 10;

    /** The version of the interface that we speak. */
    public static final int MAJOR = 4;

    public static final int MINOR = 17;

    private XenVersionOp() {}
}
