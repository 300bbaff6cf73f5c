package org.xenolith.toolstack.xtf;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.xenolith.hypervisor.viridian.ViridianFeature;
import org.xenolith.services.builder.DomainBuildException;
import org.xenolith.toolstack.Domain;
import org.xenolith.toolstack.DomainConfig;
import org.xenolith.toolstack.DomainOutcome;
import org.xenolith.toolstack.EngineKind;

/**
 * Runs tests, each in a domain of its own, several at a time.
 *
 * @param seconds that a test may take
 * @param jobs tests at a time
 * @param forcedEmulation the tests' prefix for emulators is there, as with Xen's option {@code hvm_fep}
 * @param engine who executes the instructions
 */
public record XtfRunner(int seconds, int jobs, boolean forcedEmulation, EngineKind engine) {
    private static final long MEMORY = 128;
    /** A test that prints more has run away. */
    private static final int MAX_LOG = 1 << 20;

    private static final String RESULT = "Test result: ";
    private static final Pattern NUMBER = Pattern.compile("[0-9]{1,9}");
    private static final Pattern WORD = Pattern.compile("\"([a-z_]+)\"");
    /**
     * Settings that we follow, or that make no difference here: there is one kind of paging, which neither {@code hap} nor
     * shadow page tables describe.
     */
    private static final Set<String> KNOWN = Set.of(
            "name",
            "type",
            "builder",
            "memory",
            "vcpus",
            "firmware_override",
            "kernel",
            "cmdline",
            "extra",
            "on_reboot",
            "hap",
            "viridian",
            "max_event_channels");

    /** Why a test has no success, in the words that its authors use. */
    private static final Pattern REASON =
            Pattern.compile("(?m)^(?:(?:Skip|Error|Fail\\w*): .*|FEP .*(?:\\n.*hvm_fep.*)?)");

    /**
     * Runs all tests.
     *
     * @param done hears of each result when it is there, on the calling thread, in the order of the tests
     */
    public List<XtfResult> run(List<XtfTest> tests, Consumer<XtfResult> done) throws InterruptedException {
        List<XtfResult> results = new ArrayList<>();
        try (ExecutorService threads = Executors.newFixedThreadPool(jobs)) {
            List<Future<XtfResult>> futures = new ArrayList<>();
            for (XtfTest test : tests) {
                futures.add(threads.submit(() -> run(test)));
            }
            for (Future<XtfResult> future : futures) {
                try {
                    results.add(future.get());
                } catch (ExecutionException e) {
                    threads.shutdownNow();
                    throw new IllegalStateException("a test's thread failed", e.getCause());
                }
                done.accept(results.getLast());
            }
        }
        return results;
    }

    /** Runs one test. */
    public XtfResult run(XtfTest test) throws InterruptedException {
        long start = System.nanoTime();
        Log log = new Log();
        XtfStatus status;
        String detail;
        try {
            String why = obstacle(test);
            if (why.isEmpty()) {
                String end = boot(test, log);
                status = status(log.text());
                detail = status == XtfStatus.CRASH ? end : lastWords(log.text());
            } else {
                status = XtfStatus.SKIP;
                detail = why;
            }
        } catch (IOException | DomainBuildException | IllegalArgumentException e) {
            status = XtfStatus.CRASH;
            detail = e.getMessage();
        }
        return new XtfResult(test, status, detail, log.text(), (System.nanoTime() - start) / 1_000_000);
    }

    /** Why a test is not run at all, or empty. */
    private static String obstacle(XtfTest test) {
        if (!test.environment().startsWith("hvm")) {
            return "PV guests cannot run yet";
        }
        for (Map.Entry<String, String> setting : test.settings().entrySet()) {
            if (!KNOWN.contains(setting.getKey())) {
                return "the setting " + setting.getKey() + " = " + setting.getValue() + " is not supported";
            }
        }
        return "";
    }

    /** Boots a test to its end; returns how that came. */
    private String boot(XtfTest test, Log log) throws IOException, DomainBuildException, InterruptedException {
        if (!Files.isReadable(test.kernel())) {
            return "cannot read " + test.kernel() + ": was the framework built?";
        }
        DomainConfig.Builder config = DomainConfig.of(test.kernel())
                .name(test.id())
                .commandLine(commandLine(test))
                .memoryBytes(number(test, "memory", MEMORY) << 20)
                .vcpus((int) number(test, "vcpus", 1))
                .forcedEmulation(forcedEmulation)
                .viridian(viridian(test.settings().getOrDefault("viridian", "0")))
                .engine(engine);
        if (test.settings().containsKey("max_event_channels")) {
            config.maxEventChannels((int) number(test, "max_event_channels", 0));
        }
        try (Domain domain = Domain.create(config.build())) {
            domain.console().connect(log::console);
            domain.onHypervisorConsole(log::hypervisor);
            domain.start();
            DomainOutcome outcome = domain.await(seconds);
            return switch (outcome) {
                case null -> "did not end within " + seconds + " s";
                case DomainOutcome.PowerOff() -> "powered off without a result";
                case DomainOutcome.Reboot() -> "rebooted";
                case DomainOutcome.Suspended() -> "suspended itself";
                case DomainOutcome.Destroyed() -> "destroyed";
                case DomainOutcome.Panic(String reason, String report) -> reason;
                case DomainOutcome.Crash(String reason, String report, boolean isOurDefect) ->
                    isOurDefect ? "a fault of Xenolith: " + reason : reason;
            };
        }
    }

    private static String commandLine(XtfTest test) {
        String text = test.settings().getOrDefault("cmdline", test.settings().getOrDefault("extra", ""));
        return text.length() >= 2 && text.startsWith("\"") && text.endsWith("\"")
                ? text.substring(1, text.length() - 1)
                : text;
    }

    private static long number(XtfTest test, String key, long otherwise) {
        String text = test.settings().get(key);
        if (text == null) {
            return otherwise;
        }
        if (!NUMBER.matcher(text).matches()) {
            throw new IllegalArgumentException(key + " = " + text + " is not a number");
        }
        return Long.parseLong(text);
    }

    private static Set<ViridianFeature> viridian(String text) {
        if (text.equals("0")) {
            return Set.of();
        }
        if (text.equals("1")) {
            return ViridianFeature.DEFAULTS;
        }
        EnumSet<ViridianFeature> features = EnumSet.noneOf(ViridianFeature.class);
        Matcher words = WORD.matcher(text);
        while (words.find()) {
            String name = words.group(1);
            features.add(ViridianFeature.named(name)
                    .orElseThrow(() -> new IllegalArgumentException("viridian: \"" + name + "\" is not supported")));
        }
        return features;
    }

    /** The result is the last line that the test prints; what it did not get to print is a crash. */
    private static XtfStatus status(String log) {
        String last = log.lines()
                .map(String::strip)
                .filter(line -> line.startsWith(RESULT))
                .reduce((first, second) -> second)
                .orElse("");
        for (XtfStatus status : XtfStatus.values()) {
            if (status != XtfStatus.CRASH && last.equals(RESULT + status)) {
                return status;
            }
        }
        return XtfStatus.CRASH;
    }

    /** What a test says of its result: the last line with a reason, or the last line. */
    private static String lastWords(String log) {
        int end = log.lastIndexOf(RESULT);
        String text = (end < 0 ? log : log.substring(0, end)).strip();
        String words = text.substring(text.lastIndexOf('\n') + 1);
        Matcher reasons = REASON.matcher(text);
        while (reasons.find()) {
            words = reasons.group();
        }
        return words.strip().replaceAll("\\s+", " ");
    }

    /** What a test prints: on its own console, and when it has none yet, on the hypervisor's. */
    private static final class Log {
        private final ByteArrayOutputStream console = new ByteArrayOutputStream();
        private final ByteArrayOutputStream hypervisor = new ByteArrayOutputStream();

        synchronized int console(byte[] bytes, int offset, int length) {
            add(console, bytes, offset, length);
            return length;
        }

        synchronized void hypervisor(byte[] bytes, int offset, int length) {
            add(hypervisor, bytes, offset, length);
        }

        private static void add(ByteArrayOutputStream to, byte[] bytes, int offset, int length) {
            to.write(bytes, offset, Math.max(0, Math.min(length, MAX_LOG - to.size())));
        }

        synchronized String text() {
            ByteArrayOutputStream fuller = console.size() >= hypervisor.size() ? console : hypervisor;
            return fuller.toString(StandardCharsets.ISO_8859_1).replace("\r", "");
        }
    }
}
