package org.xenolith.translate;

import java.util.Map;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.decode.OperandSpec;
import org.xenolith.cpu.decode.OperandSpec.Access;
import org.xenolith.cpu.decode.OperandSpec.Kind;
import org.xenolith.cpu.decode.Row;

/**
 * The list of instructions that the translator emits; all others go to the interpreter. One line a semantics name: how it
 * is emitted, and what it does to the arithmetic flags.
 */
final class Emitted {
    /** How an instruction is emitted. */
    enum Shape {
        /** As itself, with registers mapped and memory behind a TLB probe. */
        SAME,
        /** As itself, without operands of its own. */
        BARE,
        NOTHING,
        LEA,
        ACC_EXCHANGE,
        PUSH,
        PUSH_IMMEDIATE,
        POP,
        LEAVE,
        DIVIDE,
        JCC,
        JMP,
        CALL,
        JMP_INDIRECT,
        CALL_INDIRECT,
        RET
    }

    /** What an instruction does to the six arithmetic flags. */
    enum Effect {
        NONE,
        READS,
        /** Sets all of them, whatever they were. */
        SETS,
        /** Keeps some of them, or all of them sometimes. */
        CHANGES
    }

    /** A line of the list. */
    record Entry(Shape shape, Effect effect) {}

    private static final Map<String, Entry> ENTRIES = Map.ofEntries(
            same("Arithmetic.add", Effect.SETS),
            same("Arithmetic.sub", Effect.SETS),
            same("Arithmetic.cmp", Effect.SETS),
            same("Arithmetic.and", Effect.SETS),
            same("Arithmetic.or", Effect.SETS),
            same("Arithmetic.xor", Effect.SETS),
            same("Arithmetic.test", Effect.SETS),
            same("Arithmetic.neg", Effect.SETS),
            same("Arithmetic.not", Effect.NONE),
            same("Arithmetic.adc", Effect.CHANGES),
            same("Arithmetic.sbb", Effect.CHANGES),
            same("Arithmetic.inc", Effect.CHANGES),
            same("Arithmetic.dec", Effect.CHANGES),
            // Some processors leave SF ZF AF PF as they were.
            same("Multiply.mul8", Effect.CHANGES),
            same("Multiply.mul", Effect.CHANGES),
            same("Multiply.imul8", Effect.CHANGES),
            same("Multiply.imul", Effect.CHANGES),
            same("Multiply.imul2", Effect.CHANGES),
            Map.entry("Multiply.div", new Entry(Shape.DIVIDE, Effect.CHANGES)),
            Map.entry("Multiply.idiv", new Entry(Shape.DIVIDE, Effect.CHANGES)),
            same("Shifts.rol", Effect.CHANGES),
            same("Shifts.ror", Effect.CHANGES),
            same("Shifts.rcl", Effect.CHANGES),
            same("Shifts.rcr", Effect.CHANGES),
            same("Shifts.shl", Effect.CHANGES),
            same("Shifts.shr", Effect.CHANGES),
            same("Shifts.sar", Effect.CHANGES),
            same("Shifts.shld", Effect.CHANGES),
            same("Shifts.shrd", Effect.CHANGES),
            same("Bits.bt", Effect.CHANGES),
            same("Bits.bts", Effect.CHANGES),
            same("Bits.btr", Effect.CHANGES),
            same("Bits.btc", Effect.CHANGES),
            same("Bits.btImm", Effect.CHANGES),
            same("Bits.btsImm", Effect.CHANGES),
            same("Bits.btrImm", Effect.CHANGES),
            same("Bits.btcImm", Effect.CHANGES),
            same("Bits.bsf", Effect.CHANGES),
            same("Bits.bsr", Effect.CHANGES),
            same("Moves.mov", Effect.NONE),
            same("Moves.sx8", Effect.NONE),
            same("Moves.sx16", Effect.NONE),
            same("Moves.sx32", Effect.NONE),
            same("Moves.xchg8", Effect.NONE),
            same("Moves.xchg", Effect.NONE),
            same("Moves.bswap", Effect.NONE),
            same("Moves.cmov", Effect.READS),
            same("Moves.setcc", Effect.READS),
            same("Atomics.xadd8", Effect.SETS),
            same("Atomics.xadd", Effect.SETS),
            same("Atomics.cmpxchg8", Effect.SETS),
            same("Atomics.cmpxchg", Effect.SETS),
            Map.entry("Moves.lea", new Entry(Shape.LEA, Effect.NONE)),
            Map.entry("Moves.xchgAcc", new Entry(Shape.ACC_EXCHANGE, Effect.NONE)),
            Map.entry("Moves.cbw", new Entry(Shape.BARE, Effect.NONE)),
            Map.entry("Moves.cwd", new Entry(Shape.BARE, Effect.NONE)),
            Map.entry("Moves.nop", new Entry(Shape.NOTHING, Effect.NONE)),
            Map.entry("Moves.nopModrm", new Entry(Shape.NOTHING, Effect.NONE)),
            Map.entry("FlagInsns.cmc", new Entry(Shape.BARE, Effect.CHANGES)),
            Map.entry("FlagInsns.clc", new Entry(Shape.BARE, Effect.CHANGES)),
            Map.entry("FlagInsns.stc", new Entry(Shape.BARE, Effect.CHANGES)),
            Map.entry("FlagInsns.sahf", new Entry(Shape.BARE, Effect.CHANGES)),
            Map.entry("FlagInsns.lahf", new Entry(Shape.BARE, Effect.READS)),
            Map.entry("Stack.push", new Entry(Shape.PUSH, Effect.NONE)),
            Map.entry("Stack.pushImm", new Entry(Shape.PUSH_IMMEDIATE, Effect.NONE)),
            Map.entry("Stack.pop", new Entry(Shape.POP, Effect.NONE)),
            Map.entry("Stack.leave", new Entry(Shape.LEAVE, Effect.NONE)),
            Map.entry("Control.jcc", new Entry(Shape.JCC, Effect.READS)),
            Map.entry("Control.jmp", new Entry(Shape.JMP, Effect.NONE)),
            Map.entry("Control.call", new Entry(Shape.CALL, Effect.NONE)),
            Map.entry("Control.jmpRm", new Entry(Shape.JMP_INDIRECT, Effect.NONE)),
            Map.entry("Control.callRm", new Entry(Shape.CALL_INDIRECT, Effect.NONE)),
            Map.entry("Control.ret", new Entry(Shape.RET, Effect.NONE)),
            Map.entry("Control.retImm", new Entry(Shape.RET, Effect.NONE)));

    private Emitted() {}

    private static Map.Entry<String, Entry> same(String name, Effect effect) {
        return Map.entry(name, new Entry(Shape.SAME, effect));
    }

    static String name(Row row) {
        int constant = row.semantics.indexOf('#');
        return constant < 0 ? row.semantics : row.semantics.substring(0, constant);
    }

    /** How to emit an instruction of 64-bit code, or null to hand it to the interpreter. */
    static Entry of(Insn i) {
        Row row = i.row;
        Entry entry = row.vex || row.feature != null ? null : ENTRIES.get(name(row));
        if (entry == null || i.mem != null && !addressable(i, entry)) {
            return null;
        }
        boolean ok = switch (entry.shape) {
            case SAME -> encodable(i);
            case LEA, PUSH, POP, CALL_INDIRECT, JMP_INDIRECT -> i.operandSize == 3 || entry.shape == Shape.LEA;
            case PUSH_IMMEDIATE, LEAVE, CALL, RET -> i.operandSize == 3;
            case DIVIDE -> i.operandSize >= 2;
            default -> true;
        };
        if (!ok) {
            return null;
        }
        if (entry.effect == Effect.CHANGES && row.semantics.startsWith("Shifts.sh") && constantCount(i)
                || entry.effect == Effect.CHANGES && row.semantics.equals("Shifts.sar") && constantCount(i)) {
            return new Entry(entry.shape, Effect.SETS);
        }
        return entry;
    }

    /** A shift by a count that is not zero, so that all flags are new. */
    private static boolean constantCount(Insn i) {
        OperandSpec last = i.row.operands.getLast();
        return last.kind() == Kind.CONSTANT || last.kind() == Kind.IMM && (i.imm & 31) != 0;
    }

    private static boolean addressable(Insn i, Entry entry) {
        if (entry.shape == Shape.NOTHING) {
            return true;
        }
        if (i.mem.addressSize != 3 || i.mem.displacement() != (int) i.mem.displacement()) {
            return false;
        }
        // Addresses of rip-relative operands are counted from the page, a little further away.
        return !i.mem.ripRelative() || Math.abs(i.mem.displacement()) < Integer.MAX_VALUE - 8192L;
    }

    private static boolean encodable(Insn i) {
        String name = name(i.row);
        if (i.mem != null && i.mod >= 0 && name.startsWith("Bits.bt") && !name.endsWith("Imm")) {
            // A bit string: the register reaches beyond the operand.
            return false;
        }
        if (name.equals("Moves.bswap") && i.operandSize == 1) {
            return false;
        }
        boolean high = false;
        boolean rexNeeded = i.rex != 0 || i.mem != null;
        for (OperandSpec spec : i.row.operands) {
            int n = registerOf(i, spec);
            if (n < 0) {
                continue;
            }
            if (spec.width(i.operandSize) == 0 && i.rex == 0 && n >= 4 && n < 8) {
                high = true;
            } else {
                rexNeeded |= n == 4;
            }
        }
        return !high || !rexNeeded;
    }

    /** The general register that an operand is, or -1. */
    static int registerOf(Insn i, OperandSpec spec) {
        return switch (spec.kind()) {
            case REG -> i.reg;
            case RM, RM_REG -> i.mem == null ? i.rm : -1;
            case OPCODE_REG -> i.rm;
            default -> -1;
        };
    }

    /** Whether an operand is written, also where the table leaves that to the semantics. */
    static boolean writes(Insn i, OperandSpec spec) {
        if (spec.access() != Access.READ) {
            return true;
        }
        return switch (name(i.row)) {
            case "Moves.xchg", "Moves.xchg8", "Atomics.xadd", "Atomics.xadd8" -> true;
            case "Atomics.cmpxchg", "Atomics.cmpxchg8", "Bits.bts", "Bits.btr", "Bits.btc" -> spec.kind() == Kind.RM;
            default -> false;
        };
    }
}
