package org.xenolith.toolstack;

import java.util.function.Supplier;
import org.xenolith.services.console.ConsoleBackend;
import org.xenolith.services.console.ConsoleSink;

/** The text console of a domain. Safe from any thread. */
public final class Console {
    private final ConsoleBackend backend;
    private final Resize resize;

    interface Resize {
        void to(int rows, int columns);
    }

    Console(ConsoleBackend backend, Resize resize) {
        this.backend = backend;
        this.resize = resize;
    }

    /** Sends output to a sink from now on, what waits in the guest's ring included. */
    public void connect(ConsoleSink sink) {
        backend.connect(sink);
    }

    /** Types at the guest; returns how many bytes found room, the rest must be offered again. */
    public int input(byte[] bytes, int offset, int length) {
        return backend.input(bytes, offset, length);
    }

    /** Types at the guest and waits until everything found room. */
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
        backend.connectInput(source);
    }

    /** Tells the guest the size of the terminal, in characters. */
    public void resize(int rows, int columns) {
        resize.to(rows, columns);
    }

    /** Asks the guest for what a full sink left behind. */
    public void resumeOutput() {
        backend.resumeOutput();
    }
}
