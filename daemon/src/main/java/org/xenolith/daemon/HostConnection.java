package org.xenolith.daemon;

import java.io.IOException;
import java.util.function.Predicate;
import org.xenolith.daemon.protocol.Answer;
import org.xenolith.daemon.protocol.Command;

/** A talk with a host: {@link HostClient}'s with a host process, or a test's. */
public interface HostConnection extends AutoCloseable {
    /**
     * Asks for something and waits for the answer.
     *
     * @throws HostException when the answer is {@link Answer.Failed}, or there is none
     */
    <A extends Answer> A ask(Command<A> command) throws HostException;

    /**
     * Joins a console. The connection can be used for nothing else afterwards.
     *
     * @throws HostException when there is no such domain
     */
    ConsoleSession attach(String domain) throws HostException;

    /** Hears of changes of xenstore until it says false. The connection can be used for nothing else afterwards. */
    void watch(Command.StoreWatch command, Predicate<String> listener) throws HostException;

    @Override
    void close();

    /** A joined console. One thread reads, others may write. */
    interface ConsoleSession {
        /** Whose console it is. */
        Answer.Attached domain();

        /** The next piece of output; null when the guest has ended and all was read. */
        byte[] read() throws IOException;

        void write(byte[] bytes, int offset, int length) throws IOException;

        void resize(int rows, int columns) throws IOException;
    }
}
