package org.xenolith.hypervisor.time;

import java.util.function.LongSupplier;

/**
 * The time of one domain.
 *
 * <p>System time is in nanoseconds from 0 at the domain's creation. The guest's time-stamp counter runs at a fixed
 * frequency along with it, so that both are two scales of one clock and a guest that converts one into the other gets the
 * same answer at any moment. {@link Long#MAX_VALUE} as a deadline means never.
 */
public interface DomainClock {
    /** A deadline that never comes. */
    long NEVER = Long.MAX_VALUE;

    /** System time now, in nanoseconds; never goes backwards. Callable from any thread. */
    long now();

    /** System time at a moment of the host's clock, {@link System#nanoTime}; in virtual time, now. */
    default long at(long hostNanos) {
        return now();
    }

    /** The scale between system time and the guest's time-stamp counter. */
    TscScale scale();

    /** Nanoseconds since 1970-01-01 UTC at system time 0. */
    long epoch();

    /** The guest's time-stamp counter now. */
    default long timeStampCounter() {
        return scale().ticks(now());
    }

    /** How many instructions a virtual CPU may run before somebody must look whether {@code deadline} has come. */
    long budget(long deadline);

    /**
     * Lets time pass for a virtual CPU that has nothing to run: the calling thread sleeps until {@code deadline} or until it
     * is unparked, or virtual time is set forward. May return early.
     */
    void idle(long deadline);

    /**
     * Whether time passes only where the domain's own instructions say so. Nothing that the host does may then show in what the
     * domain sees, such as that a virtual CPU had to wait for a physical one.
     */
    default boolean isVirtual() {
        return false;
    }

    /** Makes an alarm that runs {@code action} on some thread when a deadline comes; for a virtual CPU that is running. */
    Alarm alarm(Runnable action);

    /** Tells the clock where to read how many instructions the domain has retired. */
    default void follow(LongSupplier retired) {}

    /** One settable deadline. */
    interface Alarm extends AutoCloseable {
        /** Replaces the deadline; {@link #NEVER} cancels. */
        void set(long deadline);

        @Override
        void close();
    }
}
