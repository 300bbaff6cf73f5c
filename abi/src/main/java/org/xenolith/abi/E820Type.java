package org.xenolith.abi;

/** Types of a range in a memory map. */
public final class E820Type {
    public static final int RAM = 1;
    public static final int RESERVED = 2;
    public static final int ACPI = 3;
    public static final int NVS = 4;
    public static final int UNUSABLE = 5;
    public static final int DISABLED = 6;
    public static final int PMEM = 7;

    private E820Type() {}
}
