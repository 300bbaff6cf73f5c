package org.xenolith.abi;

/** Parameters of a domain in a hardware container, by {@link HvmOp#SET_PARAM} and {@link HvmOp#GET_PARAM}. */
public final class HvmParam {
    /**
     * How events are announced. Bits 63..56 are the method: 0 a GSI in the low byte (0 = off), 1 a PCI INTx line,
     * 2 a vector in the low byte, injected for as long as events are pending and not acknowledged at an APIC.
     */
    public static final int CALLBACK_IRQ = 0;
    /** Guest frame of the xenstore ring, and its event channel. */
    public static final int STORE_PFN = 1;

    public static final int STORE_EVTCHN = 2;
    public static final int IOREQ_PFN = 5;
    public static final int BUFIOREQ_PFN = 6;
    public static final int BUFIOREQ_EVTCHN = 26;
    public static final int VIRIDIAN = 9;
    public static final int TIMER_MODE = 10;
    public static final int HPET_ENABLED = 11;
    public static final int IDENT_PT = 12;
    public static final int ACPI_S_STATE = 14;
    public static final int VM86_TSS = 15;
    public static final int VPT_ALIGN = 16;
    /** Guest frame of the console ring, and its event channel. */
    public static final int CONSOLE_PFN = 17;

    public static final int CONSOLE_EVTCHN = 18;
    public static final int ACPI_IOPORTS_LOCATION = 19;
    public static final int PAGING_RING_PFN = 27;
    public static final int MONITOR_RING_PFN = 28;
    public static final int SHARING_RING_PFN = 29;
    /** A {@link ShutdownReason}. */
    public static final int TRIPLE_FAULT_REASON = 31;

    public static final int IOREQ_SERVER_PFN = 32;
    public static final int NR_IOREQ_SERVER_PAGES = 33;
    public static final int VM_GENERATION_ID_ADDR = 34;
    public static final int ALTP2M = 35;
    public static final int X87_FIP_WIDTH = 36;
    public static final int VM86_TSS_SIZED = 37;
    public static final int MCA_CAP = 38;
    public static final int COUNT = 39;

    /** Methods of {@link #CALLBACK_IRQ}. */
    public static final int CALLBACK_GSI = 0;

    public static final int CALLBACK_PCI_INTX = 1;
    public static final int CALLBACK_VECTOR = 2;
    public static final int CALLBACK_TYPE_SHIFT = 56;

    private HvmParam() {}
}
