package org.xenolith.bench;

import java.io.PrintStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * {@code xeno bench --stress}: the stress tests in a guest with several processors, under each engine. The tests and what they
 * print are in {@code stress.sh} and {@code stress.c}.
 */
final class StressRun {
    private static final List<String> ENGINES = List.of("translate", "interpret");
    /** Longest wait for the rest, when the time of the tests is over: each waits some minutes for its own threads. */
    private static final Duration PATIENCE = Duration.ofMinutes(20);
    /** The host was stopped when this process was: a guest that finds minutes missing has a right to complain. */
    private static final long STOPPED_NANOS = 5_000_000_000L;

    private final Round.Setup setup;
    private final Path launcher;
    private final String memory;
    private final int vcpus;
    private final List<String> runArguments;
    private final PrintStream out;
    private final PrintStream err;

    StressRun(
            Round.Setup setup,
            Path launcher,
            String memory,
            List<String> runArguments,
            PrintStream out,
            PrintStream err) {
        this.setup = setup;
        this.launcher = launcher;
        this.memory = memory;
        vcpus = setup.processors();
        this.runArguments = runArguments;
        this.out = out;
        this.err = err;
    }

    /**
     * What a guest said.
     *
     * @param passed tests, with phases and units
     * @param failures what is wrong, for people; empty when all is well
     */
    record Verdict(List<String> passed, List<String> failures) {}

    /** Collects the lines of a guest. */
    static final class Reader {
        private final int vcpus;
        private final List<String> passed = new ArrayList<>();
        private final List<String> failures = new ArrayList<>();
        private int counts;
        private boolean ended;

        Reader(int vcpus) {
            this.vcpus = vcpus;
        }

        void line(String text) {
            String line = text.strip();
            if (line.startsWith("PASS ")) {
                passed.add(line.substring(5));
            } else if (line.startsWith("FAILED ") || line.startsWith("COMPLAINT ")) {
                failures.add(line);
            } else if (line.startsWith("PROCESSORS ")) {
                counts++;
                if (!line.equals("PROCESSORS " + vcpus)) {
                    failures.add("the guest has " + line.substring(11) + " processors of " + vcpus);
                }
            } else if (line.equals("STRESS END")) {
                ended = true;
            }
        }

        boolean ended() {
            return ended;
        }

        /** The verdict; {@code trouble} says why the guest's output ended, when that was early. */
        Verdict verdict(String trouble) {
            if (!ended) {
                failures.add("the guest did not get to the end: " + trouble);
            } else if (counts != 2) {
                failures.add("the guest did not count its processors twice");
            } else if (passed.isEmpty()) {
                failures.add("no test passed");
            }
            return new Verdict(List.copyOf(passed), List.copyOf(failures));
        }
    }

    /** Exit status: 0 when nothing was found under any engine. */
    int run() throws BenchException {
        Path image = setup.work().resolve("initramfs-stress.cpio");
        new GuestImage(setup.busybox(), Map.of("xstress", setup.programs().get("xstress")))
                .writeStress(image, setup.seconds());
        boolean chosen = runArguments.stream().anyMatch(a -> a.startsWith("--engine"));
        boolean ok = true;
        for (String engine : chosen ? List.of("") : ENGINES) {
            List<String> arguments = new ArrayList<>(runArguments);
            if (!chosen) {
                arguments.addAll(List.of("--engine", engine));
            }
            String title = vcpus + " processors" + (chosen ? "" : ", " + engine);
            err.println(String.format(
                    Locale.ROOT,
                    "xeno bench: stress with %s for %.0f s, and as long as it takes",
                    title,
                    setup.seconds()));
            Verdict verdict = run(Machine.xenolith(launcher, memory, vcpus, arguments), image);
            verdict.failures().forEach(failure -> out.println("WRONG  " + title + ": " + failure));
            out.println((verdict.failures().isEmpty() ? "ok     " : "WRONG  ") + title + ": "
                    + verdict.passed().size() + " tests passed");
            out.flush();
            ok &= verdict.failures().isEmpty();
        }
        return ok ? BenchCommand.OK : BenchCommand.PROBLEMS;
    }

    private Verdict run(Machine machine, Path image) throws BenchException {
        Reader reader = new Reader(vcpus);
        long stopped = 0;
        try (Console console = machine.start(setup.kernel(), image, setup.append())) {
            long deadline =
                    System.nanoTime() + setup.limits().boot().plus(PATIENCE).toNanos() + (long) (setup.seconds() * 1e9);
            String trouble = "not finished within " + PATIENCE.toMinutes() + " min more than its time";
            long last = System.nanoTime();
            while (!reader.ended()) {
                Console.Line line = console.next(Math.min(deadline, System.nanoTime() + STOPPED_NANOS / 5));
                long now = System.nanoTime();
                if (now - last > STOPPED_NANOS) {
                    stopped += now - last;
                    deadline += now - last;
                }
                last = now;
                if (line != null && line.end()) {
                    trouble = "it ended with status " + console.exitStatus();
                    break;
                }
                if (line != null) {
                    reader.line(line.text());
                } else if (now > deadline) {
                    break;
                }
            }
            Verdict verdict = reader.verdict(trouble + console.tail());
            if (stopped > 0) {
                err.println(String.format(
                        Locale.ROOT,
                        "xeno bench: this host was stopped for %.0f s: complaints about time are not the guest's fault",
                        stopped / 1e9));
            }
            return verdict;
        }
    }
}
