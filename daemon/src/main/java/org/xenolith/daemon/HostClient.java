package org.xenolith.daemon;

import java.io.DataOutputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import org.xenolith.daemon.protocol.Answer;
import org.xenolith.daemon.protocol.Command;
import org.xenolith.daemon.protocol.ConsoleFrame;
import org.xenolith.daemon.protocol.Messages;

/** Finds the host process of this user, starts it when there is none, and talks to it. */
public final class HostClient implements HostConnection {
    private static final long START_MILLIS = 60_000;
    private static final long POLL_MILLIS = 10;
    /** Options of a verb's JVM that are not for a process that runs guests. */
    private static final List<String> NOT_INHERITED =
            List.of("-XX:AOTCacheOutput", "-XX:TieredStopAtLevel", "-agentlib", "-javaagent", "-Xmx");

    private final LineChannel channel;
    private final Answer.Welcome welcome;

    private HostClient(LineChannel channel, Answer.Welcome welcome) {
        this.channel = channel;
        this.welcome = welcome;
    }

    /** Connects to the host process; starts it if it does not run. */
    public static HostClient connect(RuntimeDirectory directory) throws HostException {
        directory.prepare();
        for (int attempt = 0; attempt < 3; attempt++) {
            Optional<HostClient> running = connectIfRunning(directory);
            if (running.isEmpty()) {
                start(directory);
                running = connectIfRunning(directory);
            }
            if (running.isPresent()) {
                HostClient client = running.get();
                if (client.isOurBuild()) {
                    return client;
                }
                client.replace();
            }
        }
        throw new HostException(
                Answer.Reason.REFUSED, "the host process ends as soon as it is started: see " + directory.log());
    }

    /** Connects to the host process if it runs, whatever its build is. */
    public static Optional<HostClient> connectIfRunning(RuntimeDirectory directory) throws HostException {
        SocketChannel socket;
        try {
            if (!Files.exists(directory.socket())) {
                return Optional.empty();
            }
            directory.prepare();
            socket = SocketChannel.open(StandardProtocolFamily.UNIX);
        } catch (IOException e) {
            throw unreachable(e);
        }
        LineChannel channel = new LineChannel(socket);
        try {
            socket.connect(UnixDomainSocketAddress.of(directory.socket()));
        } catch (IOException e) {
            channel.close();
            return Optional.empty();
        }
        try {
            channel.writeLine(Messages.write(new Command.Hello(Messages.PROTOCOL, Build.ID)));
            String line = channel.readLine();
            if (line == null) {
                channel.close();
                return Optional.empty();
            }
            if (Messages.readAnswer(line) instanceof Answer.Welcome welcome) {
                return Optional.of(new HostClient(channel, welcome));
            }
            throw new IOException("no welcome: " + line);
        } catch (IOException e) {
            channel.close();
            if (e instanceof Messages.MalformedException) {
                throw new HostException(
                        Answer.Reason.REFUSED,
                        "something else than this program's host process listens on " + directory.socket(),
                        e);
            }
            // It is about to end: as good as not there.
            return Optional.empty();
        }
    }

    private boolean isOurBuild() {
        return welcome.protocol() == Messages.PROTOCOL && welcome.build().equals(Build.ID);
    }

    /** Has a host process of another build end, unless it has guests. */
    private void replace() throws HostException {
        if (welcome.domains() > 0) {
            close();
            throw new HostException(
                    Answer.Reason.REFUSED,
                    "the host process " + welcome.pid() + " is another build of this program (" + welcome.build()
                            + ", this is " + Build.ID + ") and has " + welcome.domains()
                            + " guest(s): use that build, or end it with 'kill " + welcome.pid() + "'");
        }
        try {
            ask(new Command.Stop(false));
        } finally {
            close();
        }
        ProcessHandle.of(welcome.pid()).ifPresent(process -> {
            try {
                process.onExit().get(10, java.util.concurrent.TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } catch (java.util.concurrent.ExecutionException | java.util.concurrent.TimeoutException e) {
                // Then connecting again tells.
                return;
            }
        });
    }

    private static void start(RuntimeDirectory directory) throws HostException {
        Process process;
        try {
            if (Files.exists(directory.log()) && Files.size(directory.log()) > 1 << 20) {
                Files.move(
                        directory.log(),
                        directory.log().resolveSibling("host.log.1"),
                        java.nio.file.StandardCopyOption.REPLACE_EXISTING);
            }
            ProcessBuilder builder = new ProcessBuilder(commandLine(directory));
            builder.directory(Path.of("/").toFile());
            builder.redirectInput(
                    ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()));
            builder.redirectErrorStream(true);
            builder.redirectOutput(
                    ProcessBuilder.Redirect.appendTo(directory.log().toFile()));
            process = builder.start();
        } catch (IOException e) {
            throw new HostException(
                    Answer.Reason.FILE, "cannot start the host process: " + RuntimeDirectory.reason(e), e);
        }
        long deadline = System.nanoTime() + START_MILLIS * 1_000_000;
        try {
            while (!isListening(directory)) {
                if (!process.isAlive() && process.exitValue() != HostDaemon.ANOTHER_RUNS) {
                    throw new HostException(
                            Answer.Reason.REFUSED,
                            "the host process does not start: " + lastLine(directory) + " (log: " + directory.log()
                                    + ")");
                }
                if (System.nanoTime() > deadline) {
                    throw new HostException(
                            Answer.Reason.REFUSED,
                            "the host process did not answer within " + START_MILLIS / 1000 + " s (log: "
                                    + directory.log() + ")");
                }
                Thread.sleep(POLL_MILLIS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new HostException(Answer.Reason.REFUSED, "interrupted while the host process starts", e);
        }
    }

    private static boolean isListening(RuntimeDirectory directory) {
        if (!Files.exists(directory.socket())) {
            return false;
        }
        try (SocketChannel probe = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            return probe.connect(UnixDomainSocketAddress.of(directory.socket()));
        } catch (IOException e) {
            return false;
        }
    }

    private static String lastLine(RuntimeDirectory directory) {
        try (var lines = Files.lines(directory.log())) {
            return lines.reduce((first, second) -> second).orElse("it says nothing");
        } catch (IOException | java.io.UncheckedIOException e) {
            return "its log cannot be read";
        }
    }

    /** This JVM's own options, so that a host process runs as the program that started it. */
    private static List<String> commandLine(RuntimeDirectory directory) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        for (String option : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
            if (NOT_INHERITED.stream().noneMatch(option::startsWith)) {
                command.add(option);
            }
        }
        command.addAll(List.of("-Xmx1g", "-cp", absolute(System.getProperty("java.class.path"))));
        command.addAll(List.of(HostDaemon.class.getName(), directory.path().toString()));
        return command;
    }

    private static String absolute(String classPath) {
        return String.join(
                java.io.File.pathSeparator,
                Arrays.stream(classPath.split(java.io.File.pathSeparator))
                        .map(entry -> Path.of(entry).toAbsolutePath().toString())
                        .toList());
    }

    private static HostException unreachable(IOException e) {
        return new HostException(
                Answer.Reason.REFUSED, "the connection to the host process broke: " + RuntimeDirectory.reason(e), e);
    }

    /** The host process that we talk to. */
    public Answer.Welcome welcome() {
        return welcome;
    }

    @Override
    @SuppressWarnings("unchecked") // The answer's type goes with the command's, or it is Failed.
    public <A extends Answer> A ask(Command<A> command) throws HostException {
        return (A) exchange((Record) command);
    }

    private Answer exchange(Record command) throws HostException {
        try {
            channel.writeLine(Messages.write(command));
            return next();
        } catch (IOException e) {
            throw unreachable(e);
        }
    }

    private Answer next() throws IOException, HostException {
        String line = channel.readLine();
        if (line == null) {
            throw new HostException(Answer.Reason.REFUSED, "the host process has ended");
        }
        Answer answer = Messages.readAnswer(line);
        if (answer instanceof Answer.Failed failed) {
            throw new HostException(failed.reason(), failed.message());
        }
        return answer;
    }

    @Override
    public ConsoleSession attach(String domain) throws HostException {
        Answer.Attached attached = ask(new Command.Attach(domain));
        DataOutputStream out = channel.out();
        return new ConsoleSession() {
            @Override
            public Answer.Attached domain() {
                return attached;
            }

            @Override
            public byte[] read() throws IOException {
                ConsoleFrame frame = ConsoleFrame.read(channel.in());
                if (frame == null) {
                    throw new IOException("the host process has ended");
                }
                return frame.kind() == ConsoleFrame.Kind.END ? null : frame.data();
            }

            @Override
            public void write(byte[] bytes, int offset, int length) throws IOException {
                synchronized (out) {
                    for (int done = 0; done < length; ) {
                        int piece = Math.min(ConsoleFrame.MOST, length - done);
                        new ConsoleFrame(
                                        ConsoleFrame.Kind.DATA,
                                        Arrays.copyOfRange(bytes, offset + done, offset + done + piece))
                                .write(out);
                        done += piece;
                    }
                }
            }

            @Override
            public void resize(int rows, int columns) throws IOException {
                synchronized (out) {
                    ConsoleFrame.size(rows, columns).write(out);
                }
            }
        };
    }

    @Override
    public void watch(Command.StoreWatch command, Predicate<String> listener) throws HostException {
        ask(command);
        try {
            while (next() instanceof Answer.Event event && listener.test(event.path())) {
                continue;
            }
        } catch (IOException e) {
            throw unreachable(e);
        }
    }

    @Override
    public void close() {
        channel.close();
    }
}
