package org.xenolith.cpu.decode;

import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;

/**
 * One decoded instruction: the row of the table it matched and the fields of its encoding. Immutable, and independent of
 * the virtual address it was decoded at: positions are counted from the start of its block. A guest that has run for a while
 * has hundreds of thousands of these, so the fields are as narrow as they can be.
 */
public final class Insn {
    /** The row of the instruction table. */
    public final Row row;
    /** Offset of the first byte from the start of the block, and of the byte behind the instruction. */
    public final short offset;

    public final short next;
    /** Mode of the code segment, effective operand size and effective address size, each 1 = 16, 2 = 32, 3 = 64 bits. */
    public final byte mode;

    public final byte operandSize;
    public final byte addressSize;
    /** Prefixes: F3, F2, F0. A mandatory F3 or F2 shows here too. */
    public final boolean rep;

    public final boolean repne;
    public final boolean lock;
    /** REX byte (0x40..0x4F) or 0. For VEX instructions its W, R, X and B bits hold the VEX ones. */
    public final short rex;
    /** Segment override, or -1. */
    public final byte segment;
    /** Last opcode byte. */
    public final short opcode;
    /** ModRM fields, REX-extended; {@code mod} is -1 without a ModRM byte. */
    public final byte mod;

    public final byte reg;
    public final byte rm;
    /** VEX.vvvv (not inverted), or 0. */
    public final byte vvvv;
    /** VEX.L, or 0; and VEX.pp as the legacy prefix that it stands for (0x66, 0xF3, 0xF2), or 0. */
    public final byte vexL;

    public final short vexPrefix;
    /** Register with the indices of a {@link Row#vsib} memory operand; {@link Mem#index} is absent then. */
    public final byte vectorIndex;
    /** The memory operand of ModRM, moffs or a string instruction; null when there is none. */
    public final Mem mem;
    /** First immediate (sign-extended as its operand kind says), branch displacement, or far offset. */
    public final long imm;
    /** Second immediate: ENTER's level, a far pointer's selector. */
    public final int imm2;

    Insn(Decoder d, Row row) {
        this.row = row;
        offset = (short) d.offset;
        next = (short) d.position;
        mode = (byte) d.mode;
        operandSize = (byte) d.operandSize;
        addressSize = (byte) d.addressSize;
        rep = d.rep;
        repne = d.repne;
        lock = d.lock;
        rex = (short) d.rex;
        segment = (byte) d.segment;
        opcode = (short) d.opcode;
        mod = (byte) d.mod;
        reg = (byte) d.reg;
        rm = (byte) d.rm;
        vvvv = (byte) d.vvvv;
        vexL = (byte) d.vexL;
        vexPrefix = (short) d.vexPrefix;
        vectorIndex = (byte) d.vectorIndex;
        mem = d.mem;
        imm = d.imm;
        imm2 = d.imm2;
    }

    /** Length in bytes. */
    public int length() {
        return next - offset;
    }

    /** True when decoded in 64-bit mode. */
    public boolean is64() {
        return mode == 3;
    }

    /** The register that the upper half of an immediate byte names ({@link OperandSpec.Kind#XMM_IS4}). */
    public int is4() {
        return (int) imm >> 4 & (mode == 3 ? 15 : 7);
    }

    /** State-block offset of a byte register: AH..BH without REX. */
    public int byteRegister(int n) {
        return rex == 0 && n >= 4 && n < 8 ? VcpuState.GPR + (n - 4) * 8 + 1 : VcpuState.GPR + n * 8;
    }

    /** State-block offset of general register {@code n} read at width {@code w}. */
    public int register(int w, int n) {
        return w == 0 ? byteRegister(n) : VcpuState.GPR + n * 8;
    }

    /** Reads the r/m operand at width {@code w}, zero-extended. */
    public long readRm(Cpu c, int w) {
        return mem == null ? c.get(w, register(w, rm)) : c.load(w, mem.linear(c, 1 << w, false));
    }

    /** Writes the r/m operand at width {@code w}; a 32-bit register write clears the upper half. */
    public void writeRm(Cpu c, int w, long value) {
        if (mem == null) {
            c.put(w, register(w, rm), value);
        } else {
            c.store(w, mem.linear(c, 1 << w, true), value);
        }
    }

    /** Address of rip behind this instruction, given that rip holds the start of the running block. */
    public long nextRip(Cpu c) {
        return c.wrapRip(c.rip() + next, mode);
    }

    /** Address of this instruction. */
    public long thisRip(Cpu c) {
        return c.wrapRip(c.rip() + offset, mode);
    }
}
