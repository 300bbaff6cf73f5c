package org.xenolith.cli;

import java.nio.file.Path;

/**
 * What {@code --console} says.
 *
 * @param kind where the console goes
 * @param file for {@link Kind#FILE}
 */
record ConsoleChoice(Kind kind, Path file) {
    /** Kinds of consoles. */
    enum Kind {
        STDIO,
        NONE,
        FILE
    }

    static ConsoleChoice parse(String text) {
        if (text.equals("stdio")) {
            return new ConsoleChoice(Kind.STDIO, null);
        }
        if (text.equals("none")) {
            return new ConsoleChoice(Kind.NONE, null);
        }
        if (text.startsWith("file:") && text.length() > 5) {
            return new ConsoleChoice(Kind.FILE, Path.of(text.substring(5)));
        }
        throw new CliException(ExitStatus.USAGE, "--console '" + text + "' is unknown: give stdio, none, or file:PATH");
    }
}
