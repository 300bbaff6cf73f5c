package org.xenolith.translate;

import java.util.HashSet;
import java.util.Set;
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
     * Translates the code at an offset of a host frame. An instruction that crosses into the next page gets a block of its
     * own.
     */
    TranslatedBlock translate(long frame, int offset, NextPage next) {
        bytes.frame = frame;
        bytes.start = offset;
        bytes.next = next;
        bytes.tail = 0;
        e.clear(offset);
        int left = 4096 - offset;
        int position = 0;
        boolean ended = false;
        while (!ended && e.insns.size() < MOST && position < left) {
            bytes.mayReach = position == 0;
            Insn insn = decoder.decode(bytes, position, 3);
            boolean crosses = insn != null && insn.next > left;
            Entry entry = insn == null || crosses && (position > 0 || !bytes.hasTail()) ? null : entry(insn);
            if (entry == null) {
                // One that crosses is not handed back from here: it may get a block.
                ended = crosses && position > 0;
                break;
            }
            e.insns.add(insn);
            e.entries.add(entry);
            position = insn.next;
            ended = entry.shape().ends() || crosses;
        }
        boolean branches = !e.insns.isEmpty() && e.entries.getLast().shape().ends();
        if (!e.insns.isEmpty() && e.entries.getLast().shape() == Shape.STI) {
            // What follows is not of this block, and must not be parted from STI by an event.
            position = e.insns.removeLast().offset;
            e.entries.removeLast();
            ended = false;
        }
        bytes.mayReach = false;
        int count = e.insns.size();
        int length = position;
        int handBack = 0;
        if (!ended && count < MOST && position < left) {
            while (handBack < MOST_HANDED_BACK && !ended && position < left) {
                Insn insn = decoder.decode(bytes, position, 3);
                if (insn == null || insn.next > left || handBack > 0 && entry(insn) != null) {
                    break;
                }
                position = insn.next;
                ended = insn.row.endsBlock;
                handBack++;
            }
            length = Math.max(position, Math.min(left, length + MAX_LENGTH));
            handBack = Math.max(1, handBack);
        }
        long tail = length > left ? bytes.tail : 0;
        a.start(memory.next());
        if (count > 0) {
            // An exact engine fills the TLB as the interpreter does, access by access.
            e.plan(at -> exact || splits.contains(frame + at));
            e.head(tail);
            for (int index = 0; index < count; index++) {
                e.begin(index);
                emit(e.insns.get(index), e.entries.get(index));
            }
        }
        e.index = count;
        if (handBack > 0) {
            e.settle();
            int at = offset + (count == 0 ? 0 : e.insns.getLast().next);
            e.leave(Context.exit(Context.INTERPRET, at, 0, 0, handBack));
        } else if (!branches) {
            e.goOn(offset + position);
        }
        e.asides();
        byte[] code = a.finish();
        long at = memory.add(code, a.size());
        return new TranslatedBlock(frame + offset, Math.max(1, length), count, tail, at);
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

    private void emit(Insn i, Entry entry) {
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
            case JMP -> branches.jump(i);
            case CALL -> branches.call(i);
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
