package org.xenolith.translate;

import org.xenolith.cpu.core.Flags;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.decode.OperandSpec;
import org.xenolith.cpu.decode.OperandSpec.Kind;
import org.xenolith.cpu.decode.Row;

/**
 * What a domain needs that must be reproducible, under any engine and on any host: instructions that do not give the same on
 * all processors are left to the interpreter, or emitted so that they do.
 */
final class Exactness {
    /** AF behind an instruction. */
    enum Auxiliary {
        DEFINED,
        /** Up to the processor; the interpreter clears it. */
        CLEARED,
        /** What it was before. */
        KEPT
    }

    private static final long MULTIPLICATION = Flags.SF | Flags.ZF | Flags.AF | Flags.PF;

    private Exactness() {}

    /** Whether part of an instruction's result is up to the processor that executes it, and nothing can be done about it. */
    static boolean modelSpecific(Insn i) {
        Row row = i.row;
        if (row.has("nonoracle") || row.has("ulp") || row.semantics.startsWith("X87")) {
            // Identity and approximations; condition codes that arithmetic leaves undefined.
            return true;
        }
        if (row.semantics.startsWith("Shifts.") && !row.vex) {
            return !reproducibleShift(i);
        }
        if (setsCarryOnly(i)) {
            return false;
        }
        // LAHF, PUSHF and SYSCALL show AF as the host has it.
        return row.semantics.equals("FlagInsns.lahf")
                || row.semantics.equals("Stack.pushf")
                || row.semantics.equals("SystemCalls.syscall")
                || row.undefinedFlags != 0 && auxiliary(i) != Auxiliary.CLEARED;
    }

    /**
     * Shifts and rotates by one define all flags but AF, and so does a shift by n - 1 with one by one behind it. Not
     * emitted: counts of zero, which change no flag, and in CL, which may be zero; memory, where there is one store; double
     * shifts; rotates through carry by the whole width, which leave OF as it was.
     */
    private static boolean reproducibleShift(Insn i) {
        String name = i.row.semantics;
        int count = count(i);
        boolean throughCarry = name.equals("Shifts.rcl") || name.equals("Shifts.rcr");
        return count == 1
                || inTwoSteps(i)
                        && i.mem == null
                        && !name.equals("Shifts.shld")
                        && !name.equals("Shifts.shrd")
                        && !(throughCarry && i.row.operands.getFirst().width(i.operandSize) < 2);
    }

    /** Whether an instruction is one whose CF and OF are defined, and whose other flags the interpreter leaves as they are. */
    static boolean setsCarryOnly(Insn i) {
        return i.row.semantics.startsWith("Multiply.") && i.row.undefinedFlags == MULTIPLICATION;
    }

    /** Whether an instruction is a shift that is emitted as one by n - 1 and one by one. */
    static boolean inTwoSteps(Insn i) {
        return i.row.semantics.startsWith("Shifts.") && !i.row.vex && count(i) > 1;
    }

    /** The count of a shift, or -1 when it is in CL. */
    private static int count(Insn i) {
        OperandSpec last = i.row.operands.getLast();
        int mask = i.row.operands.getFirst().width(i.operandSize) == 3 ? 63 : 31;
        return last.kind() == Kind.CONSTANT ? 1 : last.kind() == Kind.IMM ? (int) i.imm & mask : -1;
    }

    /** What an emitted instruction that has an effect on flags does to AF. */
    static Auxiliary auxiliary(Insn i) {
        String name = i.row.semantics;
        boolean undefined = (i.row.undefinedFlags & Flags.AF) != 0;
        if (name.startsWith("Arithmetic.")) {
            boolean one = name.equals("Arithmetic.adcx") || name.equals("Arithmetic.adox");
            return undefined ? Auxiliary.CLEARED : one ? Auxiliary.KEPT : Auxiliary.DEFINED;
        }
        if (name.startsWith("Shifts.")) {
            return undefined ? Auxiliary.CLEARED : Auxiliary.KEPT;
        }
        boolean kept = name.equals("FlagInsns.clc")
                || name.equals("FlagInsns.stc")
                || name.equals("FlagInsns.cmc")
                || name.startsWith("Atomics.cmpxchg8b")
                || name.startsWith("Atomics.cmpxchg16b");
        return kept ? Auxiliary.KEPT : Auxiliary.DEFINED;
    }
}
