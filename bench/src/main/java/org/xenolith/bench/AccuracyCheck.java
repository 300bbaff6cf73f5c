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

    private static final Pattern CLOCK = Pattern.compile("CLOCK (\\d+\\.\\d+) (\\d+\\.\\d+)$");
    private static final Pattern DATE = Pattern.compile("DATE (\\d+)$");
    private static final Pattern STATUS = Pattern.compile("STATUS ([a-z0-9]+) (\\d+)$");

    /**
     * What the script printed.
     *
     * @param outputs section name to its lines
     * @param dateError guest's {@code date} minus the host's clock when the line arrived, seconds
     * @param clockError the same of CLOCK_REALTIME, seconds
     * @param napSeconds length of {@code sleep 10} by the host's clock
     * @param guestNapSeconds the same by the guest's monotonic clock
     * @param trouble why the script did not finish; empty when it did
     */
    record Transcript(
            Map<String, List<String>> outputs,
            double dateError,
            double clockError,
            double napSeconds,
            double guestNapSeconds,
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
        Map<String, List<String>> outputs = new LinkedHashMap<>();
        Duration limit = bootLimit;
        long deadline = System.nanoTime() + limit.toNanos();
        long wallOffset = System.currentTimeMillis() * 1_000_000 - System.nanoTime();
        double dateError = Double.NaN;
        double clockError = Double.NaN;
        double napSeconds = Double.NaN;
        double guestNap = Double.NaN;
        double guestNapStart = Double.NaN;
        long napStart = 0;
        String section = null;
        while (true) {
            Console.Line line = console.next(deadline);
            if (line == null || line.end()) {
                String last = console.tail().isEmpty()
                        ? ""
                        : "; last line: " + console.tail().getLast();
                String why = line == null
                        ? "not finished within " + limit.toSeconds() + " s" + last
                        : "ended early with status " + console.exitStatus() + last;
                return new Transcript(outputs, dateError, clockError, napSeconds, guestNap, why);
            }
            String text = line.text();
            double hostNow = (line.nanoTime() + wallOffset) / 1e9;
            Matcher status = STATUS.matcher(text);
            if (section != null && !status.matches()) {
                outputs.get(section).add(text);
                continue;
            }
            Matcher clock = CLOCK.matcher(text);
            Matcher date = DATE.matcher(text);
            if (status.matches()) {
                outputs.computeIfAbsent(status.group(1), s -> new ArrayList<>()).add(text);
                section = null;
                if (status.group(1).equals("busybox")) {
                    return new Transcript(outputs, dateError, clockError, napSeconds, guestNap, "");
                }
            } else if (text.startsWith("OUTPUT ")) {
                section = text.substring("OUTPUT ".length()).strip();
                outputs.put(section, new ArrayList<>());
            } else if (clock.find()) {
                clockError = Double.parseDouble(clock.group(1)) - hostNow;
                guestNap = Double.parseDouble(clock.group(2)) - guestNapStart;
                guestNapStart = Double.parseDouble(clock.group(2));
            } else if (date.find()) {
                /* date cuts to whole seconds: on average it is half a second behind. */
                dateError = Long.parseLong(date.group(1)) - Math.floor(hostNow);
            } else if (text.strip().endsWith("BEGIN clock")) {
                limit = scriptLimit;
                deadline = line.nanoTime() + limit.toNanos();
            } else if (text.strip().endsWith("BEGIN sleep")) {
                napStart = line.nanoTime();
            } else if (text.strip().endsWith("SLEPT")) {
                napSeconds = (line.nanoTime() - napStart) / 1e9;
            } else if (text.contains("Kernel panic")) {
                return new Transcript(outputs, dateError, clockError, napSeconds, guestNap, text.strip());
            }
        }
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
