package org.xenolith.cli.host;

import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import org.xenolith.cli.CliException;
import org.xenolith.cli.ExitStatus;
import org.xenolith.cli.HostTerminal;
import org.xenolith.daemon.HostConnection.ConsoleSession;

/** A joined console between its first byte and the guest's end or the key that leaves. */
final class ConsoleClient {
    private static final int PIECE = 4096;

    private final ConsoleSession session;
    private final String program;
    private final int leaveKey;
    private volatile boolean left;
    private volatile CliException failure;

    ConsoleClient(ConsoleSession session, String program, int leaveKey) {
        this.session = session;
        this.program = program;
        this.leaveKey = leaveKey;
    }

    /** Runs until the end; 0, whoever ended it. */
    int run() throws InterruptedException {
        boolean person = HostTerminal.present();
        try (HostTerminal terminal = person && !session.domain().ended() ? HostTerminal.open() : null) {
            if (terminal != null) {
                System.err.println(program + ": console of " + session.domain().name() + "; " + keyName() + " leaves");
                terminal.onResize((columns, rows) -> resize(rows, columns));
                resize(terminal.rows(), terminal.columns());
                terminal.enterRaw();
            }
            Thread output = Thread.ofPlatform().daemon().name("console-output").start(this::copyOutput);
            // A terminal for input whose output goes elsewhere is not this guest's: as in xenconsole.
            if (terminal != null || !person && !HostTerminal.inputIsTerminal()) {
                Thread.ofPlatform().daemon().name("console-input").start(() -> copyInput(terminal != null, output));
            }
            output.join();
            if (terminal != null) {
                terminal.restore();
            }
        } catch (InterruptedException e) {
            if (!left) {
                throw e;
            }
        }
        if (person) {
            System.err.println("\n" + program + ": "
                    + (left
                            ? "left; " + session.domain().name() + " runs on"
                            : session.domain().name() + " has ended"));
        }
        if (failure != null) {
            throw failure;
        }
        return 0;
    }

    private String keyName() {
        return leaveKey < ' ' ? "Ctrl-" + (char) (leaveKey + '@') : "'" + (char) leaveKey + "'";
    }

    private void resize(int rows, int columns) {
        try {
            session.resize(rows, columns);
        } catch (IOException e) {
            // The reader of output meets the same, and tells.
            return;
        }
    }

    private void copyOutput() {
        OutputStream out = new FileOutputStream(FileDescriptor.out);
        try {
            for (byte[] piece = session.read(); piece != null && !left; piece = session.read()) {
                try {
                    out.write(piece);
                } catch (IOException closedPipe) {
                    return;
                }
            }
        } catch (IOException e) {
            if (!left) {
                failure = new CliException(ExitStatus.FAILED, "the console broke: " + e.getMessage(), e);
            }
        }
    }

    private void copyInput(boolean keys, Thread output) {
        InputStream in = new FileInputStream(FileDescriptor.in);
        byte[] buffer = new byte[PIECE];
        try {
            for (int n = in.read(buffer); n > 0; n = in.read(buffer)) {
                int end = keys ? indexOfLeaveKey(buffer, n) : n;
                session.write(buffer, 0, end);
                if (end < n) {
                    left = true;
                    output.interrupt();
                    return;
                }
            }
        } catch (IOException e) {
            // The guest has ended, or our input cannot be read: its output goes on as long as there is some.
            return;
        }
    }

    private int indexOfLeaveKey(byte[] keys, int count) {
        for (int i = 0; i < count; i++) {
            if (keys[i] == leaveKey) {
                return i;
            }
        }
        return count;
    }
}
