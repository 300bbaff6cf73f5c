package org.xenolith.cli;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import org.xenolith.toolstack.EngineKind;
import org.xenolith.toolstack.xtf.XtfResult;
import org.xenolith.toolstack.xtf.XtfRunner;
import org.xenolith.toolstack.xtf.XtfStatus;
import org.xenolith.toolstack.xtf.XtfSuite;
import org.xenolith.toolstack.xtf.XtfTest;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code xeno xtf}: runs the Xen Test Framework. */
@Command(
        name = "xtf",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        usageHelpAutoWidth = true,
        usageHelpWidth = 110,
        header = {
            "Runs test kernels of the Xen Test Framework and reports.",
            "",
            "  xeno xtf ~/xtf                      all that its own runner runs by default",
            "  xeno xtf ~/xtf xsa-317 hvm64        the tests of a name, or of an environment",
            "  xeno xtf ~/xtf -o json -j 4         for programs, four at a time",
            ""
        },
        description = {
            "",
            "DIR is a built copy of the framework, or the directory of one of its tests. Without NAME, the categories functional and xsa run.",
            "HVM kernels run as PVH guests, at the entry point that they have for that; PV ones are skipped.",
            ""
        },
        optionListHeading = "Options:%n",
        footer = {
            "",
            "Exit status: 0 no test did worse than SKIP; 2 wrong options, or no such test; 4 an ERROR, 5 a FAILURE, 6 a CRASH (the worst"
                    + " counts); 66 DIR cannot be read."
        })
final class XtfCommand implements Callable<Integer> {
    /** How results are printed. */
    enum Format {
        TEXT,
        JSON;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    private static final Set<String> DEFAULT_CATEGORIES = Set.of("functional", "xsa");

    @Parameters(index = "0", paramLabel = "DIR", description = "Where the tests are.")
    private Path directory;

    @Parameters(
            index = "1..*",
            paramLabel = "NAME",
            description =
                    "Tests, whole names such as test-hvm64-xsa-317, environments, or categories: only what fits all kinds.")
    private List<String> names = List.of();

    @Option(names = "--all", description = "All categories.")
    private boolean all;

    @Option(
            names = {"-j", "--jobs"},
            paramLabel = "N",
            description = "Tests at a time. Default: ${DEFAULT-VALUE}",
            defaultValue = "2")
    private int jobs;

    @Option(
            names = "--timeout",
            paramLabel = "SECONDS",
            description = "What a test may take. Default: ${DEFAULT-VALUE}",
            defaultValue = "120")
    private int timeout;

    @Option(
            names = "--fep",
            description =
                    "Give tests the prefix that forces emulation, as Xen's option hvm_fep does. Tests that need it skip otherwise.")
    private boolean fep;

    @Option(
            names = "--engine",
            paramLabel = "NAME",
            description = "Runs the instructions: ${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}",
            defaultValue = "auto")
    private EngineKind engine;

    @Option(
            names = {"-o", "--output"},
            paramLabel = "FORMAT",
            description = "${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}",
            defaultValue = "text")
    private Format format;

    @Option(
            names = {"-v", "--verbose"},
            description = "Print what each test printed.")
    private boolean verbose;

    @Override
    public Integer call() throws InterruptedException {
        if (jobs < 1 || jobs > 256) {
            throw new CliException(ExitStatus.USAGE, "--jobs is 1 to 256, not " + jobs);
        }
        if (timeout < 1) {
            throw new CliException(ExitStatus.USAGE, "--timeout is at least 1 second, not " + timeout);
        }
        List<XtfTest> tests = select(find());
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        XtfRunner runner = new XtfRunner(timeout, jobs, fep, engine);
        boolean text = format == Format.TEXT;
        List<XtfResult> results = runner.run(tests, result -> {
            if (text) {
                print(out, result);
            }
        });
        Map<XtfStatus, Integer> counts = new EnumMap<>(XtfStatus.class);
        results.forEach(result -> counts.merge(result.status(), 1, Integer::sum));
        if (text) {
            out.println();
            out.println(summary(counts, results.size()));
        } else {
            out.println(json(results));
        }
        return results.stream()
                .mapToInt(result -> result.status().exitStatus())
                .max()
                .orElse(0);
    }

    private List<XtfTest> find() {
        try {
            List<XtfTest> found = XtfSuite.find(directory);
            if (found.isEmpty()) {
                throw new CliException(
                        ExitStatus.NO_INPUT,
                        "no tests in " + directory
                                + ": give the root of a copy of the framework in which make has run");
            }
            return found;
        } catch (IOException e) {
            throw new CliException(ExitStatus.NO_INPUT, e.getMessage());
        }
    }

    /** A test fits when it has one of the names, one of the environments and one of the categories that were given. */
    private List<XtfTest> select(List<XtfTest> found) {
        List<String> categories = names.stream()
                .filter(name -> found.stream().anyMatch(test -> test.category().equals(name)))
                .toList();
        List<String> environments = names.stream()
                .filter(name ->
                        found.stream().anyMatch(test -> test.environment().equals(name)))
                .toList();
        List<String> tests = names.stream()
                .filter(name -> !categories.contains(name) && !environments.contains(name))
                .toList();
        for (String name : tests) {
            if (found.stream().noneMatch(test -> isNamed(test, name))) {
                throw new CliException(
                        ExitStatus.USAGE, "no test, environment or category is called " + name + " in " + directory);
            }
        }
        List<XtfTest> selected = found.stream()
                .filter(test -> environments.isEmpty() || environments.contains(test.environment()))
                .filter(test -> tests.isEmpty() || tests.stream().anyMatch(name -> isNamed(test, name)))
                .filter(test -> categories.isEmpty()
                        ? all || !tests.isEmpty() || DEFAULT_CATEGORIES.contains(test.category())
                        : categories.contains(test.category()))
                .toList();
        if (selected.isEmpty()) {
            throw new CliException(ExitStatus.USAGE, "no test fits " + String.join(" ", names));
        }
        return selected;
    }

    private static boolean isNamed(XtfTest test, String name) {
        return test.name().equals(name) || test.id().equals(name) || test.id().startsWith(name + '~');
    }

    private void print(PrintStream out, XtfResult result) {
        if (verbose) {
            out.print(result.log());
        }
        String detail = result.status() == XtfStatus.SUCCESS ? "" : "  " + result.detail();
        out.println(("%-40s %-8s%s".formatted(result.test().id(), result.status(), detail)).stripTrailing());
    }

    private static String summary(Map<XtfStatus, Integer> counts, int total) {
        StringBuilder text = new StringBuilder().append(total).append(total == 1 ? " test" : " tests");
        counts.forEach(
                (status, count) -> text.append(", ").append(count).append(' ').append(status));
        return text.toString();
    }

    private static String json(List<XtfResult> results) {
        StringBuilder out = new StringBuilder("[");
        for (XtfResult result : results) {
            XtfTest test = result.test();
            out.append(out.length() == 1 ? "\n" : ",\n").append("  {\"id\": ").append(quoted(test.id()));
            out.append(", \"name\": ").append(quoted(test.name()));
            out.append(", \"environment\": ").append(quoted(test.environment()));
            out.append(", \"variation\": ").append(quoted(test.variation()));
            out.append(", \"category\": ").append(quoted(test.category()));
            out.append(", \"result\": ").append(quoted(result.status().name()));
            out.append(", \"detail\": ").append(quoted(result.detail()));
            out.append(", \"milliseconds\": ").append(result.millis());
            out.append(", \"log\": ").append(quoted(result.log())).append('}');
        }
        return out.append("\n]").toString();
    }

    private static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < ' ' || c > '~') {
                out.append("\\u%04x".formatted((int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }
}
