package org.xenolith.cpu.decode;

import java.util.Set;
import org.xenolith.cpu.VcpuState;

/** The operands of an instruction as text; see {@link Disassembler}. */
final class OperandText {
    private static final String[] BYTE_HIGH = {"ah", "ch", "dh", "bh"};
    private static final String[] BYTES = {"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"};
    private static final String[] WORDS = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
    private static final String[] SEGMENTS = {"es", "cs", "ss", "ds", "fs", "gs"};
    private static final String[] NEW_SUFFIX = {"b", "w", "d", ""};

    /** Families whose immediates have the width of the other operand; elsewhere they are plain numbers. */
    private static final Set<String> WIDE_IMMEDIATES = Set.of("Arithmetic", "Multiply", "Moves");

    /** x87 rows whose other operand is ST(0), in front or behind. */
    private static final Set<String> TOP_FIRST =
            Set.of("X87Arithmetic.toTop", "X87Compare.fcomi", "X87Compare.fucomi", "X87Moves.fcmov");

    private static final Set<String> TOP_LAST = Set.of("X87Arithmetic.toRegister", "X87Arithmetic.toRegisterPop");

    /** Rows whose last operand is XMM0 without saying so. */
    private static final Set<String> IMPLICIT_XMM0 = Set.of("pblendvb", "blendvps", "blendvpd", "sha256rnds2");

    /** Addresses below this are numbers that happen to be small, not places in a kernel. */
    private static final long SMALLEST_ADDRESS = 0x10000;

    private final Disassembler.Symbols symbols;
    private Insn insn;
    private long address;
    private String comment;

    OperandText(Disassembler.Symbols symbols) {
        this.symbols = symbols;
    }

    String text(Insn instruction, long at) {
        insn = instruction;
        address = at;
        comment = null;
        StringBuilder s = new StringBuilder(Mnemonics.prefixes(insn)).append(Mnemonics.of(insn));
        String list = list();
        if (!list.isEmpty()) {
            s.append(' ').append(list);
        }
        if (comment != null) {
            s.append("  # ").append(comment);
        }
        return s.toString();
    }

    private String list() {
        if (Mnemonics.isString(insn)) {
            // Only an override makes the operands worth saying.
            return insn.segment >= 0 && insn.mem != null
                    ? SEGMENTS[insn.segment] + ":[" + register(insn.addressSize, VcpuState.RSI) + "]"
                    : "";
        }
        if (Mnemonics.isNop(insn)) {
            return "";
        }
        if (Mnemonics.isBranchMark(insn)) {
            return (insn.reg & 7) == 1 ? register(insn.operandSize, insn.rm) : "";
        }
        String semantics = insn.row.semantics;
        int hash = semantics.indexOf('#');
        if (semantics.startsWith("Stack.pushSegment") || semantics.startsWith("Stack.popSegment")) {
            return SEGMENTS[Integer.parseInt(semantics.substring(hash + 1))];
        }
        StringBuilder s = new StringBuilder();
        for (OperandSpec spec : insn.row.operands) {
            if (!s.isEmpty()) {
                s.append(", ");
            }
            s.append(operand(spec));
        }
        String method = hash < 0 ? semantics : semantics.substring(0, hash);
        if (TOP_FIRST.contains(method)) {
            s.insert(0, "st, ");
        } else if (TOP_LAST.contains(method)) {
            s.append(", st");
        } else if (IMPLICIT_XMM0.contains(insn.row.mnemonic)) {
            s.append(", xmm0");
        }
        return s.toString();
    }

    private String operand(OperandSpec spec) {
        return switch (spec.kind()) {
            case RM -> insn.mem == null ? register(width(spec), insn.rm) : memory(size(spec));
            case RM_REG -> register(insn.row.has("creg") ? insn.mode == 3 ? 3 : 2 : width(spec), insn.rm);
            case MEM -> memory(size(spec));
            case REG -> register(width(spec), insn.reg);
            case VVVV -> register(width(spec), insn.vvvv);
            case OPCODE_REG -> register(width(spec), insn.rm);
            case FIXED -> register(width(spec), spec.fixed());
            case CONSTANT -> "1";
            case IMM -> immediate(spec);
            case REL -> place(target());
            case OFFSET -> memory(size(spec));
            case FAR -> hex(insn.imm2 & 0xffffL) + ":" + hex(insn.imm);
            case SEGMENT -> SEGMENTS[insn.reg & 7];
            case CONTROL -> "cr" + insn.reg;
            case DEBUG -> "dr" + insn.reg;
            case MMX -> "mm" + (insn.reg & 7);
            case MMX_RM, MMX_RM_REG -> insn.mem == null ? "mm" + (insn.rm & 7) : memory(size(spec));
            case XMM -> vector(spec, insn.reg);
            case XMM_RM, XMM_RM_REG -> insn.mem == null ? vector(spec, insn.rm) : memory(size(spec));
            case XMM_VVVV -> vector(spec, insn.vvvv);
            case XMM_IS4 -> vector(spec, insn.is4());
            case VSIB32, VSIB64 -> memory(size(spec));
            case ST -> "st(" + (insn.rm & 7) + ")";
            case STRING_SOURCE, STRING_DESTINATION -> "";
        };
    }

    private int width(OperandSpec spec) {
        // The manuals' MOV to a segment register takes any general register and uses its low word.
        if (insn.row.semantics.equals("SystemRegs.toSegment") && insn.mem == null) {
            return insn.operandSize;
        }
        if (insn.row.mnemonic.equals("invpcid")) {
            return insn.mode == 3 ? 3 : 2;
        }
        return spec.width(insn.operandSize);
    }

    /** The size that a memory operand is written with; empty for images that have no name for theirs. */
    private String size(OperandSpec spec) {
        String semantics = insn.row.semantics;
        if (semantics.equals("SystemRegs.fromSegment")
                || semantics.equals("SystemRegs.smsw")
                || semantics.equals("SystemRegs.sldt")
                || semantics.equals("SystemRegs.str")) {
            // Stored as a word whatever the operand size is.
            return "word ptr ";
        }
        if (semantics.equals("FarControl.callfRm") || semantics.equals("FarControl.jmpfRm")) {
            return insn.operandSize == 1 ? "dword ptr " : insn.operandSize == 2 ? "fword ptr " : "tbyte ptr ";
        }
        if (semantics.equals("SystemInsns.invlpg") || semantics.equals("Moves.nopModrm") && spec.size() == ' ') {
            return "byte ptr ";
        }
        return switch (spec.size()) {
            case 'b' -> "byte ptr ";
            case 'w' -> "word ptr ";
            case 'd' -> "dword ptr ";
            case 'q' -> "qword ptr ";
            case 'x', 'l', 'h', 'f', 'g' ->
                switch (spec.bytes(insn.vexL)) {
                    case 2 -> "word ptr ";
                    case 4 -> "dword ptr ";
                    case 8 -> "qword ptr ";
                    case 16 -> "xmmword ptr ";
                    default -> "ymmword ptr ";
                };
            case 't' -> "tbyte ptr ";
            case 'v', 'z', 'y' ->
                switch (width(spec)) {
                    case 1 -> "word ptr ";
                    case 2 -> "dword ptr ";
                    default -> "qword ptr ";
                };
            default -> "";
        };
    }

    private String vector(OperandSpec spec, int n) {
        return (spec.isYmm(insn.vexL) ? "ymm" : "xmm") + n;
    }

    private String register(int width, int n) {
        if (width == 0) {
            if (n < 4 || n < 8 && insn.rex != 0) {
                return BYTES[n];
            }
            return n < 8 ? BYTE_HIGH[n - 4] : "r" + n + "b";
        }
        if (n >= 8) {
            return "r" + n + NEW_SUFFIX[width];
        }
        return width == 1 ? WORDS[n] : (width == 2 ? "e" : "r") + WORDS[n];
    }

    private String memory(String size) {
        Mem mem = insn.mem;
        StringBuilder s = new StringBuilder(size);
        boolean overridden = insn.segment >= 0 && (insn.mode != 3 || insn.segment >= VcpuState.FS);
        if (overridden) {
            s.append(SEGMENTS[insn.segment]).append(':');
        }
        if (mem.ripRelative()) {
            long distance = mem.displacement() - insn.next;
            s.append("[")
                    .append(insn.addressSize == 3 ? "rip" : "eip")
                    .append(signed(distance))
                    .append("]");
            comment(address - insn.offset + mem.displacement(), true, overridden);
            return s.toString();
        }
        boolean hasBase = mem.base() != VcpuState.ZERO;
        boolean hasIndex = mem.index() != VcpuState.ZERO || insn.row.vsib;
        long displacement = mem.displacement();
        if (!hasBase && !hasIndex) {
            long mask = mem.addressSize == 3 ? -1L : mem.addressSize == 2 ? 0xffffffffL : 0xffffL;
            if (!overridden) {
                s.append("ds:");
            }
            s.append(hex(displacement & mask));
            comment(displacement & mask, false, overridden);
            return s.toString();
        }
        s.append('[');
        if (hasBase) {
            s.append(register(mem.addressSize, mem.base() / 8));
        }
        if (hasIndex) {
            s.append(hasBase ? "+" : "")
                    .append(insn.row.vsib ? vectorIndex() : register(mem.addressSize, mem.index() / 8));
            if (mem.addressSize != 1) {
                s.append('*').append(1 << mem.scale());
            }
        }
        if (displacement != 0) {
            s.append(signed(displacement));
            if (displacement < -SMALLEST_ADDRESS) {
                comment(displacement, false, overridden);
            }
        }
        return s.append(']').toString();
    }

    /** Four or eight indices of 32 bits, or two or four of 64: as many as there are elements, but at least a register. */
    private String vectorIndex() {
        boolean narrow = insn.row.operands.get(1).kind() == OperandSpec.Kind.VSIB32
                && insn.row.operands.get(1).size() == 'q';
        return (insn.vexL == 1 && !narrow ? "ymm" : "xmm") + insn.vectorIndex;
    }

    private static String signed(long value) {
        return (value < 0 ? "-0x" : "+0x") + Long.toHexString(Math.abs(value));
    }

    /** Notes what an address is. Behind FS and GS it is an offset, such as a per-CPU variable's, and not a place. */
    private void comment(long place, boolean evenWithoutName, boolean offset) {
        if (comment != null) {
            return;
        }
        String name = offset && place < 0 ? null : symbols.at(place);
        if (name != null) {
            comment = name;
        } else if (evenWithoutName) {
            comment = hex(place);
        }
    }

    private String immediate(OperandSpec spec) {
        if (spec != firstImmediate()) {
            return hex(insn.imm2 & (spec.size() == 'b' ? 0xffL : 0xffffL));
        }
        String semantics = insn.row.semantics;
        int width;
        if (semantics.startsWith("Stack.pushImm")) {
            width = insn.operandSize;
        } else if (WIDE_IMMEDIATES.contains(semantics.substring(0, semantics.indexOf('.')))) {
            width = width(insn.row.operands.getFirst());
        } else {
            width = spec.size() == 'b' ? 0 : spec.size() == 'w' ? 1 : 2;
        }
        long mask = width == 3 ? -1L : (1L << (8 << width)) - 1;
        long value = insn.imm & mask;
        if (width == 3 && value < -SMALLEST_ADDRESS) {
            comment(value, false, false);
        }
        return hex(value);
    }

    private OperandSpec firstImmediate() {
        for (OperandSpec spec : insn.row.operands) {
            if (spec.kind() == OperandSpec.Kind.IMM) {
                return spec;
            }
        }
        return null;
    }

    private long target() {
        long target = address + insn.length() + insn.imm;
        return insn.mode == 3 ? target : insn.operandSize == 1 ? target & 0xffff : target & 0xffffffffL;
    }

    private String place(long target) {
        String name = symbols.at(target);
        return name == null ? hex(target) : hex(target) + " <" + name + ">";
    }

    private static String hex(long value) {
        return "0x" + Long.toHexString(value);
    }
}
