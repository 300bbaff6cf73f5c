package org.xenolith.cli;

import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.UnaryOperator;

/**
 * The monitor's prompt on a raw terminal: reads keys, keeps a line and a history, shows answers. Knows the keys that
 * people try first: Backspace, Ctrl-U, Ctrl-W, Ctrl-C, Ctrl-D, arrows up and down.
 */
final class MonitorConsole {
    private static final String PROMPT = "(xeno) ";
    private static final int ESCAPE = 0x1B;
    private static final int LONGEST_LINE = 1000;

    private final UnaryOperator<String> monitor;
    private final BooleanSupplier finished;
    private final InputStream in;
    private final PrintStream out;
    private final int leaveKey;
    private final List<String> history = new ArrayList<>();
    private final StringBuilder line = new StringBuilder();
    private int position;

    /**
     * @param monitor answers a command
     * @param finished whether the last command ended the talk
     * @param leaveKey the key that leaves the guest
     */
    MonitorConsole(
            UnaryOperator<String> monitor, BooleanSupplier finished, InputStream in, PrintStream out, int leaveKey) {
        this.monitor = monitor;
        this.finished = finished;
        this.in = in;
        this.out = out;
        this.leaveKey = leaveKey;
    }

    /**
     * Talks until the person has had enough.
     *
     * @return false when it was the key that leaves the guest altogether
     */
    boolean run() throws IOException {
        show("\nxeno: monitor; the guest is paused. 'help' lists the commands, 'quit' goes back to the guest.\n");
        answer("pause");
        prompt();
        while (!finished.getAsBoolean()) {
            int key = in.read();
            if (key < 0 || key == leaveKey) {
                show("\n");
                return key < 0;
            }
            take(key);
        }
        return true;
    }

    private void take(int key) throws IOException {
        switch (key) {
            case '\r', '\n' -> enter();
            case 0x7F, '\b' -> {
                if (!line.isEmpty()) {
                    replace(line.substring(0, line.length() - 1));
                }
            }
            case 'U' - 64 -> replace("");
            case 'W' - 64 -> replace(line.toString().replaceFirst("\\S*\\s*$", ""));
            case 'C' - 64 -> {
                show("^C\n");
                line.setLength(0);
                prompt();
            }
            case 'D' - 64 -> {
                if (line.isEmpty()) {
                    line.append("quit");
                    enter();
                }
            }
            case ESCAPE -> escape();
            default -> {
                if (key >= ' ' && key < 0x7F && line.length() < LONGEST_LINE) {
                    line.append((char) key);
                    show(String.valueOf((char) key));
                }
            }
        }
    }

    private void enter() {
        show("\n");
        String command = line.toString().strip();
        line.setLength(0);
        if (!command.isEmpty()) {
            if (history.isEmpty() || !history.getLast().equals(command)) {
                history.add(command);
            }
            answer(command);
        }
        position = history.size();
        if (!finished.getAsBoolean()) {
            prompt();
        }
    }

    /** The two sequences that matter: ESC [ A and ESC [ B, also with O in place of the bracket. */
    private void escape() throws IOException {
        int second = in.read();
        if (second != '[' && second != 'O') {
            return;
        }
        int third = in.read();
        while (third >= '0' && third <= '?') {
            third = in.read();
        }
        if (third == 'A' && position > 0) {
            position--;
        } else if (third == 'B' && position < history.size()) {
            position++;
        } else {
            return;
        }
        replace(position < history.size() ? history.get(position) : "");
    }

    private void replace(String text) {
        show("\b \b".repeat(line.length()) + text);
        line.setLength(0);
        line.append(text);
    }

    private void prompt() {
        show(PROMPT);
    }

    private void answer(String command) {
        show(monitor.apply(command));
    }

    /** A raw terminal does not return the carriage itself. */
    private void show(String text) {
        byte[] bytes = text.replace("\n", "\r\n").getBytes(StandardCharsets.UTF_8);
        out.write(bytes, 0, bytes.length);
        out.flush();
    }
}
