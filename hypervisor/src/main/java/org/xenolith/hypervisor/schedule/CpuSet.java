package org.xenolith.hypervisor.schedule;

import java.util.Arrays;
import java.util.BitSet;
import java.util.List;

/** An immutable set of physical CPUs by number. */
public final class CpuSet {
    private static final CpuSet NONE = new CpuSet(new long[0]);

    /** Bit {@code n & 63} of word {@code n >> 6}; the last word is not 0. */
    private final long[] words;

    private CpuSet(long[] words) {
        this.words = words;
    }

    private static CpuSet of(BitSet bits) {
        return bits.isEmpty() ? NONE : new CpuSet(bits.toLongArray());
    }

    /** The empty set. */
    public static CpuSet none() {
        return NONE;
    }

    public static CpuSet of(int... cpus) {
        BitSet bits = new BitSet();
        for (int cpu : cpus) {
            bits.set(cpu);
        }
        return of(bits);
    }

    /** CPUs 0 to {@code count - 1}. */
    public static CpuSet first(int count) {
        BitSet bits = new BitSet();
        bits.set(0, count);
        return of(bits);
    }

    /** Of a bitmap as Xen's control interface has it: bit {@code n & 7} of byte {@code n >> 3}. */
    public static CpuSet ofBitmap(byte[] bitmap) {
        return of(BitSet.valueOf(bitmap));
    }

    /**
     * Of a list like {@code 0-3,6}.
     *
     * @throws IllegalArgumentException when it is none
     */
    public static CpuSet parse(String list) {
        BitSet bits = new BitSet();
        for (String part : list.trim().split(",", -1)) {
            String[] ends = part.trim().split("-", -1);
            try {
                int from = Integer.parseInt(ends[0].trim());
                int to = ends.length == 1 ? from : Integer.parseInt(ends[1].trim());
                if (ends.length > 2 || from < 0 || to < from || to >= 1 << 16) {
                    throw new IllegalArgumentException("'" + list + "' is no list of CPUs");
                }
                bits.set(from, to + 1);
            } catch (NumberFormatException e) {
                throw new IllegalArgumentException("'" + list + "' is no list of CPUs", e);
            }
        }
        return of(bits);
    }

    public boolean contains(int cpu) {
        int word = cpu >> 6;
        return cpu >= 0 && word < words.length && (words[word] >>> cpu & 1) != 0;
    }

    public boolean isEmpty() {
        return words.length == 0;
    }

    public int size() {
        return Arrays.stream(words).mapToInt(Long::bitCount).sum();
    }

    /** The CPUs, lowest first. */
    public List<Integer> toList() {
        return BitSet.valueOf(words).stream().boxed().toList();
    }

    /** The bitmap as {@link #ofBitmap} takes it. */
    public byte[] toBitmap() {
        return BitSet.valueOf(words).toByteArray();
    }

    public CpuSet with(int cpu) {
        BitSet bits = BitSet.valueOf(words);
        bits.set(cpu);
        return of(bits);
    }

    public CpuSet without(int cpu) {
        BitSet bits = BitSet.valueOf(words);
        bits.clear(cpu);
        return of(bits);
    }

    /** The CPUs that are in both. */
    public CpuSet and(CpuSet other) {
        BitSet bits = BitSet.valueOf(words);
        bits.and(BitSet.valueOf(other.words));
        return of(bits);
    }

    public boolean containsAll(CpuSet other) {
        return and(other).equals(other);
    }

    public boolean intersects(CpuSet other) {
        for (int i = 0; i < Math.min(words.length, other.words.length); i++) {
            if ((words[i] & other.words[i]) != 0) {
                return true;
            }
        }
        return false;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof CpuSet set && Arrays.equals(words, set.words);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(words);
    }

    /** As {@link #parse} takes it; empty for the empty set. */
    @Override
    public String toString() {
        StringBuilder s = new StringBuilder();
        BitSet bits = BitSet.valueOf(words);
        int from = bits.nextSetBit(0);
        while (from >= 0) {
            int end = bits.nextClearBit(from);
            s.append(s.isEmpty() ? "" : ",").append(from);
            if (end - 1 > from) {
                s.append('-').append(end - 1);
            }
            from = bits.nextSetBit(end);
        }
        return s.toString();
    }
}
