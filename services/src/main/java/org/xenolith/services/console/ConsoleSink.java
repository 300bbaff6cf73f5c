package org.xenolith.services.console;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;

/** Where a guest's console output goes. */
@FunctionalInterface
public interface ConsoleSink {
    /**
     * Takes output, at most all of it. What it does not take stays in the guest's ring, so the guest waits, until
     * {@link ConsoleBackend#resumeOutput} is called. The array is only valid during the call.
     *
     * @return how many bytes were taken
     */
    int write(byte[] bytes, int offset, int length);

    /** A sink that takes everything into a stream and flushes it. */
    static ConsoleSink to(OutputStream stream) {
        return (bytes, offset, length) -> {
            try {
                stream.write(bytes, offset, length);
                stream.flush();
            } catch (IOException e) {
                throw new UncheckedIOException("cannot pass on the guest's console output", e);
            }
            return length;
        };
    }
}
