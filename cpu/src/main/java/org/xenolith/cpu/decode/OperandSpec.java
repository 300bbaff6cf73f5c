package org.xenolith.cpu.decode;

/**
 * One operand of a table row, in the notation of the manuals' opcode maps: a letter for where it is, a letter for its size.
 *
 * @param kind where the operand is
 * @param size b 1 byte, w 2, d 4, q 8, x 16, t 10, p far pointer; v by operand size, z by operand size but at most 4,
 *     y 4 or 8 by REX.W; l a whole vector, 16 or 32 bytes by VEX.L, h a half, f a fourth, g an eighth of it; other letters
 *     mean a memory image that only its semantics knows
 * @param access whether it is read, written, or both
 * @param fixed for {@link Kind#FIXED}: the register's encoding, or -1
 * @param text as the row writes it
 */
public record OperandSpec(Kind kind, char size, Access access, int fixed, String text) {
    /** Where an operand is. */
    public enum Kind {
        /** General register or memory by ModRM.rm. */
        RM,
        /** General register by ModRM.reg. */
        REG,
        /** General register by ModRM.rm; memory forms do not exist. */
        RM_REG,
        /** Memory by ModRM.rm; register forms do not exist. */
        MEM,
        /** General register by VEX.vvvv. */
        VVVV,
        /** XMM or YMM register by VEX.vvvv, and by the upper half of an immediate byte. */
        XMM_VVVV,
        XMM_IS4,
        /** Elements in memory at a base plus an index each: a vector of 32-bit and of 64-bit indices. */
        VSIB32,
        VSIB64,
        /** General register in the low bits of the opcode. */
        OPCODE_REG,
        /** Immediate. */
        IMM,
        /** Branch displacement. */
        REL,
        /** Memory at an address in the instruction (moffs). */
        OFFSET,
        /** Far pointer immediate. */
        FAR,
        /** Segment, control and debug registers by ModRM.reg. */
        SEGMENT,
        CONTROL,
        DEBUG,
        /** MMX register by reg, MMX or memory by rm, MMX by rm. */
        MMX,
        MMX_RM,
        MMX_RM_REG,
        /** XMM register by reg, XMM or memory by rm, XMM by rm; YMM where {@link #isYmm} says so. */
        XMM,
        XMM_RM,
        XMM_RM_REG,
        /** x87 register by rm. */
        ST,
        /** String operands at DS:rSI and ES:rDI. */
        STRING_SOURCE,
        STRING_DESTINATION,
        /** A register named by the row, or the constant 1. */
        FIXED,
        CONSTANT
    }

    /** What happens to an operand. */
    public enum Access {
        READ,
        WRITE,
        UPDATE
    }

    static OperandSpec parse(String text) {
        String t = text;
        Access access = Access.READ;
        if (t.startsWith("=")) {
            access = Access.WRITE;
            t = t.substring(1);
        } else if (t.startsWith("+")) {
            access = Access.UPDATE;
            t = t.substring(1);
        }
        switch (t) {
            case "1":
                return new OperandSpec(Kind.CONSTANT, 'b', access, 1, t);
            case "AL":
                return new OperandSpec(Kind.FIXED, 'b', access, 0, t);
            case "CL":
                return new OperandSpec(Kind.FIXED, 'b', access, 1, t);
            case "AX":
                return new OperandSpec(Kind.FIXED, 'w', access, 0, t);
            case "DX":
                return new OperandSpec(Kind.FIXED, 'w', access, 2, t);
            case "EAX":
                return new OperandSpec(Kind.FIXED, 'd', access, 0, t);
            case "rAX":
                return new OperandSpec(Kind.FIXED, 'v', access, 0, t);
            case "zAX":
                return new OperandSpec(Kind.FIXED, 'z', access, 0, t);
            default:
                break;
        }
        Kind kind = switch (t.charAt(0)) {
            case 'E' -> Kind.RM;
            case 'G' -> Kind.REG;
            case 'R' -> Kind.RM_REG;
            case 'M' -> Kind.MEM;
            case 'B' -> Kind.VVVV;
            case 'H' -> Kind.XMM_VVVV;
            case 'L' -> Kind.XMM_IS4;
            case 'K' -> Kind.VSIB32;
            case 'F' -> Kind.VSIB64;
            case 'Z' -> Kind.OPCODE_REG;
            case 'I' -> Kind.IMM;
            case 'J' -> Kind.REL;
            case 'O' -> Kind.OFFSET;
            case 'A' -> Kind.FAR;
            case 'S' -> Kind.SEGMENT;
            case 'C' -> Kind.CONTROL;
            case 'D' -> Kind.DEBUG;
            case 'P' -> Kind.MMX;
            case 'Q' -> Kind.MMX_RM;
            case 'N' -> Kind.MMX_RM_REG;
            case 'V' -> Kind.XMM;
            case 'W' -> Kind.XMM_RM;
            case 'U' -> Kind.XMM_RM_REG;
            case 'T' -> Kind.ST;
            case 'X' -> Kind.STRING_SOURCE;
            case 'Y' -> Kind.STRING_DESTINATION;
            default -> throw new IllegalArgumentException("operand " + text);
        };
        return new OperandSpec(kind, t.length() > 1 ? t.charAt(1) : ' ', access, -1, t);
    }

    /** Width (log2 of bytes) for an effective operand size; only for sizes b w d q v z y. */
    public int width(int operandSize) {
        return switch (size) {
            case 'b' -> 0;
            case 'w' -> 1;
            case 'd' -> 2;
            case 'q' -> 3;
            case 'v' -> operandSize;
            case 'z' -> operandSize == 1 ? 1 : 2;
            case 'y' -> operandSize == 3 ? 3 : 2;
            default -> throw new IllegalArgumentException("operand " + text + " has no general width");
        };
    }

    /** Bytes of a memory or vector operand of sizes b w d q x t. */
    public int bytes() {
        return switch (size) {
            case 'b' -> 1;
            case 'w' -> 2;
            case 'd' -> 4;
            case 'q' -> 8;
            case 't' -> 10;
            case 'x' -> 16;
            default -> throw new IllegalArgumentException("operand " + text + " has no fixed size");
        };
    }

    /** Bytes of a memory or vector operand of any size but v and z, in an instruction with this VEX.L. */
    public int bytes(int vexL) {
        int vector = 16 << vexL;
        return switch (size) {
            case 'l' -> vector;
            case 'h' -> vector / 2;
            case 'f' -> vector / 4;
            case 'g' -> vector / 8;
            default -> bytes();
        };
    }

    /** True for an XMM, YMM or mixed operand that is a 256-bit register where it is a register. */
    public boolean isYmm(int vexL) {
        return size == 'l' && vexL == 1;
    }

    /** True when the operand is, or may be, an XMM or YMM register. */
    public boolean isVector() {
        return switch (kind) {
            case XMM, XMM_RM, XMM_RM_REG, XMM_VVVV, XMM_IS4 -> true;
            default -> false;
        };
    }

    /** True when the operand is, or may be, a general register that the encoding names. */
    public boolean isGeneral() {
        return switch (kind) {
            case RM, REG, RM_REG, VVVV, OPCODE_REG -> true;
            default -> false;
        };
    }

    boolean reads() {
        return access != Access.WRITE;
    }
}
