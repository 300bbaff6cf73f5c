package org.xenolith.translate;

import java.util.Set;
import org.xenolith.cpu.decode.CodeBytes;
import org.xenolith.cpu.decode.Decoder;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.memory.Raw;
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

    private final CodeMemory memory;
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
     */
    BlockTranslator(CodeMemory memory, Trampolines trampolines, Assembler assembler, Set<String> features) {
        this.memory = memory;
        this.features = features;
        a = assembler;
        e = new Emission(trampolines, assembler);
        integers = new IntegerEmitter(e);
        vectors = new VectorEmitter(e);
        branches = new BranchEmitter(e);
        systems = new SystemEmitter(e);
    }

    /** Reads code of one page; beyond its end come bytes that nobody may use. */
    private static final class Bytes implements CodeBytes {
        private long frame;
        private int start;

        @Override
        public int at(int offset) {
            int at = start + offset;
            return at < 4096 ? Raw.getByte(frame + at) & 0xff : 0x90;
        }
    }

    /** How an instruction is emitted, or null when it is not. */
    Entry entry(Insn insn) {
        return Emitted.of(insn, features);
    }

    /** Translates the code at an offset of a host frame. */
    TranslatedBlock translate(long frame, int offset) {
        bytes.frame = frame;
        bytes.start = offset;
        e.clear(offset);
        int left = 4096 - offset;
        int position = 0;
        boolean ended = false;
        while (!ended && e.insns.size() < MOST && position < left) {
            Insn insn = decoder.decode(bytes, position, 3);
            Entry entry = insn == null || insn.next > left ? null : entry(insn);
            if (entry == null) {
                break;
            }
            e.insns.add(insn);
            e.entries.add(entry);
            position = insn.next;
            ended = entry.shape().ends();
        }
        if (!ended && !e.insns.isEmpty() && e.entries.getLast().shape() == Shape.STI) {
            // What follows is not of this block, and must not be parted from STI by an event.
            position = e.insns.removeLast().offset;
            e.entries.removeLast();
        }
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
            length = Math.max(position, Math.min(left, length + 15));
            handBack = Math.max(1, handBack);
            ended = false;
        }
        a.start(memory.next());
        if (count > 0) {
            e.head();
            for (int index = 0; index < count; index++) {
                e.index = index;
                emit(e.insns.get(index), e.entries.get(index));
            }
        }
        e.index = count;
        if (handBack > 0) {
            e.settle();
            int at = offset + (count == 0 ? 0 : e.insns.getLast().next);
            e.leave(Context.exit(Context.INTERPRET, at, 0, 0, handBack));
        } else if (!ended) {
            e.goOn(offset + position);
        }
        e.asides();
        byte[] code = a.finish();
        long at = memory.add(code, a.size());
        return new TranslatedBlock(frame + offset, Math.max(1, length), count, count == 0 ? handBack : 0, at);
    }

    private void emit(Insn i, Entry entry) {
        switch (entry.shape()) {
            case SAME -> integers.same(i, entry.effect());
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
            case CLD -> systems.cld();
            case STRING -> systems.string(i);
        }
    }
}
