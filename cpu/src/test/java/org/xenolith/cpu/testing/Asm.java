package org.xenolith.cpu.testing;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A small assembler for tests: the common instructions, labels, 16-, 32- and 64-bit code.
 *
 * <p>Widths {@code w} are log2 of bytes (0 byte .. 3 qword), registers are numbers in encoding order. Memory operands
 * always use 32- or 64-bit addressing; in 16-bit code they get a 67 prefix.
 */
public final class Asm {
    public static final int RAX = 0;
    public static final int RCX = 1;
    public static final int RDX = 2;
    public static final int RBX = 3;
    public static final int RSP = 4;
    public static final int RBP = 5;
    public static final int RSI = 6;
    public static final int RDI = 7;
    public static final int R8 = 8;
    public static final int R9 = 9;
    public static final int R10 = 10;
    public static final int R11 = 11;
    public static final int R12 = 12;
    public static final int R13 = 13;
    public static final int R14 = 14;
    public static final int R15 = 15;

    public static final int ES = 0;
    public static final int CS = 1;
    public static final int SS = 2;
    public static final int DS = 3;
    public static final int FS = 4;
    public static final int GS = 5;

    /** Arithmetic group numbers for {@link #alu}. */
    public static final int ADD = 0;

    public static final int OR = 1;
    public static final int ADC = 2;
    public static final int SBB = 3;
    public static final int AND = 4;
    public static final int SUB = 5;
    public static final int XOR = 6;
    public static final int CMP = 7;

    /** Condition codes for {@link #jcc}. */
    public static final int O = 0;

    public static final int B = 2;
    public static final int AE = 3;
    public static final int E = 4;
    public static final int NE = 5;
    public static final int BE = 6;
    public static final int A = 7;
    public static final int S = 8;
    public static final int L = 12;

    /** A memory operand. */
    public record Mem(int segment, int base, int index, int scale, int displacement) {
        /** The same operand with a segment override. */
        public Mem in(int newSegment) {
            return new Mem(newSegment, base, index, scale, displacement);
        }
    }

    private record Fixup(int at, int bytes, boolean relative, String label) {}

    private final int bits;
    private final long origin;
    private byte[] code = new byte[256];
    private int size;
    private final Map<String, Long> labels = new HashMap<>();
    private final List<Fixup> fixups = new ArrayList<>();

    /**
     * Starts a piece of code.
     *
     * @param bits 16, 32 or 64
     * @param origin address (offset in the code segment) of its first byte
     */
    public Asm(int bits, long origin) {
        this.bits = bits;
        this.origin = origin;
    }

    /** {@code [base + displacement]}. */
    public static Mem mem(int base, int displacement) {
        return new Mem(-1, base, -1, 0, displacement);
    }

    /** {@code [base + index << scale + displacement]}. */
    public static Mem mem(int base, int index, int scale, int displacement) {
        return new Mem(-1, base, index, scale, displacement);
    }

    /** An absolute address of at most 31 bits (32 outside 64-bit code). */
    public static Mem abs(long address) {
        return new Mem(-1, -1, -1, 0, (int) address);
    }

    /** Address of the next byte. */
    public long here() {
        return origin + size;
    }

    /** Address of a label that was defined. */
    public long address(String label) {
        Long at = labels.get(label);
        if (at == null) {
            throw new IllegalStateException("no label " + label);
        }
        return at;
    }

    /** The finished code. */
    public byte[] bytes() {
        for (Fixup fixup : fixups) {
            long value = address(fixup.label);
            if (fixup.relative) {
                value -= origin + fixup.at + fixup.bytes;
                long top = value >> fixup.bytes * 8 - 1;
                if (fixup.bytes < 4 && top != 0 && top != -1) {
                    throw new IllegalStateException("label " + fixup.label + " is out of reach");
                }
            }
            for (int i = 0; i < fixup.bytes; i++) {
                code[fixup.at + i] = (byte) (value >>> i * 8);
            }
        }
        return Arrays.copyOf(code, size);
    }

    // ---------------------------------------------------------------- data and labels

    public Asm db(int... values) {
        for (int value : values) {
            if (size == code.length) {
                code = Arrays.copyOf(code, size * 2);
            }
            code[size++] = (byte) value;
        }
        return this;
    }

    public Asm raw(byte[] values) {
        for (byte value : values) {
            db(value);
        }
        return this;
    }

    public Asm dw(int value) {
        return db(value, value >>> 8);
    }

    public Asm dd(long value) {
        return dw((int) value).dw((int) (value >>> 16));
    }

    public Asm dq(long value) {
        return dd(value).dd(value >>> 32);
    }

    public Asm label(String name) {
        if (labels.put(name, here()) != null) {
            throw new IllegalStateException("label " + name + " twice");
        }
        return this;
    }

    /** The address of a label, as data. */
    public Asm addressOf(String label, int bytes) {
        return fixup(label, bytes, false);
    }

    /** Fills with {@code value} up to an address. */
    public Asm padTo(long address, int value) {
        while (here() < address) {
            db(value);
        }
        if (here() != address) {
            throw new IllegalStateException("code is beyond 0x" + Long.toHexString(address));
        }
        return this;
    }

    private Asm fixup(String label, int bytes, boolean relative) {
        fixups.add(new Fixup(size, bytes, relative, label));
        for (int i = 0; i < bytes; i++) {
            db(0);
        }
        return this;
    }

    private Asm immediate(int w, long value) {
        switch (w) {
            case 0 -> db((int) value);
            case 1 -> dw((int) value);
            case 2 -> dd(value);
            default -> dq(value);
        }
        return this;
    }

    // ---------------------------------------------------------------- encoding

    private void prefixes(int w, int reg, int index, int rm, boolean byteRegisters) {
        if (w == 1 && bits != 16 || w == 2 && bits == 16) {
            db(0x66);
        }
        int rex =
                (w == 3 ? 8 : 0) | (reg & 8) >> 1 | (index >= 0 ? (index & 8) >> 2 : 0) | (rm >= 0 ? (rm & 8) >> 3 : 0);
        if (bits == 64 && (rex != 0 || byteRegisters)) {
            db(0x40 | rex);
        } else if (rex != 0) {
            throw new IllegalStateException("64-bit operand in " + bits + "-bit code");
        }
    }

    /** Register-to-register form: {@code opcode} may be several bytes, each as one int. */
    public Asm rr(int w, int reg, int rm, int... opcode) {
        prefixes(w, reg, -1, rm, w == 0 && (reg >= 4 || rm >= 4));
        return db(opcode).db(0xC0 | (reg & 7) << 3 | rm & 7);
    }

    /** Memory form of any instruction with a ModRM byte. */
    public Asm rm(int w, int reg, Mem m, int... opcode) {
        if (m.segment >= 0) {
            db(m.segment < FS ? 0x26 | m.segment << 3 : 0x60 + m.segment);
        }
        if (bits == 16) {
            db(0x67);
        }
        prefixes(w, reg, m.index, m.base, w == 0 && reg >= 4);
        db(opcode);
        int r = (reg & 7) << 3;
        if (m.base < 0) {
            if (m.index >= 0 || bits == 64) {
                db(r | 4, m.scale << 6 | (m.index >= 0 ? m.index & 7 : 4) << 3 | 5);
            } else {
                db(r | 5);
            }
            return dd(m.displacement);
        }
        boolean small = m.displacement == (byte) m.displacement;
        int mod = m.displacement == 0 && (m.base & 7) != 5 ? 0 : small ? 0x40 : 0x80;
        if (m.index >= 0 || (m.base & 7) == 4) {
            db(mod | r | 4, m.scale << 6 | (m.index >= 0 ? m.index & 7 : 4) << 3 | m.base & 7);
        } else {
            db(mod | r | m.base & 7);
        }
        return mod == 0 ? this : mod == 0x40 ? db(m.displacement) : dd(m.displacement);
    }

    // ---------------------------------------------------------------- moves and arithmetic

    /** {@code mov reg, imm}. */
    public Asm mov(int w, int reg, long value) {
        prefixes(w, 0, -1, reg, w == 0 && reg >= 4);
        return db((w == 0 ? 0xB0 : 0xB8) + (reg & 7)).immediate(w, value);
    }

    /** {@code mov reg, imm} with the mode's natural width (32 bits in 64-bit code, zero-extended). */
    public Asm mov(int reg, long value) {
        return mov(bits == 16 ? 1 : value == (value & 0xffffffffL) || bits == 32 ? 2 : 3, reg, value);
    }

    /** {@code mov reg, label}. */
    public Asm movLabel(int reg, String label) {
        int w = bits == 16 ? 1 : 2;
        prefixes(w, 0, -1, reg, false);
        return db(0xB8 + (reg & 7)).fixup(label, 1 << w, false);
    }

    public Asm movRR(int w, int to, int from) {
        return rr(w, from, to, w == 0 ? 0x88 : 0x89);
    }

    public Asm load(int w, int reg, Mem m) {
        return rm(w, reg, m, w == 0 ? 0x8A : 0x8B);
    }

    public Asm store(int w, Mem m, int reg) {
        return rm(w, reg, m, w == 0 ? 0x88 : 0x89);
    }

    /** {@code mov mem, imm}; 64-bit stores sign-extend 32 bits. */
    public Asm storeImm(int w, Mem m, long value) {
        return rm(w, 0, m, w == 0 ? 0xC6 : 0xC7).immediate(Math.min(w, 2), value);
    }

    public Asm lea(int w, int reg, Mem m) {
        return rm(w, reg, m, 0x8D);
    }

    /** {@code op reg, imm} of the eight arithmetic groups. */
    public Asm alu(int op, int w, int reg, long value) {
        return rr(w, op, reg, w == 0 ? 0x80 : 0x81).immediate(Math.min(w, 2), value);
    }

    public Asm aluRR(int op, int w, int to, int from) {
        return rr(w, from, to, op * 8 + (w == 0 ? 0 : 1));
    }

    /** {@code op mem, reg}. */
    public Asm aluMR(int op, int w, Mem m, int reg) {
        return rm(w, reg, m, op * 8 + (w == 0 ? 0 : 1));
    }

    public Asm inc(int w, int reg) {
        return rr(w, 0, reg, w == 0 ? 0xFE : 0xFF);
    }

    public Asm dec(int w, int reg) {
        return rr(w, 1, reg, w == 0 ? 0xFE : 0xFF);
    }

    /** {@code inc mem}. */
    public Asm incM(int w, Mem m) {
        return rm(w, 0, m, w == 0 ? 0xFE : 0xFF);
    }

    // ---------------------------------------------------------------- stack and flow

    public Asm push(int reg) {
        prefixes(natural(), 0, -1, reg, false);
        return db(0x50 + (reg & 7));
    }

    public Asm pop(int reg) {
        prefixes(natural(), 0, -1, reg, false);
        return db(0x58 + (reg & 7));
    }

    /** Width that needs neither 66 nor REX.W with push, pop and the like. */
    private int natural() {
        return bits == 16 ? 1 : 2;
    }

    /** {@code push imm32} (imm16 in 16-bit code). */
    public Asm pushImm(long value) {
        return db(0x68).immediate(natural(), value);
    }

    public Asm pushf() {
        return db(0x9C);
    }

    public Asm popf() {
        return db(0x9D);
    }

    public Asm jmp(String label) {
        return db(0xE9).fixup(label, bits == 16 ? 2 : 4, true);
    }

    public Asm call(String label) {
        return db(0xE8).fixup(label, bits == 16 ? 2 : 4, true);
    }

    public Asm jcc(int cc, String label) {
        return db(0x0F, 0x80 + cc).fixup(label, bits == 16 ? 2 : 4, true);
    }

    public Asm loop(String label) {
        return db(0xE2).fixup(label, 1, true);
    }

    public Asm ret() {
        return db(0xC3);
    }

    /** {@code jmp selector:label} with an offset of the mode's width. */
    public Asm jmpFar(int selector, String label) {
        return db(0xEA).fixup(label, bits == 16 ? 2 : 4, false).dw(selector);
    }

    /** {@code jmp selector:offset32}, also from 16-bit code. */
    public Asm jmpFar32(int selector, long offset) {
        return bits == 16
                ? db(0x66, 0xEA).dd(offset).dw(selector)
                : db(0xEA).dd(offset).dw(selector);
    }

    public Asm callFar(int selector, long offset) {
        return db(0x9A).immediate(natural(), offset).dw(selector);
    }

    /** IRET of the mode's width: IRET, IRETD or IRETQ. */
    public Asm iret() {
        return bits == 64 ? db(0x48, 0xCF) : db(0xCF);
    }

    public Asm int_(int vector) {
        return vector == 3 ? db(0xCC) : db(0xCD, vector);
    }

    // ---------------------------------------------------------------- system

    public Asm nop() {
        return db(0x90);
    }

    public Asm hlt() {
        return db(0xF4);
    }

    public Asm cli() {
        return db(0xFA);
    }

    public Asm sti() {
        return db(0xFB);
    }

    public Asm ud2() {
        return db(0x0F, 0x0B);
    }

    public Asm cpuid() {
        return db(0x0F, 0xA2);
    }

    public Asm rdmsr() {
        return db(0x0F, 0x32);
    }

    public Asm wrmsr() {
        return db(0x0F, 0x30);
    }

    /** Writes an MSR by way of eax, ecx and edx. */
    public Asm writeMsr(int msr, long value) {
        return mov(2, RCX, msr)
                .mov(2, RAX, value & 0xffffffffL)
                .mov(2, RDX, value >>> 32)
                .wrmsr();
    }

    public Asm lgdt(Mem m) {
        return rm(natural(), 2, m, 0x0F, 0x01);
    }

    public Asm lidt(Mem m) {
        return rm(natural(), 3, m, 0x0F, 0x01);
    }

    public Asm invlpg(Mem m) {
        return rm(natural(), 7, m, 0x0F, 0x01);
    }

    /** {@code lldt reg16}. */
    public Asm lldt(int reg) {
        return rr(natural(), 2, reg, 0x0F, 0x00);
    }

    /** {@code ltr reg16}. */
    public Asm ltr(int reg) {
        return rr(natural(), 3, reg, 0x0F, 0x00);
    }

    public Asm readCr(int reg, int cr) {
        return rr(natural(), cr, reg, 0x0F, 0x20);
    }

    public Asm writeCr(int cr, int reg) {
        return rr(natural(), cr, reg, 0x0F, 0x22);
    }

    public Asm readDr(int reg, int dr) {
        return rr(natural(), dr, reg, 0x0F, 0x21);
    }

    public Asm writeDr(int dr, int reg) {
        return rr(natural(), dr, reg, 0x0F, 0x23);
    }

    public Asm loadSeg(int segment, int reg) {
        return rr(natural(), segment, reg, 0x8E);
    }

    public Asm readSeg(int reg, int segment) {
        return rr(natural(), segment, reg, 0x8C);
    }

    /** {@code out imm8, al}. */
    public Asm out(int port) {
        return db(0xE6, port);
    }

    /** {@code in al, imm8}. */
    public Asm in(int port) {
        return db(0xE4, port);
    }

    public Asm syscall() {
        return db(0x0F, 0x05);
    }

    /** SYSRET to 64-bit code. */
    public Asm sysretq() {
        return db(0x48, 0x0F, 0x07);
    }

    public Asm sysenter() {
        return db(0x0F, 0x34);
    }

    public Asm sysexit() {
        return db(0x0F, 0x35);
    }

    public Asm swapgs() {
        return db(0x0F, 0x01, 0xF8);
    }
}
