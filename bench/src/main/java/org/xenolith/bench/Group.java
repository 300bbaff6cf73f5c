package org.xenolith.bench;

/** Workloads that stand for the same kind of cost; a geometric mean is given for each group. */
public enum Group {
    BOOT("boot", "from process start to the first line of init"),
    INTEGER("integers", "loops, tables, dependent loads, sorting, multiply and divide"),
    CONTROL("control", "calls, returns, indirect branches, interpreters"),
    FLOAT("floats", "floating point and SIMD of the baseline instruction set, x87"),
    BULK("bulk", "moving, filling, hashing and enciphering memory"),
    PROGRAM("program", "whole programs: compression, SQL, awk"),
    SYSTEM("system", "the kernel's work: calls, processes, memory, threads, and code that changes"),
    PARALLEL("parallel", "the same work for one processor or several: see --smp");

    private final String label;
    private final String description;

    Group(String label, String description) {
        this.label = label;
        this.description = description;
    }

    public String label() {
        return label;
    }

    public String description() {
        return description;
    }
}
