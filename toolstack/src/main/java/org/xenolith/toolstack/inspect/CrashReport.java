package org.xenolith.toolstack.inspect;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.function.Supplier;
import org.xenolith.cpu.VcpuState;

/**
 * One screen about a guest that stopped: why, where, what was in the registers, what code that is, who called it, what
 * the kernel said last.
 */
public final class CrashReport {
    private static final int FRAMES = 14;
    private static final int LOG_LINES = 10;
    private static final int WIDEST = 150;

    private CrashReport() {}

    /**
     * Writes the report. Never fails: a guest that crashed may have left anything behind.
     *
     * @param title what happened, in a line
     * @param details more about it, in lines; may be empty
     * @param processor name of the virtual CPU that it happened to, its engine, and the like
     * @param others what the other virtual CPUs were doing, in lines; may be empty
     * @param cause a defect of our own, shown when {@code debug}; or null
     */
    public static String format(
            String title,
            String details,
            String processor,
            VcpuState state,
            GuestView view,
            Supplier<String> others,
            Throwable cause,
            boolean debug) {
        StringBuilder s = new StringBuilder();
        s.append("---- ").append(title).append('\n').append(details);
        s.append(processor)
                .append(String.format(", %,d instructions", state.retired()))
                .append('\n');
        section(s, "registers", () -> Registers.format(state, view));
        section(s, "code", () -> CodeText.around(state, view));
        section(
                s,
                "calls",
                () -> "calls (? may be a leftover):\n" + String.join("\n", Backtrace.of(state, view, FRAMES)) + "\n");
        section(s, "other processors", others);
        section(s, "kernel log", () -> {
            StringBuilder log = new StringBuilder("kernel log:\n");
            for (String line : GuestLog.last(state, view, LOG_LINES)) {
                log.append("  ")
                        .append(line, 0, Math.min(line.length(), WIDEST))
                        .append('\n');
            }
            return log.toString();
        });
        if (cause != null && debug) {
            StringWriter trace = new StringWriter();
            cause.printStackTrace(new PrintWriter(trace));
            s.append(trace);
        }
        return s.append("----\n").toString();
    }

    private static void section(StringBuilder s, String name, Supplier<String> text) {
        try {
            s.append(text.get());
        } catch (RuntimeException e) {
            s.append(name).append(": cannot be read: ").append(e).append('\n');
        }
    }
}
