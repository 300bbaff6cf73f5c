package org.xenolith.translate;

import java.util.List;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.decode.OperandSpec;
import org.xenolith.cpu.decode.OperandSpec.Access;
import org.xenolith.cpu.decode.OperandSpec.Kind;
import org.xenolith.translate.Emitted.Effect;
import org.xenolith.translate.Emitted.Entry;

/**
 * How to compute the flags of an instruction again, behind it, from registers that still hold what that takes.
 *
 * <p>Most flags are overwritten before anybody reads them; but a memory access in between can fault, and then the guest sees
 * them. Instead of saving such flags before the access, the rare path of the access computes them again.
 *
 * @param how the computation
 * @param w width, log2 of bytes
 * @param a guest register
 * @param b second guest register, or -1 for the immediate
 * @param immediate the immediate operand
 */
record FlagRecipe(How how, int w, int a, int b, long immediate) {
    /** The computations; {@code a} is the register's value behind the instruction. */
    enum How {
        /** TEST a,a: behind AND, OR, XOR. */
        RESULT,
        TEST,
        CMP,
        /** a - b, then + b. */
        ADD,
        /** a + b, then - b. */
        SUB,
        NEG
    }

    /** Whether the instruction leaves AF undefined, as its kind does. */
    boolean clearsAuxiliary() {
        return how == How.RESULT || how == How.TEST;
    }

    /** The recipe for an instruction of a block if its flags are dead and the recipe holds wherever they could be seen; or null. */
    static FlagRecipe of(List<Insn> insns, List<Entry> entries, int index) {
        FlagRecipe recipe = of(insns.get(index));
        if (recipe == null) {
            return null;
        }
        for (int j = index + 1; j < insns.size(); j++) {
            Insn i = insns.get(j);
            Effect effect = entries.get(j).effect();
            if (entries.get(j).shape().ends()) {
                return null;
            }
            boolean reads = effect == Effect.READS || effect == Effect.CHANGES;
            if (reads && !canCompute(i, entries.get(j))) {
                return null;
            }
            if (effect == Effect.SETS || effect == Effect.CHANGES) {
                return recipe;
            }
            if (changes(i, entries.get(j), recipe.a) || recipe.b >= 0 && changes(i, entries.get(j), recipe.b)) {
                return null;
            }
        }
        return null;
    }

    /** Whether there are registers to compute with at the moment when an instruction reads flags: not behind a probe. */
    private static boolean canCompute(Insn i, Entry entry) {
        return i.mem == null
                && switch (entry.shape()) {
                    case SAME, BARE, BRANCH_ON -> true;
                    default -> false;
                };
    }

    private static FlagRecipe of(Insn i) {
        String name = Emitted.name(i.row);
        if (i.row.operands.isEmpty()) {
            return null;
        }
        OperandSpec first = i.row.operands.getFirst();
        int a = register(i, first);
        if (a < 0) {
            return null;
        }
        int w = first.width(i.operandSize);
        switch (name) {
            case "Arithmetic.and", "Arithmetic.or", "Arithmetic.xor" -> {
                return new FlagRecipe(How.RESULT, w, a, a, 0);
            }
            case "Arithmetic.neg" -> {
                return new FlagRecipe(How.NEG, w, a, a, 0);
            }
            default -> {}
        }
        How how = switch (name) {
            case "Arithmetic.add" -> How.ADD;
            case "Arithmetic.sub" -> How.SUB;
            case "Arithmetic.cmp" -> How.CMP;
            case "Arithmetic.test" -> How.TEST;
            default -> null;
        };
        if (how == null) {
            return null;
        }
        OperandSpec second = i.row.operands.get(1);
        if (second.kind() == Kind.IMM) {
            return new FlagRecipe(how, w, a, -1, i.imm);
        }
        int b = register(i, second);
        boolean lost = b < 0 || b == a && (how == How.ADD || how == How.SUB);
        return lost ? null : new FlagRecipe(how, w, a, b, 0);
    }

    /** The register that an operand is, unless it is a high byte; or -1. */
    private static int register(Insn i, OperandSpec spec) {
        if (spec.kind() == Kind.FIXED) {
            return spec.fixed();
        }
        int n = Emitted.registerOf(i, spec);
        return i.rex == 0 && n >= 4 && n < 8 && spec.width(i.operandSize) == 0 ? -1 : n;
    }

    /** Whether an instruction without effect on flags changes a guest register. */
    private static boolean changes(Insn i, Entry entry, int n) {
        return switch (entry.shape()) {
            case NOTHING, BRANCH_ON -> false;
            case LEA -> i.reg == n;
            case PUSH, PUSH_IMMEDIATE, CALL_ON, RET_ON -> n == VcpuState.RSP;
            case POP -> n == VcpuState.RSP || i.rm == n;
            case LEAVE -> n == VcpuState.RSP || n == VcpuState.RBP;
            case X87 -> i.mem == null && i.row.semantics.equals("X87Control.fnstsw") && n == 0;
            case SAME, ENCODED -> {
                for (OperandSpec spec : i.row.operands) {
                    int written = spec.kind() == Kind.FIXED && spec.access() != Access.READ
                            ? spec.fixed()
                            : Emitted.writes(i, spec) ? Emitted.registerOf(i, spec) : -1;
                    // A high byte is part of the register four below.
                    if (written == n || written >= 4 && written - 4 == n) {
                        yield true;
                    }
                }
                yield false;
            }
            default -> true;
        };
    }
}
