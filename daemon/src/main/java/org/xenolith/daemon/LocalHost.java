package org.xenolith.daemon;

import java.io.IOException;
import java.time.Duration;
import java.util.function.Consumer;
import org.xenolith.daemon.protocol.Answer;
import org.xenolith.toolstack.Host;

/** A host that answers on a socket from within this process: for tests, and to learn what a verb needs. */
public final class LocalHost implements AutoCloseable {
    private final RuntimeDirectory directory;
    private final Host host;
    private final HostService service;
    private final HostServer server;
    private final Thread thread;

    /**
     * Listens from now on.
     *
     * @param host the host, which is not closed with this
     * @param log hears of odd connections
     */
    public LocalHost(RuntimeDirectory directory, Host host, Consumer<String> log) throws HostException {
        this.directory = directory;
        this.host = host;
        directory.prepare();
        service = new HostService(host);
        try {
            server = new HostServer(directory, service, Duration.ZERO, log);
        } catch (IOException e) {
            throw new HostException(
                    Answer.Reason.FILE,
                    "cannot listen on " + directory.socket() + ": " + RuntimeDirectory.reason(e),
                    e);
        }
        thread = Thread.ofPlatform().daemon().name("local-host").start(() -> {
            try {
                server.run();
            } catch (IOException e) {
                log.accept("cannot listen any more: " + RuntimeDirectory.reason(e));
            }
        });
    }

    public Host host() {
        return host;
    }

    /** A connection to it. */
    public HostConnection connect() throws HostException {
        return HostClient.connectIfRunning(directory)
                .orElseThrow(() -> new HostException(Answer.Reason.REFUSED, "the host is closed"));
    }

    @Override
    public void close() {
        server.close();
        service.close();
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
