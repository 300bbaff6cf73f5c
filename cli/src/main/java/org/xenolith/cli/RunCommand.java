package org.xenolith.cli;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import org.xenolith.cpu.CpuLevel;
import org.xenolith.image.DebianPackages;
import org.xenolith.image.GuestSession;
import org.xenolith.image.ImageException;
import org.xenolith.services.symbols.SymbolTable;
import org.xenolith.toolstack.Domain;
import org.xenolith.toolstack.DomainConfig;
import org.xenolith.toolstack.EngineKind;
import org.xenolith.toolstack.TraceConfig;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code xeno run}: boots a guest on this terminal and ends when the guest does. */
@Command(
        name = "run",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        usageHelpAutoWidth = true,
        usageHelpWidth = 110,
        customSynopsis = "xeno run [OPTIONS] [-- COMMAND [ARGUMENTS…]]",
        header = {
            "Boots a kernel and gives its console; ends when the guest ends.",
            "",
            "  xeno run                                           Debian's cloud kernel and a shell",
            "  xeno run -- sh -c 'uname -a; exit 3'               one command: its output and status come back",
            "  xeno run --kernel vmlinuz --append loglevel=7 --trace hypercall --trace-file trace.txt",
            ""
        },
        description = {
            "",
            "Without --kernel and --initrd, Debian's linux-image-cloud-amd64 and busybox-static are fetched through apt once,"
                    + " checked, and kept in the cache (XENOLITH_CACHE, else ~/.cache/xenolith).",
            "On a terminal, Ctrl-] leaves and stops the guest, and Ctrl-\\ opens the monitor; all other keys go to the guest.",
            "COMMAND runs with this command's input; its output and errors both come on standard output.",
            ""
        },
        optionListHeading = "Options:%n",
        parameterListHeading = "")
final class RunCommand implements Callable<Integer> {
    /** What happens when the guest reboots. */
    enum OnReboot {
        EXIT,
        RESTART;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    @Option(
            names = "--kernel",
            paramLabel = "FILE",
            description =
                    "A bzImage or ELF vmlinux with a PVH entry; or debian:cloud, debian:generic for Debian's. Default: debian:cloud",
            defaultValue = "debian:cloud")
    private String kernel;

    @Option(
            names = "--initrd",
            paramLabel = "FILE",
            description =
                    "Initial RAM file system. Default: one with busybox, made now. With COMMAND, ours is laid over it.")
    private Path initrd;

    @Option(names = "--append", paramLabel = "WORDS", description = "More words for the kernel's command line.")
    private String append;

    @Option(
            names = "--memory",
            paramLabel = "SIZE",
            description = "Memory of the guest: 512M, 2G, 65536K. Only what the guest touches is taken. Default: 512M",
            converter = MemorySize.Converter.class,
            defaultValue = "512M")
    private MemorySize memory;

    @Option(
            names = "--vcpus",
            paramLabel = "N",
            description = "Virtual CPUs that are online at the start, 1 to 32. Default: ${DEFAULT-VALUE}",
            defaultValue = "1")
    private int vcpus;

    @Option(
            names = "--maxvcpus",
            paramLabel = "N",
            description = "Virtual CPUs that the guest can bring online while it runs. Default: as many as --vcpus")
    private Integer maxVcpus;

    @Option(
            names = "--console",
            paramLabel = "WHERE",
            description = "stdio, none, or file:PATH (output only). Default: stdio",
            defaultValue = "stdio")
    private String console;

    @Option(
            names = {"-t", "--tty"},
            description = "Give COMMAND a terminal: for editors and other full-screen programs.")
    private boolean tty;

    @Option(
            names = "--cpu",
            paramLabel = "LEVEL",
            description =
                    "The processor that the guest sees: ${COMPLETION-CANDIDATES}. v3 has AVX2; host is v3 without what this host lacks. Default: ${DEFAULT-VALUE}")
    private CpuLevel cpu = DomainConfig.DEFAULT_CPU;

    @Option(
            names = "--engine",
            paramLabel = "NAME",
            description =
                    "Runs the instructions: ${COMPLETION-CANDIDATES}. translate is fast and needs x86-64 Linux; verify compares it with"
                            + " interpret; auto is translate where that can run. Default: auto",
            defaultValue = "auto")
    private EngineKind engine;

    @Option(
            names = "--on-reboot",
            paramLabel = "WHAT",
            description = "When the guest reboots: ${COMPLETION-CANDIDATES}. Default: exit",
            defaultValue = "exit")
    private OnReboot onReboot;

    @Option(
            names = "--boot-timeout",
            paramLabel = "SECONDS",
            description =
                    "Give up when the guest's first program has not started by then; 0 waits for ever. Default: 300",
            defaultValue = "300")
    private int bootTimeout;

    @Option(
            names = "--timeout",
            paramLabel = "SECONDS",
            description = "Give up when the guest has not ended by then; 0 waits for ever. Default: 0",
            defaultValue = "0")
    private int timeout;

    @Option(
            names = "--deterministic",
            description = "Time counts the guest's instructions and randomness has a fixed seed.")
    private boolean deterministic;

    @Option(
            names = "--trace",
            split = ",",
            paramLabel = "WHAT",
            description = {
                "hypercall, exception, interrupt, port, msr, mmio, event, insn, hash; several with commas.",
                "hash=N: hashes of processor and memory every N instructions (default 1000000), to compare two runs."
            })
    private List<String> trace = List.of();

    @Option(names = "--trace-file", paramLabel = "FILE", description = "Where traces go. Default: standard error.")
    private Path traceFile;

    @Option(
            names = "--xenstore",
            paramLabel = "SOCKET",
            description =
                    "Serve the guest's xenstore on a Unix socket of this name: XENSTORED_PATH=SOCKET xenstore-ls. Only you may connect.")
    private Path xenstore;

    @Option(names = "--stats", description = "Tell at the end, on standard error, what the engine did.")
    private boolean stats;

    @Option(
            names = "--system-map",
            paramLabel = "FILE",
            description = "Symbols for traces, monitor and crash reports. Default: those that the kernel carries.")
    private Path systemMap;

    @Option(
            names = "--mirror",
            paramLabel = "DIRECTORY",
            description = "Take .deb files from here instead of asking apt (also XENOLITH_MIRROR).")
    private Path mirror;

    @Option(names = "--verify", description = "Compute the checksums of all cached files again.")
    private boolean verify;

    @Parameters(
            paramLabel = "COMMAND",
            arity = "0..*",
            hidden = true,
            description = "What to run in the guest in place of a shell.")
    private List<String> command = List.of();

    /** Starts in the background what takes long and is needed whatever the options say. */
    static void prepare() {
        Thread.ofPlatform()
                .daemon()
                .name("prepare")
                .uncaughtExceptionHandler((thread, e) -> {
                    // Whoever needs what failed here meets it again, and tells.
                })
                .start(() -> {
                    HostTerminal.errorIsTerminal();
                    Domain.prepare();
                });
    }

    @Override
    public Integer call() throws Exception {
        MemorySize size = memory.check(MemorySize.ofHost());
        if (bootTimeout < 0) {
            throw new CliException(ExitStatus.USAGE, "--boot-timeout " + bootTimeout + ": give seconds, or 0");
        }
        if (timeout < 0) {
            throw new CliException(ExitStatus.USAGE, "--timeout " + timeout + ": give seconds, or 0");
        }
        int most = maxVcpus == null ? vcpus : maxVcpus;
        checkVcpus(most);
        if (tty && command.isEmpty()) {
            throw new CliException(ExitStatus.USAGE, "--tty needs a command: xeno run --tty -- vi /etc/passwd");
        }
        for (String word : command) {
            // Java turns bytes that are no text in the locale's encoding into this character.
            if (word.indexOf('\uFFFD') >= 0) {
                throw new CliException(
                        ExitStatus.USAGE, "the command holds bytes that are no UTF-8 text: pass them in a file");
            }
        }
        ConsoleChoice where = ConsoleChoice.parse(console);
        Optional<TraceOutput> traces = openTrace();
        boolean person = where.kind() == ConsoleChoice.Kind.STDIO && HostTerminal.present();
        boolean attach = person && (command.isEmpty() || tty);
        ProgressLine progress = new ProgressLine(System.err, HostTerminal.errorIsTerminal());
        try (Arena arena = Arena.ofShared();
                HostTerminal terminal = attach ? HostTerminal.open() : null) {
            GuestSession session = session(terminal);
            DebianPackages.Options options =
                    DebianPackages.Options.of(System::getenv).withVerify(verify);
            DebianPackages packages =
                    new DebianPackages(mirror == null ? options : options.withMirror(mirror), progress);
            DomainConfig.Builder config = DomainConfig.of(kernelFile(packages))
                    .kernelCache(options.cache().resolve("kernels"))
                    .memoryBytes(size.bytes())
                    .vcpus(vcpus)
                    .maxVcpus(most)
                    .cpu(cpu)
                    .engine(engine)
                    .deterministic(deterministic)
                    .commandLine(commandLine(session));
            if (initrd != null) {
                addFile(config, arena);
            }
            if (session != null) {
                Path busybox = packages.busybox();
                config.ramdisk((initrd == null ? session.system(busybox) : session.overlay(busybox)).build());
            }
            traces.ifPresent(t -> config.trace(t.config()));
            if (systemMap != null) {
                config.symbols(readSymbols(systemMap));
            }
            progress.clear();
            return new GuestRun(
                            config.build(),
                            session,
                            where,
                            terminal,
                            onReboot == OnReboot.RESTART,
                            bootTimeout,
                            timeout,
                            stats,
                            xenstore)
                    .run();
        } catch (ImageException e) {
            progress.clear();
            throw new CliException(
                    switch (e.kind()) {
                        case UNAVAILABLE -> ExitStatus.UNAVAILABLE;
                        case CORRUPT -> ExitStatus.BAD_IMAGE;
                        case HOST -> ExitStatus.HOST;
                    },
                    e.getMessage(),
                    e);
        } finally {
            traces.ifPresent(TraceOutput::close);
        }
    }

    private void checkVcpus(int most) {
        if (vcpus < 1 || vcpus > DomainConfig.MAX_VCPUS) {
            throw new CliException(ExitStatus.USAGE, "--vcpus " + vcpus + ": give 1 to " + DomainConfig.MAX_VCPUS);
        }
        if (most < vcpus || most > DomainConfig.MAX_VCPUS) {
            throw new CliException(
                    ExitStatus.USAGE,
                    "--maxvcpus " + most + ": give " + vcpus + " (--vcpus) to " + DomainConfig.MAX_VCPUS);
        }
        if (most > 1 && deterministic) {
            throw new CliException(
                    ExitStatus.USAGE, "--deterministic has one virtual CPU: how several take turns is up to the host");
        }
        if (most > 1 && engine == EngineKind.VERIFY) {
            throw new CliException(
                    ExitStatus.USAGE, "--engine verify compares what one virtual CPU does, and there are " + most);
        }
    }

    /** What our init is to do; null when the user's own initial file system decides. */
    private GuestSession session(HostTerminal terminal) {
        if (!command.isEmpty() && !tty) {
            return GuestSession.pipe(command);
        }
        int rows = terminal == null ? 24 : terminal.rows();
        int columns = terminal == null ? 80 : terminal.columns();
        String term = terminal == null
                ? "dumb"
                : Optional.ofNullable(System.getenv("TERM")).orElse("vt100");
        if (!command.isEmpty()) {
            return GuestSession.tty(command, rows, columns, term);
        }
        return initrd == null ? GuestSession.shell(rows, columns, term) : null;
    }

    /**
     * The kernel's command line. {@code panic=-1} makes a panic end the guest at once: without it a kernel under Xen stays
     * in a loop and nobody is told.
     */
    private String commandLine(GuestSession session) {
        StringBuilder line = new StringBuilder(session == null ? "console=hvc0" : session.kernelParameters());
        line.append(" panic=-1");
        if (session != null && initrd != null) {
            line.append(" rdinit=").append(GuestSession.INIT);
        }
        if (append != null && !append.isBlank()) {
            line.append(' ').append(append.strip());
        }
        if (line.length() > 2047) {
            throw new CliException(ExitStatus.USAGE, "--append makes the kernel's command line longer than 2047 bytes");
        }
        return line.toString();
    }

    private Path kernelFile(DebianPackages packages) throws ImageException {
        return switch (kernel) {
            case "debian:cloud" -> packages.kernel(DebianPackages.CLOUD_KERNEL).image();
            case "debian:generic" ->
                packages.kernel(DebianPackages.GENERIC_KERNEL).image();
            default -> readable("kernel", Path.of(kernel));
        };
    }

    /** Maps the user's initrd; the archive after it must start at a multiple of four. */
    private void addFile(DomainConfig.Builder config, Arena arena) {
        Path file = readable("initrd", initrd);
        try (FileChannel channel = FileChannel.open(file)) {
            long size = channel.size();
            if (size == 0) {
                throw new CliException(
                        ExitStatus.BAD_IMAGE,
                        "initrd " + file + " is empty: leave --initrd out or give a cpio archive");
            }
            if (size >= memory.bytes()) {
                throw new CliException(
                        ExitStatus.BAD_IMAGE,
                        "initrd " + file + " (" + (size >> 20) + " MiB) does not fit into --memory " + memory
                                + ": give the guest more");
            }
            MemorySegment mapped = channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena);
            config.ramdisk(mapped);
            if ((size & 3) != 0) {
                config.ramdisk(new byte[4 - (int) (size & 3)]);
            }
        } catch (IOException e) {
            throw new CliException(ExitStatus.NO_INPUT, "cannot read initrd " + file + ": " + e.getMessage(), e);
        }
    }

    private static SymbolTable readSymbols(Path file) {
        try {
            return SymbolTable.systemMap(readable("System.map", file));
        } catch (IOException e) {
            throw new CliException(ExitStatus.NO_INPUT, e.getMessage(), e);
        }
    }

    private static Path readable(String what, Path file) {
        String problem = !Files.exists(file)
                ? "no such file"
                : Files.isDirectory(file) ? "it is a directory" : !Files.isReadable(file) ? "permission denied" : null;
        if (problem != null) {
            throw new CliException(ExitStatus.NO_INPUT, "cannot read " + what + " " + file + ": " + problem);
        }
        return file;
    }

    private Optional<TraceOutput> openTrace() {
        if (trace.isEmpty()) {
            if (traceFile != null) {
                throw new CliException(ExitStatus.USAGE, "--trace-file needs --trace: say what to trace");
            }
            return Optional.empty();
        }
        Set<TraceConfig.Kind> kinds = EnumSet.noneOf(TraceConfig.Kind.class);
        long hashInterval = TraceConfig.DEFAULT_HASH_INTERVAL;
        try {
            for (String word : trace) {
                String[] parts = word.strip().split("=", 2);
                TraceConfig.Kind kind = TraceConfig.Kind.parse(parts[0]);
                kinds.add(kind);
                if (parts.length == 2) {
                    hashInterval = hashInterval(kind, parts[1]);
                }
            }
        } catch (IllegalArgumentException e) {
            throw new CliException(ExitStatus.USAGE, "--trace: " + e.getMessage(), e);
        }
        try {
            PrintStream out = traceFile == null
                    ? System.err
                    : new PrintStream(
                            new BufferedOutputStream(Files.newOutputStream(traceFile), 1 << 16),
                            false,
                            StandardCharsets.UTF_8);
            return Optional.of(new TraceOutput(kinds, hashInterval, out));
        } catch (IOException e) {
            throw new CliException(ExitStatus.HOST, "cannot write trace file " + traceFile + ": " + e.getMessage(), e);
        }
    }

    private static long hashInterval(TraceConfig.Kind kind, String text) {
        if (kind != TraceConfig.Kind.HASH || !text.matches("[1-9][0-9]{0,17}")) {
            throw new IllegalArgumentException("only hash takes a number, of instructions: hash=1000000");
        }
        return Long.parseLong(text);
    }

    /** Lines of a trace: buffered, since an instruction trace has millions; complete even when Ctrl-C ends us. */
    private static final class TraceOutput {
        private final Set<TraceConfig.Kind> kinds;
        private final long hashInterval;
        private final PrintStream out;

        TraceOutput(Set<TraceConfig.Kind> kinds, long hashInterval, PrintStream out) {
            this.kinds = kinds;
            this.hashInterval = hashInterval;
            this.out = out;
            Runtime.getRuntime().addShutdownHook(new Thread(out::flush, "trace-flush"));
        }

        TraceConfig config() {
            return new TraceConfig(kinds, hashInterval, out::println);
        }

        void close() {
            out.flush();
            if (out != System.err) {
                out.close();
            }
        }
    }
}
