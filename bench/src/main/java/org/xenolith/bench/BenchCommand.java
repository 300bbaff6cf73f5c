package org.xenolith.bench;

import java.io.IOException;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.net.URISyntaxException;
import java.nio.file.FileSystemNotFoundException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.CodeSource;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import org.xenolith.bench.qos.QosRun;
import org.xenolith.cli.ExitStatus;
import org.xenolith.image.DebianPackages;
import org.xenolith.image.ImageException;
import org.xenolith.image.Progress;
import org.xenolith.toolstack.DomainConfig;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code xeno bench}: Xenolith, QEMU's TCG and this machine, side by side. */
@Command(
        name = "bench",
        sortOptions = false,
        description = "Runs the same kernel, initramfs and workloads under Xenolith, under QEMU's TCG and natively, "
                + "in turns, and compares.",
        customSynopsis = {
            "xeno bench                              everything, three rounds",
            "       xeno bench --quick --only integer,boot  a first impression",
            "       xeno bench --check                      guest against host",
            "       xeno bench --stress --seconds 600       several processors at once, under each engine",
            "       xeno bench --qos                        the CPU scheduler's promises",
            "       xeno bench [OPTIONS]"
        },
        exitCodeListHeading = "%nExit status:%n",
        exitCodeList = {
            "0:all workloads ran and agree",
            "1:a workload failed, results differ between engines, or a check failed",
            "2:bad usage",
            "69:something needed is missing on this machine"
        })
public final class BenchCommand implements Callable<Integer> {
    static final int OK = ExitStatus.OK.code();
    static final int PROBLEMS = 1;
    static final int USAGE = ExitStatus.USAGE.code();
    static final int UNAVAILABLE = ExitStatus.UNAVAILABLE.code();

    private static final Pattern MEMORY = Pattern.compile("[1-9][0-9]{0,6}[MG]");
    private static final double QUICK_SECONDS = 0.25;
    private static final double QOS_SECONDS = 10;
    /** Load average above which a machine counts as busy, for each processor; a bench keeps one processor busy itself. */
    private static final double BUSY = 0.75;

    private static final int MOST_ROUNDS = 100;
    private static final double MOST_SECONDS = 600;
    private static final double MOST_STRESS_SECONDS = 100_000;
    private static final double STRESS_SECONDS = 60;
    private static final int STRESS_PROCESSORS = 4;

    /** How results are printed. */
    enum Format {
        TABLE,
        JSON
    }

    /** In lower case as people type it, however the command line around us treats enums. */
    static final class FormatConverter implements CommandLine.ITypeConverter<Format> {
        @Override
        public Format convert(String value) {
            return switch (value.toLowerCase(Locale.ROOT)) {
                case "table" -> Format.TABLE;
                case "json" -> Format.JSON;
                default -> throw new CommandLine.TypeConversionException("'" + value + "' is not table or json");
            };
        }
    }

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Show this help.")
    private boolean help;

    @Option(names = "--list", description = "Show the workloads and what each stands for, and stop.")
    private boolean list;

    @Option(
            names = "--only",
            split = ",",
            paramLabel = "NAME",
            description = "Workloads or groups to run, separated by commas; all by default.")
    private List<String> only = new ArrayList<>();

    @Option(names = "--rounds", paramLabel = "N", description = "Rounds of every engine, in turns; 3 by default.")
    private Integer rounds;

    @Option(
            names = "--seconds",
            paramLabel = "S",
            description =
                    "Time for which a workload repeats its unit; 1 by default. With --stress, time for each engine; 60 by"
                            + " default.")
    private Double seconds;

    @Option(names = "--quick", description = "One round of " + QUICK_SECONDS + " s for each workload.")
    private boolean quick;

    @Option(names = "--check", description = "Check clocks, sums and floating point of the guest against the host.")
    private boolean check;

    @Option(
            names = "--stress",
            description = "Stress a guest with several processors, under each of Xenolith's engines: memory order, TLB"
                    + " shootdowns, wake-ups, changing code, processors that come and go.")
    private boolean stress;

    @Option(
            names = "--smp",
            paramLabel = "N",
            description =
                    "Processors of each guest, 1 to 32, and for native runs; then only the group 'parallel' by default."
                            + " 1, or 4 with --stress.")
    private Integer smp;

    @Option(
            names = "--qos",
            description = "Measure shares by weight, caps, reservations and wake-up delays of small guests; "
                    + "10 s each unless --seconds says otherwise.")
    private boolean qos;

    @Option(
            names = "--engine",
            split = ",",
            paramLabel = "ENGINE",
            description = "Of xenolith, tcg, native, separated by commas; all three by default.")
    private List<String> engines = new ArrayList<>();

    @Option(names = "--no-peer", description = "Leave QEMU out.")
    private boolean noPeer;

    @Option(names = "--no-native", description = "Leave native runs out.")
    private boolean noNative;

    @Option(names = "--install-peer", description = "Install QEMU from Debian if it is missing.")
    private boolean installPeer;

    @Option(names = "--kernel", paramLabel = "FILE", description = "A bzImage; Debian's cloud kernel by default.")
    private Path kernel;

    @Option(names = "--busybox", paramLabel = "FILE", description = "A static busybox; Debian's by default.")
    private Path busybox;

    @Option(names = "--memory", paramLabel = "SIZE", defaultValue = "512M", description = "Memory of a guest; 512M.")
    private String memory;

    @Option(names = "--append", paramLabel = "ARGS", defaultValue = "", description = "More kernel arguments.")
    private String append;

    @Option(
            names = "--run-arg",
            paramLabel = "ARG",
            description = "More arguments for 'xeno run', for example --run-arg=--engine=interpret.")
    private List<String> runArguments = new ArrayList<>();

    @Option(
            names = "--peer-machine",
            paramLabel = "TYPE",
            defaultValue = "q35",
            description = "QEMU's machine type; q35 by default.")
    private String peerMachine;

    @Option(
            names = "--timeout",
            paramLabel = "S",
            defaultValue = "90",
            description = "Longest wait for a workload beside its own time; 90 s.")
    private long timeout;

    @Option(
            names = "--boot-timeout",
            paramLabel = "S",
            defaultValue = "180",
            description = "Longest wait for a guest's init; 180 s.")
    private long bootTimeout;

    @Option(names = "--cc", paramLabel = "CMD", defaultValue = "gcc", description = "C compiler; gcc.")
    private String compiler;

    @Option(
            names = {"-o", "--output"},
            paramLabel = "FORMAT",
            defaultValue = "table",
            converter = FormatConverter.class,
            description = "table or json.")
    private Format format;

    private final PrintStream out;
    private final PrintStream err;

    public BenchCommand() {
        this(System.out, System.err);
    }

    BenchCommand(PrintStream out, PrintStream err) {
        this.out = out;
        this.err = err;
    }

    /** For running this room by itself. */
    public static void main(String[] arguments) {
        System.exit(new CommandLine(new BenchCommand()).execute(arguments));
    }

    @Override
    public Integer call() {
        Path work = null;
        try {
            String complaint = complaint();
            if (!complaint.isEmpty()) {
                err.println("xeno bench: " + complaint);
                return USAGE;
            }
            if (qos) {
                return measureQos();
            }
            List<Workload> workloads;
            try {
                workloads = Workloads.select(
                        only.isEmpty() && smp != null && !stress ? List.of(Group.PARALLEL.label()) : only);
            } catch (BenchException e) {
                err.println("xeno bench: " + e.getMessage());
                return USAGE;
            }
            if (list) {
                out.print(listing(workloads));
                return OK;
            }
            Path images = Round.workDirectory();
            work = images;
            Runtime.getRuntime().addShutdownHook(new Thread(() -> Programs.deleteTree(images), "bench-cleanup"));
            return run(workloads, work);
        } catch (BenchException e) {
            err.println("xeno bench: " + e.getMessage());
            return UNAVAILABLE;
        } finally {
            Programs.deleteTree(work);
        }
    }

    private int measureQos() {
        List<String> remarks = new ArrayList<>();
        noteLoad(remarks);
        double each = seconds != null ? seconds : quick ? QUICK_SECONDS : QOS_SECONDS;
        return new QosRun(each, out, err, format == Format.JSON).run() ? OK : PROBLEMS;
    }

    private String complaint() {
        for (String name : engines) {
            if (Contestant.of(name).isEmpty()) {
                return "no engine is called '" + name + "'; there are xenolith, tcg and native";
            }
        }
        if (rounds != null && (rounds < 1 || rounds > MOST_ROUNDS)) {
            return "--rounds is from 1 to " + MOST_ROUNDS;
        }
        double most = stress ? MOST_STRESS_SECONDS : MOST_SECONDS;
        if (seconds != null && !(seconds > 0 && seconds <= most)) {
            return "--seconds is more than 0 and at most " + (int) most;
        }
        int fewest = stress ? 2 : 1;
        if (smp != null && (smp < fewest || smp > DomainConfig.MAX_VCPUS)) {
            return "--smp is from " + fewest + " to " + DomainConfig.MAX_VCPUS;
        }
        if (timeout < 1 || bootTimeout < 1) {
            return "a time limit is at least 1 s";
        }
        if (!MEMORY.matcher(memory).matches()) {
            return "--memory is a number and M or G, for example 512M";
        }
        if (!peerMachine.matches("[a-z0-9.,=-]+")) {
            return "--peer-machine is a machine type of QEMU, for example q35";
        }
        return wanted().isEmpty() ? "no engine is left to run" : "";
    }

    private int processors() {
        return smp != null ? smp : stress ? STRESS_PROCESSORS : 1;
    }

    private Set<Contestant> wanted() {
        if (stress) {
            return EnumSet.of(Contestant.XENOLITH);
        }
        Set<Contestant> wanted = EnumSet.noneOf(Contestant.class);
        engines.forEach(name -> Contestant.of(name).ifPresent(wanted::add));
        if (engines.isEmpty()) {
            wanted.addAll(EnumSet.allOf(Contestant.class));
        }
        if (noPeer) {
            wanted.remove(Contestant.TCG);
        }
        if (noNative) {
            wanted.remove(Contestant.NATIVE);
        }
        return wanted;
    }

    private static String listing(List<Workload> workloads) {
        StringBuilder text = new StringBuilder();
        int width = workloads.stream().mapToInt(w -> w.name().length()).max().orElse(0);
        Group group = null;
        for (Workload workload : workloads) {
            if (workload.group() != group) {
                group = workload.group();
                text.append(group.label())
                        .append(": ")
                        .append(group.description())
                        .append('\n');
            }
            text.append(String.format("  %-" + width + "s  %s%n", workload.name(), workload.cost()));
        }
        return text.toString();
    }

    private int run(List<Workload> selected, Path work) throws BenchException {
        List<String> remarks = new ArrayList<>();
        Map<Contestant, Machine> machines = new LinkedHashMap<>();
        Map<String, String> environment = new LinkedHashMap<>();
        Set<Contestant> contestants = wanted();
        environment.put("host", hostProcessor() + ", " + Runtime.getRuntime().availableProcessors() + " processors");
        if (contestants.contains(Contestant.XENOLITH)) {
            machines.put(Contestant.XENOLITH, Machine.xenolith(launcher(), memory, processors(), runArguments));
            environment.put("java", Runtime.version().toString());
        }
        if (contestants.contains(Contestant.TCG)) {
            Optional<Path> qemu = peer();
            if (qemu.isEmpty()) {
                remarks.add(Peer.HOW_TO_GET_IT);
                err.println("xeno bench: " + Peer.HOW_TO_GET_IT);
                contestants.remove(Contestant.TCG);
            } else {
                machines.put(Contestant.TCG, Machine.tcg(qemu.get().toString(), peerMachine, memory, processors()));
                environment.put(
                        "peer",
                        Peer.version(qemu.get()) + ", -accel tcg" + (processors() > 1 ? ",thread=multi" : "")
                                + " -cpu max -M " + peerMachine);
            }
        }
        if (contestants.isEmpty()) {
            return UNAVAILABLE;
        }
        Round.Setup setup = setup(work, selected, remarks, environment, !machines.isEmpty());
        if (stress) {
            return new StressRun(setup, launcher(), memory, runArguments, out, err).run();
        }
        if (check) {
            return new CheckRun(setup, machines, out, err, format == Format.JSON).run();
        }
        List<Workload> workloads = selected.stream()
                .filter(w -> w.isBoot() || setup.programs().containsKey(w.program()))
                .toList();
        return measure(setup, new ArrayList<>(contestants), machines, workloads, environment, remarks);
    }

    private int measure(
            Round.Setup setup,
            List<Contestant> contestants,
            Map<Contestant, Machine> machines,
            List<Workload> workloads,
            Map<String, String> environment,
            List<String> remarks)
            throws BenchException {
        Results results = new Results(workloads);
        int count = rounds != null ? rounds : quick ? 1 : 3;
        environment.put(
                "rounds", String.format(Locale.ROOT, "%d of %.2f s a workload, in turns", count, setup.seconds()));
        List<Contestant> alive = new ArrayList<>(contestants);
        noteLoad(remarks);
        for (int round = 1; round <= count && !alive.isEmpty(); round++) {
            for (Contestant contestant : turns(alive, round)) {
                String title = "round " + round + "/" + count + " " + contestant.label() + ": ";
                ProgressLine line = new ProgressLine(err, title, workloads.size());
                Round runner = new Round(setup, line::show);
                Map<String, Outcome> outcomes = contestant == Contestant.NATIVE
                        ? runner.onHost(workloads)
                        : runner.guest(machines.get(contestant), workloads);
                results.add(contestant, outcomes);
                long failed = outcomes.values().stream()
                        .filter(o -> o instanceof Outcome.Failure)
                        .count();
                line.finish(outcomes.size() - failed, failed);
                if (!outcomes.isEmpty() && failed == outcomes.size()) {
                    remarks.add(contestant.label() + " failed in all workloads and was not run again");
                    alive.remove(contestant);
                }
            }
        }
        Report report = new Report(results, environment, remarks);
        out.print(format == Format.JSON ? report.json() + "\n" : report.table());
        out.flush();
        return results.problems().isEmpty() ? OK : PROBLEMS;
    }

    /** A busy machine disturbs every number, and most the native ones: said at once and in the report. */
    private void noteLoad(List<String> remarks) {
        double load = ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage();
        int processors = Runtime.getRuntime().availableProcessors();
        if (load > processors * BUSY) {
            String remark = String.format(
                    Locale.ROOT,
                    "this machine is busy with something else (load %.1f on %d processors at the start):"
                            + " all times are disturbed",
                    load,
                    processors);
            err.println("xeno bench: " + remark);
            remarks.add(remark);
        }
    }

    /** Another contestant goes first in each round, so that a slow drift of the machine hits all. */
    static List<Contestant> turns(List<Contestant> contestants, int round) {
        List<Contestant> turns = new ArrayList<>(contestants);
        Collections.rotate(turns, -((round - 1) % turns.size()));
        return turns;
    }

    private Round.Setup setup(
            Path work, List<Workload> workloads, List<String> remarks, Map<String, String> environment, boolean guests)
            throws BenchException {
        DebianPackages.Options options = DebianPackages.Options.of(System::getenv);
        DebianPackages packages = new DebianPackages(options, new Notes(err));
        Programs programs = new Programs(options.cache().resolve("bench"), compiler);
        Programs.Built built = programs.build();
        workloads.stream()
                .filter(w -> built.missing().containsKey(w.program()))
                .forEach(w ->
                        remarks.add(w.name() + " left out: " + built.missing().get(w.program())));
        Path kernelFile = kernel;
        Path busyboxFile = busybox;
        try {
            if (guests && kernelFile == null) {
                DebianPackages.Kernel stock = packages.kernel(DebianPackages.CLOUD_KERNEL);
                kernelFile = stock.image();
                environment.put("kernel", stock.release() + ", " + stock.source());
            } else if (guests) {
                environment.put("kernel", kernelFile.toString());
            }
            if (busyboxFile == null) {
                busyboxFile = packages.busybox();
            }
        } catch (ImageException e) {
            throw new BenchException(e.getMessage(), e);
        }
        for (Path file : guests ? List.of(kernelFile, busyboxFile) : List.of(busyboxFile)) {
            if (!Files.isRegularFile(file) || !Files.isReadable(file)) {
                throw new BenchException("cannot read " + file);
            }
        }
        environment.put("memory", memory);
        if (processors() > 1) {
            environment.put("processors of each guest", Integer.toString(processors()));
        }
        double time = seconds != null ? seconds : stress ? STRESS_SECONDS : quick ? QUICK_SECONDS : 1.0;
        PlanWatcher.Limits limits =
                new PlanWatcher.Limits(Duration.ofSeconds(bootTimeout), Round.workloadLimit(time, timeout));
        return new Round.Setup(
                kernelFile == null ? null : kernelFile.toAbsolutePath(),
                programs.runnable(busyboxFile.toAbsolutePath()),
                built.files(),
                append,
                time,
                processors(),
                limits,
                work);
    }

    private Optional<Path> peer() throws BenchException {
        Optional<Path> found = Peer.find(System.getenv("PATH"), Peer.PROGRAM);
        if (found.isEmpty() && installPeer) {
            Peer.install();
            found = Peer.find(System.getenv("PATH"), Peer.PROGRAM);
        }
        return found;
    }

    /**
     * The installed {@code ./xeno}: in the directory that the property {@code xenolith.home} names, above the jar that
     * this class comes from, or in the current directory.
     */
    private static Path launcher() throws BenchException {
        String home = System.getProperty("xenolith.home");
        List<Path> places = new ArrayList<>();
        if (home != null) {
            places.add(Path.of(home));
        } else {
            for (Path place = codeSource(); place != null; place = place.getParent()) {
                places.add(place);
            }
            places.add(Path.of("").toAbsolutePath());
        }
        for (Path place : places) {
            Path launcher = place.resolve("xeno");
            if (Files.isRegularFile(launcher) && Files.isExecutable(launcher)) {
                return launcher.toAbsolutePath();
            }
        }
        throw new BenchException("no program 'xeno' in " + places.getLast()
                + "; start from the project's directory, or leave Xenolith out: --engine tcg,native");
    }

    /** Where our classes are, or null when that is not a file. */
    private static Path codeSource() {
        try {
            CodeSource source = BenchCommand.class.getProtectionDomain().getCodeSource();
            return source == null ? null : Path.of(source.getLocation().toURI());
        } catch (URISyntaxException | FileSystemNotFoundException e) {
            return null;
        }
    }

    private static String hostProcessor() {
        try (var lines = Files.lines(Path.of("/proc/cpuinfo"))) {
            return lines.filter(l -> l.startsWith("model name"))
                    .map(l -> l.substring(l.indexOf(':') + 1).strip())
                    .findFirst()
                    .orElse(System.getProperty("os.arch"));
        } catch (IOException e) {
            return System.getProperty("os.arch");
        }
    }

    /** Downloads of kernel and busybox, as lines on standard error. */
    private record Notes(PrintStream err) implements Progress {
        @Override
        public void update(String what, long done, long total) {}

        @Override
        public void done(String what) {
            err.println("xeno bench: " + what);
        }

        @Override
        public void note(String line) {
            err.println("xeno bench: " + line);
        }
    }
}
