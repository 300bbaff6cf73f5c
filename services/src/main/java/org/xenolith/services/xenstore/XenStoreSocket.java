package org.xenolith.services.xenstore;

import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import jdk.net.ExtendedSocketOptions;
import jdk.net.UnixDomainPrincipal;
import org.xenolith.abi.XenstoreRing;

/**
 * Serves the store on a Unix socket, as xenstored does: the stock {@code xenstore-*} programs find it by the environment
 * variable {@code XENSTORED_PATH}. Whoever connects has the rights of domain 0, so only the user who runs this process (and
 * root) may: by the socket's permissions, and by who the system says the other side is.
 *
 * <p>Each client has a thread that reads and one that writes. A client that does not read its answers is not listened to; one
 * that breaks the protocol is cut off.
 */
public final class XenStoreSocket implements AutoCloseable {
    /** Clients at a time. */
    private static final int MAX_CLIENTS = 256;

    private final XenStore store;
    private final Path path;
    private final ServerSocketChannel server;
    private final Set<Client> clients = ConcurrentHashMap.newKeySet();
    private final AtomicLong refused = new AtomicLong();
    private volatile boolean closed;

    /**
     * Starts to serve.
     *
     * @param path where the socket is made; one that a process left behind there is replaced
     * @throws IOException when it cannot be made, or something that is no abandoned socket is there
     */
    public XenStoreSocket(XenStore store, Path path) throws IOException {
        this.store = store;
        this.path = path;
        UnixDomainSocketAddress address = UnixDomainSocketAddress.of(path);
        removeAbandoned(address);
        server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            server.bind(address);
            Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
        } catch (IOException e) {
            server.close();
            throw e;
        }
        Thread.ofPlatform().daemon().name("xenstore-socket").start(this::accept);
    }

    private static void removeAbandoned(UnixDomainSocketAddress address) throws IOException {
        Path path = address.getPath();
        if (!Files.exists(path)) {
            return;
        }
        if (Files.isRegularFile(path) || Files.isDirectory(path)) {
            throw new IOException(path + " is there and is not a socket");
        }
        try (SocketChannel probe = SocketChannel.open(address)) {
            throw new IOException("another process serves " + path + " (" + probe.isConnected() + ")");
        } catch (java.net.ConnectException e) {
            Files.delete(path);
        }
    }

    /** Where the socket is. */
    public Path path() {
        return path;
    }

    /** Clients that are connected. */
    public int clients() {
        return clients.size();
    }

    private void accept() {
        while (!closed) {
            SocketChannel channel = null;
            try {
                channel = server.accept();
                if (clients.size() >= MAX_CLIENTS || !isOwn(channel)) {
                    refused.incrementAndGet();
                    channel.close();
                    continue;
                }
                Client client = new Client(channel);
                clients.add(client);
                client.start();
            } catch (IOException e) {
                if (closed || !server.isOpen()) {
                    return;
                }
                close(channel);
            }
        }
    }

    private static boolean isOwn(SocketChannel channel) throws IOException {
        UnixDomainPrincipal peer = channel.getOption(ExtendedSocketOptions.SO_PEERCRED);
        String user = peer.user().getName();
        return user.equals(System.getProperty("user.name")) || user.equals("root");
    }

    private static void close(SocketChannel channel) {
        if (channel == null) {
            return;
        }
        try {
            channel.close();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot close a socket", e);
        }
    }

    /** One program that is connected. */
    private final class Client {
        private final SocketChannel channel;
        private final XenStoreConnection connection = store.connect(0);
        /** Wakes the writer. */
        private final Semaphore work = new Semaphore(0);
        /** Wakes the reader: all output has left. */
        private final Semaphore drained = new Semaphore(0);

        private volatile boolean gone;

        Client(SocketChannel channel) {
            this.channel = channel;
        }

        void start() {
            connection.onOutput(work::release);
            Thread.ofVirtual().name("xenstore-client-reader").start(this::read);
            Thread.ofVirtual().name("xenstore-client-writer").start(this::write);
        }

        private void read() {
            try {
                while (!gone) {
                    ByteBuffer header = take(XenstoreRing.HEADER_SIZE);
                    int length = header.getInt(12);
                    if (length < 0 || length > XenstoreRing.MAX_PAYLOAD) {
                        return;
                    }
                    byte[] payload = take(length).array();
                    connection.receive(new StoreMessage(header.getInt(0), header.getInt(4), header.getInt(8), payload));
                    drained.drainPermits();
                    work.release();
                    connection.dispatch();
                    // One request at a time: what a client does not read is not kept for it.
                    while (!gone && connection.hasOutput()) {
                        drained.acquire();
                    }
                }
            } catch (IOException e) {
                // It went away, which is its right.
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } finally {
                end();
            }
        }

        private ByteBuffer take(int bytes) throws IOException {
            ByteBuffer buffer = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
            while (buffer.hasRemaining()) {
                if (channel.read(buffer) < 0) {
                    throw new EOFException();
                }
            }
            return buffer;
        }

        private void write() {
            try {
                while (!gone) {
                    work.acquire();
                    work.drainPermits();
                    for (StoreMessage next = connection.poll(); next != null && !gone; next = connection.poll()) {
                        ByteBuffer bytes = ByteBuffer.wrap(next.encode());
                        while (bytes.hasRemaining()) {
                            channel.write(bytes);
                        }
                    }
                    drained.release();
                }
            } catch (IOException e) {
                // As above.
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } finally {
                end();
            }
        }

        void end() {
            gone = true;
            clients.remove(this);
            connection.close();
            work.release();
            drained.release();
            XenStoreSocket.close(channel);
        }
    }

    /** Stops serving and cuts all clients off. */
    @Override
    public void close() {
        closed = true;
        try {
            server.close();
            Files.deleteIfExists(path);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot close " + path, e);
        }
        clients.forEach(Client::end);
    }
}
