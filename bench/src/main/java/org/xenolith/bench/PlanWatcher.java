package org.xenolith.bench;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Follows a plan on a console, with a bound for every wait: a guest that hangs becomes a failure of the workload
 * that it hung in.
 */
final class PlanWatcher {
    /**
     * Longest waits.
     *
     * @param boot from process start to init
     * @param workload from a workload's start to its result
     */
    record Limits(Duration boot, Duration workload) {}

    /**
     * What came of a plan.
     *
     * @param bootSeconds from process start to init's first line; negative when it did not come
     * @param outcomes workload name to outcome
     * @param finished whether the plan went to its end
     * @param trouble why not, in one line; empty otherwise
     */
    record Progress(double bootSeconds, Map<String, Outcome> outcomes, boolean finished, String trouble) {}

    private final Limits limits;
    private final Consumer<String> listener;

    /** @param listener told what is going on, for a progress line */
    PlanWatcher(Limits limits, Consumer<String> listener) {
        this.limits = limits;
        this.listener = listener;
    }

    /**
     * @param hasInit whether the process boots a guest; a native program says its results only
     */
    Progress watch(Console console, boolean hasInit) throws BenchException {
        Map<String, Outcome> outcomes = new LinkedHashMap<>();
        double bootSeconds = -1;
        String running = null;
        long begun = 0;
        boolean booted = !hasInit;
        long deadline = console.startNanos() + (booted ? limits.workload() : limits.boot()).toNanos();
        while (true) {
            Console.Line line = console.next(deadline);
            if (line == null || line.end()) {
                String trouble = line == null
                        ? "no answer within " + (booted ? limits.workload() : limits.boot()).toSeconds() + " s"
                        : "ended early with status " + console.exitStatus();
                return stop(console, outcomes, bootSeconds, running, trouble);
            }
            Optional<ConsoleEvent> event = ConsoleEvent.parse(line.text());
            if (event.isEmpty()) {
                continue;
            }
            switch (event.get()) {
                case ConsoleEvent.InitReached ignored -> {
                    if (!booted) {
                        bootSeconds = (line.nanoTime() - console.startNanos()) / 1e9;
                        booted = true;
                        listener.accept(String.format(Locale.ROOT, "boot %.2f s", bootSeconds));
                        deadline = line.nanoTime() + limits.workload().toNanos();
                    }
                }
                case ConsoleEvent.Started started -> {
                    running = started.name();
                    listener.accept(running);
                    deadline = line.nanoTime() + limits.workload().toNanos();
                }
                case ConsoleEvent.Begun started -> {
                    running = started.name();
                    begun = line.nanoTime();
                }
                case ConsoleEvent.Result result -> {
                    double host = (line.nanoTime() - begun) / 1e9;
                    outcomes.putIfAbsent(
                            result.name(), outcome(result, host, result.name().equals(running)));
                    running = null;
                    deadline = line.nanoTime() + limits.workload().toNanos();
                }
                case ConsoleEvent.Failed failed -> {
                    outcomes.putIfAbsent(failed.name(), new Outcome.Failure(failed.reason()));
                    running = null;
                }
                case ConsoleEvent.Panicked panic -> {
                    return stop(console, outcomes, bootSeconds, running, panic.text());
                }
                case ConsoleEvent.Finished ignored -> {
                    return new Progress(bootSeconds, outcomes, true, "");
                }
            }
        }
    }

    private static Outcome outcome(ConsoleEvent.Result result, double hostSeconds, boolean expected) {
        if (!expected) {
            return new Outcome.Failure("a result without its beginning");
        }
        if (result.units() <= 0 || result.seconds() <= 0) {
            return new Outcome.Failure("the guest's clock stands still or runs backwards");
        }
        return new Outcome.Measured(result.units(), result.seconds(), hostSeconds, result.checksum());
    }

    private static Progress stop(
            Console console, Map<String, Outcome> outcomes, double bootSeconds, String running, String trouble) {
        String told = trouble;
        if (running != null) {
            outcomes.putIfAbsent(running, new Outcome.Failure(trouble));
            told = trouble + " in " + running;
        } else if (bootSeconds < 0 && !console.tail().isEmpty()) {
            told = trouble + "; last line: " + console.tail().getLast();
        }
        return new Progress(bootSeconds, outcomes, false, told);
    }
}
