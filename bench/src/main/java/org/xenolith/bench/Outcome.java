package org.xenolith.bench;

/** How one workload ended in one round on one engine. */
public sealed interface Outcome {
    /** Largest difference of guest and host time that console latency explains. */
    double CLOCK_TOLERANCE_SECONDS = 0.1;

    /** Largest relative difference of guest and host time. */
    double CLOCK_TOLERANCE_RATIO = 0.05;

    /**
     * A result.
     *
     * @param units repetitions of the workload's unit
     * @param guestSeconds by the guest's monotonic clock
     * @param hostSeconds by our clock, between the lines BEGIN and RESULT
     * @param checksum of one unit
     */
    record Measured(long units, double guestSeconds, double hostSeconds, String checksum) implements Outcome {
        /** Whether the guest's clock agrees with the host's. */
        public boolean clockAgrees() {
            double difference = Math.abs(guestSeconds - hostSeconds);
            return difference <= Math.max(CLOCK_TOLERANCE_SECONDS, CLOCK_TOLERANCE_RATIO * hostSeconds);
        }

        /** Seconds a unit took; a guest's clock that is wrong is not believed. */
        public double secondsPerUnit() {
            return (clockAgrees() ? guestSeconds : hostSeconds) / units;
        }
    }

    /** No result, and why. */
    record Failure(String reason) implements Outcome {}
}
