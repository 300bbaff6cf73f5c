package org.xenolith.translate;

import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.decode.OperandSpec;
import org.xenolith.cpu.decode.OperandSpec.Kind;
import org.xenolith.cpu.decode.Row;
import org.xenolith.translate.Emission.Place;
import org.xenolith.translate.Emitted.Effect;

/** Emits integer instructions that do not branch. */
final class IntegerEmitter {
    private static final int STATE = Emission.STATE;
    private static final int SP = Emission.SP;
    private static final int T0 = Emission.T0;
    private static final int T1 = Emission.T1;

    private final Emission e;
    private final Assembler a;

    IntegerEmitter(Emission e) {
        this.e = e;
        a = e.a;
    }

    /** An instruction whose opcode byte says it all. */
    void bare(Insn i, Effect effect) {
        e.before(effect);
        if (i.operandSize == 1) {
            a.byte1(0x66);
        } else if (i.operandSize == 3) {
            a.byte1(0x48);
        }
        a.byte1(i.opcode);
        e.after(effect);
    }

    /** What does nothing to the guest's registers; fences order the host's memory. */
    void nothing(Insn i) {
        if (i.row.map == Row.MAP_0F && i.row.modrm >= 0) {
            a.byte1(0x0F);
            a.byte1(i.opcode);
            a.byte1(i.row.modrm);
        }
    }

    // ---------------------------------------------------------------- stack

    void push(Insn i) {
        if (i.mem != null) {
            e.probe(e.place(i.mem), 8, false);
            e.at(0, 3, Assembler.MAP_1, 0x8B, T0);
            a.store(3, STATE, Context.TEMP, T0);
            e.probe(Place.stack(-8), 8, true);
            a.load(3, T0, STATE, Context.TEMP);
            e.at(0, 3, Assembler.MAP_1, 0x89, T0);
        } else {
            e.probe(Place.stack(-8), 8, true);
            e.at(0, 3, Assembler.MAP_1, 0x89, e.fetch(i.rm, T0));
        }
        a.lea(SP, SP, Assembler.NONE, 0, -8);
    }

    void pushImmediate(Insn i) {
        e.probe(Place.stack(-8), 8, true);
        e.at(0, 3, Assembler.MAP_1, 0xC7, 0);
        a.int32((int) i.imm);
        a.lea(SP, SP, Assembler.NONE, 0, -8);
    }

    void pop(Insn i) {
        e.probe(Place.stack(0), 8, false);
        e.at(0, 3, Assembler.MAP_1, 0x8B, T0);
        a.lea(SP, SP, Assembler.NONE, 0, 8);
        e.put(i.rm, T0);
    }

    void leave() {
        e.probe(new Place(-1, VcpuState.RBP * 8, VcpuState.ZERO, 0, 0), 8, false);
        e.at(0, 3, Assembler.MAP_1, 0x8B, T0);
        a.lea(SP, Assembler.RBP, Assembler.NONE, 0, 8);
        a.mov(3, Assembler.RBP, T0);
    }

    // ---------------------------------------------------------------- moves and arithmetic

    void lea(Insn i) {
        Place p = e.place(i.mem);
        int w = i.operandSize;
        int to = Context.host(i.reg);
        if (to >= 0 && Place.mapped(p.base()) && Place.mapped(p.index())) {
            a.rm(
                    0,
                    w,
                    Assembler.MAP_1,
                    0x8D,
                    to,
                    p.base() == VcpuState.ZERO ? Assembler.NONE : Context.host(p.base() / 8),
                    p.index() == VcpuState.ZERO ? Assembler.NONE : Context.host(p.index() / 8),
                    p.scale(),
                    p.displacement());
            return;
        }
        e.offset(p);
        if (to >= 0) {
            a.mov(w, to, T0);
            return;
        }
        if (w == 2) {
            a.mov(2, T0, T0);
        }
        a.store(Math.max(w == 1 ? 1 : 3, w), STATE, Emission.slot(i.reg), T0);
    }

    void exchangeAccumulator(Insn i) {
        if (i.rm == 0) {
            return;
        }
        int other = e.fetch(i.rm, T0);
        a.rr(0, i.operandSize, Assembler.MAP_1, 0x87, Assembler.RAX, other);
        e.put(i.rm, other);
    }

    /** Divides only where the host cannot raise #DE; other operands go to the interpreter. */
    void divide(Insn i) {
        int w = i.operandSize;
        boolean signed = (i.reg & 7) == 7;
        e.clobberSaved();
        if (i.mem != null) {
            e.probe(e.place(i.mem), 1 << w, false);
            e.at(0, w, Assembler.MAP_1, 0x8B, T1);
        } else {
            a.mov(w, T1, e.fetch(i.rm, T1));
        }
        int refuse = e.refuse();
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
        e.need();
        a.rr(0, w, Assembler.MAP_1, 0xF7, signed ? 7 : 6, T1);
        e.after(Effect.CHANGES);
    }

    /** BT and its kin on the element that the bit offset in a register points to. */
    void bitString(Insn i) {
        int w = i.operandSize;
        e.probeElement(e.place(i.mem), w, i.reg, !i.row.semantics.equals("Bits.bt"));
        // The host would reach beyond the operand as well: only the bit number inside stays.
        a.mov(2, T0, e.fetch(i.reg, T0));
        a.aluImmediate(Assembler.AND, 2, T0, (8 << w) - 1);
        a.store(3, STATE, Context.TEMP, T0);
        e.need();
        a.load(3, T0, STATE, Context.TEMP);
        e.at(i.lock ? Assembler.LOCK : 0, w, Assembler.MAP_0F, i.opcode, T0);
        e.after(Effect.CHANGES);
    }

    /** Emits an instruction as itself, but for the value of its immediate operand if it has one. */
    void same(Insn i, Effect effect, long value) {
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
            e.probe(operand(i, e.place(i.mem)));
            e.before(effect);
            int host = reg;
            if (regSpec != null) {
                host = e.fetch(i.reg, T0);
                flags |= lowByte(i, regSpec, host);
            }
            e.at(flags, w, map, opcode, host);
            immediate(i, immediate, value);
            if (regSpec != null && Emitted.writes(i, regSpec)) {
                e.put(i.reg, host);
            }
        } else {
            e.before(effect);
            int regHost = reg;
            int rmHost = 0;
            if (regSpec != null) {
                regHost = high(i, regSpec, i.reg) ? i.reg : e.fetch(i.reg, T0);
                flags |= high(i, regSpec, i.reg) ? Assembler.HIGH : lowByte(i, regSpec, regHost);
            }
            if (rmSpec != null) {
                boolean same = regSpec != null && i.rm == i.reg && regHost == T0;
                rmHost = high(i, rmSpec, i.rm) ? i.rm : same ? T0 : e.fetch(i.rm, T1);
                flags |= high(i, rmSpec, i.rm) ? Assembler.HIGH : lowByte(i, rmSpec, rmHost);
            }
            if (row.plusR) {
                a.plus(w, map, opcode & 0xF8, rmHost, flags);
            } else if (rmSpec == null && regSpec == null) {
                accumulator(w, opcode);
            } else {
                a.rr(flags, w, map, opcode, regHost, rmHost);
            }
            immediate(i, immediate, value);
            if (rmSpec != null && (rmHost == T0 || rmHost == T1) && Emitted.writes(i, rmSpec)) {
                e.put(i.rm, rmHost);
            }
            if (regSpec != null && regHost == T0 && Emitted.writes(i, regSpec)) {
                e.put(i.reg, regHost);
            }
        }
        e.after(effect);
    }

    /** The memory operand of an instruction that {@link #same} emits, or null. */
    static AccessPlan.Access operand(Insn i, Place place) {
        for (OperandSpec spec : i.row.operands) {
            switch (spec.kind()) {
                case RM, MEM, OFFSET -> {
                    return AccessPlan.access(place, 1 << spec.width(i.operandSize), Emitted.writes(i, spec), false);
                }
                default -> {}
            }
        }
        return null;
    }

    private void accumulator(int w, int opcode) {
        if (w == 1) {
            a.byte1(0x66);
        } else if (w == 3) {
            a.byte1(0x48);
        }
        a.byte1(opcode);
    }

    private void immediate(Insn i, OperandSpec spec, long value) {
        if (spec != null) {
            int w = spec.size() == 'v' ? i.operandSize : spec.width(i.operandSize);
            a.immediate(w, value);
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
