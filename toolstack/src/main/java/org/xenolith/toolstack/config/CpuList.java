package org.xenolith.toolstack.config;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Host CPUs as {@code cpus=} and {@code vcpu-pin} name them: {@code all}, or a list of numbers and ranges with commas, where
 * {@code ^} takes away and {@code node:} or {@code nodes:} names whole NUMA nodes: {@code "0-3,^2"}, {@code "nodes:0,^node:1"}.
 *
 * @param terms in order; each adds or takes away
 */
public record CpuList(List<Term> terms) {
    /** Highest number that is taken; no host has more. */
    public static final int HIGHEST = 4095;

    private static final Pattern RANGE = Pattern.compile("([0-9]{1,5})(?:-([0-9]{1,5}))?");

    /**
     * One piece.
     *
     * @param remove whether it takes away
     * @param nodes whether NUMA nodes are meant
     * @param first first number; -1 for all
     * @param last last number, this one included
     */
    public record Term(boolean remove, boolean nodes, int first, int last) {}

    public CpuList {
        terms = List.copyOf(terms);
    }

    /** @throws IllegalArgumentException with one line for people */
    public static CpuList parse(String text) {
        List<Term> terms = new ArrayList<>();
        for (String piece : text.split(",")) {
            String rest = piece.strip();
            if (rest.isEmpty()) {
                continue;
            }
            boolean remove = rest.startsWith("^");
            rest = remove ? rest.substring(1) : rest;
            boolean nodes = rest.startsWith("node:") || rest.startsWith("nodes:");
            rest = nodes ? rest.substring(rest.indexOf(':') + 1) : rest;
            if (rest.equals("all")) {
                if (remove) {
                    throw new IllegalArgumentException("'^' and 'all' do not go together");
                }
                terms.add(new Term(false, nodes, -1, -1));
                continue;
            }
            Matcher matcher = RANGE.matcher(rest);
            if (!matcher.matches()) {
                throw new IllegalArgumentException(
                        "'" + piece.strip() + "' is no CPU or range of CPUs: write 3, 0-3, ^2, node:1 or all");
            }
            int first = Integer.parseInt(matcher.group(1));
            int last = matcher.group(2) == null ? first : Integer.parseInt(matcher.group(2));
            if (last < first || last > HIGHEST) {
                throw new IllegalArgumentException(
                        "'" + piece.strip() + "' is no range of CPUs: 0 to " + HIGHEST + ", rising");
            }
            terms.add(new Term(remove, nodes, first, last));
        }
        if (terms.isEmpty()) {
            throw new IllegalArgumentException("'" + text + "' names no CPU");
        }
        return new CpuList(terms);
    }

    /**
     * The CPUs on a host.
     *
     * @param cpus how many the host has
     * @param nodes the CPUs of each NUMA node
     * @throws IllegalArgumentException when the host has none of them, with one line for people
     */
    public BitSet on(int cpus, List<BitSet> nodes) {
        BitSet chosen = new BitSet(cpus);
        for (Term term : terms) {
            BitSet named = new BitSet(cpus);
            if (term.first() < 0) {
                named.set(0, cpus);
            } else if (term.nodes()) {
                for (int node = term.first(); node <= Math.min(term.last(), nodes.size() - 1); node++) {
                    named.or(nodes.get(node));
                }
            } else {
                named.set(Math.min(term.first(), cpus), Math.min(term.last() + 1, cpus));
            }
            if (term.remove()) {
                chosen.andNot(named);
            } else {
                chosen.or(named);
            }
        }
        if (chosen.isEmpty()) {
            throw new IllegalArgumentException(
                    "'" + this + "' names no CPU of this host, which has 0 to " + (cpus - 1));
        }
        return chosen;
    }

    /** A set of CPUs as xl prints it: {@code all}, {@code none}, {@code 0,2-3}. */
    public static String format(BitSet chosen, int cpus) {
        if (chosen.isEmpty()) {
            return "none";
        }
        if (chosen.nextClearBit(0) >= cpus) {
            return "all";
        }
        StringBuilder out = new StringBuilder();
        for (int first = chosen.nextSetBit(0); first >= 0; ) {
            int end = chosen.nextClearBit(first);
            out.append(out.isEmpty() ? "" : ",").append(first);
            if (end - 1 > first) {
                out.append('-').append(end - 1);
            }
            first = chosen.nextSetBit(end);
        }
        return out.toString();
    }

    @Override
    public String toString() {
        StringBuilder out = new StringBuilder();
        for (Term term : terms) {
            out.append(out.isEmpty() ? "" : ",")
                    .append(term.remove() ? "^" : "")
                    .append(term.nodes() ? "node:" : "");
            if (term.first() < 0) {
                out.append("all");
            } else {
                out.append(term.first());
                if (term.last() > term.first()) {
                    out.append('-').append(term.last());
                }
            }
        }
        return out.toString();
    }
}
