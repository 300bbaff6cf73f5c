package org.xenolith.toolstack;

import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import java.util.function.Consumer;

/**
 * What to trace and who gets the lines.
 *
 * @param kinds what to trace
 * @param sink gets one line a call, from the guest's thread
 */
public record TraceConfig(Set<Kind> kinds, Consumer<String> sink) {
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
        INSN;

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
    }
}
