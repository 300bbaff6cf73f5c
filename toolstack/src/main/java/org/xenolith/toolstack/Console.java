package org.xenolith.toolstack;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.StandardOpenOption;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.xenolith.services.console.ConsoleBackend;
import org.xenolith.services.console.ConsoleSink;

/**
 * The text console of a domain. It outlives restarts: whoever is connected sees the next boot. Safe from any thread.
 *
 * <p>Output goes to the sink that is connected, as fast as it takes it. Without one, output waits in the guest, or is only
 * remembered, as {@link ConsoleSettings} says.
 */
public final class Console {
    private final Consumer<String> warning;
    /** The latest output, a ring; empty when none is kept. Guarded by itself, like the two below. */
    private final byte[] history;

    private int historyEnd;
    private int historySize;
    private OutputStream log;

    private volatile ConsoleBackend backend;
    private volatile ConsoleSink sink;
    /** Tells the present guest a size; empty before the first. */
    private volatile Resize resize = (rows, columns) -> {};

    private volatile int rows;
    private volatile int columns;
    private volatile Supplier<byte[]> source;

    interface Resize {
        void to(int rows, int columns);
    }

    /** @param warning hears that the log cannot be written */
    Console(ConsoleSettings settings, Consumer<String> warning) {
        this.warning = warning;
        history = new byte[settings.historyBytes()];
        settings.log().ifPresent(file -> {
            try {
                log = Files.newOutputStream(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
            } catch (IOException e) {
                warning.accept("cannot write console log " + file + ": " + e.getMessage());
            }
        });
    }

    /** Joins the ring of a guest that was just built. */
    void bind(ConsoleBackend newBackend, Resize newResize) {
        backend = newBackend;
        resize = newResize;
        newBackend.connect(this::take);
        if (source != null) {
            newBackend.connectInput(source);
        }
        if (rows > 0) {
            newResize.to(rows, columns);
        }
    }

    private int take(byte[] bytes, int offset, int length) {
        ConsoleSink to = sink;
        int taken;
        if (to != null) {
            taken = Math.clamp(to.write(bytes, offset, length), 0, length);
        } else {
            synchronized (history) {
                taken = history.length > 0 || log != null ? length : 0;
            }
        }
        keep(bytes, offset, taken);
        return taken;
    }

    private void keep(byte[] bytes, int offset, int length) {
        synchronized (history) {
            for (int i = Math.max(0, length - history.length); i < length; i++) {
                history[historyEnd] = bytes[offset + i];
                historyEnd = (historyEnd + 1) % history.length;
                historySize = Math.min(historySize + 1, history.length);
            }
            if (log != null) {
                try {
                    log.write(bytes, offset, length);
                } catch (IOException e) {
                    warning.accept("cannot write the console's log any more: " + e.getMessage());
                    log = null;
                }
            }
        }
    }

    /** Sends output to a sink from now on, what waits in the guest's ring included; in place of the one before. */
    public void connect(ConsoleSink newSink) {
        sink = newSink;
        resumeOutput();
    }

    /** Sends output nowhere from now on. */
    public void disconnect() {
        sink = null;
    }

    /** The latest output, as far as {@link ConsoleSettings#historyBytes} reaches. */
    public byte[] history() {
        synchronized (history) {
            byte[] result = new byte[historySize];
            for (int i = 0; i < historySize; i++) {
                result[i] = history[Math.floorMod(historyEnd - historySize + i, history.length)];
            }
            return result;
        }
    }

    /** Types at the guest; returns how many bytes found room, the rest must be offered again. */
    public int input(byte[] bytes, int offset, int length) {
        return backend.input(bytes, offset, length);
    }

    /** Types at the guest and waits until everything found room; returns early when the guest ends. */
    public void inputFully(byte[] bytes) throws InterruptedException {
        backend.inputFully(bytes);
    }

    /**
     * Takes input from a source whenever the guest has made room, on the guest's thread: so a deterministic domain gets it
     * at the same instructions each time.
     *
     * @param source gives the next piece, at most 64 KiB and at once; an empty one at the end
     */
    public void connectInput(Supplier<byte[]> source) {
        this.source = source;
        backend.connectInput(source);
    }

    /** Tells the guest the size of the terminal, in characters. */
    public void resize(int rows, int columns) {
        this.rows = rows;
        this.columns = columns;
        resize.to(rows, columns);
    }

    /** Asks the guest for what a full sink left behind. */
    public void resumeOutput() {
        backend.resumeOutput();
    }

    /** The domain is gone. */
    void close() {
        synchronized (history) {
            if (log != null) {
                try {
                    log.close();
                } catch (IOException e) {
                    warning.accept("cannot write the end of the console's log: " + e.getMessage());
                }
                log = null;
            }
        }
    }
}
