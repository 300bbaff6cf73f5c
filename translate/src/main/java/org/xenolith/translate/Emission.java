package org.xenolith.translate;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Tlb;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.decode.Mem;
import org.xenolith.translate.Emitted.Effect;
import org.xenolith.translate.Emitted.Entry;
import org.xenolith.translate.Emitted.Shape;
import org.xenolith.translate.Exactness.Auxiliary;

/**
 * The block that is being emitted: where its flags are, how it gets at memory, how it leaves.
 *
 * <p>Guest flags are in host flags, or in the flags slot, or in both: {@link #inHost} and {@link #inSlot} say where. What
 * destroys host flags first saves the ones that are nowhere else. At a block's head and at every exit they are in the slot,
 * so that all six are exact wherever the guest can see them.
 */
final class Emission {
    private static final int NOP = 0x90;
    static final int STATE = Assembler.R14;
    static final int SP = Assembler.R15;
    static final int T0 = Assembler.R10;
    static final int T1 = Assembler.R11;

    /** A memory operand for a probe, in guest terms. */
    record Place(int segmentBase, int base, int index, int scale, int displacement) {
        static Place stack(int displacement) {
            return new Place(-1, VcpuState.RSP * 8, VcpuState.ZERO, 0, displacement);
        }

        private boolean mapped() {
            return segmentBase < 0 && mapped(base) && mapped(index);
        }

        /** Whether a register of an address is one that a host register holds, or none. */
        static boolean mapped(int offset) {
            return offset == VcpuState.ZERO || offset != VcpuState.RIP && Context.host(offset / 8) >= 0;
        }
    }

    /**
     * Code behind the block that a probe, a guard or a head jumps to.
     *
     * @param call a trampoline to call and then retry, or 0
     */
    private record Aside(
            int label,
            int exit,
            Place va,
            int retry,
            FlagRecipe flags,
            X87Note note,
            int loadable,
            long call,
            int groupBytes) {}

    /**
     * A way out of the middle of a trace: behind the block, and goes on elsewhere.
     *
     * @param save the flags are in the host's alone
     * @param charged instructions of the trace that are not executed
     * @param to offset in the page
     */
    private record Side(int label, boolean save, Auxiliary auxiliary, X87Note note, int charged, long to) {}

    /** The last x87 instruction, whose address and opcode are not in the state block yet. */
    record X87Note(int offset, int opcode) {}

    final Assembler a;
    private final Trampolines trampolines;
    final List<Insn> insns = new ArrayList<>();
    final List<Entry> entries = new ArrayList<>();
    private final List<Aside> asides = new ArrayList<>();
    private final List<Side> sides = new ArrayList<>();

    /** Offset of the block in its page, and the instruction that is being emitted. */
    int start;

    int index;

    private final boolean exact;
    /** Nothing is executed behind a trace that is left: see {@link LockStep}. */
    boolean single;

    private boolean inHost;
    private boolean inSlot;
    /** AF of the flags now; KEPT from the slot means that {@link Context#AF_CLEARED} knows. */
    private Auxiliary auxiliary;

    /** How to compute the current flags again, when nobody but a fault can see them; null when they must be kept. */
    private FlagRecipe elided;

    private X87Note note;

    private final AccessPlan plan = new AccessPlan(this);
    /** Accesses of the current instruction that were probed for. */
    private int probed;

    /** Where the last probe left the operand. */
    private int atBase;

    private int atIndex;
    private int atScale;
    private int atDisplacement;

    Emission(Trampolines trampolines, Assembler assembler, boolean exact) {
        this.trampolines = trampolines;
        this.exact = exact;
        a = assembler;
    }

    /** Forgets the last block. */
    void clear(int offset) {
        start = offset;
        index = 0;
        insns.clear();
        entries.clear();
        asides.clear();
        sides.clear();
        inHost = false;
        inSlot = true;
        elided = null;
        auxiliary = Auxiliary.KEPT;
        note = null;
    }

    Insn insn() {
        return insns.get(index);
    }

    /**
     * All instructions are known.
     *
     * @param alone says of an instruction's offset in the page that its accesses share no probe
     */
    void plan(IntPredicate alone) {
        plan.make(alone);
    }

    /** The next instruction is going to be emitted. */
    void begin(int number) {
        index = number;
        probed = 0;
    }

    // ---------------------------------------------------------------- head and asides

    /**
     * Charges the block's instructions, and brings registers of the FPU into the host.
     *
     * @param tail frame that must be mapped behind the block's page, or 0
     */
    void head(long tail) {
        int count = insns.size();
        int label = a.label();
        a.aluMemoryImmediate(Assembler.SUB, 3, STATE, Context.BUDGET, count);
        a.jcc(Assembler.LESS, label);
        asides.add(new Aside(label, Context.exit(Context.HEAD, start, count, 0, 0), null, -1, null, null, 0, 0, 0));
        if (tail != 0) {
            int elsewhere = a.label();
            a.load(3, T0, STATE, Context.PAGE);
            a.lea(T0, T0, Assembler.NONE, 0, 4096);
            Trampolines.fetchEntry(a, T1, T0);
            a.aluMemory(Assembler.CMP, 3, T0, T1, Tlb.EXEC);
            a.jcc(Assembler.NE, elsewhere);
            a.aluMemory(Assembler.ADD, 3, T0, T1, Tlb.ADDEND);
            a.constant(T1, tail);
            a.alu(Assembler.CMP, 3, T0, T1);
            a.jcc(Assembler.NE, elsewhere);
            asides.add(new Aside(
                    elsewhere, Context.exit(Context.INTERPRET, start, count, 0, 1), null, -1, null, null, 0, 0, 0));
        }
        int fpu = 0;
        for (Entry entry : entries) {
            fpu |= entry.fpu();
        }
        if ((fpu & Context.X87) != 0) {
            hold(Context.X87, Context.FPU_X87, trampolines.loadX87);
        }
        if ((fpu & (Context.SSE | Context.AVX)) != 0) {
            hold(Context.SSE, Context.FPU, trampolines.loadSse);
        }
        if ((fpu & Context.AVX) != 0) {
            hold(Context.AVX, Context.FPU, trampolines.loadAvx);
        }
        // A dead block's exit takes the place of its head, and must not reach into a branch site behind it, which is
        // patched by itself.
        while (a.size() < Context.SITE_BYTES) {
            a.byte1(NOP);
        }
    }

    private void hold(int bit, int reason, long load) {
        int retry = a.label();
        int label = a.label();
        a.bind(retry);
        a.rm(0, 0, Assembler.MAP_1, 0xF6, 0, STATE, Assembler.NONE, 0, Context.HELD);
        a.byte1(bit);
        a.jcc(Assembler.E, label);
        int exit = Context.exit(reason, start, insns.size(), 0, 0);
        asides.add(new Aside(label, exit, null, retry, null, null, bit, load, 0));
    }

    /** Emits everything that was put aside. */
    void asides() {
        for (Side side : sides) {
            a.bind(side.label);
            if (side.save) {
                emitSave(side.auxiliary);
            }
            inSlot = true;
            note = side.note;
            if (side.charged != 0) {
                if (single) {
                    a.storeImmediate(3, STATE, Context.BUDGET, 0);
                    a.storeImmediate(3, STATE, Context.SPARED, side.charged);
                } else {
                    a.aluMemoryImmediate(Assembler.ADD, 3, STATE, Context.BUDGET, side.charged);
                }
            }
            goOn(side.to);
        }
        for (Aside aside : asides) {
            a.bind(aside.label);
            if (aside.flags != null) {
                compute(aside.flags);
                emitSave(aside.flags.clearsAuxiliary() ? Auxiliary.CLEARED : Auxiliary.DEFINED);
            }
            if (aside.va != null) {
                linear(aside.va);
                a.store(3, STATE, Context.VA, T0);
            }
            if (aside.groupBytes != 0) {
                a.storeImmediate(2, STATE, Context.TARGET, aside.groupBytes);
            }
            if (aside.note != null) {
                emitNote(aside.note);
            }
            if (aside.loadable == Context.X87) {
                // Java makes the image, or does not come back.
                leave(aside.exit);
                a.callTo(aside.call);
            } else if (aside.loadable != 0) {
                int load = a.label();
                a.rm(0, 0, Assembler.MAP_1, 0xF6, 0, STATE, Assembler.NONE, 0, Context.LOADABLE);
                a.byte1(aside.loadable);
                a.jcc(Assembler.NE, load);
                leave(aside.exit);
                a.bind(load);
                a.callTo(aside.call);
            } else {
                leave(aside.exit);
            }
            if (aside.retry >= 0) {
                a.jmp(aside.retry);
            }
        }
    }

    // ---------------------------------------------------------------- flags

    /** Puts the flags into the slot, for code that leaves. */
    void save() {
        if (!inSlot) {
            inHostAgain();
            emitSave(auxiliary);
            inSlot = true;
        }
    }

    private void emitSave(Auxiliary af) {
        a.mov(3, T0, Assembler.RAX);
        a.lahf();
        a.setcc(0, Assembler.RAX);
        a.store(1, STATE, Context.FLAGS, Assembler.RAX);
        a.mov(3, Assembler.RAX, T0);
        if (exact && af != Auxiliary.KEPT) {
            a.storeByte(STATE, Context.AF_CLEARED, af == Auxiliary.CLEARED ? 1 : 0);
        }
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
    void clobber() {
        if (elided == null) {
            save();
        }
        inHost = false;
    }

    /** Host flags are about to be destroyed by code that may leave: they are in the slot now. */
    void clobberSaved() {
        save();
        inHost = false;
    }

    /** The instruction has put new flags into the slot. */
    void flagsAreInSlot() {
        inSlot = true;
        inHost = false;
        elided = null;
        auxiliary = Auxiliary.KEPT;
        if (exact) {
            a.storeByte(STATE, Context.AF_CLEARED, 0);
        }
    }

    /** Flags that are not in the slot are in the host's, computed again if need be. */
    private void inHostAgain() {
        if (!inHost) {
            if (elided == null) {
                throw new IllegalStateException("flags are needed that were dead");
            }
            compute(elided);
            inHost = true;
        }
    }

    /** Brings the flags into the host's; destroys T0, and T1 when they are computed again. */
    void need() {
        if (!inHost) {
            if (!inSlot) {
                inHostAgain();
                return;
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

    /** Before an instruction that may read flags. */
    void before(Effect effect) {
        if (exact && Exactness.setsCarryOnly(insn())) {
            save();
        } else if (effect == Effect.READS || effect == Effect.CHANGES) {
            need();
        }
    }

    /** Behind an instruction that may set flags. */
    void after(Effect effect) {
        if (exact && Exactness.setsCarryOnly(insn())) {
            setCarry();
        } else if (effect == Effect.SETS || effect == Effect.CHANGES) {
            inHost = true;
            inSlot = false;
            elided = effect == Effect.SETS ? FlagRecipe.of(insns, entries, index) : null;
            Auxiliary now = exact ? Exactness.auxiliary(insn()) : Auxiliary.KEPT;
            if (now != Auxiliary.KEPT) {
                auxiliary = now;
            }
        }
    }

    /** Flags slot = what it was, but for CF and OF, which are the host's. */
    private void setCarry() {
        a.rm(0, 0, Assembler.MAP_0F, 0x90, 0, STATE, Assembler.NONE, 0, Context.FLAGS);
        a.setcc(Assembler.BELOW, T0);
        a.aluMemoryImmediate(Assembler.AND, 0, STATE, Context.FLAGS + 1, ~1);
        a.rm(0, 0, Assembler.MAP_1, 0x08, T0, STATE, Assembler.NONE, 0, Context.FLAGS + 1);
        inHost = false;
        inSlot = true;
        elided = null;
    }

    // ---------------------------------------------------------------- leaving

    /** Returns to Java; {@link Context#SITE_BYTES} bytes that a chained jump can replace. */
    void leave(int exit) {
        a.storeImmediate(2, STATE, Context.EXIT, exit);
        a.callTo(trampolines.exit);
    }

    /** The exit word for the instruction that is being emitted. */
    int exit(int reason, int sizeLog2, int handBack) {
        int exit = Context.exit(reason, start + insn().offset, insns.size() - index, sizeLog2, handBack);
        boolean shadowed = index > 0 && entries.get(index - 1).shape() == Shape.STI;
        return shadowed ? Context.shadowed(exit) : exit;
    }

    /**
     * A label; who jumps there has the current instruction executed by the interpreter. The host's flags have been given up
     * before, by {@link #clobber} at least.
     */
    int refuse() {
        int label = a.label();
        FlagRecipe flags = inSlot ? null : elided;
        asides.add(new Aside(label, exit(Context.INTERPRET, 0, 1), null, -1, flags, note, 0, 0, 0));
        return label;
    }

    /** Leaves the trace when a condition holds, for an offset of the page or of a page beside it. */
    void branchOut(int condition, long to) {
        need();
        int label = a.label();
        a.jcc(condition, label);
        sides.add(new Side(label, !inSlot, auxiliary, note, insns.size() - index - 1, to));
    }

    /** Nothing of the block stays in host registers alone. */
    void settle() {
        save();
        if (note != null) {
            emitNote(note);
            note = null;
        }
    }

    /** Goes on at an offset of the page, or in a page beside it. */
    void goOn(long offset) {
        settle();
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
        indirect();
    }

    /** Leaves for something that Java does behind the instruction, and comes back. */
    void service(int reason) {
        settle();
        inHost = false;
        int exit = exit(reason, 0, 1);
        leave(exit);
    }

    /** Goes on at the linear address in T0. */
    void indirect() {
        // In place rather than shared: the host predicts where each branch goes.
        Trampolines.jumpEntry(a, T1, T0);
        a.aluMemory(Assembler.CMP, 3, T0, T1, 0);
        a.jccTo(Assembler.NE, trampolines.dispatch);
        Trampolines.jumpThrough(a);
    }

    // ---------------------------------------------------------------- x87 pointers

    /** The instruction being emitted changes the x87's instruction and data pointers. */
    void noteX87(boolean memory, Place place) {
        if (memory) {
            if (place.mapped()) {
                offset(place);
            } else {
                a.load(3, T0, STATE, Context.VA);
                if (place.segmentBase >= 0) {
                    a.aluMemory(Assembler.SUB, 3, T0, STATE, place.segmentBase - Context.BIAS);
                }
            }
            a.store(3, STATE, VcpuState.FDP - Context.BIAS, T0);
        }
        Insn i = insn();
        note = new X87Note(start + i.offset, (i.opcode & 7) << 8 | i.mod << 6 | (i.reg & 7) << 3 | i.rm & 7);
    }

    private void emitNote(X87Note n) {
        a.load(3, T0, STATE, Context.PAGE);
        a.lea(T0, T0, Assembler.NONE, 0, n.offset);
        a.store(3, STATE, VcpuState.FIP - Context.BIAS, T0);
        a.rm(0, 1, Assembler.MAP_1, 0xC7, 0, STATE, Assembler.NONE, 0, VcpuState.FOP - Context.BIAS);
        a.immediate(1, n.opcode);
    }

    // ---------------------------------------------------------------- registers

    static int slot(int guest) {
        return VcpuState.GPR + guest * 8 - Context.BIAS;
    }

    /** The host register that holds a guest register: its own, or {@code scratch} after loading it there. */
    int fetch(int guest, int scratch) {
        int host = Context.host(guest);
        if (host >= 0) {
            return host;
        }
        a.load(3, scratch, STATE, slot(guest));
        return scratch;
    }

    void put(int guest, int host) {
        if (Context.host(guest) < 0) {
            a.store(3, STATE, slot(guest), host);
        } else if (Context.host(guest) != host) {
            a.mov(3, Context.host(guest), host);
        }
    }

    // ---------------------------------------------------------------- memory

    Place place(Mem m) {
        boolean hasSegment = m.segment >= VcpuState.FS;
        int displacement = (int) m.displacement() + (m.ripRelative() ? start : 0);
        return new Place(
                hasSegment ? VcpuState.SEGMENTS + m.segment * VcpuState.SEGMENT_SIZE : -1,
                m.base(),
                m.index(),
                m.scale(),
                displacement);
    }

    /** T0 = the offset of a place in its segment; may use T1, changes no flags. */
    void offset(Place p) {
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

    void probe(Place p, int bytes, boolean write) {
        probe(AccessPlan.access(p, bytes, write, false));
    }

    /**
     * Looks a place up in the TLB, or finds it beside one that was; behind it the operand is where {@link #at} looks for it,
     * and T0 is free. Saves flags and destroys them. Where an aligned access is not, the interpreter raises #GP.
     */
    void probe(AccessPlan.Access access) {
        Place p = access.place;
        AccessPlan.Access planned = plan.access(index, probed++);
        if (planned == null) {
            clobber();
            int retry = a.label();
            a.bind(retry);
            linear(p);
            if (!p.mapped()) {
                a.store(3, STATE, Context.VA, T0);
            }
            lookUp(p.mapped() ? p : null, access.bytes, access.write, access.aligned, retry);
            operand(p, 0);
            return;
        }
        AccessPlan.Group group = planned.group;
        int slot = Context.GROUPS + group.slot * 8;
        if (planned.leads) {
            Place all = new Place(-1, p.base, p.index, p.scale, planned.groupDisplacement());
            clobber();
            int retry = a.label();
            a.bind(retry);
            linear(all);
            if (!p.mapped()) {
                a.store(3, STATE, Context.VA, T0);
            }
            lookUpGroup(p.mapped() ? all : null, group, retry);
            a.store(3, STATE, slot, T1);
            operand(p, p.displacement - all.displacement);
        } else if (p.mapped()) {
            a.load(3, T1, STATE, slot);
            operand(p, 0);
        } else {
            offset(p);
            a.load(3, T1, STATE, slot);
            a.lea(T1, T1, T0, 0, 0);
            at(0);
        }
    }

    /**
     * A probe for the element of a bit string.
     *
     * @param w its width, log2 of bytes
     * @param index guest register with the bit offset, signed
     */
    void probeElement(Place p, int w, int index, boolean write) {
        clobber();
        int retry = a.label();
        a.bind(retry);
        linear(p);
        int from = fetch(index, T1);
        if (w == 2) {
            // movsxd
            a.rr(0, 3, Assembler.MAP_1, 0x63, T1, from);
        } else {
            a.mov(3, T1, from);
        }
        a.shift(Assembler.SAR, 3, T1, 3 + w);
        a.lea(T0, T0, T1, w, 0);
        a.store(3, STATE, Context.VA, T0);
        lookUp(null, 1 << w, write, false, retry);
        a.aluMemory(Assembler.ADD, 3, T1, STATE, Context.VA);
        at(0);
    }

    /**
     * The probe of the linear address in T0: T1 = addend.
     *
     * @param simple the place, when it can be computed again; else the address is in {@link Context#VA}
     */
    private void lookUp(Place simple, int bytes, boolean write, boolean aligned, int retry) {
        int sizeLog2 = 32 - Integer.numberOfLeadingZeros(bytes - 1);
        int exit = exit(write ? Context.MISS_WRITE : Context.MISS_READ, sizeLog2, 1);
        compareTag(bytes, write, aligned ? bytes : 1, aside(aligned ? Context.aligned(exit) : exit, simple, retry, 0));
    }

    private void lookUpGroup(Place simple, AccessPlan.Group group, int retry) {
        int exit = exit(group.writes() ? Context.MISS_WRITE : Context.MISS_READ, Context.GROUP, 1);
        compareTag(
                group.bytes(),
                group.writes(),
                group.aligned() ? 16 : 1,
                aside(group.aligned() ? Context.aligned(exit) : exit, simple, retry, group.bytes()));
    }

    private int aside(int exit, Place va, int retry, int groupBytes) {
        int label = a.label();
        asides.add(new Aside(label, exit, va, retry, inSlot ? null : elided, note, 0, 0, groupBytes));
        return label;
    }

    private void compareTag(int bytes, boolean write, int alignment, int miss) {
        // The slot of the access's last byte and the page of its first: a tag fits both only inside one page.
        if (bytes == 1 || alignment == bytes) {
            a.mov(3, T1, T0);
        } else {
            a.lea(T1, T0, Assembler.NONE, 0, bytes - 1);
        }
        a.shift(Assembler.SHR, 3, T1, 12 - Tlb.ENTRY_SHIFT);
        a.aluImmediate(Assembler.AND, 2, T1, Tlb.INDEX_MASK << Tlb.ENTRY_SHIFT);
        a.aluMemory(Assembler.ADD, 3, T1, STATE, Context.TABLE);
        // What is left of a misaligned address is no tag.
        a.aluImmediate(Assembler.AND, 3, T0, -4096 | alignment - 1);
        a.aluMemory(Assembler.CMP, 3, T0, T1, write ? Tlb.WRITE : Tlb.READ);
        a.jcc(Assembler.NE, miss);
        a.load(3, T1, T1, Tlb.ADDEND);
    }

    /**
     * T1 is the addend of an operand's page: says where {@link #at} finds the operand. Changes no flags.
     *
     * @param beyond of an address that is not simple: distance from {@link Context#VA}
     */
    private void operand(Place p, int beyond) {
        if (!p.mapped()) {
            a.load(3, T0, STATE, Context.VA);
            a.lea(T1, T1, T0, 0, 0);
            at(beyond);
            return;
        }
        at(p.displacement);
        int base = p.base == VcpuState.ZERO ? Assembler.NONE : Context.host(p.base / 8);
        if (p.index == VcpuState.ZERO) {
            atIndex = base;
        } else {
            if (base >= 0) {
                a.lea(T1, T1, base, 0, 0);
            }
            atIndex = Context.host(p.index / 8);
            atScale = p.scale;
        }
    }

    private void at(int displacement) {
        atBase = T1;
        atIndex = Assembler.NONE;
        atScale = 0;
        atDisplacement = displacement;
    }

    /** An instruction on the operand of the last probe. */
    void at(int flags, int w, int map, int opcode, int reg) {
        a.rm(flags, w, map, opcode, reg, atBase, atIndex, atScale, atDisplacement);
    }

    /** A VEX-encoded instruction on the operand of the last probe. */
    void vexAt(int flags, boolean w, int l, int map, int opcode, int reg, int vvvv) {
        a.vexRm(flags, w, l, map, opcode, reg, vvvv, atBase, atIndex, atScale, atDisplacement);
    }
}
