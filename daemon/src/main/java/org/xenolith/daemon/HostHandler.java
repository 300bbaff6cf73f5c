package org.xenolith.daemon;

import java.util.function.Consumer;
import org.xenolith.daemon.protocol.Answer;
import org.xenolith.daemon.protocol.Command;

/** What stands behind the socket: {@link HostService}, or a test. */
interface HostHandler {
    /**
     * Does what a command asks for. Everything but {@link Command.Hello}, {@link Command.Attach}, {@link Command.StoreWatch} and
     * {@link Command.Stop}, which the server answers.
     */
    Answer answer(Command<?> command) throws HostException, InterruptedException;

    /** The console of a domain. */
    ConsoleLine console(String domain) throws HostException;

    /** Tells of changes until it is closed. */
    AutoCloseable watch(Command.StoreWatch command, Consumer<String> listener) throws HostException;

    /** Guests that there are. */
    int domains();

    /** A console, to be listened to and typed at. */
    interface ConsoleLine {
        Answer.Attached domain();

        ConsoleHub output();

        /** Types at the guest; waits until it has room. */
        void input(byte[] bytes) throws InterruptedException;

        void resize(int rows, int columns);
    }
}
