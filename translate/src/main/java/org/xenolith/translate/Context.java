package org.xenolith.translate;

import org.xenolith.cpu.VcpuState;

/**
 * What emitted code and Java tell each other: slots in the engine's scratch part of the state block, which emitted code
 * addresses from r14 = state block + {@link #BIAS} with 8-bit displacements, and the word that an exit leaves.
 *
 * <pre>
 *   +0x00 u64  TLB table of the current privilege        +0x20 u16 flags: low byte OF, high byte as LAHF gives it
 *   +0x08 i64  instructions left                         +0x28 u64 linear address of a TLB miss
 *   +0x10 i32  mask of events that stop translated code  +0x30 u64 where to go on after an exit
 *   +0x14 i32  exit word                                 +0x38 u64 jump cache
 *   +0x18 u64  linear address of the running code page   +0x40 u64 entry's target   +0x48 u64 a value across a probe
 *
 *   exit word: bits 0-3 reason, 4-15 offset in the code page, 16-21 instructions charged and not executed,
 *              22-23 log2 of the access size, 24-28 instructions for the interpreter
 * </pre>
 *
 * The scratch part belongs to the interpreter while that runs: everything here is set anew on each entry.
 */
final class Context {
    static final int BIAS = VcpuState.SCRATCH;
    static final int TABLE = 0x00;
    static final int BUDGET = 0x08;
    static final int MASK = 0x10;
    static final int EXIT = 0x14;
    static final int PAGE = 0x18;
    static final int FLAGS = 0x20;
    static final int VA = 0x28;
    static final int RESUME = 0x30;
    static final int JUMPS = 0x38;
    static final int TARGET = 0x40;
    static final int TEMP = 0x48;

    /** Reasons: the address in rip has no translation in the jump cache. */
    static final int LOOKUP = 0;
    /** A direct branch inside the page that is not chained yet; the site is {@link #SITE_BYTES} before RESUME. */
    static final int CHAIN = 1;
    /** Instructions for the interpreter. */
    static final int INTERPRET = 2;

    static final int MISS_READ = 3;
    static final int MISS_WRITE = 4;
    /** A block head saw an event, or has not enough budget. */
    static final int HEAD = 5;

    /** {@code mov dword [r14+EXIT], imm32; call exit}. */
    static final int SITE_BYTES = 13;

    /** Jump cache: entries {linear address, code address}; see {@link JumpCache}. */
    static final int JUMP_ENTRIES = 4096;

    /** Host register of each guest register, or -1 for those that live in the state block. */
    private static final int[] HOST = {0, 1, 2, 3, 15, 5, 6, 7, 8, 9, -1, -1, 12, 13, -1, -1};

    private Context() {}

    static int host(int guest) {
        return HOST[guest];
    }

    static int exit(int reason, int offset, int refund, int sizeLog2, int count) {
        return reason | offset << 4 | refund << 16 | sizeLog2 << 22 | count << 24;
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
        return exit >>> 22 & 3;
    }

    static int count(int exit) {
        return exit >>> 24 & 31;
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
