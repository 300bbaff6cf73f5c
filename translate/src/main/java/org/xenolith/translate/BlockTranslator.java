package org.xenolith.translate;

import java.util.ArrayList;
import java.util.List;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Tlb;
import org.xenolith.cpu.decode.CodeBytes;
import org.xenolith.cpu.decode.Decoder;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.decode.Mem;
import org.xenolith.cpu.decode.OperandSpec;
import org.xenolith.cpu.decode.OperandSpec.Kind;
import org.xenolith.cpu.decode.Row;
import org.xenolith.memory.Raw;
import org.xenolith.translate.Emitted.Effect;
import org.xenolith.translate.Emitted.Entry;

/**
 * Makes a block of host code from guest code of 64-bit mode.
 *
 * <p>A block lies in one page and knows no linear address: what depends on one (rip-relative operands, return addresses) is
 * counted from {@link Context#PAGE}. So it serves every mapping and every privilege of its frame.
 *
 * <p>Guest flags are in host flags, or in the flags slot, or in both: {@link #inHost} and {@link #inSlot} say where while a
 * block is emitted. What destroys host flags first saves the ones that are nowhere else. At a block's head and at every
 * exit they are in the slot, so that all six are exact wherever the guest can see them.
 */
final class BlockTranslator {
    private static final int MOST = 40;
    private static final int MOST_HANDED_BACK = 16;
    private static final int STATE = Assembler.R14;
    private static final int SP = Assembler.R15;
    private static final int T0 = Assembler.R10;
    private static final int T1 = Assembler.R11;

    /** A memory operand for a probe, in guest terms. */
    private record Place(int segmentBase, int base, int index, int scale, int displacement) {}

    /** Code behind the block that a probe, a guard or a head jumps to. */
    private record Aside(int label, int exit, Place va, int retry, FlagRecipe flags) {}

    private final CodeMemory memory;
    private final boolean exact;
    private final Trampolines trampolines;
    private final Assembler a;
    private final Decoder decoder = new Decoder();
    private final Bytes bytes = new Bytes();
    private final List<Insn> insns = new ArrayList<>();
    private final List<Entry> entries = new ArrayList<>();
    private final List<Aside> asides = new ArrayList<>();

    private boolean inHost;
    private boolean inSlot;
    /** How to compute the current flags again, when nobody but a fault can see them; null when they must be kept. */
    private FlagRecipe elided;

    private int start;
    private int count;
    private int index;

    /** Where the last probe left the operand. */
    private int atBase;

    private int atIndex;
    private int atScale;
    private int atDisplacement;

    /**
     * @param exact leave what differs between processors to the interpreter
     */
    BlockTranslator(CodeMemory memory, Trampolines trampolines, Assembler assembler, boolean exact) {
        this.memory = memory;
        this.exact = exact;
        this.trampolines = trampolines;
        a = assembler;
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

    /** How to emit an instruction, or null to hand it to the interpreter. */
    private Entry entry(Insn insn) {
        return exact && Exactness.modelSpecific(insn) ? null : Emitted.of(insn);
    }

    /** Translates the code at an offset of a host frame. */
    TranslatedBlock translate(long frame, int offset) {
        bytes.frame = frame;
        bytes.start = offset;
        start = offset;
        insns.clear();
        entries.clear();
        asides.clear();
        int left = 4096 - offset;
        int position = 0;
        boolean ended = false;
        while (!ended && insns.size() < MOST && position < left) {
            Insn insn = decoder.decode(bytes, position, 3);
            Entry entry = insn == null || insn.next > left ? null : entry(insn);
            if (entry == null) {
                break;
            }
            insns.add(insn);
            entries.add(entry);
            position = insn.next;
            ended = insn.row.endsBlock;
        }
        count = insns.size();
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
        inHost = false;
        inSlot = true;
        elided = null;
        if (count > 0) {
            head();
            for (index = 0; index < count; index++) {
                emit(insns.get(index), entries.get(index));
            }
        }
        index = count;
        if (handBack > 0) {
            save();
            leave(Context.exit(Context.INTERPRET, start + (count == 0 ? 0 : insns.getLast().next), 0, 0, handBack));
        } else if (!ended) {
            goOn(start + position);
        }
        for (Aside aside : asides) {
            emit(aside);
        }
        byte[] code = a.finish();
        long at = memory.add(code, a.size());
        return new TranslatedBlock(frame + offset, Math.max(1, length), count, count == 0 ? handBack : 0, at);
    }

    private void head() {
        int label = a.label();
        a.load(2, T0, STATE, VcpuState.EVENTS - Context.BIAS);
        a.rm(0, 2, Assembler.MAP_1, 0x85, T0, STATE, Assembler.NONE, 0, Context.MASK);
        a.jcc(Assembler.NE, label);
        asides.add(new Aside(label, Context.exit(Context.HEAD, start, 0, 0, 0), null, -1, null));
        label = a.label();
        a.aluMemoryImmediate(Assembler.SUB, 3, STATE, Context.BUDGET, count);
        a.jcc(Assembler.LESS, label);
        asides.add(new Aside(label, Context.exit(Context.HEAD, start, count, 0, 0), null, -1, null));
    }

    private void emit(Aside aside) {
        a.bind(aside.label);
        if (aside.flags != null) {
            compute(aside.flags);
            emitSave();
        }
        if (aside.va != null) {
            linear(aside.va);
            a.store(3, STATE, Context.VA, T0);
        }
        leave(aside.exit);
        if (aside.retry >= 0) {
            a.jmp(aside.retry);
        }
    }

    // ---------------------------------------------------------------- flags

    private void save() {
        if (!inSlot) {
            if (!inHost) {
                throw new IllegalStateException("flags are needed that were dead");
            }
            emitSave();
            inSlot = true;
        }
    }

    private void emitSave() {
        a.mov(3, T0, Assembler.RAX);
        a.lahf();
        a.setcc(0, Assembler.RAX);
        a.store(1, STATE, Context.FLAGS, Assembler.RAX);
        a.mov(3, Assembler.RAX, T0);
    }

    /** Host flags = the flags of an instruction executed before. */
    private void compute(FlagRecipe r) {
        int w = r.w();
        int high = w == 0 ? 0 : 1;
        int x = fetch(r.a(), T0);
        switch (r.how()) {
            case RESULT -> a.rr(lowByte(w, x, x), w, Assembler.MAP_1, 0x84 + high, x, x);
            case NEG -> {
                a.mov(3, T0, x);
                a.rr(0, w, Assembler.MAP_1, 0xF6 + high, 3, T0);
                a.rr(0, w, Assembler.MAP_1, 0xF6 + high, 3, T0);
            }
            case TEST -> {
                if (r.b() < 0) {
                    a.rr(lowByte(w, x, x), w, Assembler.MAP_1, 0xF6 + high, 0, x);
                    a.immediate(Math.min(w, 2), r.immediate());
                } else {
                    int y = fetch(r.b(), T1);
                    a.rr(lowByte(w, x, y), w, Assembler.MAP_1, 0x84 + high, y, x);
                }
            }
            case CMP -> operate(Assembler.CMP, r, x);
            case ADD -> {
                a.mov(3, T0, x);
                operate(Assembler.SUB, r, T0);
                operate(Assembler.ADD, r, T0);
            }
            case SUB -> {
                a.mov(3, T0, x);
                operate(Assembler.ADD, r, T0);
                operate(Assembler.SUB, r, T0);
            }
        }
    }

    private void operate(int op, FlagRecipe r, int x) {
        int w = r.w();
        int high = w == 0 ? 0 : 1;
        if (r.b() < 0) {
            a.rr(lowByte(w, x, x), w, Assembler.MAP_1, 0x80 + high, op, x);
            a.immediate(Math.min(w, 2), r.immediate());
        } else {
            int y = fetch(r.b(), T1);
            a.rr(lowByte(w, x, y), w, Assembler.MAP_1, op * 8 + high, y, x);
        }
    }

    private static int lowByte(int w, int x, int y) {
        return w == 0 && (x >= 4 || y >= 4) ? Assembler.BYTE : 0;
    }

    /** Host flags are about to be destroyed. */
    private void clobber() {
        if (elided == null) {
            save();
        }
        inHost = false;
    }

    private void need() {
        if (!inHost) {
            if (!inSlot) {
                throw new IllegalStateException("flags are needed that were dead");
            }
            a.mov(3, T0, Assembler.RAX);
            a.rm(0, 2, Assembler.MAP_0F, 0xB7, Assembler.RAX, STATE, Assembler.NONE, 0, Context.FLAGS);
            // 1 + 127 overflows a byte, 0 + 127 does not; SAHF brings the other five.
            a.byte1(0x04);
            a.byte1(0x7F);
            a.sahf();
            a.mov(3, Assembler.RAX, T0);
            inHost = true;
        }
    }

    private void before(Effect effect) {
        if (effect == Effect.READS || effect == Effect.CHANGES) {
            need();
        }
    }

    private void after(Effect effect) {
        if (effect == Effect.SETS || effect == Effect.CHANGES) {
            inHost = true;
            inSlot = false;
            elided = effect == Effect.SETS ? FlagRecipe.of(insns, entries, index) : null;
        }
    }

    // ---------------------------------------------------------------- leaving

    /** Returns to Java; {@link Context#SITE_BYTES} bytes that a chained jump can replace. */
    private void leave(int exit) {
        a.storeImmediate(2, STATE, Context.EXIT, exit);
        a.callTo(trampolines.exit);
    }

    private int exit(int reason, int sizeLog2, int handBack) {
        return Context.exit(reason, start + insns.get(index).offset, count - index, sizeLog2, handBack);
    }

    /** Goes on at an offset of the page, or in a page beside it. Flags are saved. */
    private void goOn(long offset) {
        save();
        if (offset >= 0 && offset < 4096) {
            leave(Context.exit(Context.CHAIN, (int) offset, 0, 0, 0));
            return;
        }
        a.load(3, T0, STATE, Context.PAGE);
        if (offset == (int) offset) {
            a.lea(T0, T0, Assembler.NONE, 0, (int) offset);
        } else {
            a.constant(T1, offset);
            a.lea(T0, T0, T1, 0, 0);
        }
        a.jmpTo(trampolines.dispatch);
    }

    /** Goes on at the linear address in T0. */
    private void indirect() {
        a.jmpTo(trampolines.dispatch);
    }

    // ---------------------------------------------------------------- registers

    private static int slot(int guest) {
        return VcpuState.GPR + guest * 8 - Context.BIAS;
    }

    /** The host register that holds a guest register: its own, or {@code scratch} after loading it there. */
    private int fetch(int guest, int scratch) {
        int host = Context.host(guest);
        if (host >= 0) {
            return host;
        }
        a.load(3, scratch, STATE, slot(guest));
        return scratch;
    }

    private void put(int guest, int host) {
        if (Context.host(guest) < 0) {
            a.store(3, STATE, slot(guest), host);
        } else if (Context.host(guest) != host) {
            a.mov(3, Context.host(guest), host);
        }
    }

    // ---------------------------------------------------------------- memory

    private Place place(Mem m) {
        boolean hasSegment = m.segment >= VcpuState.FS;
        int displacement = (int) m.displacement() + (m.ripRelative() ? start : 0);
        return new Place(
                hasSegment ? VcpuState.SEGMENTS + m.segment * VcpuState.SEGMENT_SIZE : -1,
                m.base(),
                m.index(),
                m.scale(),
                displacement);
    }

    private static Place stack(int displacement) {
        return new Place(-1, VcpuState.RSP * 8, VcpuState.ZERO, 0, displacement);
    }

    /** Whether a register of an address is one that a host register holds, or none. */
    private static boolean mapped(int offset) {
        return offset == VcpuState.ZERO || offset != VcpuState.RIP && Context.host(offset / 8) >= 0;
    }

    private static boolean simple(Place p) {
        return p.segmentBase < 0 && mapped(p.base) && mapped(p.index);
    }

    /** T0 = the offset of a place in its segment; may use T1, changes no flags. */
    private void offset(Place p) {
        int base = Assembler.NONE;
        if (p.base == VcpuState.RIP) {
            a.load(3, T0, STATE, Context.PAGE);
            base = T0;
        } else if (p.base != VcpuState.ZERO) {
            base = fetch(p.base / 8, T0);
        }
        int index = p.index == VcpuState.ZERO ? Assembler.NONE : fetch(p.index / 8, T1);
        if (base >= 0 && index < 0 && p.displacement == 0) {
            if (base != T0) {
                a.mov(3, T0, base);
            }
        } else {
            a.lea(T0, base, index, p.scale, p.displacement);
        }
    }

    /** T0 = the linear address of a place; destroys flags when it has a segment base. */
    private void linear(Place p) {
        offset(p);
        if (p.segmentBase >= 0) {
            a.aluMemory(Assembler.ADD, 3, T0, STATE, p.segmentBase - Context.BIAS);
        }
    }

    /**
     * Looks a place up in the TLB; behind it the operand is at {@link #atBase} and so on, and T0 is free. Saves flags
     * and destroys them.
     */
    private void probe(Place p, int w, boolean write) {
        clobber();
        int retry = a.label();
        int miss = a.label();
        a.bind(retry);
        linear(p);
        boolean simple = simple(p);
        if (!simple) {
            a.store(3, STATE, Context.VA, T0);
        }
        // The slot of the access's last byte and the page of its first: a tag fits both only inside one page.
        if (w == 0) {
            a.mov(3, T1, T0);
        } else {
            a.lea(T1, T0, Assembler.NONE, 0, (1 << w) - 1);
        }
        a.shift(Assembler.SHR, 3, T1, 12 - Tlb.ENTRY_SHIFT);
        a.aluImmediate(Assembler.AND, 2, T1, Tlb.INDEX_MASK << Tlb.ENTRY_SHIFT);
        a.aluMemory(Assembler.ADD, 3, T1, STATE, Context.TABLE);
        a.aluImmediate(Assembler.AND, 3, T0, -4096);
        a.aluMemory(Assembler.CMP, 3, T0, T1, write ? Tlb.WRITE : Tlb.READ);
        a.jcc(Assembler.NE, miss);
        a.load(3, T1, T1, Tlb.ADDEND);
        atBase = T1;
        atIndex = Assembler.NONE;
        atScale = 0;
        atDisplacement = 0;
        if (!simple) {
            a.aluMemory(Assembler.ADD, 3, T1, STATE, Context.VA);
        } else {
            atDisplacement = p.displacement;
            int base = p.base == VcpuState.ZERO ? Assembler.NONE : Context.host(p.base / 8);
            if (p.index == VcpuState.ZERO) {
                atIndex = base;
            } else {
                if (base >= 0) {
                    a.alu(Assembler.ADD, 3, T1, base);
                }
                atIndex = Context.host(p.index / 8);
                atScale = p.scale;
            }
        }
        asides.add(new Aside(
                miss,
                exit(write ? Context.MISS_WRITE : Context.MISS_READ, w, 1),
                simple ? p : null,
                retry,
                inSlot ? null : elided));
    }

    /** An instruction on the operand of the last probe. */
    private void at(int flags, int w, int map, int opcode, int reg) {
        a.rm(flags, w, map, opcode, reg, atBase, atIndex, atScale, atDisplacement);
    }

    // ---------------------------------------------------------------- instructions

    private void emit(Insn i, Entry entry) {
        switch (entry.shape()) {
            case SAME -> same(i, entry.effect());
            case BARE -> {
                before(entry.effect());
                if (i.operandSize == 1) {
                    a.byte1(0x66);
                } else if (i.operandSize == 3) {
                    a.byte1(0x48);
                }
                a.byte1(i.opcode);
                after(entry.effect());
            }
            case NOTHING -> {}
            case LEA -> lea(i);
            case ACC_EXCHANGE -> exchangeAccumulator(i);
            case PUSH -> push(i);
            case PUSH_IMMEDIATE -> {
                probe(stack(-8), 3, true);
                at(0, 3, Assembler.MAP_1, 0xC7, 0);
                a.int32((int) i.imm);
                a.lea(SP, SP, Assembler.NONE, 0, -8);
            }
            case POP -> {
                probe(stack(0), 3, false);
                at(0, 3, Assembler.MAP_1, 0x8B, T0);
                a.lea(SP, SP, Assembler.NONE, 0, 8);
                put(i.rm, T0);
            }
            case LEAVE -> {
                probe(new Place(-1, VcpuState.RBP * 8, VcpuState.ZERO, 0, 0), 3, false);
                at(0, 3, Assembler.MAP_1, 0x8B, T0);
                a.lea(SP, Assembler.RBP, Assembler.NONE, 0, 8);
                a.mov(3, Assembler.RBP, T0);
            }
            case DIVIDE -> divide(i);
            case JCC -> {
                save();
                need();
                int taken = a.label();
                a.jcc(i.opcode & 15, taken);
                goOn((long) start + i.next);
                a.bind(taken);
                goOn(start + i.next + i.imm);
            }
            case JMP -> goOn(start + i.next + i.imm);
            case CALL -> {
                pushReturn(i);
                goOn(start + i.next + i.imm);
            }
            case JMP_INDIRECT -> {
                target(i);
                indirect();
            }
            case CALL_INDIRECT -> {
                target(i);
                a.store(3, STATE, Context.TEMP, T0);
                pushReturn(i);
                a.load(3, T0, STATE, Context.TEMP);
                indirect();
            }
            case RET -> {
                probe(stack(0), 3, false);
                at(0, 3, Assembler.MAP_1, 0x8B, T0);
                refuseNonCanonical();
                a.lea(SP, SP, Assembler.NONE, 0, 8 + (i.row.operands.isEmpty() ? 0 : (int) i.imm & 0xffff));
                indirect();
            }
        }
    }

    /** T0 = the operand of an indirect branch. */
    private void target(Insn i) {
        if (i.mem != null) {
            probe(place(i.mem), 3, false);
            at(0, 3, Assembler.MAP_1, 0x8B, T0);
        } else {
            clobber();
            int from = fetch(i.rm, T0);
            if (from != T0) {
                a.mov(3, T0, from);
            }
        }
        refuseNonCanonical();
    }

    /** A branch to the address in T0 must raise #GP before anything changes when that is not canonical: the interpreter does. */
    private void refuseNonCanonical() {
        int refuse = a.label();
        asides.add(new Aside(refuse, exit(Context.INTERPRET, 0, 1), null, -1, null));
        a.mov(3, T1, T0);
        a.shift(Assembler.SHL, 3, T1, 16);
        a.shift(Assembler.SAR, 3, T1, 16);
        a.alu(Assembler.CMP, 3, T1, T0);
        a.jcc(Assembler.NE, refuse);
    }

    private void pushReturn(Insn i) {
        probe(stack(-8), 3, true);
        a.load(3, T0, STATE, Context.PAGE);
        a.lea(T0, T0, Assembler.NONE, 0, start + i.next);
        at(0, 3, Assembler.MAP_1, 0x89, T0);
        a.lea(SP, SP, Assembler.NONE, 0, -8);
    }

    private void push(Insn i) {
        if (i.mem != null) {
            probe(place(i.mem), 3, false);
            at(0, 3, Assembler.MAP_1, 0x8B, T0);
            a.store(3, STATE, Context.TEMP, T0);
            probe(stack(-8), 3, true);
            a.load(3, T0, STATE, Context.TEMP);
            at(0, 3, Assembler.MAP_1, 0x89, T0);
        } else {
            probe(stack(-8), 3, true);
            at(0, 3, Assembler.MAP_1, 0x89, fetch(i.rm, T0));
        }
        a.lea(SP, SP, Assembler.NONE, 0, -8);
    }

    private void lea(Insn i) {
        Place p = place(i.mem);
        int w = i.operandSize;
        int to = Context.host(i.reg);
        if (to >= 0 && mapped(p.base) && mapped(p.index)) {
            a.rm(
                    0,
                    w,
                    Assembler.MAP_1,
                    0x8D,
                    to,
                    p.base == VcpuState.ZERO ? Assembler.NONE : Context.host(p.base / 8),
                    p.index == VcpuState.ZERO ? Assembler.NONE : Context.host(p.index / 8),
                    p.scale,
                    p.displacement);
            return;
        }
        offset(p);
        if (to >= 0) {
            a.mov(w, to, T0);
            return;
        }
        if (w == 2) {
            a.mov(2, T0, T0);
        }
        a.store(Math.max(w == 1 ? 1 : 3, w), STATE, slot(i.reg), T0);
    }

    private void exchangeAccumulator(Insn i) {
        if (i.rm == 0) {
            return;
        }
        int other = fetch(i.rm, T0);
        a.rr(0, i.operandSize, Assembler.MAP_1, 0x87, Assembler.RAX, other);
        put(i.rm, other);
    }

    /** Divides only where the host cannot raise #DE; other operands go to the interpreter. */
    private void divide(Insn i) {
        int w = i.operandSize;
        boolean signed = i.reg == 7 || (i.reg & 7) == 7;
        if (i.mem != null) {
            probe(place(i.mem), w, false);
            at(0, w, Assembler.MAP_1, 0x8B, T1);
        } else {
            clobber();
            a.mov(w, T1, fetch(i.rm, T1));
        }
        int refuse = a.label();
        asides.add(new Aside(refuse, exit(Context.INTERPRET, 0, 1), null, -1, null));
        if (signed) {
            // Neither 0 nor -1, and a dividend that is only sign above: the quotient fits.
            a.rm(0, w, Assembler.MAP_1, 0x8D, T0, T1, Assembler.NONE, 0, 1);
            a.aluImmediate(Assembler.CMP, w, T0, 1);
            a.jcc(Assembler.BE, refuse);
            a.mov(w, T0, Assembler.RAX);
            a.shift(Assembler.SAR, w, T0, (8 << w) - 1);
            a.alu(Assembler.CMP, w, T0, Assembler.RDX);
            a.jcc(Assembler.NE, refuse);
        } else {
            a.alu(Assembler.CMP, w, Assembler.RDX, T1);
            a.jcc(Assembler.AE, refuse);
        }
        need();
        a.rr(0, w, Assembler.MAP_1, 0xF7, signed ? 7 : 6, T1);
        after(Effect.CHANGES);
    }

    /** Emits an instruction as itself. */
    private void same(Insn i, Effect effect) {
        Row row = i.row;
        int flags = i.lock ? Assembler.LOCK : 0;
        int w = 2;
        int reg = row.digit >= 0 ? row.digit : 0;
        OperandSpec regSpec = null;
        OperandSpec rmSpec = null;
        OperandSpec immediate = null;
        boolean moffs = false;
        boolean widthKnown = false;
        for (OperandSpec spec : row.operands) {
            switch (spec.kind()) {
                case REG -> regSpec = spec;
                case RM, RM_REG, MEM, OPCODE_REG -> rmSpec = spec;
                case OFFSET -> {
                    rmSpec = spec;
                    moffs = true;
                }
                case IMM -> immediate = spec;
                default -> {}
            }
            // The first operand names the width; a byte source of MOVZX does not.
            if (!widthKnown && spec.kind() != Kind.IMM) {
                w = spec.width(i.operandSize);
                widthKnown = true;
            }
        }
        int opcode = i.opcode;
        if (moffs) {
            // A0..A3 with the address as displacement: 8A, 8B, 88, 89 with AL or rAX.
            opcode = (opcode & 2) == 0 ? 0x8A | opcode & 1 : 0x88 | opcode & 1;
        }
        int map = row.map;
        if (i.mem != null && rmSpec != null) {
            int size = rmSpec.width(i.operandSize);
            probe(place(i.mem), size, Emitted.writes(i, rmSpec));
            before(effect);
            int host = reg;
            if (regSpec != null) {
                host = fetch(i.reg, T0);
                flags |= lowByte(i, regSpec, host);
            }
            at(flags, w, map, opcode, host);
            immediate(i, immediate);
            if (regSpec != null && Emitted.writes(i, regSpec)) {
                put(i.reg, host);
            }
        } else {
            before(effect);
            int regHost = reg;
            int rmHost = 0;
            if (regSpec != null) {
                regHost = high(i, regSpec, i.reg) ? i.reg : fetch(i.reg, T0);
                flags |= high(i, regSpec, i.reg) ? Assembler.HIGH : lowByte(i, regSpec, regHost);
            }
            if (rmSpec != null) {
                boolean same = regSpec != null && i.rm == i.reg && regHost == T0;
                rmHost = high(i, rmSpec, i.rm) ? i.rm : same ? T0 : fetch(i.rm, T1);
                flags |= high(i, rmSpec, i.rm) ? Assembler.HIGH : lowByte(i, rmSpec, rmHost);
            }
            if (row.plusR) {
                a.plus(w, map, opcode & 0xF8, rmHost, flags);
            } else if (rmSpec == null && regSpec == null) {
                accumulator(w, opcode);
            } else {
                a.rr(flags, w, map, opcode, regHost, rmHost);
            }
            immediate(i, immediate);
            if (rmSpec != null && (rmHost == T0 || rmHost == T1) && Emitted.writes(i, rmSpec)) {
                put(i.rm, rmHost);
            }
            if (regSpec != null && regHost == T0 && Emitted.writes(i, regSpec)) {
                put(i.reg, regHost);
            }
        }
        after(effect);
    }

    private void accumulator(int w, int opcode) {
        if (w == 1) {
            a.byte1(0x66);
        } else if (w == 3) {
            a.byte1(0x48);
        }
        a.byte1(opcode);
    }

    private void immediate(Insn i, OperandSpec spec) {
        if (spec != null) {
            int w = spec.size() == 'v' ? i.operandSize : spec.width(i.operandSize);
            a.immediate(w, i.imm);
        }
    }

    private static boolean high(Insn i, OperandSpec spec, int n) {
        return i.rex == 0 && n >= 4 && n < 8 && spec.width(i.operandSize) == 0;
    }

    /** The flag that a byte register other than AL..BL needs. */
    private static int lowByte(Insn i, OperandSpec spec, int host) {
        return host >= 4 && spec.width(i.operandSize) == 0 ? Assembler.BYTE : 0;
    }
}
