package org.xenolith.cpu;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * What the engines of one virtual CPU do and have done, for people.
 *
 * <p>Time is measured from outside, by {@link #sample}: an engine only says what it does now, with a plain store. Counters
 * belong to the virtual CPU's thread; others read them while it is outside the guest. What costs more than an addition is
 * collected after {@link #collectDetails} only.
 */
public final class EngineMeter {
    /** What a virtual CPU's thread is doing. */
    public enum Phase {
        /** Hypercalls, devices, timers: anything but an engine. */
        OUTSIDE("the hypervisor"),
        INTERPRETER("the interpreter"),
        /** Decoding guest code and emitting host code. */
        TRANSLATION("translation"),
        TRANSLATED_CODE("translated code"),
        /** Looking up and chaining blocks, filling the TLB, way in and way out. */
        EXITS("exits of translated code"),
        /** Saving, taking back and comparing what two engines did. */
        COMPARISON("comparison of engines");

        private final String text;

        Phase(String text) {
            this.text = text;
        }
    }

    /** A kind of instruction and how often it was counted. */
    public record Entry(String name, long count) {}

    private static final VarHandle PHASE;

    static {
        try {
            PHASE = MethodHandles.lookup().findVarHandle(EngineMeter.class, "phase", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private int phase;
    private final AtomicLongArray samples = new AtomicLongArray(Phase.values().length);
    private volatile boolean details;
    /** By name; used by the virtual CPU's thread, and by others while it is outside the guest. */
    private final Map<String, long[]> handedBack = new HashMap<>();

    private long interpreted;

    /** The virtual CPU's thread begins something; the answer is what {@link #resume} wants when that is over. */
    public int begin(Phase next) {
        int before = phase;
        PHASE.setOpaque(this, next.ordinal());
        return before;
    }

    /** The virtual CPU's thread goes back to what it did before. */
    public void resume(int before) {
        PHASE.setOpaque(this, before);
    }

    /** Takes note of what the virtual CPU does at this moment. From one thread that does so at regular intervals. */
    public void sample() {
        samples.incrementAndGet((int) PHASE.getOpaque(this));
    }

    /** Counts instructions that the interpreter has retired, for itself or for another engine. */
    public void addInterpreted(long instructions) {
        interpreted += instructions;
    }

    public long interpreted() {
        return interpreted;
    }

    /** From now on the instructions that other engines hand to the interpreter are counted by name. From any thread. */
    public void collectDetails() {
        details = true;
    }

    public boolean details() {
        return details;
    }

    /** Counts an instruction that was handed to the interpreter. */
    public void addHandedBack(String name) {
        handedBack.computeIfAbsent(name, key -> new long[1])[0]++;
    }

    /** The instructions that were handed to the interpreter most often, most frequent first. */
    public List<Entry> mostHandedBack(int most) {
        return handedBack.entrySet().stream()
                .map(e -> new Entry(e.getKey(), e.getValue()[0]))
                .sorted((a, b) -> a.count != b.count ? Long.compare(b.count, a.count) : a.name.compareTo(b.name))
                .limit(most)
                .toList();
    }

    /** How the samples are spread over the phases, in a line; empty when there are none. */
    public String shares() {
        long total = 0;
        for (int i = 0; i < samples.length(); i++) {
            total += samples.get(i);
        }
        StringBuilder s = new StringBuilder();
        for (Phase p : Phase.values()) {
            long count = samples.get(p.ordinal());
            if (count > 0) {
                s.append(s.isEmpty() ? "" : ", ").append(String.format("%.1f %% %s", count * 100.0 / total, p.text));
            }
        }
        return s.isEmpty() ? "" : s + String.format(" (%,d samples)", total);
    }
}
