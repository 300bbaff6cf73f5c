package org.xenolith.daemon;

import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import org.xenolith.toolstack.Domain;
import org.xenolith.toolstack.Host;
import org.xenolith.toolstack.HostConfig;

/**
 * The host process. Its standard output is its log. It ends when it has had no guest and no connection for {@code
 * XENOLITH_IDLE} seconds (300; 0 for never), or on a signal, which destroys the guests.
 */
public final class HostDaemon {
    /** Exit status when another host process has the directory. */
    static final int ANOTHER_RUNS = 3;

    private static final int IDLE_SECONDS = 300;

    /** Characters of log that one host process writes. */
    private static final long MOST_LOGGED = 16L << 20;

    /** Guarded by the class. */
    private static long logged;

    private HostDaemon() {}

    /** Takes the directory as its only argument. */
    public static void main(String[] args) {
        System.exit(run(new RuntimeDirectory(Path.of(args[0]))));
    }

    private static int run(RuntimeDirectory directory) {
        leaveTerminal();
        try {
            directory.prepare();
            try (FileChannel file =
                            FileChannel.open(directory.lock(), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                    FileLock lock = tryLock(file)) {
                if (lock == null) {
                    return ANOTHER_RUNS;
                }
                return serve(directory);
            }
        } catch (HostException | IOException | RuntimeException e) {
            say(e instanceof HostException ? e.getMessage() : e.toString());
            return 1;
        }
    }

    private static FileLock tryLock(FileChannel file) throws IOException {
        try {
            return file.tryLock();
        } catch (OverlappingFileLockException e) {
            return null;
        }
    }

    private static int serve(RuntimeDirectory directory) throws IOException {
        HostConfig config = HostConfig.DEFAULT.withLog(HostDaemon::say);
        try (Host host = Host.create(config);
                HostService service = new HostService(host);
                HostServer server = new HostServer(directory, service, idle(), HostDaemon::say)) {
            Runtime.getRuntime().addShutdownHook(new Thread(server::close, "close-socket"));
            say("host process " + ProcessHandle.current().pid() + " (" + Build.ID + ") listens on "
                    + directory.socket());
            Thread.ofPlatform().daemon().name("prepare").start(Domain::prepare);
            server.run();
        }
        say("host process " + ProcessHandle.current().pid() + " ends");
        return 0;
    }

    private static Duration idle() {
        String given = System.getenv("XENOLITH_IDLE");
        if (given == null || !given.matches("[0-9]{1,9}")) {
            return Duration.ofSeconds(IDLE_SECONDS);
        }
        return Duration.ofSeconds(Long.parseLong(given));
    }

    /** A session of its own: then no hang-up of the terminal and no Ctrl-C on it comes here. */
    private static void leaveTerminal() {
        try {
            Linker linker = Linker.nativeLinker();
            linker.downcallHandle(
                            linker.defaultLookup().findOrThrow("setsid"), FunctionDescriptor.of(ValueLayout.JAVA_INT))
                    .invoke();
        } catch (Throwable noSuchFunction) {
            say("the host process stays in the session of its terminal: " + noSuchFunction);
        }
    }

    /** A line for the log, which guests can write to as well: so it does not grow for ever. */
    private static synchronized void say(String line) {
        if (logged > MOST_LOGGED) {
            return;
        }
        String stamped = Instant.now().truncatedTo(ChronoUnit.MILLIS) + " " + line;
        logged += stamped.length() + 1;
        System.out.println(logged > MOST_LOGGED ? "the log is full; 'dmesg' has the latest lines" : stamped);
    }
}
