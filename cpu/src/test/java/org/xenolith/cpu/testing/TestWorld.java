package org.xenolith.cpu.testing;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;
import org.xenolith.cpu.World;

/** Ports that log, MSRs in a map, interrupts from a queue, and a clock that only counts unless a test brings another one. */
public final class TestWorld implements World {
    /** Port accesses in order: {@code out 80 1 ff}, {@code in 60 1}, hexadecimal. */
    public final List<String> log = new ArrayList<>();

    /** What IN returns, by port; all ones elsewhere. */
    public final Map<Integer, Integer> ports = new HashMap<>();

    public final Map<Integer, Long> msrs = new HashMap<>();
    /** Vectors of external interrupts that wait. */
    public final Deque<Integer> interrupts = new ArrayDeque<>();

    /** Runs at each access to a device. */
    public Runnable onDevice = () -> {};

    private long clock;
    /** What the time-stamp counter shows. */
    public LongSupplier timeStampCounter = () -> clock += 1000;

    private int priority;

    @Override
    public int portIn(int port, int bytes) {
        log.add("in " + Integer.toHexString(port) + " " + bytes);
        return ports.getOrDefault(port, -1);
    }

    @Override
    public void portOut(int port, int bytes, int value) {
        log.add("out " + Integer.toHexString(port) + " " + bytes + " " + Integer.toHexString(value));
    }

    @Override
    public long mmioRead(long gpa, int bytes) {
        onDevice.run();
        log.add("read " + Long.toHexString(gpa) + " " + bytes);
        return -1;
    }

    @Override
    public void mmioWrite(long gpa, int bytes, long value) {
        onDevice.run();
        log.add("write " + Long.toHexString(gpa) + " " + bytes + " " + Long.toHexString(value));
    }

    @Override
    public boolean readMsr(int msr, long[] result) {
        Long value = msrs.get(msr);
        if (value != null) {
            result[0] = value;
        }
        return value != null;
    }

    @Override
    public boolean writeMsr(int msr, long value) {
        if (!msrs.containsKey(msr)) {
            return false;
        }
        msrs.put(msr, value);
        return true;
    }

    @Override
    public void cpuid(int leaf, int subleaf, int[] result) {
        result[0] = leaf;
        result[1] = subleaf;
        result[2] = 0x58656E6F;
        result[3] = 0x6C697468;
    }

    @Override
    public long timeStampCounter() {
        return timeStampCounter.getAsLong();
    }

    @Override
    public long random() {
        return clock += 0x9E3779B97F4A7C15L;
    }

    @Override
    public int acknowledgeInterrupt() {
        Integer vector = interrupts.poll();
        return vector == null ? -1 : vector;
    }

    @Override
    public int taskPriority() {
        return priority;
    }

    @Override
    public void setTaskPriority(int newPriority) {
        priority = newPriority;
    }
}
