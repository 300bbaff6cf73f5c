package org.xenolith.cli;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;

/**
 * Where the guest's console output goes. When one command runs, what comes before it (the kernel's last words of the boot) is
 * held back and shown only if the guest dies, so that the output is the command's and nothing else.
 */
final class ConsoleOutput implements AutoCloseable {
    private static final int HELD_BACK = 1 << 14;

    private final OutputStream out;
    private final boolean owned;
    private final byte[] tail = new byte[HELD_BACK];
    private long held;
    private boolean holding;
    private boolean broken;
    private boolean ended;

    /**
     * @param out takes the bytes
     * @param owned whether {@link #close} closes it
     * @param holdUntilReady whether output counts only from {@link #guestReady} on
     */
    ConsoleOutput(OutputStream out, boolean owned, boolean holdUntilReady) {
        this.out = out;
        this.owned = owned;
        this.holding = holdUntilReady;
    }

    /** Takes everything. A reader that went away (a closed pipe) is no reason to stop the guest: its status still counts. */
    synchronized int write(byte[] bytes, int offset, int length) {
        if (holding) {
            for (int i = 0; i < length; i++) {
                tail[(int) (held++ % HELD_BACK)] = bytes[offset + i];
            }
        } else if (!broken && !ended) {
            try {
                out.write(bytes, offset, length);
                out.flush();
            } catch (IOException e) {
                broken = true;
            }
        }
        return length;
    }

    /** The command starts now. */
    synchronized void guestReady() {
        holding = false;
    }

    /** The command is over: what the kernel says while it goes down is not its output. */
    synchronized void commandEnded() {
        ended = true;
    }

    /** Prints what was held back, since the boot did not end well. */
    synchronized void showHeldBack(PrintStream to) {
        if (holding) {
            int size = (int) Math.min(held, HELD_BACK);
            for (long i = held - size; i < held; i++) {
                to.write(tail[(int) (i % HELD_BACK)]);
            }
            to.flush();
        }
    }

    /** Ends a console file. Standard output stays open: it is the process's. */
    @Override
    public synchronized void close() {
        try {
            if (owned) {
                out.close();
            }
        } catch (IOException e) {
            broken = true;
        }
    }
}
