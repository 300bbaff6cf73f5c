package org.xenolith.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class MonitorConsoleTest {
    private static final int LEAVE = 0x1D;

    private final List<String> commands = new ArrayList<>();
    private final ByteArrayOutputStream shown = new ByteArrayOutputStream();

    /** Types, and gives what was left unread and whether the guest goes on. */
    private String type(String keys) throws IOException {
        ByteArrayInputStream in = new ByteArrayInputStream(keys.getBytes(StandardCharsets.ISO_8859_1));
        MonitorConsole console = new MonitorConsole(
                command -> {
                    commands.add(command);
                    return "did " + command + "\n";
                },
                () -> commands.contains("quit"),
                in,
                new PrintStream(shown, true, StandardCharsets.UTF_8),
                LEAVE);
        boolean goesOn = console.run();
        return goesOn + " " + new String(in.readAllBytes(), StandardCharsets.ISO_8859_1);
    }

    @Test
    void linesAreCommandsAndWhatFollowsQuitIsTheGuests() throws IOException {
        assertThat(type("r\rpt 12\nquit\rls\r")).isEqualTo("true ls\r");
        assertThat(commands).containsExactly("pause", "r", "pt 12", "quit");
        assertThat(shown.toString(StandardCharsets.UTF_8)).contains("(xeno) r\r\ndid r\r\n(xeno) pt 12\r\n");
    }

    @Test
    void theLeaveKeyLeavesInTheMiddleOfALine() throws IOException {
        assertThat(type("dme\u001d")).isEqualTo("false ");
        assertThat(commands).containsExactly("pause");
    }

    @Test
    void editingKeysEdit() throws IOException {
        type("rx\u007f\rjunk\u0015bt\rone two\u0017three\rforget\u0003\u0004");
        assertThat(commands).containsExactly("pause", "r", "bt", "one three", "quit");
    }

    @Test
    void arrowsFindEarlierCommands() throws IOException {
        type("first\rsecond\r\u001b[A\u001b[A\r\u001bOA\u001b[B\u001b[1;5Dthird\r\u001b[C\rquit\r");
        assertThat(commands).containsExactly("pause", "first", "second", "first", "third", "quit");
    }

    @Test
    void theEndOfInputGoesBackToTheGuest() throws IOException {
        assertThat(type("r\r")).isEqualTo("true ");
    }
}
