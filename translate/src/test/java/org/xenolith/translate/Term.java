package org.xenolith.translate;

import java.util.HashMap;
import java.util.Map;

/**
 * A 64-bit value of emitted code as {@link EmittedCodeCheck} knows it: a constant plus multiples of {@link Atom}s, modulo 2^64.
 * Two values with equal terms are equal.
 */
final class Term {
    private final long constant;
    private final Map<Atom, Long> parts;
    private final int hash;

    private Term(long constant, Map<Atom, Long> parts) {
        this.constant = constant;
        this.parts = parts;
        hash = Long.hashCode(constant) * 31 + parts.hashCode();
    }

    private static final long LOW_32 = 0xffffffffL;

    /** What kind of value an unknown is. All but the first are secrets of the host: they must not get into the guest's hands. */
    enum Sort {
        PLAIN,
        /** r14 of emitted code: the state block + {@link Context#BIAS}. */
        STATE,
        STACK,
        DATA_TABLE,
        FETCH_TABLE,
        JUMPS,
        /** The header of a jump cache's journal, and the place that it points to. */
        JOURNAL,
        JOURNAL_PLACE,
        BLOCKS,
        /** The FXSAVE image. */
        IMAGE,
        /** Host address minus guest address of a page, from a TLB entry. */
        ADDEND,
        /** Any other address of the host. */
        HOST,
        /** The beginning of a block. */
        CODE
    }

    sealed interface Atom {}

    /** The value that the instruction, or the join of paths, at an address gave to a place when it was last executed. */
    record Unknown(long pc, int place, Sort sort) implements Atom {}

    record And(Term of, long mask) implements Atom {}

    /** The low {@code 8 << w} bits of a value shifted right. */
    record Right(Term of, int w, int count, boolean signed) implements Atom {}

    /** What stood at an offset of an entry of a table, when it was read. */
    record Tag(Term entry, int field) implements Atom {}

    long constant() {
        return constant;
    }

    Map<Atom, Long> parts() {
        return parts;
    }

    @Override
    public int hashCode() {
        return hash;
    }

    @Override
    public boolean equals(Object o) {
        return o == this || o instanceof Term t && hash == t.hash && constant == t.constant && parts.equals(t.parts);
    }

    static Term of(long constant) {
        return new Term(constant, Map.of());
    }

    static Term of(Atom atom) {
        return new Term(0, Map.of(atom, 1L));
    }

    boolean isConstant() {
        return parts.isEmpty();
    }

    Term plus(long n) {
        return n == 0 ? this : new Term(constant + n, parts);
    }

    Term plus(Term other) {
        return plus(other, 1);
    }

    Term minus(Term other) {
        return plus(other, -1);
    }

    private Term plus(Term other, long times) {
        if (other.isConstant()) {
            return plus(other.constant * times);
        }
        Map<Atom, Long> sum = new HashMap<>(parts);
        other.parts.forEach((atom, n) -> sum.merge(atom, n * times, (a, b) -> a + b == 0 ? null : a + b));
        return new Term(constant + other.constant * times, sum);
    }

    Term times(long n) {
        if (n == 1) {
            return this;
        }
        Map<Atom, Long> product = new HashMap<>();
        parts.forEach((atom, k) -> {
            if (k * n != 0) {
                product.put(atom, k * n);
            }
        });
        return new Term(constant * n, product);
    }

    /**
     * Nothing is folded but a mask of 32 bits into a smaller one, so that an address means the same to a probe and to its
     * operand, however the guest has computed it.
     */
    Term and(long mask) {
        boolean lowBits = (mask & mask + 1) == 0;
        if (mask == -1 || lowBits && Long.compareUnsigned(max(), mask) <= 0) {
            return this;
        }
        boolean narrower = only() instanceof And and && and.mask == LOW_32 && mask >= 0 && mask < LOW_32;
        return of(new And(narrower ? ((And) only()).of : this, mask));
    }

    /** The low {@code 8 << w} bits. */
    Term low(int w) {
        long mask = w == 3 ? -1 : (1L << (8 << w)) - 1;
        return isConstant() ? of(constant & mask) : and(mask);
    }

    Term right(int w, int count, boolean signed) {
        return of(new Right(low(w), w, count, signed));
    }

    /** The only part, when it counts once and there is nothing else; else null. */
    Atom only() {
        if (constant != 0 || parts.size() != 1) {
            return null;
        }
        Map.Entry<Atom, Long> part = parts.entrySet().iterator().next();
        return part.getValue() == 1 ? part.getKey() : null;
    }

    /** The largest value it can have, unsigned; -1 when nothing is known. */
    long max() {
        if (constant < 0 || constant > LOW_32) {
            return -1;
        }
        long max = constant;
        for (Map.Entry<Atom, Long> part : parts.entrySet()) {
            long times = part.getValue();
            if (!(part.getKey() instanceof And and)
                    || and.mask < 0
                    || and.mask > LOW_32
                    || times < 0
                    || times > LOW_32) {
                return -1;
            }
            max += and.mask * times;
            if (max < 0 || times * and.mask < 0) {
                return -1;
            }
        }
        return max;
    }

    /** The unknown of a sort that counts once; null when there is none, or another part that is no plain value. */
    Unknown pointer(Sort sort) {
        Unknown found = null;
        for (Map.Entry<Atom, Long> part : parts.entrySet()) {
            if (part.getKey() instanceof Unknown u && u.sort == sort && part.getValue() == 1 && found == null) {
                found = u;
            } else if (isSecret(part.getKey())) {
                return null;
            }
        }
        return found;
    }

    boolean isSecret() {
        for (Atom atom : parts.keySet()) {
            if (isSecret(atom)) {
                return true;
            }
        }
        return false;
    }

    private static boolean isSecret(Atom atom) {
        return switch (atom) {
            case Unknown u -> u.sort != Sort.PLAIN;
            case And and -> and.of.isSecret();
            case Right right -> right.of.isSecret();
            // Tags are addresses of the guest.
            case Tag _ -> false;
        };
    }

    boolean mentions(Atom wanted) {
        for (Atom atom : parts.keySet()) {
            boolean found = atom.equals(wanted)
                    || switch (atom) {
                        case Unknown _ -> false;
                        case And and -> and.of.mentions(wanted);
                        case Right right -> right.of.mentions(wanted);
                        case Tag tag -> tag.entry.mentions(wanted);
                    };
            if (found) {
                return true;
            }
        }
        return false;
    }

    /** Whether it is, or was computed from, what stood in a table. */
    boolean mentionsTag() {
        for (Atom atom : parts.keySet()) {
            boolean found = switch (atom) {
                case Unknown _ -> false;
                case And and -> and.of.mentionsTag();
                case Right right -> right.of.mentionsTag();
                case Tag _ -> true;
            };
            if (found) {
                return true;
            }
        }
        return false;
    }

    @Override
    public String toString() {
        StringBuilder s = new StringBuilder();
        parts.forEach((atom, n) -> {
            s.append(s.isEmpty() ? "" : " + ").append(n == 1 ? "" : n + " * ");
            switch (atom) {
                case Unknown u ->
                    s.append(u.sort)
                            .append('@')
                            .append(Long.toHexString(u.pc))
                            .append('.')
                            .append(u.place);
                case And and ->
                    s.append('(')
                            .append(and.of)
                            .append(" & 0x")
                            .append(Long.toHexString(and.mask))
                            .append(')');
                case Right r ->
                    s.append('(')
                            .append(r.of)
                            .append(r.signed ? " >> " : " >>> ")
                            .append(r.count)
                            .append(')');
                case Tag tag ->
                    s.append("tag ")
                            .append(tag.field)
                            .append(" of (")
                            .append(tag.entry)
                            .append(')');
            }
        });
        return s.isEmpty() || constant != 0
                ? s + (s.isEmpty() ? "0x" : " + 0x") + Long.toHexString(constant)
                : s.toString();
    }
}
