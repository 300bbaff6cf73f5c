package org.xenolith.hypervisor.schedule;

import java.util.Optional;

/** The schedulers that a pool can have. */
public enum SchedulerKind {
    /** Proportional shares by weight, with caps. */
    CREDIT2("credit2", 6),
    /** Reservations: a budget in each period, earliest deadline first. */
    RTDS("rtds", 8),
    /** Each virtual CPU has a physical CPU of its own. */
    NULL("null", 9);

    private final String text;
    private final int number;

    SchedulerKind(String text, int number) {
        this.text = text;
        this.number = number;
    }

    /** The identifier in Xen's control interface (XEN_SCHEDULER_*). */
    public int number() {
        return number;
    }

    /** By the name that Xen's tools use. */
    public static Optional<SchedulerKind> byName(String name) {
        for (SchedulerKind kind : values()) {
            if (kind.text.equals(name)) {
                return Optional.of(kind);
            }
        }
        return Optional.empty();
    }

    /** The name that Xen's tools use. */
    @Override
    public String toString() {
        return text;
    }
}
