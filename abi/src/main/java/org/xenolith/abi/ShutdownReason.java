package org.xenolith.abi;

/** Why a domain shut down, as it said in {@link SchedOp#SHUTDOWN}. */
public final class ShutdownReason {
    public static final int POWEROFF = 0;
    public static final int REBOOT = 1;
    public static final int SUSPEND = 2;
    public static final int CRASH = 3;
    public static final int WATCHDOG = 4;
    public static final int SOFT_RESET = 5;

    private ShutdownReason() {}

    /** A word for people. */
    public static String name(int reason) {
        return switch (reason) {
            case POWEROFF -> "poweroff";
            case REBOOT -> "reboot";
            case SUSPEND -> "suspend";
            case CRASH -> "crash";
            case WATCHDOG -> "watchdog";
            case SOFT_RESET -> "soft reset";
            default -> "reason " + reason;
        };
    }
}
