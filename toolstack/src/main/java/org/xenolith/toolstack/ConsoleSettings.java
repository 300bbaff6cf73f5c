package org.xenolith.toolstack;

import java.nio.file.Path;
import java.util.Optional;

/**
 * What is kept of a console's output.
 *
 * @param historyBytes how much of the latest output {@link Console#history} remembers. 0 for none: then output waits in the
 *     guest until somebody connects, and a guest that writes much waits too
 * @param log a file that all output is appended to; empty for none
 */
public record ConsoleSettings(int historyBytes, Optional<Path> log) {
    /** Nothing is kept, and nothing lost: for whoever connects before the start. */
    public static final ConsoleSettings DEFAULT = new ConsoleSettings(0, Optional.empty());

    /** The last 64 KiB, for guests that run with nobody watching. */
    public static final ConsoleSettings UNATTENDED = new ConsoleSettings(64 << 10, Optional.empty());

    /** The same, and a log. */
    public ConsoleSettings withLog(Path file) {
        return new ConsoleSettings(historyBytes, Optional.of(file));
    }
}
