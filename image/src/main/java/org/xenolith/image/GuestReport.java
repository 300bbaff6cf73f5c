package org.xenolith.image;

import java.nio.charset.StandardCharsets;
import java.util.OptionalInt;

/**
 * The host's half of what a {@link GuestSession} reports beside its console: feed it each byte that the guest writes to I/O
 * port {@link #PORT}.
 *
 * <p>Lines of text end in a line feed. {@code xenolith-ready}: the console is set up and input may be sent
 * ({@code xenolith-ready:sysrq}: and it takes {@code ^O} for the SysRq key). {@code xenolith-exit:N}: the command ended with status N, and all its output has left the guest. Other lines are
 * somebody else's: a kernel with {@code earlyprintk=xen} writes to the same port. The guest is not trusted: an over-long
 * line is dropped and a status outside 0..255 is ignored.
 */
public final class GuestReport {
    /** I/O port, one byte a write. Xen has used it for a guest's early messages from the start. */
    public static final int PORT = 0xE9;

    private static final int LONGEST_LINE = 64;
    private static final String READY = "xenolith-ready";
    private static final String READY_SYSRQ = "xenolith-ready:sysrq";
    private static final String EXIT = "xenolith-exit:";

    private final StringBuilder line = new StringBuilder();
    private final Runnable onReady;
    private final Runnable onExit;
    private volatile boolean ready;
    private volatile boolean sysrqKey;
    private volatile int status = -1;

    /**
     * Both listeners are called on the thread that feeds.
     *
     * @param onReady called once, when the guest is ready for input
     * @param onExit called when the command has ended and its last output has left the guest
     */
    public GuestReport(Runnable onReady, Runnable onExit) {
        this.onReady = onReady;
        this.onExit = onExit;
    }

    /** Takes one byte from the port. Called from one thread. */
    public void accept(int value) {
        if ((value & 0xFF) != '\n') {
            if (line.length() <= LONGEST_LINE) {
                line.append((char) (value & 0xFF));
            }
            return;
        }
        String text = line.toString();
        line.setLength(0);
        if ((text.equals(READY) || text.equals(READY_SYSRQ)) && !ready) {
            sysrqKey = text.equals(READY_SYSRQ);
            ready = true;
            onReady.run();
        } else if (text.startsWith(EXIT)) {
            String number = text.substring(EXIT.length());
            if (number.matches("[0-9]{1,3}") && Integer.parseInt(number) <= 255) {
                status = Integer.parseInt(number);
                onExit.run();
            }
        }
    }

    /** Takes several bytes. */
    public void accept(byte[] bytes) {
        for (byte b : bytes) {
            accept(b);
        }
    }

    public boolean ready() {
        return ready;
    }

    /** Whether the guest's console takes {@code ^O} for the SysRq key; known once the guest is {@link #ready}. */
    public boolean sysrqKey() {
        return sysrqKey;
    }

    /** The exit status of the command, once it has ended. */
    public OptionalInt exitStatus() {
        int value = status;
        return value < 0 ? OptionalInt.empty() : OptionalInt.of(value);
    }

    @Override
    public String toString() {
        return "GuestReport[ready=" + ready + ", status=" + status + ", line="
                + new String(line.toString().getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8) + "]";
    }
}
