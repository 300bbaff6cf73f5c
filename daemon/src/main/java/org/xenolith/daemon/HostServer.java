package org.xenolith.daemon;

import java.io.DataOutputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.function.Consumer;
import org.xenolith.daemon.protocol.Answer;
import org.xenolith.daemon.protocol.Command;
import org.xenolith.daemon.protocol.ConsoleFrame;
import org.xenolith.daemon.protocol.Messages;

/**
 * Listens on the socket and lets a {@link HostHandler} answer. One thread a connection; ends when it was told to, or when there was neither
 * a guest nor a connection for some time.
 */
final class HostServer implements AutoCloseable {
    private final RuntimeDirectory directory;
    private final HostHandler handler;
    private final Duration idle;
    private final Consumer<String> log;
    private final ServerSocketChannel socket;

    /** Guarded by this. */
    private int connections;

    private long idleSince = System.nanoTime();
    private boolean stopping;

    /**
     * @param idle time without guests and connections after which {@link #run} returns; zero for never
     * @param log hears of odd connections, a line each
     * @throws IOException when the socket cannot be made
     */
    HostServer(RuntimeDirectory directory, HostHandler handler, Duration idle, Consumer<String> log)
            throws IOException {
        this.directory = directory;
        this.handler = handler;
        this.idle = idle;
        this.log = log;
        Files.deleteIfExists(directory.socket());
        socket = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        socket.bind(UnixDomainSocketAddress.of(directory.socket()), 64);
        // The directory is ours alone, so there is no moment in which another user could connect.
        Files.setPosixFilePermissions(directory.socket(), PosixFilePermissions.fromString("rw-------"));
    }

    /** Serves until it is idle or told to stop. */
    void run() throws IOException {
        Thread.ofPlatform().daemon().name("idle").start(this::watchIdle);
        while (true) {
            SocketChannel accepted;
            try {
                accepted = socket.accept();
            } catch (ClosedChannelException e) {
                return;
            }
            synchronized (this) {
                connections++;
            }
            Thread.ofPlatform().daemon().name("connection").start(() -> serve(accepted));
        }
    }

    private void watchIdle() {
        try {
            while (!idle.isZero()) {
                Thread.sleep(Math.min(1000, Math.max(20, idle.toMillis() / 4)));
                synchronized (this) {
                    if (connections > 0 || handler.domains() > 0) {
                        idleSince = System.nanoTime();
                    } else if (System.nanoTime() - idleSince > idle.toNanos()) {
                        log.accept("nothing to do for " + idle.toSeconds() + " s: ending");
                        close();
                        return;
                    }
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void serve(SocketChannel accepted) {
        try (LineChannel channel = new LineChannel(accepted)) {
            if (isSameUser(accepted)) {
                talk(channel);
            }
        } catch (IOException e) {
            // The client went away, in the middle of something; what it had begun stays as it is.
            log.accept("a connection broke: " + RuntimeDirectory.reason(e));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            synchronized (this) {
                connections--;
                idleSince = System.nanoTime();
            }
        }
    }

    private boolean isSameUser(SocketChannel accepted) throws IOException {
        var option = jdk.net.ExtendedSocketOptions.SO_PEERCRED;
        if (!accepted.supportedOptions().contains(option)) {
            return true;
        }
        String peer = accepted.getOption(option).user().getName();
        String own = Files.getOwner(directory.path()).getName();
        if (!peer.equals(own)) {
            log.accept("refused a connection of user " + peer);
        }
        return peer.equals(own);
    }

    private void talk(LineChannel channel) throws IOException, InterruptedException {
        boolean welcome = false;
        while (true) {
            String line = channel.readLine();
            if (line == null) {
                return;
            }
            Command<?> command;
            try {
                command = Messages.readCommand(line);
            } catch (Messages.MalformedException e) {
                say(channel, new Answer.Failed(Answer.Reason.INVALID, e.getMessage()));
                return;
            }
            if (command instanceof Command.Hello) {
                welcome = true;
                say(
                        channel,
                        new Answer.Welcome(
                                Messages.PROTOCOL,
                                Build.ID,
                                ProcessHandle.current().pid(),
                                handler.domains()));
                continue;
            }
            if (!welcome) {
                say(channel, new Answer.Failed(Answer.Reason.INVALID, "the first command is Hello"));
                return;
            }
            switch (command) {
                case Command.Attach attach -> {
                    attach(channel, attach);
                    return;
                }
                case Command.StoreWatch watch -> {
                    watch(channel, watch);
                    return;
                }
                case Command.Stop stop -> {
                    stop(channel, stop);
                    return;
                }
                default -> say(channel, answer(command));
            }
        }
    }

    private static void say(LineChannel channel, Answer answer) throws IOException {
        channel.writeLine(Messages.write((Record) answer));
    }

    private Answer answer(Command<?> command) throws InterruptedException {
        try {
            return handler.answer(command);
        } catch (HostException e) {
            return failed(e);
        } catch (RuntimeException | OutOfMemoryError e) {
            StackTraceElement[] trace = e.getStackTrace();
            String where = e + (trace.length > 0 ? " at " + trace[0] : "");
            log.accept("internal fault in " + command + ": " + where);
            return new Answer.Failed(Answer.Reason.INTERNAL, "internal fault of the host process: " + where);
        }
    }

    private static Answer.Failed failed(HostException e) {
        return new Answer.Failed(e.reason(), e.getMessage());
    }

    private void stop(LineChannel channel, Command.Stop stop) throws IOException {
        synchronized (this) {
            int domains = handler.domains();
            if (domains > 0 && !stop.force()) {
                say(
                        channel,
                        new Answer.Failed(
                                Answer.Reason.REFUSED,
                                "the host process has " + domains + " guest(s): shut them down first, or use --force"));
                return;
            }
            stopping = true;
            Files.deleteIfExists(directory.socket());
            say(channel, new Answer.Done());
            close();
        }
    }

    private void watch(LineChannel channel, Command.StoreWatch command) throws IOException {
        AutoCloseable watching;
        try {
            // Events may come before the answer is out: both are lines, and written whole.
            say(channel, new Answer.Done());
            watching = handler.watch(command, path -> {
                synchronized (channel) {
                    try {
                        say(channel, new Answer.Event(path));
                    } catch (IOException gone) {
                        channel.close();
                    }
                }
            });
        } catch (HostException e) {
            say(channel, failed(e));
            return;
        }
        try (watching) {
            // Nothing is said any more: this is the end of the connection.
            channel.readLine();
        } catch (IOException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException("a watch does not close", e);
        }
    }

    private void attach(LineChannel channel, Command.Attach command) throws IOException, InterruptedException {
        HostHandler.ConsoleLine line;
        try {
            line = handler.console(command.domain());
        } catch (HostException e) {
            say(channel, failed(e));
            return;
        }
        say(channel, line.domain());
        ConsoleHub output = line.output();
        Thread writer = Thread.ofPlatform().daemon().name("console-output").start(() -> {
            DataOutputStream out = channel.out();
            try {
                long position = output.oldest();
                for (ConsoleHub.Piece piece = output.after(position, ConsoleFrame.MOST);
                        piece != null;
                        piece = output.after(position, ConsoleFrame.MOST)) {
                    new ConsoleFrame(ConsoleFrame.Kind.DATA, piece.bytes()).write(out);
                    position = piece.position();
                }
                ConsoleFrame.end().write(out);
            } catch (IOException gone) {
                channel.close();
            } catch (InterruptedException detached) {
                // The other half has seen the end of the connection.
                Thread.currentThread().interrupt();
            }
        });
        try {
            for (ConsoleFrame frame = ConsoleFrame.read(channel.in());
                    frame != null;
                    frame = ConsoleFrame.read(channel.in())) {
                switch (frame.kind()) {
                    case DATA -> line.input(frame.data());
                    case SIZE -> line.resize(frame.rows(), frame.columns());
                    case END -> {
                        return;
                    }
                }
            }
        } finally {
            writer.interrupt();
            writer.join();
        }
    }

    /** Whether somebody asked for the end, guests or not. */
    synchronized boolean wasStopped() {
        return stopping;
    }

    @Override
    public void close() {
        try {
            Files.deleteIfExists(directory.socket());
            socket.close();
        } catch (IOException e) {
            log.accept("cannot close the socket: " + RuntimeDirectory.reason(e));
        }
    }
}
