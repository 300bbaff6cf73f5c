package org.xenolith.bench;

import java.util.Arrays;
import java.util.Collection;

/**
 * Centre and spread of a few repeated measurements.
 *
 * @param count number of values
 * @param median middle value, which one disturbed round cannot move far
 * @param min smallest value
 * @param max largest value
 */
public record Statistics(int count, double median, double min, double max) {
    /** Of at least one value. */
    public static Statistics of(Collection<Double> values) {
        if (values.isEmpty()) {
            throw new IllegalArgumentException("statistics of no values");
        }
        double[] sorted =
                values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        int middle = sorted.length / 2;
        double median = sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
        return new Statistics(sorted.length, median, sorted[0], sorted[sorted.length - 1]);
    }

    /** The geometric mean: the only mean of ratios that does not depend on which side is the divisor. */
    public static double geometricMean(Collection<Double> values) {
        double[] logarithms = values.stream().mapToDouble(Math::log).toArray();
        return logarithms.length == 0
                ? Double.NaN
                : Math.exp(Arrays.stream(logarithms).average().orElseThrow());
    }
}
