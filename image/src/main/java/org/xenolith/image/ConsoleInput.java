package org.xenolith.image;

import java.io.ByteArrayOutputStream;

/**
 * Passes any bytes, and an end of file, through a guest's terminal that works in lines ({@link GuestSession.Kind#PIPE}).
 *
 * <p>The terminal hands a line to its reader at a line feed or at {@code ^D}, which itself is not delivered; {@code ^D} with
 * nothing before it on the line is the end of the file. {@code ^V} makes the next byte ordinary. So {@code ^D} and
 * {@code ^V} of the data are quoted, and a piece without a line feed at its end is pushed with {@code ^D}: at the latest
 * after {@link #LONGEST_PIECE} bytes, since the terminal drops what exceeds 4095 bytes in one line.
 *
 * <p>Linux's driver for Xen consoles takes {@code ^O} and the next byte as a SysRq command, below the terminal: data with a
 * {@code ^O} and a {@code b} in it would reboot the guest. Two of them give one to the terminal.
 */
public final class ConsoleInput {
    private static final int END_OF_LINE = '\n';
    private static final int PUSH = 0x04;
    private static final int QUOTE = 0x16;
    private static final int SYSRQ = 0x0F;
    private static final int LONGEST_PIECE = 1024;

    private final boolean sysrqKey;

    /** Bytes on the terminal's unfinished line. */
    private int pending;

    /** @param sysrqKey whether the guest's console takes {@code ^O} for the SysRq key, and only two for the character */
    public ConsoleInput(boolean sysrqKey) {
        this.sysrqKey = sysrqKey;
    }

    /** What to send for some bytes of input. They reach the reader without waiting for more. */
    public byte[] encode(byte[] data, int offset, int length) {
        ByteArrayOutputStream out = new ByteArrayOutputStream(length + 16);
        for (int i = offset; i < offset + length; i++) {
            int value = data[i] & 0xFF;
            if (value == PUSH || value == QUOTE) {
                out.write(QUOTE);
            }
            if (value == SYSRQ && sysrqKey) {
                out.write(SYSRQ);
            }
            out.write(value);
            pending = value == END_OF_LINE ? 0 : pending + 1;
            if (pending == LONGEST_PIECE) {
                push(out);
            }
        }
        if (pending > 0) {
            push(out);
        }
        return out.toByteArray();
    }

    /** What to send when the input has ended. */
    public byte[] end() {
        return new byte[] {PUSH};
    }

    private void push(ByteArrayOutputStream out) {
        out.write(PUSH);
        pending = 0;
    }
}
