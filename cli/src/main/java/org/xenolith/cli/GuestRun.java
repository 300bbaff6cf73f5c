package org.xenolith.cli;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.SequenceInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.function.Supplier;
import org.xenolith.image.ConsoleInput;
import org.xenolith.image.GuestReport;
import org.xenolith.image.GuestSession;
import org.xenolith.memory.MachineMemoryException;
import org.xenolith.services.builder.DomainBuildException;
import org.xenolith.services.loader.ImageFormatException;
import org.xenolith.services.xenstore.XenStoreSocket;
import org.xenolith.toolstack.Domain;
import org.xenolith.toolstack.DomainConfig;
import org.xenolith.toolstack.DomainOutcome;
import org.xenolith.toolstack.Monitor;

/**
 * One guest between its first instruction and its end, joined to this process's terminal or pipes.
 *
 * <p>Threads: the guest's own write output and reports; one reads our input; the caller waits. Input waits until the guest
 * is ready for it ({@link GuestReport}), because a terminal that is not set up yet would echo and alter it.
 */
final class GuestRun {
    /** Ctrl-]: the key that telnet, {@code xl console} and {@code virsh console} leave with. */
    private static final int LEAVE_KEY = 0x1D;

    /** Keys that wait for the guest: a person does not type more than this during a boot. */
    private static final int MOST_EARLY_KEYS = 1 << 16;

    /** Time between two Ctrl-D for a shell whose input has ended. */
    private static final long END_OF_INPUT_MILLIS = 1000;

    /** Ctrl-\. */
    private static final int MONITOR_KEY = 0x1C;

    private final DomainConfig config;
    private final GuestSession session;
    private final ConsoleChoice where;
    private final HostTerminal terminal;
    private final boolean restart;
    private final int bootTimeout;
    private final int timeout;
    private final boolean stats;
    /** Where the guest's store is served, or null. */
    private final Path storeSocket;

    private final ConsoleOutput output;
    /** Input comes at instructions that are the same in each run: from a file, to a command, in virtual time. */
    private final boolean reproducibleInput;

    private volatile Attempt current;
    /** Keys typed before the guest listens; guarded by itself. */
    private final ByteArrayOutputStream early = new ByteArrayOutputStream();

    private volatile boolean left;
    private volatile boolean monitoring;
    /** Why we gave up waiting, for people. */
    private String hung;

    /**
     * @param session what our init does, or null when the guest brings its own
     * @param terminal the terminal to attach, or null for pipes
     * @param restart whether a reboot starts the guest again
     * @param bootTimeout seconds until our init must have started, 0 for ever
     * @param timeout seconds until the guest must have ended, 0 for ever
     * @param stats whether to tell at the end what the engine did
     */
    GuestRun(
            DomainConfig config,
            GuestSession session,
            ConsoleChoice where,
            HostTerminal terminal,
            boolean restart,
            int bootTimeout,
            int timeout,
            boolean stats,
            Path storeSocket) {
        this.config = config;
        this.storeSocket = storeSocket;
        this.session = session;
        this.where = where;
        this.terminal = terminal;
        this.restart = restart;
        this.bootTimeout = bootTimeout;
        this.timeout = timeout;
        reproducibleInput = config.deterministic()
                && session != null
                && session.kind() == GuestSession.Kind.PIPE
                && where.kind() == ConsoleChoice.Kind.STDIO
                && inputIsFile();
        this.stats = stats;
        this.output = new ConsoleOutput(openOutput(where), where.kind() == ConsoleChoice.Kind.FILE, isCommand());
    }

    private boolean isCommand() {
        return session != null && session.kind() != GuestSession.Kind.SHELL;
    }

    /** Whether standard input is there as a whole: a file, or nothing. */
    private static boolean inputIsFile() {
        Path input = Path.of("/dev/fd/0");
        try {
            return Files.isRegularFile(input) || Files.isSameFile(input, Path.of("/dev/null"));
        } catch (IOException e) {
            return false;
        }
    }

    /** Input of a command that runs in a deterministic guest, read when the guest has room for it. */
    private static final class FileInput implements Supplier<byte[]> {
        private static final int PIECE = 4096;

        private final InputStream in = new FileInputStream(FileDescriptor.in);
        private final ConsoleInput encoder;
        private boolean ended;

        FileInput(boolean sysrqKey) {
            encoder = new ConsoleInput(sysrqKey);
        }

        @Override
        public byte[] get() {
            if (ended) {
                return new byte[0];
            }
            byte[] piece;
            try {
                piece = in.readNBytes(PIECE);
            } catch (IOException e) {
                System.err.println("xeno: cannot read standard input: " + e.getMessage());
                piece = new byte[0];
            }
            ended = piece.length == 0;
            return ended ? encoder.end() : encoder.encode(piece, 0, piece.length);
        }
    }

    private static OutputStream openOutput(ConsoleChoice where) {
        return switch (where.kind()) {
            case STDIO -> new FileOutputStream(FileDescriptor.out);
            case NONE -> OutputStream.nullOutputStream();
            case FILE -> {
                try {
                    yield Files.newOutputStream(where.file());
                } catch (IOException e) {
                    throw new CliException(
                            ExitStatus.HOST, "cannot write console file " + where.file() + ": " + e.getMessage(), e);
                }
            }
        };
    }

    /** One life of the guest; a restart makes another. */
    private final class Attempt {
        final Domain domain;
        final CountDownLatch ready = new CountDownLatch(1);
        final GuestReport report;

        Attempt(Domain domain) {
            this.domain = domain;
            report = new GuestReport(
                    () -> {
                        // What the kernel said before belongs to the boot, not to the command.
                        domain.console().resumeOutput();
                        output.guestReady();
                        if (reproducibleInput) {
                            connectInput();
                        }
                        ready.countDown();
                    },
                    () -> {
                        domain.console().resumeOutput();
                        output.commandEnded();
                    });
            domain.onDebugPort(report::accept);
            domain.console().connect(output::write);
            if (session == null) {
                ready.countDown();
            }
        }

        private void connectInput() {
            domain.console().connectInput(new FileInput(report.sysrqKey()));
        }
    }

    /** Runs the guest to its end; the result is the process's exit status. */
    int run() throws InterruptedException, IOException {
        if (terminal != null) {
            System.err.println("xeno: " + config.kernel().getFileName() + ", " + new MemorySize(config.memoryBytes())
                    + ", engine " + config.engine().here() + "; Ctrl-] leaves, Ctrl-\\ opens the monitor");
            terminal.onResize((columns, rows) -> {
                Attempt attempt = current;
                if (attempt != null) {
                    attempt.domain.console().resize(rows, columns);
                }
            });
        }
        boolean reading = false;
        try {
            while (true) {
                try (Domain domain = create();
                        XenStoreSocket socket = serveStore(domain)) {
                    Attempt attempt = new Attempt(domain);
                    current = attempt;
                    if (terminal != null && socket != null) {
                        System.err.println("xeno: the guest's xenstore: XENSTORED_PATH=" + socket.path());
                    }
                    if (terminal != null) {
                        terminal.enterRaw();
                        domain.console().resize(terminal.rows(), terminal.columns());
                    }
                    if (!reading && where.kind() == ConsoleChoice.Kind.STDIO && !reproducibleInput) {
                        Thread.ofPlatform().daemon().name("console-input").start(this::readInput);
                        reading = true;
                    }
                    if (stats) {
                        domain.inspector().collectStatistics();
                    }
                    domain.start();
                    DomainOutcome outcome = await(attempt);
                    domain.console().resumeOutput();
                    if (outcome instanceof DomainOutcome.Reboot && restart && !left) {
                        continue;
                    }
                    if (terminal != null) {
                        terminal.restore();
                    }
                    int status = finish(attempt, outcome);
                    if (stats) {
                        System.err.print(domain.inspector().statistics());
                    }
                    return status;
                }
            }
        } finally {
            current = null;
            if (terminal != null) {
                terminal.restore();
            }
            output.close();
        }
    }

    /** The store on a socket, when somebody wants that; else null. */
    private XenStoreSocket serveStore(Domain domain) {
        if (storeSocket == null) {
            return null;
        }
        try {
            return new XenStoreSocket(domain.store(), storeSocket);
        } catch (IOException e) {
            throw new CliException(
                    ExitStatus.HOST, "cannot serve xenstore on " + storeSocket + ": " + e.getMessage(), e);
        }
    }

    private Domain create() throws IOException {
        try {
            return Domain.create(config);
        } catch (MachineMemoryException e) {
            throw new CliException(ExitStatus.HOST, e.getMessage(), e);
        } catch (ImageFormatException | DomainBuildException e) {
            throw new CliException(ExitStatus.BAD_IMAGE, e.getMessage(), e);
        } catch (IOException e) {
            throw new CliException(
                    ExitStatus.NO_INPUT, "cannot read kernel " + config.kernel() + ": " + e.getMessage(), e);
        } catch (OutOfMemoryError e) {
            throw new CliException(
                    ExitStatus.HOST,
                    "this machine cannot give " + new MemorySize(config.memoryBytes())
                            + " of address space: use less --memory",
                    e);
        }
    }

    /** Waits for the end; null when we give up, with the reason in {@link #hung}: the guest is well in its own eyes. */
    private DomainOutcome await(Attempt attempt) throws InterruptedException {
        boolean told = false;
        long waited = 0;
        while (true) {
            DomainOutcome outcome = attempt.domain.await(1);
            if (outcome != null) {
                return outcome;
            }
            if (monitoring) {
                continue;
            }
            waited++;
            Optional<String> stall = attempt.domain.inspector().stall();
            if (stall.isPresent() && !told) {
                told = true;
                tell("xeno: " + stall.get()
                        + (terminal != null
                                ? "; Ctrl-] leaves, Ctrl-\\ opens the monitor"
                                : "; waiting for it to come back"));
            }
            if (timeout > 0 && waited >= timeout) {
                hung = stall.orElse("the guest did not end") + " within --timeout " + timeout + " s";
                return null;
            }
            boolean silent = session == null ? stall.isPresent() : !attempt.report.ready();
            if (bootTimeout > 0 && waited >= bootTimeout && silent) {
                hung = stall.map(place -> place + " and did not come back within " + bootTimeout
                                + " s: the kernel hangs; --trace and --append loglevel=7 show what it did before")
                        .orElse("the guest's first program did not start within " + bootTimeout
                                + " s: use --append loglevel=7 to see where it stops,"
                                + " or give more time with --boot-timeout");
                return null;
            }
        }
    }

    /** A line for the person while the guest's console is on the same terminal. */
    private void tell(String line) {
        System.err.print(terminal == null ? line + "\n" : "\r\n" + line + "\r\n");
        System.err.flush();
    }

    private int finish(Attempt attempt, DomainOutcome outcome) {
        if (left) {
            System.err.println("xeno: left; the guest was stopped");
            return ExitStatus.LEFT.code();
        }
        if (outcome == null) {
            output.showHeldBack(System.err);
            return say(ExitStatus.HUNG, hung);
        }
        if (isCommand() && attempt.report.exitStatus().isPresent()) {
            return attempt.report.exitStatus().getAsInt();
        }
        return switch (outcome) {
            case DomainOutcome.PowerOff _ ->
                isCommand()
                        ? say(ExitStatus.NO_STATUS, "the guest powered off before the command reported its status")
                        : ExitStatus.OK.code();
            case DomainOutcome.Reboot _ -> {
                System.err.println("xeno: the guest rebooted (--on-reboot restart starts it again)");
                yield ExitStatus.REBOOT.code();
            }
            case DomainOutcome.Suspended _ ->
                say(ExitStatus.CRASH, "the guest suspended itself, which is not supported yet");
            case DomainOutcome.Panic panic -> {
                output.showHeldBack(System.err);
                System.err.println(panic.report().stripTrailing());
                yield say(ExitStatus.PANIC, "the guest panicked: " + panic.reason());
            }
            case DomainOutcome.Crash crash -> {
                output.showHeldBack(System.err);
                System.err.println(crash.report().stripTrailing());
                if (crash.isOurDefect()) {
                    yield say(
                            ExitStatus.INTERNAL,
                            crash.reason() + "; please report it (XENO_DEBUG=1 shows the details)");
                }
                String advice =
                        crash.reason().startsWith("triple fault") ? "; --trace exception shows what led to it" : "";
                yield say(ExitStatus.CRASH, "the guest crashed: " + crash.reason() + advice);
            }
            case DomainOutcome.Destroyed _ -> say(ExitStatus.NO_STATUS, "the guest was destroyed");
        };
    }

    private static int say(ExitStatus status, String line) {
        System.err.println("xeno: " + line);
        return status.code();
    }

    /** The input thread: from our standard input to whichever life the guest is in. */
    private void readInput() {
        // Not System.in: its buffer would keep bytes, and nothing here needs one. Never closed: the terminal's modes
        // are
        // set through the same descriptor, and must be given back at the end.
        InputStream in = new FileInputStream(FileDescriptor.in);
        try {
            byte[] buffer = new byte[4096];
            if (terminal != null) {
                readKeys(in, buffer);
            } else {
                readPipe(in, buffer);
            }
        } catch (IOException e) {
            System.err.println("xeno: cannot read standard input: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void readKeys(InputStream in, byte[] buffer) throws IOException, InterruptedException {
        Thread.ofPlatform().daemon().name("early-keys").start(this::sendEarlyKeys);
        for (int n = in.read(buffer); n > 0; n = in.read(buffer)) {
            Attempt attempt = current;
            if (attempt == null) {
                return;
            }
            int end = n;
            boolean monitor = false;
            for (int i = 0; i < n; i++) {
                if (buffer[i] == LEAVE_KEY) {
                    left = true;
                    attempt.domain.destroy();
                    return;
                }
                if (buffer[i] == MONITOR_KEY) {
                    monitor = true;
                    end = i;
                    break;
                }
            }
            synchronized (early) {
                if (early.size() < MOST_EARLY_KEYS) {
                    early.write(buffer, 0, end);
                }
            }
            if (monitor) {
                byte[] rest = openMonitor(attempt, in, Arrays.copyOfRange(buffer, end + 1, n));
                synchronized (early) {
                    early.write(rest, 0, rest.length);
                }
            }
            if (attempt.ready.getCount() == 0) {
                flushEarlyKeys(attempt);
            }
        }
    }

    private void sendEarlyKeys() {
        Attempt attempt = current;
        try {
            if (attempt != null) {
                attempt.ready.await();
                flushEarlyKeys(attempt);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void flushEarlyKeys(Attempt attempt) throws InterruptedException {
        synchronized (early) {
            if (early.size() > 0) {
                attempt.domain.console().inputFully(early.toByteArray());
                early.reset();
            }
        }
    }

    private void readPipe(InputStream in, byte[] buffer) throws IOException, InterruptedException {
        Attempt attempt = current;
        attempt.ready.await();
        boolean exact = session != null && session.kind() == GuestSession.Kind.PIPE;
        ConsoleInput encoder = new ConsoleInput(attempt.report.sysrqKey());
        for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
            attempt = current;
            if (attempt == null) {
                return;
            }
            attempt.ready.await();
            attempt.domain.console().inputFully(exact ? encoder.encode(buffer, 0, n) : Arrays.copyOf(buffer, n));
        }
        attempt = current;
        // A foreign guest's program may not take Ctrl-D for the end; a shell of ours does, and then powers off.
        if (attempt != null && session != null) {
            attempt.domain.console().inputFully(encoder.end());
            if (!exact) {
                repeatEndOfInput(attempt, encoder);
            }
        }
    }

    /**
     * A shell switches its terminal between two modes, and a Ctrl-D that comes in between is lost, while the end of our input
     * does not go away: it is said again until the guest has ended.
     */
    private void repeatEndOfInput(Attempt attempt, ConsoleInput encoder) throws InterruptedException {
        while (current == attempt) {
            Thread.sleep(END_OF_INPUT_MILLIS);
            attempt.domain.console().inputFully(encoder.end());
        }
    }

    /**
     * Opens the monitor on this terminal.
     *
     * @param typed what was typed behind the key that opens it
     * @return what of that is left for the guest
     */
    private byte[] openMonitor(Attempt attempt, InputStream in, byte[] typed) throws IOException {
        ByteArrayInputStream first = new ByteArrayInputStream(typed);
        monitoring = true;
        // The sequence reads byte by byte: what follows the monitor's last line belongs to the guest.
        InputStream keys = new SequenceInputStream(first, in);
        try (Monitor monitor = attempt.domain.monitor()) {
            if (!new MonitorConsole(monitor::execute, monitor::isFinished, keys, System.err, LEAVE_KEY).run()) {
                left = true;
                attempt.domain.destroy();
            }
        } finally {
            monitoring = false;
        }
        return first.readAllBytes();
    }
}
