package org.xenolith.toolstack;

/**
 * What becomes of a domain for each way in which its guest can end.
 *
 * @param onPoweroff it powered off or halted
 * @param onReboot it asked to be started again
 * @param onCrash its kernel reported a crash, or the hypervisor stopped it
 * @param onWatchdog its watchdog fired
 * @param onSoftReset it asked for a reset that keeps memory, as a kernel does that starts another one with kexec. That reset
 *     itself is not implemented, so xl's default here, {@code soft-reset}, has no equivalent
 */
public record LifecycleActions(
        LifecycleAction onPoweroff,
        LifecycleAction onReboot,
        LifecycleAction onCrash,
        LifecycleAction onWatchdog,
        LifecycleAction onSoftReset) {
    /** The defaults of xl.cfg. */
    public static final LifecycleActions DEFAULT = new LifecycleActions(
            LifecycleAction.DESTROY,
            LifecycleAction.RESTART,
            LifecycleAction.DESTROY,
            LifecycleAction.DESTROY,
            LifecycleAction.RESTART);

    /** The domain stays, whatever happens: for callers that look at it themselves. */
    public static final LifecycleActions PRESERVE = all(LifecycleAction.PRESERVE);

    /** The same action for everything. */
    public static LifecycleActions all(LifecycleAction action) {
        return new LifecycleActions(action, action, action, action, action);
    }

    public LifecycleActions withPoweroff(LifecycleAction action) {
        return new LifecycleActions(action, onReboot, onCrash, onWatchdog, onSoftReset);
    }

    public LifecycleActions withReboot(LifecycleAction action) {
        return new LifecycleActions(onPoweroff, action, onCrash, onWatchdog, onSoftReset);
    }

    public LifecycleActions withCrash(LifecycleAction action) {
        return new LifecycleActions(onPoweroff, onReboot, action, onWatchdog, onSoftReset);
    }

    public LifecycleActions withWatchdog(LifecycleAction action) {
        return new LifecycleActions(onPoweroff, onReboot, onCrash, action, onSoftReset);
    }

    public LifecycleActions withSoftReset(LifecycleAction action) {
        return new LifecycleActions(onPoweroff, onReboot, onCrash, onWatchdog, action);
    }
}
