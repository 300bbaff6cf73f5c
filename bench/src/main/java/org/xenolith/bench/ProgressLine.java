package org.xenolith.bench;

import java.io.PrintStream;

/** One line of progress for one round: rewritten in place on a terminal, printed once when it is done elsewhere. */
final class ProgressLine {
    private static final String CLEAR = "\r\033[K";

    private final PrintStream err;
    private final String title;
    private final int total;
    private final boolean terminal;
    private final long start = System.nanoTime();
    private int shown;

    ProgressLine(PrintStream err, String title, int total) {
        this.err = err;
        this.title = title;
        this.total = total;
        this.terminal = System.console() != null && System.console().isTerminal();
    }

    void show(String what) {
        shown++;
        if (terminal) {
            err.print(CLEAR + title + Math.min(shown, total) + "/" + total + " " + what);
            err.flush();
        }
    }

    void finish(long good, long failed) {
        long seconds = (System.nanoTime() - start) / 1_000_000_000;
        String end = good + " workloads" + (failed > 0 ? ", " + failed + " failed" : "") + " in " + seconds + " s";
        err.println((terminal ? CLEAR : "") + title + end);
    }
}
