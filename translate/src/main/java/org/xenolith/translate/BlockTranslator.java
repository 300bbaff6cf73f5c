package org.xenolith.translate;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.decode.CodeBytes;
import org.xenolith.cpu.decode.Decoder;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.memory.Raw;
import org.xenolith.translate.Emitted.Effect;
import org.xenolith.translate.Emitted.Entry;
import org.xenolith.translate.Emitted.Shape;

/**
 * Makes a block of host code from guest code of 64-bit mode: decodes, and has each instruction emitted.
 *
 * <p>A block lies in one page and knows no linear address: what depends on one (rip-relative operands, return addresses) is
 * counted from {@link Context#PAGE}. So it serves every mapping and every privilege of its frame.
 */
final class BlockTranslator {
    private static final int MOST = 40;
    /** An exit word counts up to 63. */
    private static final int MOST_IN_TRACE = 60;
    /** No place where a trace could go on. */
    private static final int STOP = Integer.MIN_VALUE;

    private static final int MOST_HANDED_BACK = 16;
    private static final int MOST_SPLITS = 1 << 14;
    /** Of an instruction. */
    private static final int MAX_LENGTH = 15;

    private final CodeMemory memory;
    /** Host addresses of guest instructions that share no probe, because that failed too often. */
    private final Set<Long> splits = new HashSet<>();

    private final boolean exact;
    /** Whether PAUSE means that somebody is waited for. */
    private final boolean shared;

    private final Assembler a;
    private final Set<String> features;
    private final Decoder decoder = new Decoder();
    private final Bytes bytes = new Bytes();
    private final Emission e;
    private final IntegerEmitter integers;
    private final VectorEmitter vectors;
    private final BranchEmitter branches;
    private final SystemEmitter systems;

    // What decode() finds, beside the instructions. Positions are counted from the block's start.
    /** Where each instruction is followed from. */
    private final List<Integer> onward = new ArrayList<>();
    /** The calls that the trace is inside of. */
    private final List<Inside> returns = new ArrayList<>();
    /** What the stack pointer has moved by. */
    private long stack;
    /** Instructions of the trace since it last began. */
    private final Set<Integer> seen = new HashSet<>();

    private boolean branchesInside;
    /** Where to go on behind the last instruction. */
    private int position;

    private int low;
    private int high;
    /** Bytes of the page from the block's start on. */
    private int left;

    private int handBack;
    private boolean ended;

    /**
     * @param features names of what both the guest and the host have
     * @param exact leave what differs between processors to the interpreter
     * @param shared there are other processors, which PAUSE waits for
     */
    BlockTranslator(
            CodeMemory memory,
            Trampolines trampolines,
            Assembler assembler,
            Set<String> features,
            boolean exact,
            boolean shared) {
        this.memory = memory;
        this.features = features;
        this.exact = exact;
        this.shared = shared;
        a = assembler;
        e = new Emission(trampolines, assembler, exact);
        integers = new IntegerEmitter(e);
        vectors = new VectorEmitter(e);
        branches = new BranchEmitter(e);
        systems = new SystemEmitter(e);
    }

    /** Finds the page behind the one that is being translated. */
    interface NextPage {
        /** Its host frame, or 0 when nothing can be fetched there. */
        long frame();
    }

    /** Reads code of one page, and of the next one when an instruction reaches into it. */
    private static final class Bytes implements CodeBytes {
        private long frame;
        private int start;
        private NextPage next;
        /** Only the first instruction may reach: looking ahead would leave traces in the page tables. */
        private boolean mayReach;
        /** The page behind: 0 while nobody looked, -1 when nothing can be fetched there. */
        private long tail;

        @Override
        public int at(int offset) {
            int at = start + offset;
            if (at < 4096) {
                return Raw.getByte(frame + at) & 0xff;
            }
            if (tail == 0 && mayReach) {
                tail = next.frame();
                tail = tail == 0 ? -1 : tail;
            }
            return tail > 0 ? Raw.getByte(tail + at - 4096) & 0xff : 0x90;
        }

        boolean hasTail() {
            return tail > 0;
        }
    }

    /** From now on, what leaves a trace ends the entry, or not: for {@link LockStep}. */
    void single(boolean on) {
        e.single = on;
    }

    /** From now on the accesses of the instruction at a host address share no probe with others. */
    void split(long host) {
        if (splits.size() == MOST_SPLITS) {
            splits.clear();
        }
        splits.add(host);
    }

    /** How to emit an instruction, or null to hand it to the interpreter. */
    Entry entry(Insn insn) {
        return exact && Exactness.modelSpecific(insn) ? null : Emitted.of(insn, features);
    }

    /**
     * A call inside a trace.
     *
     * @param behind where it returns to
     * @param stack what the stack pointer has moved by inside it
     */
    private record Inside(int behind, long stack) {}

    /** Knows which way branches go. */
    interface Guide {
        /**
         * Where a trace should go on, of the ways that a branch can take.
         *
         * @param ways offsets in the page
         * @return one of them, or -1 when none is taken often
         */
        int choose(int... ways);
    }

    /**
     * Translates the code at an offset of a host frame, to the first branch. An instruction that crosses into the next page
     * gets a block of its own.
     */
    TranslatedBlock translate(long frame, int offset, NextPage next) {
        decode(frame, offset, next, null);
        return emit(frame, offset);
    }

    /**
     * Translates a block again as a trace: along the ways that branches in the page are said to go, around loops more than
     * once.
     *
     * @return null when that would be no more than there is
     */
    TranslatedBlock trace(TranslatedBlock block, Guide guide) {
        long frame = block.host & -4096L;
        int offset = (int) block.host & 4095;
        decode(frame, offset, () -> 0, guide);
        return branchesInside && !Arrays.equals(path(), block.path) ? emit(frame, offset) : null;
    }

    /** Finds the instructions of a block or trace. */
    private void decode(long frame, int offset, NextPage next, Guide guide) {
        bytes.frame = frame;
        bytes.start = offset;
        bytes.next = next;
        bytes.tail = 0;
        e.clear(offset);
        onward.clear();
        returns.clear();
        stack = 0;
        seen.clear();
        branchesInside = false;
        low = 0;
        high = 0;
        handBack = 0;
        ended = false;
        int most = guide == null ? MOST : MOST_IN_TRACE;
        left = 4096 - offset;
        position = 0;
        while (!ended && e.insns.size() < most && position < left) {
            bytes.mayReach = e.insns.isEmpty();
            Insn insn = decoder.decode(bytes, position, 3);
            boolean crosses = insn != null && insn.next > left;
            boolean first = e.insns.isEmpty();
            Entry entry = insn == null || crosses && !(first && bytes.hasTail()) ? null : entry(insn);
            if (entry == null) {
                // One that crosses is not handed back from here: it may get a block.
                ended = crosses && !first;
                break;
            }
            low = Math.min(low, position);
            high = Math.max(high, insn.next);
            seen.add(position);
            int on = insn.next;
            if (entry.shape().ends() || crosses) {
                on = guide == null || crosses ? STOP : onward(insn, entry, guide);
                ended = on == STOP;
                branchesInside |= !ended;
                entry = ended ? entry : entry.on();
                on = ended ? insn.next : on;
            }
            e.insns.add(insn);
            e.entries.add(entry);
            onward.add(on);
            position = on;
            followStack(insn, entry);
        }
        if (!e.insns.isEmpty() && e.entries.getLast().shape() == Shape.STI) {
            // What follows is not of this block, and must not be parted from STI by an event.
            position = e.insns.removeLast().offset;
            e.entries.removeLast();
            onward.removeLast();
            ended = false;
        }
        bytes.mayReach = false;
        if (!ended && e.insns.size() < most && position < left) {
            handBack();
        }
    }

    /** Code that drops or replaces its return address is a trick to get past a branch predictor, and returns elsewhere. */
    private void followStack(Insn insn, Entry entry) {
        boolean replaced = !returns.isEmpty()
                && entry.shape() == Shape.SAME
                && insn.mem != null
                && insn.mem.base() == VcpuState.RSP * 8
                && insn.mem.index() == VcpuState.ZERO
                && stack + insn.mem.displacement() == returns.getLast().stack
                && IntegerEmitter.operand(insn, e.place(insn.mem)).write;
        stack += AccessPlan.stackMove(insn, entry);
        while (!returns.isEmpty() && (replaced || stack > returns.getLast().stack)) {
            returns.removeLast();
            replaced = false;
        }
    }

    /** The instructions at {@link #position} are not emitted: counts those that are handed back together. */
    private void handBack() {
        int begin = position;
        int end = position;
        while (handBack < MOST_HANDED_BACK && !ended && end < left) {
            Insn insn = decoder.decode(bytes, end, 3);
            if (insn == null || insn.next > left || handBack > 0 && entry(insn) != null) {
                break;
            }
            end = insn.next;
            ended = insn.row.endsBlock;
            handBack++;
        }
        low = Math.min(low, begin);
        high = Math.max(high, Math.max(end, Math.min(left, begin + MAX_LENGTH)));
        handBack = Math.max(1, handBack);
    }

    /** Where a trace goes on behind a branch, counted from its start; or {@link #STOP}. */
    private int onward(Insn insn, Entry entry, Guide guide) {
        int room = MOST_IN_TRACE - e.insns.size() - 1;
        int on = switch (entry.shape()) {
            // Of two that are as good, the way back of a loop, and else straight on.
            case JCC ->
                insn.imm < 0
                        ? choose(guide, insn.next + insn.imm, insn.next)
                        : choose(guide, insn.next, insn.next + insn.imm);
            case JMP, CALL -> choose(guide, insn.next + insn.imm);
            case RET -> returns.isEmpty() ? STOP : returns.removeLast().behind;
            default -> STOP;
        };
        if (on == 0 && room > e.insns.size()) {
            // Once more around, when all of it fits.
            seen.clear();
        } else if (on == STOP || seen.contains(on) || room == 0) {
            return STOP;
        }
        if (entry.shape() == Shape.CALL) {
            returns.add(new Inside(insn.next, stack - 8));
        }
        return on;
    }

    private int choose(Guide guide, long... ways) {
        int[] inside = new int[ways.length];
        int count = 0;
        for (long way : ways) {
            long at = e.start + way;
            if (at >= 0 && at < 4096) {
                inside[count++] = (int) at;
            }
        }
        int chosen = count == 0 ? -1 : guide.choose(Arrays.copyOf(inside, count));
        return chosen < 0 ? STOP : chosen - e.start;
    }

    private TranslatedBlock emit(long frame, int offset) {
        int count = e.insns.size();
        boolean branches = count > 0 && e.entries.getLast().shape().ends();
        int length = Math.max(1, high - low);
        long tail = high > left ? bytes.tail : 0;
        a.start(memory.next());
        if (count > 0) {
            // An exact engine fills the TLB as the interpreter does, access by access.
            e.plan(at -> exact || splits.contains(frame + at));
            e.head(tail);
            for (int index = 0; index < count; index++) {
                e.begin(index);
                emit(e.insns.get(index), e.entries.get(index), onward.get(index));
            }
        }
        e.index = count;
        if (handBack > 0) {
            e.settle();
            e.leave(Context.exit(Context.INTERPRET, offset + position, 0, 0, handBack));
        } else if (!branches) {
            e.goOn(offset + position);
        }
        e.asides();
        byte[] code = a.finish();
        long at = memory.add(code, a.size());
        return new TranslatedBlock(
                frame + offset, offset + low, length, count, tail, branchesInside ? path() : null, at);
    }

    private short[] path() {
        short[] path = new short[e.insns.size()];
        for (int n = 0; n < path.length; n++) {
            path[n] = (short) (e.start + e.insns.get(n).offset);
        }
        return path;
    }

    private void same(Insn i, Effect effect) {
        if (exact && Exactness.inTwoSteps(i)) {
            integers.same(i, effect, i.imm - 1);
            integers.same(i, effect, 1);
        } else {
            integers.same(i, effect, i.imm);
        }
    }

    private void pause(Insn i) {
        if (shared) {
            systems.pause();
        } else {
            integers.nothing(i);
        }
    }

    private void emit(Insn i, Entry entry, int on) {
        switch (entry.shape()) {
            case SAME -> same(i, entry.effect());
            case ENCODED -> vectors.encoded(i, entry.effect());
            case X87 -> vectors.x87(i, entry.effect());
            case FPU_CONTROL -> vectors.control(i);
            case BARE -> integers.bare(i, entry.effect());
            case NOTHING -> integers.nothing(i);
            case LEA -> integers.lea(i);
            case ACC_EXCHANGE -> integers.exchangeAccumulator(i);
            case PUSH -> integers.push(i);
            case PUSH_IMMEDIATE -> integers.pushImmediate(i);
            case POP -> integers.pop(i);
            case LEAVE -> integers.leave();
            case DIVIDE -> integers.divide(i);
            case JCC -> branches.conditional(i);
            case BRANCH_ON -> branches.conditionalOn(i, on);
            case JMP -> branches.jump(i);
            case CALL -> branches.call(i);
            case CALL_ON -> branches.callOn(i);
            case RET_ON -> branches.retOn(i, on);
            case JMP_INDIRECT -> branches.jumpIndirect(i);
            case CALL_INDIRECT -> branches.callIndirect(i);
            case RET -> branches.ret(i);
            case CLI -> systems.cli();
            case STI -> systems.sti();
            case PUSH_FLAGS -> systems.pushFlags();
            case POP_FLAGS -> systems.popFlags();
            case SWAPGS -> systems.swapGs();
            case SYSCALL -> systems.syscall(i);
            case SYSRET -> systems.sysret();
            case TIME -> systems.time(i);
            case PAUSE -> pause(i);
            case SEGMENT_READ -> systems.readSegment(i);
            case CONTROL_READ -> systems.readControl(i);
            case BIT_STRING -> integers.bitString(i);
            case CLD -> systems.cld();
            case STRING -> systems.string(i);
        }
    }
}
