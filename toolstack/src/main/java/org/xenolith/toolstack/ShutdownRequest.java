package org.xenolith.toolstack;

/** What a guest can be asked to do through xenstore ({@code control/shutdown}); whether it does is up to it. */
public enum ShutdownRequest {
    POWEROFF,
    REBOOT,
    HALT,
    SUSPEND
}
