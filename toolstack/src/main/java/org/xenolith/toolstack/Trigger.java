package org.xenolith.toolstack;

/** What {@link Domain#trigger} does to a guest's virtual hardware. */
public enum Trigger {
    /** A non-maskable interrupt for one virtual CPU. */
    NMI,
    /** INIT for one virtual CPU: it stops and waits for a startup interrupt. */
    INIT,
    /** The reset button: the guest ends as if it had asked for a reboot. */
    RESET,
    /**
     * The power button. PVH guests have no ACPI button, so this asks for a power-off through xenstore, as
     * {@link Domain#requestShutdown()} does.
     */
    POWER
}
