package org.xenolith.abi;

/** Operations of {@link HypercallNumber#SCHED_OP}: first argument the operation, second a pointer to its structure. */
public final class SchedOp {
    public static final int YIELD = 0;
    /** Enables event delivery and sleeps until an event arrives. */
    public static final int BLOCK = 1;
    /** {@code {u32 reason}}, a {@link ShutdownReason}. */
    public static final int SHUTDOWN = 2;
    /**
     * {@code {pointer to u32 ports[], u32 nr_ports, u64 timeout}}: sleeps until one of the ports is pending or the system
     * time reaches {@code timeout} (0 = never). At most {@value #POLL_MAX_PORTS} ports.
     */
    public static final int POLL = 3;
    /** {@code {u16 domid, u32 reason}}: privileged domains shut another one down. */
    public static final int REMOTE_SHUTDOWN = 4;
    /** {@code {u32 reason}}: remembers the reason for a shutdown that follows. */
    public static final int SHUTDOWN_CODE = 5;
    /** {@code {u32 id, u32 timeout}}: id 0 makes a watchdog; timeout in seconds, 0 stops it. */
    public static final int WATCHDOG = 6;
    /** {@code {s32 pcpu}}: hardware domain only. */
    public static final int PIN_OVERRIDE = 7;

    public static final int POLL_MAX_PORTS = 128;
    /** Watchdogs that a domain can have. */
    public static final int WATCHDOGS = 2;

    private SchedOp() {}
}
