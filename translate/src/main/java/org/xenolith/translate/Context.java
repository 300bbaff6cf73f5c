package org.xenolith.translate;

import org.xenolith.cpu.VcpuState;

/**
 * What emitted code and Java tell each other: slots in the engine's scratch part of the state block, which emitted code
 * addresses from r14 = state block + {@link #BIAS} with 8-bit displacements, and the word that an exit leaves.
 *
 * <pre>
 *   +0x00 u64  TLB table of the current privilege        +0x28 u64 linear address of a TLB miss
 *   +0x08 i64  instructions left                         +0x30 u64 where to go on after an exit
 *   +0x10 u8   FPU registers in the host: HELD_*         +0x38 u64 jump cache by linear address
 *   +0x11 u8   FPU registers that may be loaded          +0x40 u64 target of an entry or a branch
 *   +0x12 u8   what the last exit stored (HELD)          +0x48 u64 a value across a probe, +0x50 another
 *   +0x14 i32  exit word                                 +0x58 u64 FXSAVE image for x87 code
 *   +0x18 u64  linear address of the running code page   +0x60 u64 TLB table of instruction fetches
 *   +0x78 i64  instructions charged and not executed, of a trace that was left under LockStep
 *   +0x20 u16  flags: low byte OF, high byte as LAHF     +0x68 u64 block table by host address
 *   +0x13 u8   AF of the flags is undefined
 *   +0x24 u32  MXCSR of the host                         +0x70 u64 journal of the jump cache
 *   +0x80      for user code: its TLB table, TLB table of fetches, jump cache, journal; +0xA0 for supervisor code
 *   +0xC0      addends of pages that accesses of a block share, u64 each
 *
 *   exit word: bits 0-3 reason, 4-15 offset in the code page, 16-21 instructions charged and not executed,
 *              22-24 log2 of the access size or {@link #GROUP}, 25-29 instructions for the interpreter, 30 the access must be aligned,
 *              31 the instruction is in the shadow of STI
 * </pre>
 *
 * The scratch part belongs to the interpreter while that runs: everything here is set anew on each entry.
 */
final class Context {
    static final int BIAS = VcpuState.SCRATCH;
    static final int TABLE = 0x00;
    static final int BUDGET = 0x08;
    static final int HELD = 0x10;
    static final int LOADABLE = 0x11;
    static final int STORED = 0x12;
    /** Not 0: AF in the flags slot is undefined, and counts as clear. */
    static final int AF_CLEARED = 0x13;

    static final int EXIT = 0x14;
    static final int PAGE = 0x18;
    static final int FLAGS = 0x20;
    static final int HOST_MXCSR = 0x24;
    static final int VA = 0x28;
    static final int RESUME = 0x30;
    static final int JUMPS = 0x38;
    static final int TARGET = 0x40;
    static final int TEMP = 0x48;
    static final int TEMP2 = 0x50;
    static final int IMAGE = 0x58;
    static final int FETCH_TABLE = 0x60;
    static final int BLOCKS = 0x68;
    static final int JOURNAL = 0x70;
    static final int SPARED = 0x78;

    static final int USER = 0x80;
    static final int SUPERVISOR = 0xA0;
    static final int GROUPS = 0xC0;
    /** Slots that belong to the running privilege, in the order of {@link #USER} and {@link #SUPERVISOR}. */
    private static final int[] PRIVILEGED = {TABLE, FETCH_TABLE, JUMPS, JOURNAL};

    /** Bits of HELD and LOADABLE: XMM registers and MXCSR; the upper halves of YMM registers; the x87. */
    static final int SSE = 1;

    static final int AVX = 2;
    static final int X87 = 4;

    /** Reasons: the address in rip has no translation that emitted code can find. */
    static final int LOOKUP = 0;
    /** A direct branch inside the page that is not chained yet; the site is {@link #SITE_BYTES} before RESUME. */
    static final int CHAIN = 1;
    /** Instructions for the interpreter. */
    static final int INTERPRET = 2;

    static final int MISS_READ = 3;
    static final int MISS_WRITE = 4;
    /** A block head has not enough budget. */
    static final int HEAD = 5;
    /** A block head wants vector registers that may not be loaded now. */
    static final int FPU = 6;
    /** A block head wants the x87 registers. */
    static final int FPU_X87 = 7;
    /** A block whose guest code was overwritten. */
    static final int DEAD = 8;

    /** RDTSC and RDTSCP: Java puts the time into the state block. */
    static final int TIME = 9;

    /** PAUSE on a machine with several processors: Java may give the host's processor away. */
    static final int PAUSE = 10;

    static final int REASONS = 11;

    /** In place of a size: the bytes of a group, whose number is in {@link #TARGET}. */
    static final int GROUP = 7;

    /** {@code mov dword [r14+EXIT], imm32; call exit}. */
    static final int SITE_BYTES = 13;

    /** Host register of each guest register, or -1 for those that live in the state block. */
    private static final int[] HOST = {0, 1, 2, 3, 15, 5, 6, 7, 8, 9, -1, -1, 12, 13, -1, -1};

    private static final int ALIGNED = 1 << 30;
    private static final int SHADOWED = 1 << 31;

    private Context() {}

    /** The slot of the running privilege that the n-th one of {@link #USER} or {@link #SUPERVISOR} goes into, n = 0..3. */
    static int privileged(int n) {
        return PRIVILEGED[n];
    }

    static int host(int guest) {
        return HOST[guest];
    }

    static int exit(int reason, int offset, int refund, int sizeLog2, int count) {
        return reason | offset << 4 | refund << 16 | sizeLog2 << 22 | count << 25;
    }

    /** A TLB miss of an access that faults when it is not aligned. */
    static int aligned(int exit) {
        return exit | ALIGNED;
    }

    /** An exit at an instruction that follows STI: no interrupt may come before it. */
    static int shadowed(int exit) {
        return exit | SHADOWED;
    }

    static boolean isShadowed(int exit) {
        return (exit & SHADOWED) != 0;
    }

    static int reason(int exit) {
        return exit & 15;
    }

    static int offset(int exit) {
        return exit >>> 4 & 4095;
    }

    static int refund(int exit) {
        return exit >>> 16 & 63;
    }

    static int sizeLog2(int exit) {
        return exit >>> 22 & 7;
    }

    static int count(int exit) {
        return exit >>> 25 & 31;
    }

    static boolean isAligned(int exit) {
        return (exit & ALIGNED) != 0;
    }

    /** The flags slot for an rflags value. */
    static int flagsSlot(long rflags) {
        return (int) (rflags >>> 11 & 1 | (rflags & 0xD5 | 2) << 8);
    }

    /** The six arithmetic flags of a flags slot. */
    static long arithmetic(int slot) {
        return slot >>> 8 & 0xD5 | (slot & 1L) << 11;
    }
}
