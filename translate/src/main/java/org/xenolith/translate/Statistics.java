package org.xenolith.translate;

/** Counters of a {@link TranslatingEngine}; all of them additions on paths that are slow anyway. */
final class Statistics {
    /** Exits by {@link Context#reason}. */
    final long[] exits = new long[Context.REASONS];

    /** Guest instructions that translated code has executed. */
    long instructions;

    long blocks;
    long traces;
    long killed;
    long flushes;
    long handedBack;
    /** Blocks on which both engines agreed, */
    long compared;
    /** differed where the architecture leaves it open, */
    long undefined;
    /** or could not be brought to one instruction. */
    long unsettled;

    /** TLB misses that the interpreter had to deal with: the access crosses pages, */
    long crossings;
    /** stores to a page that holds code, */
    long watched;
    /** faults, */
    long faults;
    /** or has no memory behind it, or its page has become one with code. */
    long unfilled;

    String text(int pages, long codeBytes) {
        StringBuilder s = new StringBuilder();
        line(s, instructions, "instructions retired by translated code");
        line(s, handedBack, "instructions handed to the interpreter");
        line(s, exits[Context.INTERPRET], "exits for instructions that are not emitted, or not for these operands");
        line(s, exits[Context.LOOKUP], "exits for a branch that is not in the jump cache");
        line(s, exits[Context.CHAIN], "exits for a branch that is not chained yet");
        line(s, exits[Context.HEAD], "exits at a block's head, for the end of a slice");
        line(s, exits[Context.FPU], "exits for vector registers that may not be loaded");
        line(s, exits[Context.FPU_X87], "exits to load x87 registers");
        line(s, exits[Context.DEAD], "exits of blocks whose code was overwritten");
        line(s, exits[Context.MISS_READ], "exits for a TLB miss of a load");
        line(s, exits[Context.MISS_WRITE], "exits for a TLB miss of a store");
        line(s, crossings, "of the misses crossed a page");
        line(s, watched, "of the misses were stores to a page with code");
        line(s, faults, "of the misses raised a fault");
        line(s, unfilled, "of the misses had no memory behind them");
        line(s, blocks, "blocks translated");
        line(s, traces, "traces of hot blocks");
        line(s, killed, "blocks overwritten by the guest");
        line(s, flushes, "times the code memory was full");
        if (compared > 0) {
            line(s, compared, "blocks run by both engines with the same result");
            line(s, undefined, "blocks run by both engines that differed in what is undefined only");
            line(s, unsettled, "blocks left to the interpreter because they changed under way");
        }
        line(s, pages, "pages with translated code");
        line(s, codeBytes >> 10, "KiB of code");
        return s.toString();
    }

    private static void line(StringBuilder s, long value, String text) {
        s.append(String.format("%,14d  %s%n", value, text));
    }
}
