package org.xenolith.abi;

/** {@link HypercallNumber#VM_ASSIST}: first argument {@link #ENABLE} or {@link #DISABLE}, second the assist. */
public final class VmAssist {
    public static final int ENABLE = 0;
    public static final int DISABLE = 1;

    public static final int FOUR_GB_SEGMENTS = 0;
    public static final int FOUR_GB_SEGMENTS_NOTIFY = 1;
    public static final int WRITABLE_PAGE_TABLES = 2;
    public static final int PAE_EXTENDED_CR3 = 3;
    public static final int ARCHITECTURAL_IOPL = 4;
    /** The hypervisor flags updates of {@link RunstateInfo} by bit 63 of its entry time. */
    public static final int RUNSTATE_UPDATE_FLAG = 5;

    public static final int M2P_STRICT = 32;

    private VmAssist() {}
}
