package org.xenolith.cpu.core;

/** Bits of XCR0, which are the state components of XSAVE (Intel SDM vol. 1, 13.1 and 13.3). */
public final class Xcr0 {
    public static final long X87 = 1;
    public static final long SSE = 1 << 1;
    /** The upper halves of the YMM registers; needs {@link #SSE}. */
    public static final long AVX = 1 << 2;
    /** What VEX-encoded vector instructions need. */
    public static final long AVX_MASK = SSE | AVX;

    private Xcr0() {}
}
