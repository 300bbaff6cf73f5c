package org.xenolith.translate;

import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.decode.OperandSpec;
import org.xenolith.cpu.decode.OperandSpec.Access;
import org.xenolith.cpu.decode.Row;
import org.xenolith.translate.Emission.Place;
import org.xenolith.translate.Emitted.Effect;

/**
 * Emits vector and x87 instructions, and integer ones with a mandatory prefix or VEX, as themselves.
 *
 * <p>Vector registers keep their numbers; general registers among the operands are mapped; memory is behind a probe.
 */
final class VectorEmitter {
    /** What LDMXCSR may not set (a fault), and what it must set: the masks of all exceptions. */
    private static final int MXCSR_RESERVED = 0xFFFF0000;

    private static final int MXCSR_MASKS = 0x1F80;
    private static final int FCW_MASKS = 0x3F;

    private final Emission e;
    private final Assembler a;

    VectorEmitter(Emission e) {
        this.e = e;
        a = e.a;
    }

    private static int flags(Insn i) {
        int prefix = i.row.prefix;
        return (prefix == 0x66 ? Assembler.DATA : prefix == 0xF3 ? Assembler.REP : prefix == 0xF2 ? Assembler.REPNE : 0)
                | (i.lock ? Assembler.LOCK : 0);
    }

    /** Width by which the encoder chooses REX.W and the prefix 66, for an instruction without VEX. */
    private static int width(Insn i) {
        if ((i.rex & 8) != 0) {
            return 3;
        }
        // Where 66 is no mandatory prefix it gives the operand size of a general register.
        return i.operandSize == 1 && i.row.prefix != 0x66 && i.row.prefix != Row.NONE ? 1 : 2;
    }

    void encoded(Insn i, Effect effect) {
        Row row = i.row;
        AccessPlan.Access memory = i.mem == null ? null : operand(i, e.place(i.mem));
        if (memory != null) {
            e.probe(memory);
        }
        boolean immediate = false;
        e.before(effect);
        // Behind a probe T1 is the operand's address; without one it is free for the r/m register.
        int reg = Math.max(row.digit, 0);
        int rm = 0;
        int vvvv = 0;
        int flags = flags(i);
        int result = -1;
        for (OperandSpec spec : row.operands) {
            switch (spec.kind()) {
                case IMM, XMM_IS4 -> immediate = true;
                case XMM_VVVV -> vvvv = i.vvvv;
                case XMM, MMX -> reg = i.reg;
                case XMM_RM, XMM_RM_REG, MMX_RM, MMX_RM_REG -> rm = i.rm;
                case REG -> {
                    reg = general(i, spec, Emission.T0);
                    result = result(i, spec, result);
                }
                case VVVV -> {
                    vvvv = general(i, spec, Emission.T0);
                    result = result(i, spec, result);
                }
                case RM, RM_REG -> {
                    if (i.mem == null) {
                        rm = general(i, spec, Emission.T1);
                        if (rm >= 4 && spec.size() == 'b') {
                            flags |= Assembler.BYTE;
                        }
                        result = result(i, spec, result);
                    }
                }
                default -> {}
            }
        }
        if (row.vex) {
            boolean w = (i.rex & 8) != 0;
            if (memory != null) {
                e.vexAt(flags, w, i.vexL, row.map, i.opcode, reg, vvvv);
            } else if (row.hasModRm()) {
                a.vexRr(flags, w, i.vexL, row.map, i.opcode, reg, vvvv, rm);
            } else {
                a.vexPlain(i.vexL, i.opcode);
            }
        } else if (memory != null) {
            e.at(flags, width(i), row.map, i.opcode, reg);
        } else {
            a.rr(flags, width(i), row.map, i.opcode, reg, rm);
        }
        if (immediate) {
            a.byte1((int) i.imm);
        }
        if (result >= 0) {
            e.put(result, scratchOf(i, result));
        }
        e.after(effect);
    }

    /** The memory operand of an instruction that {@link #encoded} emits, or null. */
    static AccessPlan.Access operand(Insn i, Place place) {
        Row row = i.row;
        for (OperandSpec spec : row.operands) {
            switch (spec.kind()) {
                case RM, MEM, XMM_RM, MMX_RM -> {
                    int bytes = bytes(i, spec);
                    boolean aligned = bytes >= 16 && (row.has("align") || row.lockable);
                    return AccessPlan.access(place, bytes, spec.access() != Access.READ || row.lockable, aligned);
                }
                default -> {}
            }
        }
        return null;
    }

    private static int bytes(Insn i, OperandSpec spec) {
        return switch (spec.size()) {
            case 'v', 'z', 'y' -> 1 << spec.width(i.operandSize);
            default -> spec.bytes(i.vexL);
        };
    }

    /**
     * The host register of a general register operand. One that is only written needs no value, but then a 16-bit result
     * would lose the rest of the register.
     */
    private int general(Insn i, OperandSpec spec, int scratch) {
        int n = Emitted.registerOf(i, spec);
        if (spec.access() == Access.WRITE && Context.host(n) < 0 && i.operandSize != 1) {
            return scratch;
        }
        return e.fetch(n, scratch);
    }

    /** The general register of the state block that gets the result, or what was known. */
    private static int result(Insn i, OperandSpec spec, int known) {
        int n = Emitted.registerOf(i, spec);
        return spec.access() != Access.READ && Context.host(n) < 0 ? n : known;
    }

    private static int scratchOf(Insn i, int guest) {
        for (OperandSpec spec : i.row.operands) {
            if (Emitted.registerOf(i, spec) == guest && spec.access() != Access.READ) {
                return switch (spec.kind()) {
                    case RM, RM_REG -> Emission.T1;
                    default -> Emission.T0;
                };
            }
        }
        throw new IllegalStateException("no result in " + i.row);
    }

    // ---------------------------------------------------------------- x87

    void x87(Insn i, Effect effect) {
        Row row = i.row;
        Place place = null;
        if (i.mem != null) {
            OperandSpec spec = row.operands.getFirst();
            place = e.place(i.mem);
            e.probe(place, spec.bytes(), spec.access() != Access.READ);
        }
        e.before(effect);
        if (notes(row)) {
            e.noteX87(i.mem != null, place);
        }
        if (i.mem != null) {
            e.at(0, 2, row.map, i.opcode, row.digit);
        } else if (row.map == Row.MAP_0F) {
            a.byte1(0x0F);
            a.byte1(i.opcode);
        } else {
            a.byte1(i.opcode);
            a.byte1(0xC0 | (i.reg & 7) << 3 | i.rm & 7);
        }
        e.after(effect);
    }

    /** Control instructions leave the instruction and data pointers alone; some that share their family do not. */
    private static boolean notes(Row row) {
        if (row.semantics.startsWith("SseMoves.")) {
            return false;
        }
        return !row.semantics.startsWith("X87Control.")
                || row.semantics.startsWith("X87Control.rotate")
                || row.semantics.startsWith("X87Control.ffree")
                || row.semantics.equals("X87Control.fnop");
    }

    /**
     * LDMXCSR and FLDCW: a value that leaves an exception unmasked is for the interpreter. What is loaded is the copy that
     * was looked at: another processor may change the operand in between.
     */
    void control(Insn i) {
        boolean sse = i.row.map == Row.MAP_0F;
        e.clobberSaved();
        e.probe(e.place(i.mem), sse ? 4 : 2, false);
        int refuse = e.refuse();
        if (sse) {
            e.at(0, 2, Assembler.MAP_1, 0x8B, Emission.T0);
            a.store(2, Emission.STATE, Context.TEMP, Emission.T0);
            a.aluImmediate(Assembler.AND, 2, Emission.T0, MXCSR_RESERVED | MXCSR_MASKS);
            a.aluImmediate(Assembler.CMP, 2, Emission.T0, MXCSR_MASKS);
        } else {
            e.at(0, 2, Assembler.MAP_0F, 0xB7, Emission.T0);
            a.store(2, Emission.STATE, Context.TEMP, Emission.T0);
            a.aluImmediate(Assembler.AND, 2, Emission.T0, FCW_MASKS);
            a.aluImmediate(Assembler.CMP, 2, Emission.T0, FCW_MASKS);
        }
        a.jcc(Assembler.NE, refuse);
        a.rm(0, 2, i.row.map, i.opcode, i.row.digit, Emission.STATE, Assembler.NONE, 0, Context.TEMP);
    }
}
