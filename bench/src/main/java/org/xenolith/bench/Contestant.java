package org.xenolith.bench;

import java.util.Optional;

/** Who runs the workloads. */
public enum Contestant {
    /** {@code ./xeno run}, as a user starts it. */
    XENOLITH("xenolith"),
    /** QEMU's own binary translator, the peer that our speed is judged by. */
    TCG("tcg"),
    /** The same programs as processes of this machine, bound to one processor: the bound of what is possible. */
    NATIVE("native");

    private final String label;

    Contestant(String label) {
        this.label = label;
    }

    /** The name in options, tables and JSON. */
    public String label() {
        return label;
    }

    /** The contestant of a name, in any case. */
    public static Optional<Contestant> of(String name) {
        for (Contestant contestant : values()) {
            if (contestant.label.equalsIgnoreCase(name)) {
                return Optional.of(contestant);
            }
        }
        return Optional.empty();
    }
}
