package org.xenolith.bench;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Compares what a guest computes and how its clocks run with the host: {@code xeno bench --check}. The script
 * {@code check.sh} runs on both sides.
 */
final class AccuracyCheck {
    static final double CLOCK_TOLERANCE_SECONDS = 1.0;
    static final double NAP_SECONDS = 10.0;
    static final double NAP_TOLERANCE = 0.01;
    static final long MEMORY_OVERHEAD = 250L << 20;

    private static final Pattern CLOCK = Pattern.compile("CLOCK (\\d+\\.\\d+) (\\d+\\.\\d+)$");
    private static final Pattern DATE = Pattern.compile("DATE (\\d+)$");
    private static final Pattern FREE = Pattern.compile("FREE (\\d+)$");
    private static final Pattern STATUS = Pattern.compile("STATUS ([a-z0-9]+) (\\d+)$");

    /**
     * What the script printed.
     *
     * @param outputs section name to its lines
     * @param dateError guest's {@code date} minus the host's clock when the line arrived, seconds
     * @param clockError the same of CLOCK_REALTIME, seconds
     * @param napSeconds length of {@code sleep 10} by the host's clock
     * @param guestNapSeconds the same by the guest's monotonic clock
     * @param residentBytes of the host process at the end of the nap, when the guest was idle; 0 when unknown
     * @param guestFreeBytes what the guest's kernel called free then
     * @param trouble why the script did not finish; empty when it did
     */
    record Transcript(
            Map<String, List<String>> outputs,
            double dateError,
            double clockError,
            double napSeconds,
            double guestNapSeconds,
            long residentBytes,
            long guestFreeBytes,
            String trouble) {}

    /**
     * One promise and whether it is kept.
     *
     * @param name short name
     * @param ok whether it holds
     * @param detail measured value or first difference
     */
    record Finding(String name, boolean ok, String detail) {}

    private AccuracyCheck() {}

    /**
     * Follows the script until its last section or a limit.
     *
     * @param bootLimit longest wait for its first line
     * @param scriptLimit longest wait for the rest
     */
    static Transcript read(Console console, Duration bootLimit, Duration scriptLimit) throws BenchException {
        Reader reader = new Reader(console);
        Duration limit = bootLimit;
        long deadline = System.nanoTime() + limit.toNanos();
        while (true) {
            Console.Line line = console.next(deadline);
            if (line == null || line.end()) {
                String last = console.tail().isEmpty()
                        ? ""
                        : "; last line: " + console.tail().getLast();
                return reader.transcript(
                        line == null
                                ? "not finished within " + limit.toSeconds() + " s" + last
                                : "ended early with status " + console.exitStatus() + last);
            }
            if (line.text().contains("Kernel panic")) {
                return reader.transcript(line.text().strip());
            }
            if (line.text().endsWith("BEGIN clock")) {
                limit = scriptLimit;
                deadline = line.nanoTime() + limit.toNanos();
            }
            if (reader.accept(line)) {
                return reader.transcript("");
            }
        }
    }

    /** Collects a transcript line by line. */
    private static final class Reader {
        private static final String LAST_SECTION = "busybox";

        private final Console console;
        private final Map<String, List<String>> outputs = new LinkedHashMap<>();
        private final long wallOffset = System.currentTimeMillis() * 1_000_000 - System.nanoTime();
        private double dateError = Double.NaN;
        private double clockError = Double.NaN;
        private double napSeconds = Double.NaN;
        private double guestNap = Double.NaN;
        private double guestMonotonic = Double.NaN;
        private long napStart;
        private long residentBytes;
        private long freeBytes;
        private String section;

        Reader(Console console) {
            this.console = console;
        }

        /** Whether this was the last line of the last section. */
        boolean accept(Console.Line line) {
            String text = line.text();
            Matcher status = STATUS.matcher(text);
            if (status.matches()) {
                outputs.computeIfAbsent(status.group(1), s -> new ArrayList<>()).add(text);
                section = null;
                return status.group(1).equals(LAST_SECTION);
            }
            if (section != null) {
                outputs.get(section).add(text);
            } else if (text.startsWith("OUTPUT ")) {
                section = text.substring("OUTPUT ".length()).strip();
                outputs.put(section, new ArrayList<>());
            } else {
                clocks(line, (line.nanoTime() + wallOffset) / 1e9);
            }
            return false;
        }

        private void clocks(Console.Line line, double hostNow) {
            String text = line.text();
            Matcher clock = CLOCK.matcher(text);
            Matcher date = DATE.matcher(text);
            Matcher free = FREE.matcher(text);
            if (clock.find()) {
                clockError = Double.parseDouble(clock.group(1)) - hostNow;
                guestNap = Double.parseDouble(clock.group(2)) - guestMonotonic;
                guestMonotonic = Double.parseDouble(clock.group(2));
            } else if (date.find()) {
                dateError = dateError(Long.parseLong(date.group(1)), hostNow);
            } else if (free.find()) {
                freeBytes = Long.parseLong(free.group(1)) << 10;
            } else if (text.endsWith("BEGIN sleep")) {
                napStart = line.nanoTime();
            } else if (text.endsWith("SLEPT")) {
                napSeconds = (line.nanoTime() - napStart) / 1e9;
                residentBytes = console.residentBytes();
            }
        }

        Transcript transcript(String trouble) {
            return new Transcript(
                    outputs, dateError, clockError, napSeconds, guestNap, residentBytes, freeBytes, trouble);
        }
    }

    /** {@code date} cuts to whole seconds: any moment of that second is right, and the error is the distance to it. */
    static double dateError(long guestSecond, double hostNow) {
        return hostNow < guestSecond ? guestSecond - hostNow : Math.min(0, guestSecond + 1 - hostNow);
    }

    /**
     * Resident memory of an idle guest's process against what the guest touched, of which the memory that its kernel does
     * not call free is the lower bound.
     *
     * @param memoryBytes the guest's size
     */
    static Finding memory(Transcript guest, long memoryBytes) {
        long used = memoryBytes - guest.guestFreeBytes();
        boolean known = guest.residentBytes() > 0 && guest.guestFreeBytes() > 0;
        long overhead = guest.residentBytes() - used;
        return new Finding(
                "memory",
                known && overhead <= MEMORY_OVERHEAD,
                known
                        ? String.format(
                                "resident %d MiB with an idle guest that uses %d MiB: %d MiB more",
                                guest.residentBytes() >> 20, used >> 20, overhead >> 20)
                        : "unknown");
    }

    /** The promises of one guest, judged against the host's transcript. */
    static List<Finding> judge(Transcript guest, Transcript host) {
        List<Finding> findings = new ArrayList<>();
        findings.add(within("date", guest.dateError(), CLOCK_TOLERANCE_SECONDS, "s from the host's clock"));
        findings.add(within("clock", guest.clockError(), CLOCK_TOLERANCE_SECONDS, "s from the host's clock"));
        double error = guest.napSeconds() - NAP_SECONDS;
        findings.add(new Finding(
                "sleep",
                Math.abs(error) <= NAP_SECONDS * NAP_TOLERANCE,
                String.format(
                        Locale.ROOT,
                        "sleep 10 took %.3f s of host time, %.3f s of guest time",
                        guest.napSeconds(),
                        guest.guestNapSeconds())));
        for (Map.Entry<String, List<String>> section : host.outputs().entrySet()) {
            List<String> theirs = guest.outputs().get(section.getKey());
            findings.add(
                    theirs == null
                            ? new Finding(section.getKey(), false, "no output")
                            : compare(section.getKey(), theirs, section.getValue()));
        }
        if (!guest.trouble().isEmpty()) {
            findings.add(new Finding("script", false, guest.trouble()));
        }
        return findings;
    }

    private static Finding within(String name, double value, double tolerance, String what) {
        return new Finding(name, Math.abs(value) <= tolerance, String.format(Locale.ROOT, "%+.3f %s", value, what));
    }

    private static Finding compare(String name, List<String> guest, List<String> host) {
        int different = 0;
        String first = "";
        for (int i = 0; i < Math.max(guest.size(), host.size()); i++) {
            String left = i < guest.size() ? guest.get(i) : "(nothing)";
            String right = i < host.size() ? host.get(i) : "(nothing)";
            if (!left.equals(right) && different++ == 0) {
                first = "; first: guest '" + left + "', host '" + right + "'";
            }
        }
        return new Finding(
                name,
                different == 0,
                different == 0 ? "all " + host.size() + " lines equal" : different + " lines differ" + first);
    }
}
