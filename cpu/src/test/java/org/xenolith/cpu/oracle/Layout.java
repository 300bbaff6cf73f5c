package org.xenolith.cpu.oracle;

/**
 * Addresses that a test case sees, the same natively and interpreted. All are below 2 GiB, so that absolute and
 * 32-bit addressing reach them.
 */
final class Layout {
    /** Code slots: one test case each. */
    static final long CODE = 0x1000_0000L;

    static final int SLOT = 128;
    static final int SLOTS = 4096;
    static final long CODE_SIZE = (long) SLOT * SLOTS;
    /** In a slot: landing pad for backward branches, the instruction, landing pad for forward branches. */
    static final int PAD_BACK = 0;

    static final int INSN = 32;
    static final int PAD_FORWARD = 96;

    /** The native stub's code, and its data (register images, saved host state). */
    static final long STUB = 0x1010_0000L;

    static final long STUB_DATA = 0x1011_0000L;

    /** Memory operands and the stack; the pages before and behind are not mapped. */
    static final long DATA = 0x2000_1000L;

    static final int DATA_SIZE = 0x2000;

    /** Exit codes: which landing pad was reached; faults are {@link #FAULT} plus vector. */
    static final int EXIT_NEXT = 0;

    static final int EXIT_BACK = 1;
    static final int EXIT_FORWARD = 2;
    static final int FAULT = 0x100;
    /** The child process died. */
    static final int CRASH = 0x1000;
    /** The interpreter came out somewhere else; rip says where. */
    static final int ASTRAY = 0x2000;

    private Layout() {}

    static long slot(int n) {
        return CODE + (long) n * SLOT;
    }
}
