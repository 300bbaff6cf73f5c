package org.xenolith.abi;

/** Virtual interrupts: events whose source is the hypervisor. */
public final class Virq {
    /** The timers of {@link VcpuOp}. One for each virtual CPU. */
    public static final int TIMER = 0;
    /** Asks a guest to dump its state. One for each virtual CPU. */
    public static final int DEBUG = 1;

    public static final int CONSOLE = 2;
    public static final int DOM_EXC = 3;
    public static final int TBUF = 4;
    public static final int DEBUGGER = 6;
    /** One for each virtual CPU. */
    public static final int XENOPROF = 7;

    public static final int CON_RING = 8;
    public static final int PCPU_STATE = 9;
    public static final int MEM_EVENT = 10;
    public static final int ARGO = 11;
    public static final int ENOMEM = 12;
    /** One for each virtual CPU. */
    public static final int XENPMU = 13;

    public static final int COUNT = 24;

    private Virq() {}
}
