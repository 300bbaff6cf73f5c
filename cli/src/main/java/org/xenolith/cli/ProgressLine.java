package org.xenolith.cli;

import java.io.PrintStream;
import org.xenolith.image.Progress;

/**
 * Progress on standard error: on a terminal one line that is rewritten, elsewhere one line when work starts and one when it
 * ends. Work that is over in a moment prints nothing.
 */
public final class ProgressLine implements Progress {
    private static final long INTERVAL_NANOS = 100_000_000L;
    private static final int BAR = 24;

    private final PrintStream out;
    private final boolean terminal;
    private String current = "";
    private long lastPrint;
    private boolean lineOpen;

    public ProgressLine(PrintStream out, boolean terminal) {
        this.out = out;
        this.terminal = terminal;
    }

    @Override
    public void update(String what, long done, long total) {
        boolean fresh = !what.equals(current);
        long now = System.nanoTime();
        if (!fresh && now - lastPrint < INTERVAL_NANOS) {
            return;
        }
        current = what;
        lastPrint = now;
        if (!terminal) {
            if (fresh) {
                out.println("xeno: " + what + (total > 0 ? " (" + mebibytes(total) + ")" : ""));
            }
            return;
        }
        StringBuilder line = new StringBuilder("\r\033[K").append(what);
        if (total > 0) {
            int filled = (int) (BAR * Math.min(done, total) / total);
            line.append(" [")
                    .append("#".repeat(filled))
                    .append("-".repeat(BAR - filled))
                    .append("] ")
                    .append(mebibytes(done))
                    .append(" of ")
                    .append(mebibytes(total));
        } else if (done > 0) {
            line.append(' ').append(mebibytes(done));
        }
        out.print(line);
        out.flush();
        lineOpen = true;
    }

    @Override
    public void done(String what) {
        clear();
        out.println("xeno: " + what);
        current = "";
    }

    @Override
    public void note(String line) {
        clear();
        out.println("xeno: " + line);
    }

    /** Removes an unfinished line from the terminal. */
    public void clear() {
        if (lineOpen) {
            out.print("\r\033[K");
            out.flush();
            lineOpen = false;
        }
    }

    private static String mebibytes(long bytes) {
        long tenths = (bytes * 10 + (1 << 19)) >> 20;
        return tenths / 10 + "." + tenths % 10 + " MiB";
    }
}
