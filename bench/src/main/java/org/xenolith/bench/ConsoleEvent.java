package org.xenolith.bench;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What a line of a guest's console says about the plan's progress. */
sealed interface ConsoleEvent {
    /** Init has printed its first line. */
    record InitReached() implements ConsoleEvent {}

    /** Init starts the program of a workload. */
    record Started(String name) implements ConsoleEvent {}

    /** The program's clock runs. */
    record Begun(String name) implements ConsoleEvent {}

    /**
     * A workload's result.
     *
     * @param units repetitions of the workload's unit
     * @param seconds time by the guest's monotonic clock
     * @param checksum of one unit, equal on every engine
     */
    record Result(String name, long units, double seconds, String checksum) implements ConsoleEvent {}

    /** A workload has given up. */
    record Failed(String name, String reason) implements ConsoleEvent {}

    /** The plan is through. */
    record Finished() implements ConsoleEvent {}

    /** The kernel has died. */
    record Panicked(String text) implements ConsoleEvent {}

    /** First line of our init. */
    String INIT_MARKER = "XENOLITH-BENCH INIT";

    /** Last line of our init. */
    String END_MARKER = "XENOLITH-BENCH END";

    /** Lines may have a kernel message before them, never after: markers are matched at the end of a line. */
    Pattern RESULT = Pattern.compile("RESULT ([a-z0-9-]+) (\\d+) (\\d+\\.\\d+) ([0-9a-f]{16})$");

    Pattern STEP = Pattern.compile("(START|BEGIN) ([a-z0-9-]+)$");

    Pattern FAILURE = Pattern.compile("FAILED ([a-z0-9-]+) (.+)$");

    /** The event of a console line, if it is one. */
    static Optional<ConsoleEvent> parse(String consoleLine) {
        String line = consoleLine.strip();
        if (line.endsWith(INIT_MARKER)) {
            return Optional.of(new InitReached());
        }
        if (line.endsWith(END_MARKER)) {
            return Optional.of(new Finished());
        }
        Matcher result = RESULT.matcher(line);
        if (result.find()) {
            try {
                return Optional.of(new Result(
                        result.group(1),
                        Long.parseLong(result.group(2)),
                        Double.parseDouble(result.group(3)),
                        result.group(4)));
            } catch (NumberFormatException e) {
                return Optional.of(new Failed(result.group(1), "gave an absurd number of units: " + result.group(2)));
            }
        }
        Matcher step = STEP.matcher(line);
        if (step.find()) {
            return Optional.of(step.group(1).equals("START") ? new Started(step.group(2)) : new Begun(step.group(2)));
        }
        Matcher failure = FAILURE.matcher(line);
        if (failure.find()) {
            return Optional.of(new Failed(failure.group(1), failure.group(2)));
        }
        int panic = line.indexOf("Kernel panic");
        if (panic >= 0) {
            return Optional.of(new Panicked(line.substring(panic)));
        }
        return Optional.empty();
    }
}
