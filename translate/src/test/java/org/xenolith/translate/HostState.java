package org.xenolith.translate;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import org.xenolith.translate.Term.Atom;
import org.xenolith.translate.Term.Sort;
import org.xenolith.translate.Term.Unknown;

/**
 * What {@link EmittedCodeCheck} knows of the host's processor before an instruction of emitted code, on all paths that lead
 * there.
 */
final class HostState {
    /** Places of unknowns: registers by number, slots of the state block from here on, and results that go nowhere. */
    static final int SLOT = 0x1000;

    static final int RESULT = 16;
    /** Added to a register's number: what it held before the value that has the name now, and what paths that meet disagree on. */
    private static final int OLD = 0x100;

    private static final int JOINED = 0x200;

    /** Bytes of the state block whose value is known. */
    record Cell(int bytes, Term value) {}

    sealed interface Fact {}

    enum Relation {
        EQUAL,
        BELOW,
        BELOW_OR_EQUAL
    }

    /** A relation of the low {@code 8 << w} bits of two values, unsigned, that a branch has found to hold. */
    record Compared(Relation relation, int w, Term a, Term b) implements Fact {}

    /**
     * A TLB entry was found for bytes that lie in one page: guest address + addend is where they are.
     *
     * @param first guest address of the first byte
     * @param alignment power of two that it is a multiple of
     */
    record Probed(Unknown addend, Term first, int bytes, boolean write, int alignment) implements Fact {}

    /** What the host's flags tell: of CMP of two values, or of TEST of a byte of the state block with bits. */
    sealed interface Flags {}

    record OfCompare(int w, Term a, Term b) implements Flags {}

    record OfHeldTest(int bits) implements Flags {}

    final Term[] registers = new Term[16];
    /** By distance from r14. */
    final TreeMap<Integer, Cell> slots = new TreeMap<>();

    final Set<Fact> facts = new HashSet<>();
    final List<Term> stack = new ArrayList<>();
    /** Which of the guest's FPU registers the host holds, as {@link Context#HELD}. */
    int held;
    /** Null when nothing is known. */
    Flags flags;

    HostState copy() {
        HostState s = new HostState();
        System.arraycopy(registers, 0, s.registers, 0, 16);
        s.slots.putAll(slots);
        s.facts.addAll(facts);
        s.stack.addAll(stack);
        s.held = held;
        s.flags = flags;
        return s;
    }

    /** A value that nothing is known of; the one that was given to the same place here before is forgotten. */
    Term unknown(long pc, int place, Sort sort) {
        Unknown u = new Unknown(pc, place, sort);
        for (int n = 0; n < 16; n++) {
            if (registers[n].mentions(u)) {
                registers[n] = Term.of(0);
                registers[n] = unknown(pc, n | OLD, sort);
            }
        }
        slots.values().removeIf(cell -> cell.value.mentions(u));
        facts.removeIf(fact -> mentions(fact, u));
        if (flags instanceof OfCompare c && (c.a.mentions(u) || c.b.mentions(u))) {
            flags = null;
        }
        return Term.of(u);
    }

    private static boolean mentions(Fact fact, Atom atom) {
        return switch (fact) {
            case Compared c -> c.a.mentions(atom) || c.b.mentions(atom);
            case Probed p -> p.addend.equals(atom) || p.first.mentions(atom);
        };
    }

    /** Forgets what is known of bytes of the state block. */
    void forget(int displacement, int bytes) {
        Iterator<Map.Entry<Integer, Cell>> i =
                slots.headMap(displacement + bytes).entrySet().iterator();
        while (i.hasNext()) {
            Map.Entry<Integer, Cell> e = i.next();
            if (e.getKey() + e.getValue().bytes > displacement) {
                i.remove();
            }
        }
    }

    /** Forgets what was read from tables that Java has changed since. */
    void forgetTables() {
        flags = null;
        facts.removeIf(fact -> fact instanceof Compared c && (c.a.mentionsTag() || c.b.mentionsTag()));
        slots.values().removeIf(cell -> cell.value.mentionsTag());
    }

    /**
     * What is known on this path and on another one, both of which lead to an address: what they agree on, with new names for the
     * rest. A name that this join gave before, on an earlier turn of a loop, means the newest value only, so that whatever else
     * was computed from the older one gets a new name too.
     */
    HostState join(HostState other, long pc) {
        HostState s = new HostState();
        Set<Unknown> renamed = new HashSet<>();
        boolean changed = true;
        while (changed) {
            changed = false;
            for (int n = 0; n < 16; n++) {
                Unknown name = new Unknown(pc, n | JOINED, sort(registers[n], other.registers[n]));
                boolean same = registers[n].equals(other.registers[n])
                        && renamed.stream().noneMatch(registers[n]::mentions);
                if (!same && renamed.add(name)) {
                    changed = true;
                }
                s.registers[n] = same ? registers[n] : Term.of(name);
            }
        }
        slots.forEach((at, cell) -> {
            if (cell.equals(other.slots.get(at)) && renamed.stream().noneMatch(cell.value::mentions)) {
                s.slots.put(at, cell);
            }
        });
        for (Fact fact : facts) {
            if (other.facts.contains(fact) && renamed.stream().noneMatch(u -> mentions(fact, u))) {
                s.facts.add(fact);
            }
        }
        s.flags = flags != null && flags.equals(other.flags) ? flags : null;
        if (s.flags instanceof OfCompare c && renamed.stream().anyMatch(u -> c.a.mentions(u) || c.b.mentions(u))) {
            s.flags = null;
        }
        if (!stack.equals(other.stack)) {
            throw new UnsafeCode("paths with different stacks meet at 0x" + Long.toHexString(pc));
        }
        s.stack.addAll(stack);
        s.held = held & other.held;
        return s;
    }

    /** What two secrets have become is still a secret. */
    private static Sort sort(Term a, Term b) {
        return a.isSecret() || b.isSecret() ? Sort.HOST : Sort.PLAIN;
    }

    boolean sameAs(HostState other) {
        return Arrays.equals(registers, other.registers)
                && slots.equals(other.slots)
                && facts.equals(other.facts)
                && held == other.held
                && Objects.equals(flags, other.flags);
    }
}
