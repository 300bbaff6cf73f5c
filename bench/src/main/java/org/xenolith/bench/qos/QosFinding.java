package org.xenolith.bench.qos;

import java.util.Locale;

/**
 * One number that the scheduler promises.
 *
 * @param name what was measured
 * @param measured as a share of one CPU, a ratio, or microseconds
 * @param unit of {@code measured}
 * @param wanted what it should be; NaN where no number is promised
 * @param tolerance how far off it may be, as a part of {@code wanted}
 * @param detail what else was seen
 */
record QosFinding(String name, double measured, String unit, double wanted, double tolerance, String detail) {
    static QosFinding report(String name, double measured, String unit, String detail) {
        return new QosFinding(name, measured, unit, Double.NaN, 0, detail);
    }

    /** Whether the promise is kept, where there is one. */
    boolean ok() {
        return Double.isNaN(wanted) || Math.abs(measured - wanted) <= wanted * tolerance;
    }

    @Override
    public String toString() {
        String promise = Double.isNaN(wanted)
                ? ""
                : String.format(Locale.ROOT, " (wanted %s within %.0f %%)", number(wanted), tolerance * 100);
        return String.format(
                "%-6s %s: %s%s%s%s",
                Double.isNaN(wanted) ? "" : ok() ? "ok" : "WRONG",
                name,
                number(measured),
                unit,
                promise,
                detail.isEmpty() ? "" : "; " + detail);
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, value >= 1000 ? "%.0f" : value >= 10 ? "%.1f" : "%.3f", value);
    }
}
