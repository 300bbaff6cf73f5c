package org.xenolith.cli.host;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.xenolith.cli.CliException;
import org.xenolith.cli.ExitStatus;
import org.xenolith.cli.HostTerminal;
import org.xenolith.cli.ProgressLine;
import org.xenolith.daemon.HostConnection;
import org.xenolith.daemon.HostException;
import org.xenolith.daemon.protocol.Answer;
import org.xenolith.daemon.protocol.Command.AwaitEnd;
import org.xenolith.daemon.protocol.Command.Create;
import org.xenolith.daemon.protocol.Command.Resolve;
import org.xenolith.daemon.protocol.Command.Unpause;
import org.xenolith.image.DebianPackages;
import org.xenolith.image.ImageException;
import org.xenolith.toolstack.LifecycleAction;
import org.xenolith.toolstack.LifecycleActions;
import org.xenolith.toolstack.config.ConfigException;
import org.xenolith.toolstack.config.ConfigFile;
import org.xenolith.toolstack.config.GuestConfig;
import org.xenolith.toolstack.config.GuestConfigReader;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code create}: makes a domain of a configuration file. */
@Command(
        name = "create",
        header = {
            "Makes a domain of a configuration in the syntax of xl.cfg(5).",
            "",
            "  xeno create web.cfg                         and starts it",
            "  xeno create web.cfg -c memory=1024          another value for a key; joins its console",
            "  xeno create /dev/null 'name=\"t\"' 'kernel=\"debian:cloud\"'   no file at all",
            ""
        },
        description = {
            "",
            "kernel=\"debian:cloud\" and \"debian:generic\" are Debian's kernels; without a ramdisk they boot to a shell.",
            "Paths are relative to the directory that this command is called in.",
            ""
        })
final class CreateVerb extends HostVerb {
    @Parameters(
            arity = "0..*",
            paramLabel = "FILE|KEY=VALUE",
            description = "The configuration, and settings that come after it.")
    private List<String> words = List.of();

    @Option(
            names = {"-f", "--defconfig"},
            paramLabel = "FILE",
            description = "The configuration.")
    private String file;

    @Option(names = "-c", description = "Join the console.")
    private boolean console;

    @Option(names = "-p", description = "Leave the domain paused.")
    private boolean paused;

    @Option(
            names = {"-n", "--dryrun"},
            description = "Print what would be made, as JSON, and make nothing.")
    private boolean dryRun;

    @Option(
            names = {"-q", "--quiet"},
            description = "Say nothing that is not an error.")
    private boolean quiet;

    @Option(
            names = "-e",
            description = "When the guest ends, leave the domain as it is, whatever on_poweroff and its like say.")
    private boolean unattended;

    @Option(names = "-F", description = "Return when the domain is gone.")
    private boolean foreground;

    @Option(names = "-d", description = "Print what is made, as JSON.")
    private boolean debug;

    @Option(names = "--ignore-global-affinity-masks", description = "Taken as Xen's xl does; there are none.")
    private boolean ignoreMasks;

    private GuestConfig config;
    private Path kernel;
    private Path busybox;
    private Path kernelCache;

    CreateVerb(HostAccess access) {
        super(access);
    }

    @Override
    void check() {
        List<String> settings = new ArrayList<>();
        String from = file;
        for (String word : words) {
            if (word.indexOf('=') >= 0) {
                settings.add(word);
            } else if (from == null) {
                from = word;
            } else {
                throw usage("two configurations, " + from + " and " + word + ": give one, and settings as key=value");
            }
        }
        if (from == null) {
            throw usage("no configuration: xeno create web.cfg");
        }
        if (isXl() && !quiet) {
            System.err.println("Parsing config from " + from);
        }
        try {
            ConfigFile text = ConfigFile.parse(from, read(from));
            for (String setting : settings) {
                text.override(setting);
            }
            GuestConfigReader.Result result = GuestConfigReader.read(text, from);
            if (!quiet) {
                result.warnings().forEach(warning -> tell("warning: " + warning));
            }
            config = withPaths(unattended ? unattended(result.config()) : result.config());
        } catch (ConfigException e) {
            throw new CliException(ExitStatus.FAILED, e.getMessage(), e);
        }
        if (dryRun || debug) {
            String json = DomainJson.json(DomainJson.description(config, config.uuid())) + "\n";
            if (!dryRun) {
                System.err.print(json);
            } else {
                print(json);
            }
        }
        if (!dryRun) {
            findFiles();
        }
    }

    private static String read(String file) {
        try {
            Path path = Path.of(file);
            if (Files.isDirectory(path)) {
                throw new CliException(ExitStatus.FAILED, "cannot read " + file + ": it is a directory");
            }
            if (Files.size(path) > ConfigFile.LONGEST) {
                throw new CliException(ExitStatus.FAILED, file + " is too long for a configuration");
            }
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(java.nio.ByteBuffer.wrap(Files.readAllBytes(path)))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new CliException(ExitStatus.FAILED, file + ": this is no UTF-8 text, so no configuration", e);
        } catch (IOException | java.nio.file.InvalidPathException e) {
            throw new CliException(ExitStatus.FAILED, "cannot read " + file + ": " + why(e), e);
        }
    }

    private static String why(Exception e) {
        return switch (e) {
            case java.nio.file.NoSuchFileException missing -> "no such file";
            case java.nio.file.AccessDeniedException denied -> "permission denied";
            default -> e.getMessage();
        };
    }

    private static boolean isDebian(String kernel) {
        return kernel.startsWith("debian:");
    }

    private static String absolute(String file) {
        return file == null ? null : Path.of(file).toAbsolutePath().normalize().toString();
    }

    private static GuestConfig withPaths(GuestConfig c) {
        return copy(
                c,
                isDebian(c.kernel()) ? c.kernel() : absolute(c.kernel()),
                absolute(c.ramdisk()),
                c.actions(),
                absolute(c.consoleFile()));
    }

    private static GuestConfig unattended(GuestConfig c) {
        LifecycleActions stay = LifecycleActions.all(LifecycleAction.PRESERVE);
        return copy(c, c.kernel(), c.ramdisk(), stay, c.consoleFile());
    }

    private static GuestConfig copy(
            GuestConfig c, String kernel, String ramdisk, LifecycleActions actions, String consoleFile) {
        return new GuestConfig(
                c.name(),
                c.uuid(),
                c.type(),
                kernel,
                ramdisk,
                c.commandLine(),
                c.memoryMib(),
                c.maxMemoryMib(),
                c.vcpus(),
                c.maxVcpus(),
                c.cpus(),
                c.cpusSoft(),
                c.cpuWeight(),
                c.cap(),
                c.periodMicros(),
                c.sliceMicros(),
                c.extraTime(),
                c.pool(),
                actions,
                c.nestedHvm(),
                c.viridian(),
                c.maxEventChannels(),
                c.maxGrantFrames(),
                c.maxMaptrackFrames(),
                c.maxGrantVersion(),
                c.engine(),
                c.cpuLevel(),
                consoleFile);
    }

    /** Kernel and busybox are looked for, and fetched, by this process: it has a terminal to show progress on. */
    private void findFiles() {
        DebianPackages.Options options = DebianPackages.Options.of(System::getenv);
        kernelCache = options.cache().resolve("kernels");
        if (config.ramdisk() != null) {
            readable("ramdisk", Path.of(config.ramdisk()));
        }
        if (!isDebian(config.kernel())) {
            kernel = readable("kernel", Path.of(config.kernel()));
            return;
        }
        ProgressLine progress = new ProgressLine(System.err, HostTerminal.errorIsTerminal());
        DebianPackages packages = new DebianPackages(options, progress);
        try {
            kernel = switch (config.kernel()) {
                case "debian:cloud" ->
                    packages.kernel(DebianPackages.CLOUD_KERNEL).image();
                case "debian:generic" ->
                    packages.kernel(DebianPackages.GENERIC_KERNEL).image();
                default ->
                    throw new CliException(
                            ExitStatus.FAILED,
                            "kernel " + config.kernel() + " is unknown: debian:cloud or debian:generic, or a file");
            };
            if (config.ramdisk() == null) {
                busybox = packages.busybox();
            }
        } catch (ImageException e) {
            throw new CliException(ExitStatus.FAILED, e.getMessage(), e);
        } finally {
            progress.clear();
        }
    }

    private static Path readable(String what, Path file) {
        String problem = !Files.exists(file)
                ? "no such file"
                : Files.isDirectory(file) ? "it is a directory" : !Files.isReadable(file) ? "permission denied" : null;
        if (problem != null) {
            throw new CliException(ExitStatus.FAILED, "cannot read " + what + " " + file + ": " + problem);
        }
        return file;
    }

    @Override
    HostConnection connect() throws HostException {
        return dryRun ? null : super.connect();
    }

    @Override
    int run(HostConnection host) throws HostException, InterruptedException {
        if (dryRun) {
            return 0;
        }
        Answer.DomainRef made = host.ask(new Create(
                config,
                kernel.toAbsolutePath().toString(),
                busybox == null ? null : busybox.toAbsolutePath().toString(),
                kernelCache.toAbsolutePath().toString(),
                paused || console));
        if (!isXl() && !quiet) {
            tell(config.name() + " is domain " + made.id() + (paused ? ", paused" : ""));
        }
        if (console) {
            try (HostConnection second = super.connect()) {
                HostConnection.ConsoleSession session = second.attach(Integer.toString(made.id()));
                if (!paused) {
                    host.ask(new Unpause(Integer.toString(made.id())));
                }
                new ConsoleClient(session, program(), ']' & 0x1F).run();
            }
        }
        return foreground ? await(host, made.id()) : 0;
    }

    /** Waits through restarts. */
    private int await(HostConnection host, int id) throws HostException {
        for (int now = id; ; ) {
            host.ask(new AwaitEnd(now, true));
            try {
                int next = host.ask(new Resolve(config.name())).id();
                if (next == now) {
                    return 0;
                }
                now = next;
            } catch (HostException e) {
                if (e.reason() == Answer.Reason.NO_DOMAIN) {
                    return 0;
                }
                throw e;
            }
        }
    }
}
