package org.xenolith.abi;

/**
 * Operations of {@link HypercallNumber#VCPU_OP}: first argument the operation, second the virtual CPU, third a pointer to
 * the operation's structure.
 */
public final class VcpuOp {
    public static final int INITIALISE = 0;
    public static final int UP = 1;
    public static final int DOWN = 2;
    public static final int IS_UP = 3;
    /** OUT {@link RunstateInfo}. */
    public static final int GET_RUNSTATE_INFO = 4;
    /** {@code {u64 address}}: linear address of a {@link RunstateInfo}. */
    public static final int REGISTER_RUNSTATE_MEMORY_AREA = 5;
    /** {@code {u64 period_ns}}. */
    public static final int SET_PERIODIC_TIMER = 6;

    public static final int STOP_PERIODIC_TIMER = 7;
    /** {@code {u64 timeout_abs_ns, u32 flags}}, 16 bytes. */
    public static final int SET_SINGLESHOT_TIMER = 8;

    public static final int STOP_SINGLESHOT_TIMER = 9;
    /** {@code {u64 gfn, u32 offset}}, 16 bytes: where the {@link VcpuInfo} is from now on. */
    public static final int REGISTER_VCPU_INFO = 10;

    public static final int SEND_NMI = 11;
    /** OUT {@code {u64 apic and ACPI ids}}. */
    public static final int GET_PHYSID = 12;
    /** {@code {u64 address}}: linear address of a second copy of {@link VcpuTimeInfo}. */
    public static final int REGISTER_VCPU_TIME_MEMORY_AREA = 13;

    /** In the flags of {@link #SET_SINGLESHOT_TIMER}: a deadline that has passed is an error. */
    public static final int SINGLESHOT_FUTURE = 1;

    private VcpuOp() {}
}
