package org.xenolith.toolstack;

import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import java.util.function.Consumer;

/**
 * What to trace and who gets the lines.
 *
 * @param kinds what to trace
 * @param hashInterval instructions between two lines of kind {@link Kind#HASH}
 * @param sink gets one line a call, from the guest's thread
 */
public record TraceConfig(Set<Kind> kinds, long hashInterval, Consumer<String> sink) {
    /** Instructions between two hashes when nobody says otherwise. */
    public static final long DEFAULT_HASH_INTERVAL = 1_000_000;

    /** What can be traced. */
    public enum Kind {
        HYPERCALL,
        EXCEPTION,
        INTERRUPT,
        PORT,
        MSR,
        MMIO,
        EVENT,
        /** Every instruction with its symbol: slow. */
        INSN,
        /** Hashes of processor and memory at fixed numbers of instructions: where two runs begin to differ. */
        HASH;

        /** The kind that an option names, or an exception whose message lists them. */
        public static Kind parse(String text) {
            for (Kind kind : values()) {
                if (kind.name().equalsIgnoreCase(text)) {
                    return kind;
                }
            }
            throw new IllegalArgumentException("cannot trace '" + text + "': one of "
                    + String.join(
                            ", ",
                            EnumSet.allOf(Kind.class).stream()
                                    .map(k -> k.name().toLowerCase(Locale.ROOT))
                                    .toList()));
        }
    }

    public TraceConfig {
        kinds = Set.copyOf(kinds);
        if (hashInterval <= 0) {
            throw new IllegalArgumentException("hashes every " + hashInterval + " instructions");
        }
    }

    /** A trace whose hashes, if any, come every {@link #DEFAULT_HASH_INTERVAL} instructions. */
    public TraceConfig(Set<Kind> kinds, Consumer<String> sink) {
        this(kinds, DEFAULT_HASH_INTERVAL, sink);
    }
}
