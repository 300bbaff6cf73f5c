package org.xenolith.abi;

/**
 * How much time a virtual CPU spent in each state ({@value #SIZE} bytes).
 *
 * <pre>
 *    0 s32 state
 *    8 u64 state_entry_time   system time when the state was entered; bit 63 see {@link VmAssist#RUNSTATE_UPDATE_FLAG}
 *   16 u64 time[4]            nanoseconds in each state, up to state_entry_time
 * </pre>
 */
public final class RunstateInfo {
    public static final int STATE = 0;
    public static final int ENTRY_TIME = 8;
    public static final int TIME = 16;
    public static final int SIZE = 48;

    public static final int RUNNING = 0;
    public static final int RUNNABLE = 1;
    public static final int BLOCKED = 2;
    public static final int OFFLINE = 3;
    public static final int STATES = 4;

    /** In the entry time: an update is under way. */
    public static final long UPDATE = 1L << 63;

    private RunstateInfo() {}
}
