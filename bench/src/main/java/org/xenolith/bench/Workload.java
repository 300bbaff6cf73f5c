package org.xenolith.bench;

/**
 * One thing that is measured.
 *
 * @param name name in options, plans and tables
 * @param group kind of cost
 * @param program guest program that has it; empty for {@code boot}, which needs none
 * @param cost the cost centre of an emulated machine that it loads, for people
 * @param instructionsPerUnit guest instructions in one unit where that is known exactly, otherwise 0
 */
public record Workload(String name, Group group, String program, String cost, long instructionsPerUnit) {
    /** Whether this is the start of the guest rather than a program in it. */
    public boolean isBoot() {
        return group == Group.BOOT;
    }
}
