package org.xenolith.cpu.decode;

import java.util.Map;
import java.util.Set;

/** The mnemonics of rows whose name depends on prefixes or on fields of the encoding. */
final class Mnemonics {
    private static final String[] SUFFIXES = {"b", "w", "d", "q"};

    /** String instructions of the operand size: the table names only their byte forms in full. */
    private static final Set<String> SIZED_STRINGS = Set.of("movs", "stos", "lods", "scas", "cmps", "ins", "outs");

    /** Rows that say "64" when REX.W is there. */
    private static final Set<String> WITH_64 = Set.of("fxsave", "fxrstor", "xsave", "xrstor", "xsaveopt", "xsavec");

    private static final Map<Integer, String> PREFETCHES =
            Map.of(0, "prefetchnta", 1, "prefetcht0", 2, "prefetcht1", 3, "prefetcht2");

    private Mnemonics() {}

    static String of(Insn insn) {
        String name = insn.row.mnemonic;
        boolean wide = insn.operandSize == 3;
        if (isString(insn)) {
            return SIZED_STRINGS.contains(name) ? name + SUFFIXES[stringSize(insn)] : name;
        }
        if (WITH_64.contains(name)) {
            return (insn.rex & 8) != 0 ? name + "64" : name;
        }
        return switch (name) {
            case "cbw" -> wide ? "cdqe" : insn.operandSize == 2 ? "cwde" : "cbw";
            case "cwd" -> wide ? "cqo" : insn.operandSize == 2 ? "cdq" : "cwd";
            case "iret" -> wide ? "iretq" : insn.operandSize == 2 ? "iretd" : "iret";
            case "pushf", "popf" -> wide ? name + "q" : insn.operandSize == 2 ? name + "d" : name;
            case "pusha", "popa" -> insn.operandSize == 2 ? name + "d" : name;
            case "retf", "sysret", "sysexit" -> wide ? name + "q" : name;
            case "callf" -> "call";
            case "jmpf" -> "jmp";
            case "jrcxz" -> insn.addressSize == 3 ? "jrcxz" : insn.addressSize == 2 ? "jecxz" : "jcxz";
            case "xchg" -> isNop(insn) ? "nop" : name;
            case "prefetch" -> PREFETCHES.getOrDefault(insn.reg & 7, "nop");
            case "prefetchw" -> (insn.reg & 7) == 0 ? "prefetch" : (insn.reg & 7) == 2 ? "prefetchwt1" : "prefetchw";
            case "nop" -> insn.opcode == 0x1E && insn.rep && insn.mod == 3 ? branchMark(insn) : name;
            default -> name;
        };
    }

    /** F3 0F 1E with a register: instructions of control-flow enforcement, which older processors take for NOP. */
    private static String branchMark(Insn insn) {
        int modrm = 0xC0 | (insn.reg & 7) << 3 | insn.rm & 7;
        return switch (modrm) {
            case 0xFA -> "endbr64";
            case 0xFB -> "endbr32";
            default -> (insn.reg & 7) == 1 ? insn.operandSize == 3 ? "rdsspq" : "rdsspd" : "nop";
        };
    }

    /** Whether an instruction is one of those above, which have other operands than the row says. */
    static boolean isBranchMark(Insn insn) {
        return insn.opcode == 0x1E && insn.rep && insn.mod == 3 && insn.row.mnemonic.equals("nop");
    }

    /** 90 without a prefix that makes it an exchange. */
    static boolean isNop(Insn insn) {
        return insn.row.plusR && insn.opcode == 0x90 && insn.rm == 0 && insn.operandSize != 1;
    }

    static boolean isString(Insn insn) {
        return insn.row.semantics.startsWith("Strings.");
    }

    private static int stringSize(Insn insn) {
        boolean port = insn.row.mnemonic.equals("ins") || insn.row.mnemonic.equals("outs");
        return port ? Math.min(insn.operandSize, 2) : insn.operandSize;
    }

    /** LOCK and repetition, with a space behind each. */
    static String prefixes(Insn insn) {
        StringBuilder s = new StringBuilder();
        if (insn.lock) {
            s.append("lock ");
        }
        if (isString(insn)) {
            boolean compares = insn.row.mnemonic.startsWith("cmps") || insn.row.mnemonic.startsWith("scas");
            if (insn.rep) {
                s.append(compares ? "repe " : "rep ");
            } else if (insn.repne) {
                s.append("repne ");
            }
        }
        return s.toString();
    }
}
