package org.xenolith.toolstack;

import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.Consumer;
import org.xenolith.hypervisor.DebugConsole;

/** The latest lines of a host's log: its own, and what guests write with console_io. */
final class HostLog {
    private static final int MOST_LINES = 2000;
    private static final int LONGEST_LINE = 1024;

    private final Consumer<String> listener;
    private final Deque<String> lines = new ArrayDeque<>();

    HostLog(Consumer<String> listener) {
        this.listener = listener;
    }

    void say(String line) {
        synchronized (lines) {
            if (lines.size() == MOST_LINES) {
                lines.removeFirst();
            }
            lines.addLast(line);
        }
        listener.accept(line);
    }

    String text() {
        synchronized (lines) {
            return lines.isEmpty() ? "" : String.join("\n", lines) + '\n';
        }
    }

    void clear() {
        synchronized (lines) {
            lines.clear();
        }
    }

    /** Takes a guest's console_io output and makes lines of it, with the domain in front as Xen does. */
    DebugConsole of(int domain) {
        StringBuilder line = new StringBuilder();
        return (bytes, offset, length) -> {
            synchronized (line) {
                for (int i = 0; i < length; i++) {
                    int c = bytes[offset + i] & 0xff;
                    if (c == '\n' || line.length() >= LONGEST_LINE) {
                        say("(d" + domain + ") " + line);
                        line.setLength(0);
                    }
                    if (c >= ' ' && c < 0x7f || c == '\t') {
                        line.append((char) c);
                    } else if (c >= 0x80) {
                        line.append(new String(new byte[] {(byte) c}, StandardCharsets.ISO_8859_1));
                    }
                }
            }
        };
    }
}
