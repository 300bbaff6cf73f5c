package org.xenolith.translate;

import java.util.Map;
import java.util.Set;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.decode.OperandSpec;
import org.xenolith.cpu.decode.OperandSpec.Access;
import org.xenolith.cpu.decode.OperandSpec.Kind;
import org.xenolith.cpu.decode.Row;

/**
 * The list of instructions that the translator emits; all others go to the interpreter. One line a semantics name: how it
 * is emitted, and what it does to the arithmetic flags. Vector and x87 instructions are listed by family.
 */
final class Emitted {
    /** How an instruction is emitted. */
    enum Shape {
        /** As itself, with registers mapped and memory behind a TLB probe: integer instructions. */
        SAME,
        /** As itself, with its mandatory prefix or VEX: vector instructions, and integer ones that have such an encoding. */
        ENCODED,
        /** As itself: x87, and MMX's EMMS. */
        X87,
        /** LDMXCSR and FLDCW: as themselves when they mask all exceptions, which is found out with the host's flags. */
        FPU_CONTROL,
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
        /** JCC inside a trace: one way goes on in it, the other one leaves. */
        BRANCH_ON,
        JMP,
        CALL,
        /** CALL inside a trace, which goes on where it leads. */
        CALL_ON,
        JMP_INDIRECT,
        CALL_INDIRECT,
        RET,
        /** RET inside a trace, which goes on behind the CALL in it. */
        RET_ON,
        CLI,
        STI,
        PUSH_FLAGS,
        POP_FLAGS,
        SWAPGS,
        SYSCALL,
        SYSRET,
        TIME,
        PAUSE,
        SEGMENT_READ,
        CONTROL_READ,
        BIT_STRING,
        CLD,
        /** MOVS and STOS. */
        STRING;

        /** Whether nothing of a block can follow. */
        boolean ends() {
            return switch (this) {
                case JCC, JMP, CALL, JMP_INDIRECT, CALL_INDIRECT, RET, SYSCALL, SYSRET -> true;
                default -> false;
            };
        }
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

    /**
     * A line of the list.
     *
     * @param shape how it is emitted
     * @param effect on the flags
     * @param fpu registers that must be in the host: bits of {@link Context#HELD}
     * @param feature that the host needs although the table names none for the guest, or null
     */
    record Entry(Shape shape, Effect effect, int fpu, String feature) {
        Entry(Shape shape, Effect effect) {
            this(shape, effect, 0, null);
        }

        /** The same inside a trace that goes on behind it. */
        Entry on() {
            Shape on = switch (shape) {
                case JCC -> Shape.BRANCH_ON;
                case JMP -> Shape.NOTHING;
                case CALL -> Shape.CALL_ON;
                case RET -> Shape.RET_ON;
                default -> throw new IllegalStateException(shape + " in the middle of a trace");
            };
            return new Entry(on, effect, fpu, feature);
        }

        private Entry with(Effect other) {
            return new Entry(shape, other, fpu, feature);
        }

        private Entry with(int registers) {
            return new Entry(shape, effect, registers, feature);
        }
    }

    private static final Entry NEVER = new Entry(Shape.NOTHING, Effect.NONE);

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
            encoded("Arithmetic.adcx", Effect.CHANGES),
            encoded("Arithmetic.adox", Effect.CHANGES),
            // Some processors leave SF ZF AF PF as they were.
            same("Multiply.mul8", Effect.CHANGES),
            same("Multiply.mul", Effect.CHANGES),
            same("Multiply.imul8", Effect.CHANGES),
            same("Multiply.imul", Effect.CHANGES),
            same("Multiply.imul2", Effect.CHANGES),
            encoded("Multiply.mulx", Effect.NONE),
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
            encoded("Shifts.rorx", Effect.NONE),
            encoded("Shifts.sarx", Effect.NONE),
            encoded("Shifts.shlx", Effect.NONE),
            encoded("Shifts.shrx", Effect.NONE),
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
            encoded("Bits.popcnt", Effect.SETS),
            // Without the feature the host would execute BSF and BSR.
            Map.entry("Bits.tzcnt", new Entry(Shape.ENCODED, Effect.CHANGES, 0, "BMI1")),
            Map.entry("Bits.lzcnt", new Entry(Shape.ENCODED, Effect.CHANGES, 0, "LZCNT")),
            encoded("Bits.crc32", Effect.NONE),
            encoded("Bits.crc32v", Effect.NONE),
            encoded("Bits.andn", Effect.CHANGES),
            encoded("Bits.bextr", Effect.CHANGES),
            encoded("Bits.blsr", Effect.CHANGES),
            encoded("Bits.blsmsk", Effect.CHANGES),
            encoded("Bits.blsi", Effect.CHANGES),
            encoded("Bits.bzhi", Effect.CHANGES),
            encoded("Bits.pdep", Effect.NONE),
            encoded("Bits.pext", Effect.NONE),
            same("Moves.mov", Effect.NONE),
            same("Moves.sx8", Effect.NONE),
            same("Moves.sx16", Effect.NONE),
            same("Moves.sx32", Effect.NONE),
            same("Moves.xchg8", Effect.NONE),
            same("Moves.xchg", Effect.NONE),
            same("Moves.bswap", Effect.NONE),
            same("Moves.cmov", Effect.READS),
            same("Moves.setcc", Effect.READS),
            encoded("Moves.movbe", Effect.NONE),
            Map.entry("Moves.fence", new Entry(Shape.NOTHING, Effect.NONE)),
            encoded("Atomics.cmpxchg8b", Effect.CHANGES),
            encoded("Atomics.cmpxchg16b", Effect.CHANGES),
            same("Atomics.xadd8", Effect.SETS),
            same("Atomics.xadd", Effect.SETS),
            same("Atomics.cmpxchg8", Effect.SETS),
            same("Atomics.cmpxchg", Effect.SETS),
            Map.entry("Moves.lea", new Entry(Shape.LEA, Effect.NONE)),
            Map.entry("Moves.xchgAcc", new Entry(Shape.ACC_EXCHANGE, Effect.NONE)),
            Map.entry("Moves.cbw", new Entry(Shape.BARE, Effect.NONE)),
            Map.entry("Moves.cwd", new Entry(Shape.BARE, Effect.NONE)),
            Map.entry("SystemInsns.pause", new Entry(Shape.PAUSE, Effect.NONE)),
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
            Map.entry("Control.retImm", new Entry(Shape.RET, Effect.NONE)),
            Map.entry("SystemInsns.cli", new Entry(Shape.CLI, Effect.CHANGES)),
            Map.entry("SystemInsns.sti", new Entry(Shape.STI, Effect.CHANGES)),
            Map.entry("SystemCalls.swapgs", new Entry(Shape.SWAPGS, Effect.CHANGES)),
            Map.entry("SystemCalls.syscall", new Entry(Shape.SYSCALL, Effect.CHANGES)),
            Map.entry("SystemCalls.sysret", new Entry(Shape.SYSRET, Effect.CHANGES)),
            Map.entry("SystemInsns.rdtsc", new Entry(Shape.TIME, Effect.CHANGES)),
            Map.entry("SystemInsns.rdtscp", new Entry(Shape.TIME, Effect.CHANGES)),
            Map.entry("SystemRegs.fromControl", new Entry(Shape.CONTROL_READ, Effect.CHANGES)),
            Map.entry("SystemRegs.fromSegment", new Entry(Shape.SEGMENT_READ, Effect.NONE)),
            Map.entry("Stack.pushf", new Entry(Shape.PUSH_FLAGS, Effect.READS)),
            Map.entry("Stack.popf", new Entry(Shape.POP_FLAGS, Effect.CHANGES)),
            Map.entry("FlagInsns.cld", new Entry(Shape.CLD, Effect.CHANGES)),
            Map.entry("Strings.movs", new Entry(Shape.STRING, Effect.CHANGES)),
            Map.entry("Strings.stos", new Entry(Shape.STRING, Effect.CHANGES)),
            Map.entry("SseMoves.ldmxcsr", new Entry(Shape.FPU_CONTROL, Effect.READS, Context.SSE, null)),
            Map.entry("X87Control.fldcw", new Entry(Shape.FPU_CONTROL, Effect.READS, Context.X87, null)),
            Map.entry("SseMoves.emms", new Entry(Shape.X87, Effect.NONE, Context.X87, null)));

    /** Families of which everything is emitted as itself, but for what {@link #NOT_EMITTED} names. */
    private static final Map<String, Entry> FAMILIES = Map.ofEntries(
            vector("SseMoves", Context.SSE),
            vector("SseFloat", Context.SSE),
            vector("SseInteger", Context.SSE),
            vector("SseShuffle", Context.SSE),
            vector("SseConvert", Context.SSE),
            vector("SseStrings", Context.SSE),
            vector("Sse4", Context.SSE),
            vector("Avx", Context.SSE),
            vector("Fma", Context.SSE),
            vector("Crypto", Context.SSE),
            vector("Mmx", Context.X87),
            x87("X87Arithmetic"),
            x87("X87Compare"),
            x87("X87Functions"),
            x87("X87Moves"),
            x87("X87Control"));

    private static final Set<String> NOT_EMITTED = Set.of(
            // A memory operand that no ModRM byte names.
            "SseMoves.maskmovq",
            "SseMoves.maskmovdqu",
            // Only the elements that a mask selects are accessed, each of them where an index says.
            "Avx.maskedLoad",
            "Avx.maskedStore",
            "Avx.gather",
            // Environment and state images; FNINIT forgets the instruction pointers as well.
            "X87Control.fnstenv",
            "X87Control.fldenv",
            "X87Control.fnsave",
            "X87Control.frstor",
            "X87Control.fninit",
            // #NM depends on CR0.MP.
            "X87Control.fwait");

    /** Vector and x87 instructions that set all six arithmetic flags. */
    private static final Set<String> SETTERS = Set.of(
            "SseFloat.comiss",
            "SseFloat.ucomiss",
            "SseFloat.comisd",
            "SseFloat.ucomisd",
            "Sse4.ptest",
            "Avx.vptest",
            "Avx.vtestps",
            "Avx.vtestpd",
            "Avx.vpcmpestrm",
            "Avx.vpcmpistrm",
            "SseStrings.pcmpestri",
            "SseStrings.pcmpestrm",
            "SseStrings.pcmpistri",
            "SseStrings.pcmpistrm",
            "X87Compare.fcomi",
            "X87Compare.fucomi");

    private Emitted() {}

    private static Map.Entry<String, Entry> same(String name, Effect effect) {
        return Map.entry(name, new Entry(Shape.SAME, effect));
    }

    private static Map.Entry<String, Entry> encoded(String name, Effect effect) {
        return Map.entry(name, new Entry(Shape.ENCODED, effect));
    }

    private static Map.Entry<String, Entry> vector(String family, int fpu) {
        return Map.entry(family, new Entry(Shape.ENCODED, Effect.NONE, fpu, null));
    }

    private static Map.Entry<String, Entry> x87(String family) {
        return Map.entry(family, new Entry(Shape.X87, Effect.NONE, Context.X87, null));
    }

    static String name(Row row) {
        int constant = row.semantics.indexOf('#');
        return constant < 0 ? row.semantics : row.semantics.substring(0, constant);
    }

    /** The line of a row, thought about once. */
    private static Entry line(Row row) {
        Object known = row.translation;
        if (known == null) {
            Entry entry = think(row);
            known = entry == null ? NEVER : entry;
            row.translation = known;
        }
        return known == NEVER ? null : (Entry) known;
    }

    private static Entry think(Row row) {
        String name = name(row);
        Entry entry = ENTRIES.get(name);
        if (entry != null) {
            return row.isVexVector() ? entry.with(Context.SSE | Context.AVX) : entry;
        }
        entry = FAMILIES.get(name.substring(0, name.indexOf('.')));
        if (entry == null || NOT_EMITTED.contains(name)) {
            return null;
        }
        if (SETTERS.contains(name)) {
            entry = entry.with(Effect.SETS);
        } else if (name.equals("X87Moves.fcmov")) {
            entry = entry.with(Effect.READS);
        }
        int fpu = entry.fpu | (row.isVexVector() ? Context.SSE | Context.AVX : 0);
        for (OperandSpec spec : row.operands) {
            fpu |= switch (spec.kind()) {
                case MMX, MMX_RM, MMX_RM_REG -> Context.X87 | Context.SSE;
                case XMM, XMM_RM, XMM_RM_REG -> Context.SSE;
                default -> 0;
            };
        }
        return entry.with(fpu);
    }

    /**
     * How to emit an instruction of 64-bit code, or null to hand it to the interpreter.
     *
     * @param features what both the guest and the host have
     */
    static Entry of(Insn i, Set<String> features) {
        Row row = i.row;
        Entry entry = line(row);
        if (entry == null
                || !row.allowed(features::contains, i.vexL)
                || entry.feature != null && !features.contains(entry.feature)
                || i.mem != null && !addressable(i, entry)) {
            return null;
        }
        if (isBitString(i)) {
            // LOCK as well: the operand is one element, wherever that is.
            return i.operandSize == 1 ? null : new Entry(Shape.BIT_STRING, Effect.CHANGES);
        }
        boolean ok = switch (entry.shape) {
            case SAME -> encodable(i);
            case ENCODED -> !usesTwoSpilledResults(i) && !hasHighByte(i);
            case LEA, PUSH, POP, CALL_INDIRECT, JMP_INDIRECT -> i.operandSize == 3 || entry.shape == Shape.LEA;
            case PUSH_IMMEDIATE, LEAVE, CALL, RET, PUSH_FLAGS, POP_FLAGS -> i.operandSize == 3;
            case SYSRET -> i.operandSize == 3;
            case SEGMENT_READ -> i.mem == null;
            // CR8 is the interrupt controller's.
            case CONTROL_READ -> i.reg < 8;
            case STRING -> i.addressSize == 3 && (i.mem == null || i.mem.segment < VcpuState.FS);
            case DIVIDE -> i.operandSize >= 2;
            default -> true;
        };
        if (!ok) {
            return null;
        }
        if (entry.effect == Effect.CHANGES && row.semantics.startsWith("Shifts.sh") && constantCount(i)
                || entry.effect == Effect.CHANGES && row.semantics.equals("Shifts.sar") && constantCount(i)) {
            return entry.with(Effect.SETS);
        }
        return entry;
    }

    /** MULX with both halves in registers that the state block holds: there is one scratch register for a result. */
    private static boolean usesTwoSpilledResults(Insn i) {
        int spilled = 0;
        for (OperandSpec spec : i.row.operands) {
            int n = registerOf(i, spec);
            if (n >= 0 && spec.access() != Access.READ && Context.host(n) < 0) {
                spilled++;
            }
        }
        return spilled > 1;
    }

    /** CRC32 of AH to BH, which have other names once registers are mapped. */
    private static boolean hasHighByte(Insn i) {
        for (OperandSpec spec : i.row.operands) {
            int n = spec.size() == 'b' && i.rex == 0 ? registerOf(i, spec) : -1;
            if (n >= 4 && n < 8) {
                return true;
            }
        }
        return false;
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

    /** BT, BTS, BTR, BTC with memory and a register, which reaches beyond the operand. */
    private static boolean isBitString(Insn i) {
        String name = i.row.semantics;
        return i.mem != null && name.startsWith("Bits.bt") && !name.endsWith("Imm");
    }

    private static boolean encodable(Insn i) {
        if (i.operandSize == 1 && i.row.semantics.equals("Moves.bswap")) {
            return false;
        }
        if (i.rex != 0) {
            return true;
        }
        boolean high = false;
        boolean rexNeeded = i.mem != null;
        for (OperandSpec spec : i.row.operands) {
            int n = registerOf(i, spec);
            if (n < 0) {
                continue;
            }
            if (n >= 4 && n < 8 && spec.width(i.operandSize) == 0) {
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
            case VVVV -> i.vvvv;
            default -> -1;
        };
    }

    /** Whether an operand is written, also where the table leaves that to the semantics. */
    static boolean writes(Insn i, OperandSpec spec) {
        if (spec.access() != Access.READ) {
            return true;
        }
        String name = i.row.semantics;
        if (!name.startsWith("Moves.xchg") && !name.startsWith("Atomics.") && !name.startsWith("Bits.bt")) {
            return false;
        }
        return switch (name(i.row)) {
            case "Moves.xchg", "Moves.xchg8", "Atomics.xadd", "Atomics.xadd8" -> true;
            case "Atomics.cmpxchg", "Atomics.cmpxchg8", "Bits.bts", "Bits.btr", "Bits.btc" -> spec.kind() == Kind.RM;
            default -> false;
        };
    }
}
