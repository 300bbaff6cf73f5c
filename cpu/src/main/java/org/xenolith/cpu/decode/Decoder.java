package org.xenolith.cpu.decode;

import org.xenolith.cpu.VcpuState;

/**
 * Turns bytes into an {@link Insn}, led by the instruction table. One instance a processor; not thread-safe.
 *
 * <p>Order of checks as hardware has it: the bytes are fetched (faults of fetching come first, and a length over 15 bytes is
 * {@link Result#TOO_LONG}), then an unknown encoding is {@link Result#UNDEFINED}.
 */
public final class Decoder {
    private static final int MAX_LENGTH = 15;

    /** What decoding came to when there is no instruction. */
    public enum Result {
        DECODED,
        UNDEFINED,
        TOO_LONG
    }

    private static final class TooLong extends RuntimeException {
        private static final long serialVersionUID = 1L;

        TooLong() {
            super(null, null, false, false);
        }
    }

    private static final TooLong TOO_LONG = new TooLong();

    private final InsnTable table = InsnTable.get();

    CodeBytes bytes;
    int offset;
    int position;
    int mode;
    int operandSize;
    int addressSize;
    boolean operandPrefix;
    boolean addressPrefix;
    boolean rep;
    boolean repne;
    boolean lock;
    int rex;
    int segment;
    int opcode;
    int mod;
    int reg;
    int rm;
    int vvvv;
    boolean vex;
    int vexL;
    int vexPrefix;
    int vectorIndex;
    int map;
    Mem mem;
    long imm;
    int imm2;
    private int modrm;
    private int vexW;

    private Result result = Result.DECODED;

    /** Why the last {@link #decode} gave null. */
    public Result result() {
        return result;
    }

    /**
     * Decodes one instruction.
     *
     * @param bytes the code
     * @param offset where the instruction starts, counted from the start of the block
     * @param mode 1, 2 or 3 for 16-, 32- and 64-bit code
     * @return null when there is no such instruction; {@link #result} says why
     */
    public Insn decode(CodeBytes bytes, int offset, int mode) {
        this.bytes = bytes;
        this.offset = offset;
        this.mode = mode;
        position = offset;
        try {
            Row row = decode();
            result = row == null ? Result.UNDEFINED : Result.DECODED;
            return row == null ? null : new Insn(this, row);
        } catch (TooLong e) {
            result = Result.TOO_LONG;
            return null;
        }
    }

    private int next() {
        if (position - offset >= MAX_LENGTH) {
            throw TOO_LONG;
        }
        return bytes.at(position++);
    }

    private Row decode() {
        operandPrefix = false;
        addressPrefix = false;
        rep = false;
        repne = false;
        lock = false;
        rex = 0;
        segment = -1;
        mod = -1;
        reg = 0;
        rm = 0;
        vvvv = 0;
        vex = false;
        vexL = 0;
        vexPrefix = 0;
        vexW = 0;
        vectorIndex = 0;
        mem = null;
        imm = 0;
        imm2 = 0;
        map = Row.MAP_1;
        int b = next();
        while (true) {
            switch (b) {
                case 0x66 -> operandPrefix = true;
                case 0x67 -> addressPrefix = true;
                case 0xF3 -> {
                    rep = true;
                    repne = false;
                }
                case 0xF2 -> {
                    repne = true;
                    rep = false;
                }
                case 0xF0 -> lock = true;
                case 0x26, 0x2E, 0x36, 0x3E -> {
                    if (mode != 3) {
                        segment = b >> 3 & 3;
                    }
                }
                case 0x64, 0x65 -> segment = b - 0x64 + VcpuState.FS;
                default -> {
                    if (mode == 3 && (b & 0xF0) == 0x40) {
                        rex = b;
                        b = next();
                        // A REX that is not the last prefix is ignored.
                        if (isPrefix(b)) {
                            rex = 0;
                            continue;
                        }
                    }
                    return afterPrefixes(b);
                }
            }
            b = next();
        }
    }

    private boolean isPrefix(int b) {
        return switch (b) {
            case 0x66, 0x67, 0xF0, 0xF2, 0xF3, 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65 -> true;
            default -> (b & 0xF0) == 0x40;
        };
    }

    private Row afterPrefixes(int b) {
        if (b == 0x0F) {
            b = next();
            map = Row.MAP_0F;
            if (b == 0x38 || b == 0x3A) {
                map = b == 0x38 ? Row.MAP_0F38 : Row.MAP_0F3A;
                b = next();
            }
        } else if ((b == 0xC4 || b == 0xC5) && (mode == 3 || (bytes.at(position) & 0xC0) == 0xC0)) {
            if (!vexPrefix(b)) {
                return null;
            }
            b = next();
        }
        opcode = b;
        Row[] candidates = table.candidates(vex, map, b);
        if (candidates == null) {
            return null;
        }
        boolean haveModRm = false;
        for (Row row : candidates) {
            if (row.hasModRm()) {
                haveModRm = true;
                break;
            }
        }
        if (haveModRm) {
            modrm = next();
            mod = modrm >> 6;
            reg = modrm >> 3 & 7;
            rm = modrm & 7;
        }
        Row row = choose(candidates);
        if (row == null) {
            if (haveModRm && mod != 3) {
                sizes(null);
                memory(false);
            }
            return null;
        }
        sizes(row);
        if (haveModRm) {
            reg |= (rex & 4) << 1;
            boolean fixed = row.has("creg");
            if (mod == 3 || fixed) {
                rm |= (rex & 1) << 3;
            } else if (row.vsib && (rm != 4 || addressSize == 1)) {
                return null;
            } else {
                memory(row.vsib);
            }
        } else if (row.plusR) {
            rm = b & 7 | (rex & 1) << 3;
        }
        if (!immediates(row)) {
            return null;
        }
        if (lock && !(row.lockable && mem != null)) {
            return null;
        }
        return row;
    }

    private boolean vexPrefix(int first) {
        boolean illegal = operandPrefix || rep || repne || lock || rex != 0;
        vex = true;
        int b1 = next();
        int last = b1;
        int w = 0;
        int rxb = ~b1 >> 5 & 4;
        if (first == 0xC4) {
            map = b1 & 31;
            rxb = ~b1 >> 5 & 7;
            last = next();
            w = last >> 7;
        } else {
            map = Row.MAP_0F;
        }
        vvvv = ~last >> 3 & 15;
        vexL = last >> 2 & 1;
        vexPrefix = switch (last & 3) {
            case 0 -> Row.NONE;
            case 1 -> 0x66;
            case 2 -> 0xF3;
            default -> 0xF2;
        };
        vexW = w;
        if (mode != 3) {
            vvvv &= 7;
            rxb = 0;
            w = 0;
        }
        rex = 0x40 | w << 3 | rxb;
        return !illegal && map >= 1 && map <= 3;
    }

    private Row choose(Row[] candidates) {
        int prefix = vex ? vexPrefix : rep ? 0xF3 : repne ? 0xF2 : operandPrefix ? 0x66 : Row.NONE;
        for (Row row : candidates) {
            if (row.prefix != Row.ANY && row.prefix != prefix) {
                continue;
            }
            if (row.modrm >= 0 && row.modrm != modrm) {
                continue;
            }
            if (row.digit >= 0 && row.digit != reg) {
                continue;
            }
            if (row.mod == 3 && mod != 3 && !row.has("creg") || row.mod == 0 && mod == 3) {
                continue;
            }
            if (row.rexW >= 0 && row.rexW != (vex && !row.generalOperand ? vexW : rex >> 3 & 1)) {
                continue;
            }
            if (row.vex && (row.vexL >= 0 && row.vexL != vexL || vvvv != 0 && !row.vvvvOperand)) {
                continue;
            }
            if (mode == 3 ? row.not64 : row.only64) {
                continue;
            }
            return row;
        }
        return null;
    }

    private void sizes(Row row) {
        if (mode == 3) {
            boolean w = (rex & 8) != 0;
            addressSize = addressPrefix ? 2 : 3;
            if (row != null && row.force64) {
                operandSize = 3;
            } else if (w) {
                operandSize = 3;
            } else if (operandPrefix && !vex) {
                operandSize = 1;
            } else {
                operandSize = row != null && row.default64 ? 3 : 2;
            }
        } else {
            addressSize = addressPrefix ? 3 - mode : mode;
            operandSize = operandPrefix ? 3 - mode : mode;
        }
    }

    private void memory(boolean vsib) {
        if (addressSize == 1) {
            memory16();
            return;
        }
        int base = VcpuState.ZERO;
        int index = VcpuState.ZERO;
        int scale = 0;
        int baseNumber = -1;
        boolean noBase = false;
        if (rm == 4) {
            int sib = next();
            scale = sib >> 6;
            int indexNumber = sib >> 3 & 7 | (rex & 2) << 2;
            if (vsib) {
                vectorIndex = indexNumber;
            } else if (indexNumber != 4) {
                index = VcpuState.GPR + indexNumber * 8;
            }
            baseNumber = sib & 7;
            noBase = baseNumber == 5 && mod == 0;
            baseNumber |= (rex & 1) << 3;
        } else if (rm == 5 && mod == 0) {
            noBase = true;
        } else {
            baseNumber = rm | (rex & 1) << 3;
        }
        long displacement = 0;
        boolean ripRelative = false;
        if (noBase) {
            displacement = next32();
            ripRelative = mode == 3 && rm == 5;
        } else {
            base = VcpuState.GPR + baseNumber * 8;
            if (mod == 1) {
                displacement = (byte) next();
            } else if (mod == 2) {
                displacement = next32();
            }
        }
        int seg = segment;
        if (seg < 0 || mode == 3 && seg < VcpuState.FS) {
            seg = !noBase && (baseNumber == 4 || baseNumber == 5) ? VcpuState.SS : VcpuState.DS;
        }
        if (ripRelative) {
            ripDisplacement = displacement;
            ripSegment = seg;
            mem = RIP_PENDING;
            return;
        }
        mem = new Mem(seg, base, index, scale, displacement, addressSize, mode == 3);
    }

    /** A rip-relative operand counts from the end of the instruction, which is known only behind the immediates. */
    private static final Mem RIP_PENDING = new Mem(VcpuState.DS, VcpuState.ZERO, VcpuState.ZERO, 0, 0, 3, true);

    private long ripDisplacement;
    private int ripSegment;

    private void memory16() {
        int base = VcpuState.ZERO;
        int index = VcpuState.ZERO;
        int seg = VcpuState.DS;
        switch (rm) {
            case 0 -> {
                base = VcpuState.RBX;
                index = VcpuState.RSI;
            }
            case 1 -> {
                base = VcpuState.RBX;
                index = VcpuState.RDI;
            }
            case 2 -> {
                base = VcpuState.RBP;
                index = VcpuState.RSI;
                seg = VcpuState.SS;
            }
            case 3 -> {
                base = VcpuState.RBP;
                index = VcpuState.RDI;
                seg = VcpuState.SS;
            }
            case 4 -> base = VcpuState.RSI;
            case 5 -> base = VcpuState.RDI;
            case 6 -> {
                if (mod != 0) {
                    base = VcpuState.RBP;
                    seg = VcpuState.SS;
                }
            }
            default -> base = VcpuState.RBX;
        }
        long displacement = 0;
        if (mod == 0 && rm == 6 || mod == 2) {
            displacement = next16();
        } else if (mod == 1) {
            displacement = (byte) next();
        }
        int baseOffset = base == VcpuState.ZERO ? base : base * 8;
        int indexOffset = index == VcpuState.ZERO ? index : index * 8;
        mem = new Mem(segment >= 0 ? segment : seg, baseOffset, indexOffset, 0, displacement, 1, false);
    }

    private boolean immediates(Row row) {
        boolean haveImmediate = false;
        for (int i = 0; i < row.operands.size(); i++) {
            OperandSpec spec = row.operands.get(i);
            switch (spec.kind()) {
                case IMM -> {
                    long value = immediate(spec);
                    if (haveImmediate) {
                        imm2 = (int) value;
                    } else {
                        imm = value;
                        haveImmediate = true;
                    }
                }
                case XMM_IS4 -> imm = next();
                case REL -> imm = spec.size() == 'b' ? (byte) next() : relative();
                case OFFSET -> {
                    long address = addressSize == 3 ? next64() : addressSize == 2 ? next32() & 0xffffffffL : next16();
                    int seg = segment < 0 || mode == 3 && segment < VcpuState.FS ? VcpuState.DS : segment;
                    mem = new Mem(seg, VcpuState.ZERO, VcpuState.ZERO, 0, address, addressSize, mode == 3);
                }
                case FAR -> {
                    imm = operandSize == 1 ? next16() & 0xffffL : next32() & 0xffffffffL;
                    imm2 = (int) next16() & 0xffff;
                }
                case SEGMENT -> {
                    // Six segment registers; CS cannot be loaded by MOV.
                    if ((reg & 7) > 5 || spec.access() == OperandSpec.Access.WRITE && (reg & 7) == VcpuState.CS) {
                        return false;
                    }
                }
                case CONTROL -> {
                    if (reg != 0 && (reg < 2 || reg > 4) && reg != 8) {
                        return false;
                    }
                }
                case DEBUG -> {
                    if (reg > 7) {
                        return false;
                    }
                }
                case STRING_SOURCE ->
                    mem = new Mem(
                            segment < 0 || mode == 3 && segment < VcpuState.FS ? VcpuState.DS : segment,
                            VcpuState.RSI * 8,
                            VcpuState.ZERO,
                            0,
                            0,
                            addressSize,
                            mode == 3);
                default -> {}
            }
        }
        if (mem == RIP_PENDING) {
            mem = new Mem(ripSegment, VcpuState.RIP, VcpuState.ZERO, 0, ripDisplacement + position, addressSize, true);
        }
        return true;
    }

    private long immediate(OperandSpec spec) {
        return switch (spec.size()) {
            case 'b' -> (byte) next();
            case 'w' -> (short) next16();
            case 'd' -> next32();
            case 'z' -> operandSize == 1 ? (short) next16() : next32();
            case 'v' -> operandSize == 1 ? (short) next16() : operandSize == 2 ? next32() : next64();
            case 'q' -> next64();
            default -> throw new IllegalArgumentException("immediate " + spec.text());
        };
    }

    /** Near branches in 64-bit mode always have a 32-bit displacement (Intel's reading of a 66 prefix). */
    private long relative() {
        return operandSize == 1 && mode != 3 ? (short) next16() : next32();
    }

    private long next16() {
        int low = next();
        return (short) (low | next() << 8);
    }

    private long next32() {
        int value = next();
        value |= next() << 8;
        value |= next() << 16;
        return value | next() << 24;
    }

    private long next64() {
        long low = next32() & 0xffffffffL;
        return low | next32() << 32;
    }
}
