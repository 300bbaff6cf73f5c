package org.xenolith.cpu.core;

/** Bits of CR4 (Intel SDM vol. 3, 2.5). */
public final class Cr4 {
    public static final long VME = 1;
    public static final long PVI = 1 << 1;
    public static final long TSD = 1 << 2;
    public static final long DE = 1 << 3;
    public static final long PSE = 1 << 4;
    public static final long PAE = 1 << 5;
    public static final long MCE = 1 << 6;
    public static final long PGE = 1 << 7;
    public static final long PCE = 1 << 8;
    public static final long OSFXSR = 1 << 9;
    public static final long OSXMMEXCPT = 1 << 10;
    public static final long UMIP = 1 << 11;
    public static final long FSGSBASE = 1 << 16;
    public static final long PCIDE = 1 << 17;
    public static final long OSXSAVE = 1 << 18;
    public static final long SMEP = 1 << 20;
    public static final long SMAP = 1 << 21;

    private Cr4() {}
}
