package org.xenolith.toolstack;

import java.util.Locale;

/** What becomes of a domain when its guest ends: the values of {@code on_poweroff} and its relatives in xl.cfg. */
public enum LifecycleAction {
    /** The domain is gone. */
    DESTROY,
    /** A new one is built from the same configuration, with the same name and uuid and a new identifier. */
    RESTART,
    /** As {@link #RESTART}, and the old one stays, under another name and uuid, until it is destroyed. */
    RENAME_RESTART,
    /** The domain stays as it is until it is destroyed. */
    PRESERVE,
    /** Its memory is written to {@link HostConfig#dumpDirectory}, then as {@link #DESTROY}. */
    COREDUMP_DESTROY,
    /** Its memory is written to {@link HostConfig#dumpDirectory}, then as {@link #RESTART}. */
    COREDUMP_RESTART;

    boolean dumpsCore() {
        return this == COREDUMP_DESTROY || this == COREDUMP_RESTART;
    }

    boolean restarts() {
        return this == RESTART || this == RENAME_RESTART || this == COREDUMP_RESTART;
    }

    boolean keepsOld() {
        return this == PRESERVE || this == RENAME_RESTART;
    }

    /** As xl.cfg writes it: {@code rename-restart}. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
