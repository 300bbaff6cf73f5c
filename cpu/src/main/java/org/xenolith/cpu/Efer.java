package org.xenolith.cpu;

/** Bits of the extended feature enable register, MSR 0xC0000080 (AMD APM vol. 2, 3.1.7). */
public final class Efer {
    public static final long SCE = 1;
    public static final long LME = 1L << 8;
    public static final long LMA = 1L << 10;
    public static final long NXE = 1L << 11;
    public static final long FFXSR = 1L << 14;

    private Efer() {}
}
