package org.xenolith.translate;

import java.util.Arrays;

/**
 * An x86-64 encoder for what the translator emits: any instruction with a ModRM byte in general, the common ones by name,
 * and labels with 32-bit distances.
 *
 * <p>Widths {@code w} are log2 of bytes (0 byte .. 3 qword); registers are numbers in encoding order, -1 is an absent base or
 * index. An instance is used again and again: {@link #start} empties it.
 */
public final class Assembler {
    public static final int RAX = 0;
    public static final int RCX = 1;
    public static final int RDX = 2;
    public static final int RBX = 3;
    public static final int RSP = 4;
    public static final int RBP = 5;
    public static final int RSI = 6;
    public static final int RDI = 7;
    public static final int R10 = 10;
    public static final int R11 = 11;
    public static final int R12 = 12;
    public static final int R13 = 13;
    public static final int R14 = 14;
    public static final int R15 = 15;
    public static final int NONE = -1;

    /** Opcode maps, as {@link org.xenolith.cpu.decode.Row} numbers them. */
    public static final int MAP_1 = 0;

    public static final int MAP_0F = 1;
    public static final int MAP_0F38 = 2;
    public static final int MAP_0F3A = 3;

    /** Flags of an encoding: prefixes, and a REX that must be there so that 4..7 mean SPL BPL SIL DIL. */
    public static final int LOCK = 1;

    public static final int REP = 2;
    public static final int REPNE = 4;
    public static final int BYTE = 8;
    /** Byte registers 4..7 mean AH CH DH BH: no REX may be there. */
    public static final int HIGH = 16;
    /** Prefix 66 that is part of the opcode and says nothing about the operand size. */
    public static final int DATA = 32;

    /** Group numbers of the eight classic operations. */
    public static final int ADD = 0;

    public static final int OR = 1;
    public static final int AND = 4;
    public static final int SUB = 5;
    public static final int XOR = 6;
    public static final int CMP = 7;

    /** Shift group numbers. */
    public static final int SHL = 4;

    public static final int SHR = 5;
    public static final int SAR = 7;

    /** Conditions. */
    public static final int BELOW = 2;

    public static final int AE = 3;
    public static final int E = 4;
    public static final int NE = 5;
    public static final int BE = 6;
    /** Above, unsigned. */
    public static final int A = 7;

    public static final int LESS = 12;

    private byte[] code = new byte[4096];
    private int size;
    private long origin;
    private int[] labels = new int[64];
    private int labelCount;
    private int[] fixups = new int[128];
    private int fixupCount;

    /** Empties the assembler; the first byte will be executed at {@code address}. */
    public void start(long address) {
        origin = address;
        size = 0;
        labelCount = 0;
        fixupCount = 0;
    }

    /** Bytes so far. */
    public int size() {
        return size;
    }

    /** Address of the next byte. */
    public long here() {
        return origin + size;
    }

    /** The code, with all labels resolved; {@link #size} bytes of the array count. */
    public byte[] finish() {
        for (int i = 0; i < fixupCount; i += 2) {
            int at = fixups[i];
            int target = labels[fixups[i + 1]];
            if (target < 0) {
                throw new IllegalStateException("label " + fixups[i + 1] + " was never placed");
            }
            put32(at, target - at - 4);
        }
        fixupCount = 0;
        return code;
    }

    // ---------------------------------------------------------------- bytes and labels

    public void byte1(int value) {
        if (size == code.length) {
            code = Arrays.copyOf(code, size * 2);
        }
        code[size++] = (byte) value;
    }

    public void int32(int value) {
        byte1(value);
        byte1(value >> 8);
        byte1(value >> 16);
        byte1(value >> 24);
    }

    public void immediate(int w, long value) {
        byte1((int) value);
        if (w > 0) {
            byte1((int) value >> 8);
        }
        if (w > 1) {
            byte1((int) value >> 16);
            byte1((int) value >> 24);
        }
        if (w > 2) {
            int32((int) (value >> 32));
        }
    }

    private void put32(int at, int value) {
        code[at] = (byte) value;
        code[at + 1] = (byte) (value >> 8);
        code[at + 2] = (byte) (value >> 16);
        code[at + 3] = (byte) (value >> 24);
    }

    /** A new label, not placed yet. */
    public int label() {
        if (labelCount == labels.length) {
            labels = Arrays.copyOf(labels, labelCount * 2);
        }
        labels[labelCount] = -1;
        return labelCount++;
    }

    /** Places a label here. */
    public void bind(int label) {
        labels[label] = size;
    }

    /** Offset of a placed label from the start. */
    public int offset(int label) {
        return labels[label];
    }

    private void distance(int label) {
        if (fixupCount == fixups.length) {
            fixups = Arrays.copyOf(fixups, fixupCount * 2);
        }
        fixups[fixupCount++] = size;
        fixups[fixupCount++] = label;
        int32(0);
    }

    // ---------------------------------------------------------------- general encodings

    private void prefixes(int flags, int w, int map, int opcode, int reg, int index, int rm) {
        if ((flags & LOCK) != 0) {
            byte1(0xF0);
        }
        if ((flags & REP) != 0) {
            byte1(0xF3);
        }
        if ((flags & REPNE) != 0) {
            byte1(0xF2);
        }
        if (w == 1 || (flags & DATA) != 0) {
            byte1(0x66);
        }
        int rex =
                (w == 3 ? 8 : 0) | (reg & 8) >> 1 | (index >= 0 ? (index & 8) >> 2 : 0) | (rm >= 0 ? (rm & 8) >> 3 : 0);
        if (rex != 0 || (flags & BYTE) != 0) {
            if ((flags & HIGH) != 0) {
                throw new IllegalStateException("a high byte register beside a REX prefix");
            }
            byte1(0x40 | rex);
        }
        if (map != MAP_1) {
            byte1(0x0F);
            if (map == MAP_0F38) {
                byte1(0x38);
            } else if (map == MAP_0F3A) {
                byte1(0x3A);
            }
        }
        byte1(opcode);
    }

    /** {@code opcode} with registers in both fields; {@code reg} may be an opcode extension. */
    public void rr(int flags, int w, int map, int opcode, int reg, int rm) {
        prefixes(flags, w, map, opcode, reg, NONE, rm);
        byte1(0xC0 | (reg & 7) << 3 | rm & 7);
    }

    /** {@code opcode} with a memory operand {@code [base + (index << scale) + displacement]}. */
    public void rm(int flags, int w, int map, int opcode, int reg, int base, int index, int scale, int displacement) {
        prefixes(flags, w, map, opcode, reg, index, base);
        memory(reg, base, index, scale, displacement);
    }

    private void memory(int reg, int base, int index, int scale, int displacement) {
        int r = (reg & 7) << 3;
        if (base < 0) {
            byte1(r | 4);
            byte1(scale << 6 | (index >= 0 ? index & 7 : 4) << 3 | 5);
            int32(displacement);
            return;
        }
        int mod = displacement == 0 && (base & 7) != 5 ? 0 : displacement == (byte) displacement ? 0x40 : 0x80;
        if (index >= 0 || (base & 7) == 4) {
            byte1(mod | r | 4);
            byte1(scale << 6 | (index >= 0 ? index & 7 : 4) << 3 | base & 7);
        } else {
            byte1(mod | r | base & 7);
        }
        if (mod == 0x40) {
            byte1(displacement);
        } else if (mod == 0x80) {
            int32(displacement);
        }
    }

    /** The prefix that stands for 66, F3 or F2 in VEX.pp. */
    private void vex(int flags, boolean w, int l, int map, int opcode, int reg, int vvvv, int index, int rm) {
        int pp = (flags & DATA) != 0 ? 1 : (flags & REP) != 0 ? 2 : (flags & REPNE) != 0 ? 3 : 0;
        byte1(0xC4);
        byte1((~reg & 8) << 4 | (index >= 0 ? (~index & 8) << 3 : 0x40) | (rm >= 0 ? (~rm & 8) << 2 : 0x20) | map);
        byte1((w ? 0x80 : 0) | (~vvvv & 15) << 3 | l << 2 | pp);
        byte1(opcode);
    }

    /** A VEX-encoded instruction with registers; {@code flags} of {@link #DATA}, {@link #REP}, {@link #REPNE}, {@code l} is VEX.L. */
    public void vexRr(int flags, boolean w, int l, int map, int opcode, int reg, int vvvv, int rm) {
        vex(flags, w, l, map, opcode, reg, vvvv, NONE, rm);
        byte1(0xC0 | (reg & 7) << 3 | rm & 7);
    }

    /** A VEX-encoded instruction with a memory operand. */
    public void vexRm(
            int flags,
            boolean w,
            int l,
            int map,
            int opcode,
            int reg,
            int vvvv,
            int base,
            int index,
            int scale,
            int displacement) {
        vex(flags, w, l, map, opcode, reg, vvvv, index, base);
        memory(reg, base, index, scale, displacement);
    }

    /** {@code opcode} with its register in the low three bits. */
    public void plus(int w, int map, int opcode, int reg, int flags) {
        prefixes(flags, w, map, opcode + (reg & 7), 0, NONE, reg);
    }

    // ---------------------------------------------------------------- by name

    public void mov(int w, int to, int from) {
        rr(0, w, MAP_1, 0x89, from, to);
    }

    public void load(int w, int reg, int base, int displacement) {
        rm(0, w, MAP_1, 0x8B, reg, base, NONE, 0, displacement);
    }

    public void store(int w, int base, int displacement, int reg) {
        rm(0, w, MAP_1, 0x89, reg, base, NONE, 0, displacement);
    }

    /** {@code mov [base + displacement], imm32}, sign-extended to a qword when {@code w} is 3. */
    public void storeImmediate(int w, int base, int displacement, int value) {
        rm(0, w, MAP_1, 0xC7, 0, base, NONE, 0, displacement);
        immediate(Math.min(w, 2), value);
    }

    /** {@code mov byte [base + displacement], imm8}. */
    public void storeByte(int base, int displacement, int value) {
        rm(0, 0, MAP_1, 0xC6, 0, base, NONE, 0, displacement);
        byte1(value);
    }

    /** Loads a constant in the shortest form. */
    public void constant(int reg, long value) {
        if (value == (value & 0xffffffffL)) {
            plus(2, MAP_1, 0xB8, reg, 0);
            int32((int) value);
        } else if (value == (int) value) {
            rr(0, 3, MAP_1, 0xC7, 0, reg);
            int32((int) value);
        } else {
            plus(3, MAP_1, 0xB8, reg, 0);
            immediate(3, value);
        }
    }

    public void lea(int reg, int base, int index, int scale, int displacement) {
        rm(0, 3, MAP_1, 0x8D, reg, base, index, scale, displacement);
    }

    /** {@code op to, from} of the eight classic groups. */
    public void alu(int op, int w, int to, int from) {
        rr(0, w, MAP_1, op * 8 + 1, from, to);
    }

    /** {@code op reg, imm}. */
    public void aluImmediate(int op, int w, int reg, int value) {
        boolean small = value == (byte) value;
        rr(0, w, MAP_1, small ? 0x83 : 0x81, op, reg);
        immediate(small ? 0 : Math.min(w, 2), value);
    }

    /** {@code op reg, [base + displacement]}. */
    public void aluMemory(int op, int w, int reg, int base, int displacement) {
        rm(0, w, MAP_1, op * 8 + 3, reg, base, NONE, 0, displacement);
    }

    /** {@code op [base + displacement], imm}. */
    public void aluMemoryImmediate(int op, int w, int base, int displacement, int value) {
        boolean small = value == (byte) value;
        rm(0, w, MAP_1, w == 0 ? 0x80 : small ? 0x83 : 0x81, op, base, NONE, 0, displacement);
        immediate(small ? 0 : Math.min(w, 2), value);
    }

    public void shift(int op, int w, int reg, int count) {
        rr(0, w, MAP_1, 0xC1, op, reg);
        byte1(count);
    }

    public void push(int reg) {
        plus(2, MAP_1, 0x50, reg, 0);
    }

    public void pop(int reg) {
        plus(2, MAP_1, 0x58, reg, 0);
    }

    /** {@code pop [base + displacement]}. */
    public void popMemory(int base, int displacement) {
        rm(0, 2, MAP_1, 0x8F, 0, base, NONE, 0, displacement);
    }

    public void vzeroupper() {
        byte1(0xC5);
        byte1(0xF8);
        byte1(0x77);
    }

    public void lahf() {
        byte1(0x9F);
    }

    public void sahf() {
        byte1(0x9E);
    }

    /** {@code seto} and its kin on a low byte register. */
    public void setcc(int cc, int reg) {
        rr(reg >= 4 ? BYTE : 0, 0, MAP_0F, 0x90 + cc, 0, reg);
    }

    public void jcc(int cc, int label) {
        byte1(0x0F);
        byte1(0x80 + cc);
        distance(label);
    }

    public void jmp(int label) {
        byte1(0xE9);
        distance(label);
    }

    /** {@code call} of a label: the translator needs none, tests do. */
    public void call(int label) {
        byte1(0xE8);
        distance(label);
    }

    /** {@code jmp} to an absolute address within 2 GiB. */
    public void jmpTo(long address) {
        byte1(0xE9);
        int32(Math.toIntExact(address - here() - 4));
    }

    /** {@code jcc} to an absolute address within 2 GiB. */
    public void jccTo(int cc, long address) {
        byte1(0x0F);
        byte1(0x80 + cc);
        int32(Math.toIntExact(address - here() - 4));
    }

    /** {@code call} of an absolute address within 2 GiB. */
    public void callTo(long address) {
        byte1(0xE8);
        int32(Math.toIntExact(address - here() - 4));
    }

    /** {@code jmp [base + displacement]}. */
    public void jmpMemory(int base, int displacement) {
        rm(0, 2, MAP_1, 0xFF, 4, base, NONE, 0, displacement);
    }

    public void ret() {
        byte1(0xC3);
    }
}
