package org.xenolith.cpu.oracle;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.xenolith.cpu.decode.OperandSpec;
import org.xenolith.cpu.decode.OperandSpec.Kind;
import org.xenolith.cpu.decode.Row;

/**
 * Makes test cases from rows of the instruction table: all encodings of the row's operands (sizes, addressing modes,
 * prefixes), values from {@link Values}, and for the few instructions that need it, operands that make sense
 * together.
 */
public final class CaseGenerator {
    /**
     * A program around an instruction, as its memory operands see it.
     *
     * @param pointers registers that point to multiples of 16 in the middle of the program's data; no instruction writes them
     * @param index a register that holds a small multiple of 16 and is not written either
     * @param free all registers that may be written
     * @param data linear address of the program's data
     * @param bytes size of these data
     */
    public record Surroundings(int[] pointers, int index, int[] free, long data, int bytes) {}

    private static final int RAX = 0;
    private static final int RCX = 1;
    private static final int RDX = 2;
    private static final int RBX = 3;
    private static final int RSP = 4;
    private static final int RBP = 5;
    private static final int RSI = 6;
    private static final int RDI = 7;
    private static final int FS = 4;
    private static final int AF = 0x10;
    /** Room for code before the forward landing pad and behind the pad that follows the code. */
    private static final int SEQUENCE_BYTES = Layout.PAD_FORWARD - Layout.INSN - 8;

    private final SplittableRandom r;
    private final Row row;
    private final String semantics;
    private final TestCase c;
    private final MachineState s;
    private final boolean is64;

    private boolean p66;
    private boolean p67;
    private int segment = -1;
    private boolean lock;
    private int repeat;
    private boolean rexW;
    private boolean vexW;
    private int operandSize;
    private int reg;
    private int rm;
    private boolean memory;
    private int vvvv;
    private int vexL;
    private int is4;
    private int reserved;

    private final boolean sequence;
    /** The program that the instruction is for, or null; and its address there. */
    private final Surroundings around;

    private final long from;

    private final byte[] code = new byte[32];
    private int size;

    /** Memory operand: where, how big; encoding of its address. */
    private long ea;

    private int eaBytes;
    private int form;
    private int base;
    private int index;
    private int scale;
    private int displacement;

    private CaseGenerator(Row row, int slot, SplittableRandom r) {
        this.row = row;
        this.r = r;
        semantics = row.semantics;
        c = new TestCase(row.text);
        c.slot = slot;
        c.seed = r.nextLong();
        s = BaseState.of(c.seed);
        c.in = s;
        c.code = new byte[0];
        boolean mode32 = row.not64
                || !row.only64
                        && (row.rexW != 1 || row.vex && !row.generalOperand)
                        && !family("SystemRegs")
                        && !family("SystemCalls")
                        && r.nextInt(8) == 0;
        c.mode = mode32 ? 2 : 3;
        is64 = !mode32;
        sequence = false;
        around = null;
        from = 0;
    }

    /** The next instruction of a sequence. */
    private CaseGenerator(Row row, TestCase c, SplittableRandom r) {
        this.row = row;
        this.r = r;
        semantics = row.semantics;
        this.c = c;
        s = c.in;
        is64 = c.mode == 3;
        sequence = true;
        around = null;
        from = 0;
    }

    /** An instruction of 64-bit code for a program. */
    private CaseGenerator(Row row, Surroundings around, long from, SplittableRandom r) {
        this.row = row;
        this.r = r;
        semantics = row.semantics;
        c = new TestCase(row.text);
        c.code = new byte[0];
        c.in = new MachineState();
        s = c.in;
        is64 = true;
        sequence = true;
        this.around = around;
        this.from = from;
    }

    /**
     * The code of one instruction for a longer program, with operands that suit it.
     *
     * @param from linear address of the instruction
     */
    public static byte[] instruction(Row row, Surroundings around, long from, SplittableRandom r) {
        return new CaseGenerator(row, around, from, r).make().code;
    }

    /**
     * A sequence of instructions, so that blocks, flags that are computed late and parts of registers are tested.
     *
     * @param rows candidates ({@link #fitsSequence})
     * @param jumps conditional jumps, one of which ends the sequence: a block then ends there too
     */
    static TestCase sequence(List<Row> rows, List<Row> jumps, int slot, SplittableRandom r) {
        Row last = jumps.get(r.nextInt(jumps.size()));
        TestCase c = new TestCase(last.text);
        c.slot = slot;
        c.seed = r.nextLong();
        c.in = BaseState.of(c.seed);
        c.in.setMxcsr(0x1F80);
        c.mode = r.nextInt(8) == 0 ? 2 : 3;
        c.code = new byte[0];
        if (c.mode == 2) {
            for (int i = 0; i < 8; i++) {
                c.in.gpr[i] &= 0xffffffffL;
            }
        }
        int wanted = r.nextInt(2, 9);
        while (c.steps < wanted) {
            Row row = rows.get(r.nextInt(rows.size()));
            if (c.code.length > SEQUENCE_BYTES - 15 - 7 || (c.mode == 3 ? row.not64 : row.only64 || row.rexW == 1)) {
                break;
            }
            new CaseGenerator(row, c, r).make();
            c.undefined |= row.undefinedFlags;
            c.steps++;
        }
        new CaseGenerator(last, c, r).make();
        return c;
    }

    /** True for rows that leave at most AF undefined, do not read it, and touch no memory but their operand. */
    static boolean fitsSequence(Row row) {
        boolean family = List.of(
                        "Arithmetic",
                        "Moves",
                        "Bits",
                        "SseInteger",
                        "SseMoves",
                        "SseShuffle",
                        "Mmx",
                        "Shifts",
                        "Atomics")
                .contains(row.semantics.substring(0, row.semantics.indexOf('.')));
        boolean fits = (row.undefinedFlags & ~AF) == 0
                && !row.has("sys")
                && !row.has("nonoracle")
                && !row.endsBlock
                && !row.mnemonic.equals("xlat")
                && !row.semantics.contains("maskmov")
                && !row.semantics.endsWith("mxcsr");
        return row.semantics.equals("FlagInsns.cmc")
                || row.semantics.equals("FlagInsns.stc")
                || row.semantics.equals("FlagInsns.clc")
                || row.semantics.equals("FlagInsns.sahf")
                || family && fits;
    }

    /** A random case of a row for a code slot. */
    static TestCase next(Row row, int slot, SplittableRandom r) {
        return new CaseGenerator(row, slot, r).make();
    }

    static boolean isPrefix(int b) {
        return switch (b) {
            case 0x66, 0x67, 0xF0, 0xF2, 0xF3, 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65 -> true;
            default -> false;
        };
    }

    private boolean family(String name) {
        return semantics.startsWith(name + ".");
    }

    private boolean one(int in) {
        return r.nextInt(in) == 0;
    }

    private TestCase make() {
        if (!is64) {
            for (int i = 0; i < 8; i++) {
                s.gpr[i] &= 0xffffffffL;
            }
        }
        if (!sequence && one(24) && checksAlignment()) {
            s.rflags |= 0x40000;
        }
        prefixes();
        registers();
        reserve();
        if (memory) {
            place();
        }
        if (row.vsib) {
            // Always with SIB; the index field names a vector register.
            form = 3 + r.nextInt(3);
            index = register();
            if (form == 3 && (base & 7) == 5) {
                form = 4;
            }
        }
        operands();
        encode();
        int before = c.code.length;
        c.code = Arrays.copyOf(c.code, before + size);
        System.arraycopy(code, 0, c.code, before, size);
        if (!is64) {
            // 32-bit code neither sees nor changes these; what mode switches do to upper halves is nobody's promise.
            for (int i = 0; i < 16; i++) {
                s.gpr[i] = i < 8 ? s.gpr[i] & 0xffffffffL : s.gpr[i];
            }
        }
        return c;
    }

    /** Rows whose alignment checks (rflags.AC) are the same everywhere: not those of large or unusual operands. */
    private boolean checksAlignment() {
        return List.of("Arithmetic", "Moves", "Multiply", "Shifts", "Bits", "Atomics", "Strings", "Control", "Mmx")
                        .contains(semantics.substring(0, semantics.indexOf('.')))
                && !semantics.equals("Control.bound");
    }

    // ---------------------------------------------------------------- prefixes and registers

    private void prefixes() {
        boolean control = family("Control");
        boolean far = family("FarControl");
        boolean sized = family("Stack")
                || semantics.endsWith(".cbw")
                || semantics.endsWith(".cwd")
                || semantics.endsWith("#9")
                || family("X87Control")
                || far;
        for (OperandSpec spec : row.operands) {
            sized |= "vz".indexOf(spec.size()) >= 0;
        }
        if (row.prefix == 0x66) {
            p66 = true;
        } else if (row.prefix != Row.NONE && !row.vex && !control) {
            // Near branches with 66: Intel and AMD disagree in 64-bit mode, so nobody uses them.
            p66 = one(sized ? 4 : 16);
        }
        // Far pointers of 64 bits: Intel has them, AMD ignores REX.W.
        boolean farPointer = semantics.equals("FarControl.jmpfRm") || semantics.equals("FarControl.callfRm");
        vexW = row.vex && (row.rexW >= 0 && (is64 || !row.generalOperand) ? row.rexW == 1 : one(3));
        rexW = is64 && (row.vex ? vexW : !farPointer && (row.rexW >= 0 ? row.rexW == 1 : one(3)));
        vexL = row.vexL >= 0 ? row.vexL : row.vex ? r.nextInt(2) : 0;
        operandSize =
                is64 ? row.force64 || rexW ? 3 : p66 && !row.vex ? 1 : row.default64 ? 3 : 2 : p66 && !row.vex ? 1 : 2;
        if (family("Strings") && row.prefix == Row.ANY) {
            repeat = one(2) ? one(2) ? 0xF3 : 0xF2 : 0;
        } else if (row.prefix == 0xF3 || row.prefix == 0xF2) {
            repeat = row.vex ? 0 : row.prefix;
        }
    }

    private int register() {
        return around == null ? r.nextInt(is64 ? 16 : 8) : around.free[r.nextInt(around.free.length)];
    }

    private void registers() {
        rm = register();
        reg = row.digit >= 0 ? row.digit | (is64 && one(8) && !row.vex ? 8 : 0) : register();
        vvvv = register();
        boolean usesRm = false;
        for (OperandSpec spec : row.operands) {
            switch (spec.kind()) {
                case RM, MMX_RM, XMM_RM -> usesRm = true;
                case XMM_IS4 -> is4 = register() << 4 | r.nextInt(16);
                case MMX -> reg = r.nextInt(8) | (is64 && one(16) ? 8 : 0);
                case MMX_RM_REG -> rm = r.nextInt(8) | (is64 && one(16) ? 8 : 0);
                case ST -> rm = r.nextInt(8);
                case SEGMENT -> {
                    do {
                        reg = r.nextInt(6);
                    } while (reg == 1 && spec.access() == OperandSpec.Access.WRITE);
                }
                case CONTROL -> reg = new int[] {0, 2, 3, 4, is64 ? 8 : 0}[r.nextInt(5)];
                // DR4 and DR5 with CR4.DE: #UD or #GP first, nobody agrees.
                case DEBUG -> reg = new int[] {0, 1, 2, 3, 6, 7}[r.nextInt(6)];
                default -> {}
            }
        }
        for (OperandSpec spec : row.operands) {
            if (spec.kind() == Kind.MMX_RM && rm > 7 && !one(16)) {
                rm &= 7;
            }
        }
        if (around != null) {
            readAnyRegister();
        }
        boolean mixed = usesRm || row.hasModRm() && row.mod < 0;
        memory = row.mod == 0 || row.mod < 0 && row.modrm < 0 && mixed && one(2);
    }

    /** In a program, where the table tells that a general register is read only, it may be one of the program's own. */
    private void readAnyRegister() {
        if (!family("Arithmetic") && !semantics.equals("Moves.mov") || one(2)) {
            return;
        }
        for (OperandSpec spec : row.operands) {
            if (spec.access() == OperandSpec.Access.READ) {
                switch (spec.kind()) {
                    case REG -> reg = r.nextInt(16);
                    case RM, OPCODE_REG -> rm = r.nextInt(16);
                    default -> {}
                }
            }
        }
    }

    private void reserve() {
        if (row.has("st")) {
            reserved |= 1 << RSP;
        }
        if (family("Strings")) {
            reserved |= 1 << RCX | 1 << RSI | 1 << RDI;
        }
        if (semantics.contains("iv")) {
            reserved |= 1 << RAX | 1 << RDX;
        }
        if (semantics.startsWith("Control.loop") || semantics.equals("Control.jcxz")) {
            reserved |= 1 << RCX;
        }
        if (bitString()) {
            reserved |= 1 << reg;
        }
        if (semantics.equals("Stack.popRm") && one(4)) {
            reserved = 0;
        }
    }

    private boolean bitString() {
        return family("Bits")
                && memory
                && (semantics.endsWith(".bt")
                        || semantics.endsWith(".bts")
                        || semantics.endsWith(".btr")
                        || semantics.endsWith(".btc"));
    }

    private int free() {
        while (true) {
            int n = register();
            if ((reserved >> n & 1) == 0) {
                return n;
            }
        }
    }

    // ---------------------------------------------------------------- the memory operand

    private int memoryBytes() {
        for (OperandSpec spec : row.operands) {
            switch (spec.kind()) {
                case RM, MEM, OFFSET -> {
                    return switch (spec.size()) {
                        case ' ' -> family("Fxsave") ? 832 : semantics.equals("Control.bound") ? 2 << operandSize : 16;
                        case 'e' -> 28;
                        case 's' -> 108;
                        case 'x', 't', 'l' -> spec.bytes(vexL);
                        default -> 1 << spec.width(operandSize);
                    };
                }
                case MMX_RM, XMM_RM -> {
                    return spec.bytes(vexL);
                }
                case VSIB32, VSIB64 -> {
                    return 64;
                }
                default -> {}
            }
        }
        return 1;
    }

    private long address(int bytes) {
        int align = 1;
        if (row.has("align") || semantics.equals("Atomics.cmpxchg16b") || family("Fxsave")) {
            // SHA: the manuals want alignment, AMD's processors do not check it.
            align = one(32) && !semantics.contains("sha") ? 1 : family("Fxsave") ? 64 : Math.max(16, bytes);
        } else if (row.lockable || one(2)) {
            // Locked accesses across cache lines are slow on purpose on some hosts.
            align = Integer.highestOneBit(bytes);
        }
        long at = switch (sequence ? 2 + r.nextInt(62) : r.nextInt(64)) {
            case 0 -> Layout.DATA + Layout.DATA_SIZE - r.nextInt(bytes);
            case 1 -> Layout.DATA - r.nextInt(bytes + 1);
            case 2, 3, 4, 5 -> Layout.DATA + 0x1000 - r.nextInt(bytes);
            default -> Layout.DATA + r.nextInt(Layout.DATA_SIZE - bytes + 1);
        };
        return at & -(long) align;
    }

    /** In a program: what its registers point to, and mostly as aligned as the instruction wants it. */
    private void placeInProgram() {
        eaBytes = memoryBytes();
        lock = row.lockable && one(5);
        p67 = one(12);
        segment = one(8) ? r.nextInt(6) : -1;
        form = r.nextInt(9);
        base = around.pointers[r.nextInt(around.pointers.length)];
        index = around.index;
        scale = r.nextInt(4);
        int align = row.has("align") || semantics.equals("Atomics.cmpxchg16b")
                ? 16
                : family("Fxsave") ? 64 : Integer.highestOneBit(eaBytes);
        boolean aligned = row.lockable || row.has("align") || family("Fxsave") ? !one(64) : one(2);
        long target = around.data + 0x800 + r.nextInt(around.bytes - 0x1000) & (aligned ? -(long) align : -1L);
        displacement = switch (form) {
            case 0, 3 -> (base & 7) == 5 ? displaced(aligned, align, 128) : 0;
            case 1, 4 -> displaced(aligned, align, 128);
            case 2, 5 -> displaced(aligned, align, 0x900);
            default -> (int) target;
        };
        if ((form == 0 || form == 3) && (base & 7) == 5) {
            form++;
        }
    }

    private int displaced(boolean aligned, int align, int reach) {
        return r.nextInt(2 * reach) - reach & (aligned ? -align : -1);
    }

    private void place() {
        if (around != null) {
            placeInProgram();
            return;
        }
        eaBytes = memoryBytes();
        ea = address(eaBytes);
        lock = row.lockable && one(5) || !sequence && one(200);
        p67 = is64 && !sequence && one(10);
        if (one(10) && !sequence) {
            segment = is64 ? r.nextInt(6) : new int[] {0, 2, 3}[r.nextInt(3)];
            // Shadow-stack and branch hints reuse the old overrides on indirect jumps (notrack): harmless here.
        }
        // The registers of a sequence have changed by the time they would be used for addresses.
        form = sequence ? 6 + r.nextInt(2) : r.nextInt(9);
        if (!is64 && form == 7) {
            form = 6;
        }
        base = free();
        do {
            index = free();
        } while (index == RSP || index == base);
        scale = r.nextInt(4);
        displacement = switch (form) {
            case 0, 3 -> 0;
            case 1, 4 -> (byte) r.nextInt();
            default -> r.nextInt();
        };
        if (base == RSP && row.has("st")) {
            // The stack must stay in the data area.
            form = 1;
            displacement = (byte) r.nextInt();
        }
        if ((form == 0 || form == 3) && (base & 7) == 5) {
            form++;
        }
    }

    /** Gives base and index registers the values that make the address come out at {@link #ea}. */
    private void address() {
        if (is64 && segment >= FS && p67) {
            s.fsBase = Layout.DATA - 0x100 - r.nextInt(0x100);
            s.gsBase = s.fsBase - 8;
        }
        long wanted = ea - (!is64 || segment < FS ? 0 : segment == FS ? s.fsBase : s.gsBase);
        if (bitString()) {
            int width = 8 << operandSize;
            long bit = s.gpr[reg] << 64 - width >> 64 - width;
            wanted -= bit >> 3 & -(long) (width / 8);
        }
        if (semantics.equals("Stack.popRm") && base == RSP && form <= 5) {
            wanted -= 1L << operandSize;
        }
        switch (form) {
            case 0, 1, 2 -> setAddress(base, wanted - displacement);
            case 3, 4, 5 -> setAddress(base, wanted - displacement - (s.gpr[index] << scale));
            case 6, 7 -> displacement = (int) wanted;
            default -> {
                long rest = wanted - displacement;
                displacement += (int) (rest & (1 << scale) - 1);
                long value = wanted - displacement >> scale;
                s.gpr[index] = is64 ? value : value & 0xffffffffL;
                if (p67) {
                    setAddress(index, value);
                }
                if (!is64 || p67) {
                    displacement = (int) (wanted - (s.gpr[index] << scale));
                }
            }
        }
    }

    /**
     * Indices into the data area, some beyond it, and a mask of random signs. The three vector registers differ, but for
     * a few cases that must be refused.
     */
    private void gather() {
        while (!one(50) && (reg == vvvv || reg == index || index == vvvv)) {
            vvvv = register();
            index = register();
        }
        displacement = form == 3 ? 0 : (byte) r.nextInt();
        long middle = Layout.DATA + 0x800 + r.nextInt(0x1000);
        setAddress(base, middle - displacement - (!is64 || segment < FS ? 0 : segment == FS ? s.fsBase : s.gsBase));
        int size = row.operands.get(1).kind() == Kind.VSIB32 ? 4 : 8;
        for (int i = 0; i < 32; i += size) {
            long distance = r.nextInt(0x1000) - 0x800 << (one(40) ? 3 : 0) >> scale;
            byte[] register = i < 16 ? s.fx : s.ymm;
            Values.put(register, (i < 16 ? MachineState.XMM + i : i - 16) + index * 16, distance, size);
        }
        if (one(2)) {
            for (int i = 3; i < 16; i += 4) {
                s.fx[MachineState.XMM + vvvv * 16 + i] = (byte) (one(4) ? 0 : 0x80);
                s.ymm[vvvv * 16 + i] = (byte) (one(4) ? 0 : 0x80);
            }
        }
    }

    private void setAddress(int register, long value) {
        s.gpr[register] =
                p67 ? s.gpr[register] & 0xffffffff00000000L | value & 0xffffffffL : is64 ? value : value & 0xffffffffL;
    }

    // ---------------------------------------------------------------- operands that must make sense

    private long stack(int bytes) {
        long at = switch (r.nextInt(40)) {
            case 0 -> Layout.DATA + r.nextInt(16);
            case 1 -> Layout.DATA + Layout.DATA_SIZE - r.nextInt(16);
            case 2, 3 -> Layout.DATA + 0x1000 + r.nextInt(32) - 16;
            default -> Layout.DATA + 0x400 + r.nextInt(Layout.DATA_SIZE - 0x800);
        };
        return one(4) ? at : at & -(long) bytes;
    }

    private long landing() {
        return Layout.slot(c.slot) + (one(2) ? Layout.PAD_BACK : Layout.PAD_FORWARD);
    }

    private void operands() {
        if (sequence) {
            if (memory && around == null) {
                content();
                address();
            }
            return;
        }
        if (row.has("st")) {
            s.gpr[RSP] = stack(8);
        }
        if (family("Strings")) {
            strings();
        } else if (semantics.contains("Multiply") && semantics.contains("div")) {
            division();
        } else if (family("Control")) {
            control();
        } else if (family("Shifts") && one(2)) {
            s.gpr[RCX] = s.gpr[RCX] & -256 | r.nextInt(70);
            if (row.vex) {
                s.gpr[vvvv] = r.nextInt(70);
            }
        } else if (semantics.contains("pcmpe") && semantics.contains("str")) {
            s.gpr[RAX] = one(4) ? s.gpr[RAX] : r.nextInt(40) - 20 & (rexW ? -1L : 0xffffffffL);
            s.gpr[RDX] = one(4) ? s.gpr[RDX] : r.nextInt(40) - 20 & (rexW ? -1L : 0xffffffffL);
        } else if (bitString()) {
            // The operand's address moves with the bit index; keep both small enough to stay in the area mostly.
            s.gpr[reg] = one(4) ? r.nextInt(64) : r.nextInt(4096) - 2048;
            if (!is64) {
                s.gpr[reg] &= 0xffffffffL;
            }
        } else if (semantics.equals("Moves.xlat")) {
            long at = Layout.DATA + r.nextInt(Layout.DATA_SIZE - 256);
            s.gpr[RBX] = at;
        } else if (semantics.equals("Stack.enter") || semantics.equals("Stack.leave")) {
            s.gpr[RBP] = stack(8);
        } else if (semantics.equals("Stack.popf")) {
            c.poke(s.gpr[RSP], r.nextLong() & 0x244CD5 & ~0x100 & (one(4) ? -1 : ~0x40000), 8);
        } else if (semantics.startsWith("Stack.pushSegment")) {
            // Whether a 32-bit push writes the upper half of its slot depends on the processor: zero it.
            c.poke(s.gpr[RSP] - 8, 0, 8);
        } else if (family("FarControl")) {
            frame();
        } else if (semantics.startsWith("SystemRegs.wr")) {
            long value = one(8) ? s.gpr[rm] : Layout.DATA + r.nextInt(1 << 20);
            s.gpr[rm] = value;
        } else if (semantics.startsWith("SseMoves.maskmov")) {
            s.gpr[RDI] = address(16);
            if (!is64) {
                s.gpr[RDI] &= 0xffffffffL;
            }
        }
        if (row.vsib) {
            gather();
        } else if (memory) {
            c.operand = ea;
            content();
            address();
        }
        if (family("Atomics") && semantics.contains("cmpxchg")) {
            exchange();
        }
        if (!is64) {
            s.gpr[RSP] &= 0xffffffffL;
        }
    }

    /** What the memory operand holds. */
    private void content() {
        if (family("Control") && semantics.endsWith("Rm")) {
            c.poke(ea, landing(), 8);
            return;
        }
        if (family("FarControl")) {
            c.poke(ea, landing(), 1 << operandSize);
            c.poke(ea + (1 << operandSize), codeSelector(), 2);
            return;
        }
        if (semantics.equals("Fxsave.fxsave")) {
            // Something that no image has in its MXCSR_MASK, so that this field always shows as changed.
            c.poke(ea + 28, 0x77777777, 4);
            return;
        }
        if (one(6) && !semantics.endsWith(".ldmxcsr")) {
            return;
        }
        byte[] b = new byte[Math.max(16, eaBytes + 15 & -16)];
        switch (r.nextInt(4)) {
            case 0 -> {
                for (int i = 0; i + 8 <= b.length; i += 8) {
                    Values.put(b, i, Values.integer(r), 8);
                }
            }
            case 1 -> {
                if (row.opcode >= 0xD8 && row.opcode <= 0xDF) {
                    long[] v = Values.float80(r);
                    Values.put(b, 0, v[0], 8);
                    Values.put(b, 8, v[1], 2);
                } else {
                    vectors(b);
                }
            }
            default -> vectors(b);
        }
        if (row.mnemonic.equals("fbld") && !one(8)) {
            for (int i = 0; i < 9; i++) {
                b[i] = (byte) (r.nextInt(10) << 4 | r.nextInt(10));
            }
            b[9] = (byte) (one(2) ? 0x80 : 0);
        }
        if (semantics.endsWith(".ldmxcsr")) {
            // Not bit 17, which AMD has and Intel has not.
            Values.put(b, 0, one(2) ? r.nextInt() & 0xE040 | 0x1F80 : r.nextInt() & (one(8) ? ~0x20000 : 0xFFFF), 4);
        }
        if (semantics.endsWith(".fldcw") && one(2)) {
            b[0] |= 0x3F;
        }
        if (semantics.endsWith(".fxrstor")) {
            MachineState other = BaseState.of(r.nextLong());
            b = Arrays.copyOf(other.fx, 512);
            if (one(16)) {
                b[MachineState.MXCSR + 2] = 4;
            }
            // Only sixteen patches fit a case: the first half and some of the XMM registers.
            b = Arrays.copyOf(b, 256);
        }
        if (row.mnemonic.equals("fldenv") || row.mnemonic.equals("frstor")) {
            for (int i = 0; i < 28; i += 4) {
                Values.put(b, i, r.nextInt(), 4);
            }
            Values.put(b, 0, 0x7F | r.nextInt(16) << 8 | (one(8) ? 0 : 0x3F), 2);
            Values.put(b, operandSize == 1 ? 2 : 4, r.nextInt(0x80) | r.nextInt(128) << 8, 2);
        }
        if (semantics.equals("Control.bound") && one(2)) {
            Values.put(b, 0, 0, 4);
        }
        c.patch((int) (ea - Layout.DATA), eaBytes > 16 ? b : Arrays.copyOf(b, Math.min(16, b.length)));
    }

    private void vectors(byte[] b) {
        for (int i = 0; i < Math.min(b.length, 64); i += 16) {
            Values.vector(r, b, i);
        }
    }

    private void exchange() {
        if (one(2)) {
            return;
        }
        if (semantics.endsWith("8b") || semantics.endsWith("16b")) {
            int half = semantics.endsWith("16b") ? 8 : 4;
            c.poke(ea, s.gpr[RAX], half);
            c.poke(ea + half, s.gpr[RDX], half);
        } else if (memory) {
            c.poke(ea, s.gpr[RAX], 8);
        } else {
            s.gpr[rm] = s.gpr[RAX];
        }
    }

    private void division() {
        int w = semantics.endsWith("8") ? 0 : operandSize;
        if (one(4)) {
            return;
        }
        boolean signed = semantics.contains("idiv");
        if (w == 0) {
            long low = r.nextInt(256);
            s.gpr[RAX] =
                    s.gpr[RAX] & ~0xFFFFL | (signed ? (byte) low & 0xFFFF : low) | (one(2) ? r.nextInt(4) << 8 : 0);
        } else {
            s.gpr[RDX] = one(3) ? r.nextInt(1000) : signed ? s.gpr[RAX] << 64 - (8 << w) >> 63 : 0;
            if (!is64) {
                s.gpr[RDX] &= 0xffffffffL;
            }
        }
    }

    /** Selectors of Linux: mostly the running code segment, sometimes one that must be refused. */
    private int codeSelector() {
        int[] wrong = {0, 0x10, 0x18, 0x2B, 0xF000, is64 ? 0x30 : 0x13, is64 ? 0x37 : 0x1B};
        return one(5) ? wrong[r.nextInt(wrong.length)] : is64 ? 0x33 : 0x23;
    }

    /** What RETF and IRET find on the stack. */
    private void frame() {
        int bytes = 1 << operandSize;
        int selector = codeSelector();
        if (selector != (is64 ? 0x33 : 0x23)) {
            // Whether the rest of the frame is read before the selector is refused depends on the processor.
            s.gpr[RSP] = Layout.DATA + 0x400 + r.nextInt(0x800) * 2L;
        }
        long sp = s.gpr[RSP];
        if (semantics.startsWith("FarControl.retf")) {
            c.poke(sp, landing(), bytes);
            c.poke(sp + bytes, selector, bytes);
        } else if (semantics.equals("FarControl.iret")) {
            c.poke(sp, landing(), bytes);
            c.poke(sp + bytes, selector, bytes);
            c.poke(sp + 2 * bytes, r.nextLong() & 0x204CD5 & ~0x4100 | 0x200, bytes);
            if (is64) {
                c.poke(sp + 3 * bytes, stack(8), bytes);
                c.poke(sp + 4 * bytes, one(8) ? codeSelector() : 0x2B, bytes);
            }
        }
    }

    private void control() {
        if (semantics.startsWith("Control.loop") || semantics.equals("Control.jcxz")) {
            long garbage = one(2) ? 0 : s.gpr[RCX] & 0xffffffff00000000L;
            s.gpr[RCX] = r.nextInt(3) | (is64 ? garbage : 0);
            p67 = one(4);
        } else if (semantics.startsWith("Control.ret")) {
            c.poke(s.gpr[RSP], landing(), is64 ? 8 : 4);
        } else if (!memory && semantics.endsWith("Rm")) {
            if (rm == RSP) {
                rm = RAX;
            }
            s.gpr[rm] = landing();
        }
    }

    private void strings() {
        int w = semantics.endsWith("#0") ? 0 : operandSize;
        int bytes = 1 << w;
        p67 = is64 && one(8);
        if (one(8)) {
            segment = is64 ? FS + r.nextInt(2) : 3;
        }
        if (p67) {
            s.fsBase = 0x40;
            s.gsBase = 0x80;
        }
        boolean down = one(3);
        if (down) {
            s.rflags |= 0x400;
        }
        int count = one(8) ? 0 : r.nextInt(1, 18);
        long garbage = p67 ? s.gpr[RCX] & 0xffffffff00000000L : 0;
        s.gpr[RCX] = repeat != 0 ? count | garbage : s.gpr[RCX];
        long from = stringAddress(bytes, down);
        long to = one(4) ? from + r.nextInt(33) - 16 : stringAddress(bytes, down);
        long sourceBase = !is64 || segment < FS ? 0 : segment == FS ? s.fsBase : s.gsBase;
        s.gpr[RSI] =
                from - sourceBase & (is64 && !p67 ? -1L : 0xffffffffL) | (p67 ? s.gpr[RSI] & 0xffffffff00000000L : 0);
        s.gpr[RDI] = to & (is64 && !p67 ? -1L : 0xffffffffL) | (p67 ? s.gpr[RDI] & 0xffffffff00000000L : 0);
        if (semantics.contains("cmps") || semantics.contains("scas")) {
            // Some equal elements, so that repetition goes on for a while.
            byte[] equal = new byte[64];
            boolean same = one(2);
            for (int i = 0; i < equal.length; i++) {
                equal[i] = (byte) (same ? s.gpr[RAX] >>> (i & bytes - 1) * 8 : r.nextInt(3));
            }
            int back = down ? 64 - bytes : 0;
            c.patch((int) (from - back - Layout.DATA), equal);
            if (r.nextInt(3) != 0) {
                equal[r.nextInt(64)]++;
            }
            c.patch((int) (to - back - Layout.DATA), equal);
        }
    }

    private long stringAddress(int bytes, boolean down) {
        return switch (r.nextInt(16)) {
            case 0 -> Layout.DATA + (down ? r.nextInt(64) : Layout.DATA_SIZE - r.nextInt(64));
            case 1, 2 -> Layout.DATA + 0x1000 + r.nextInt(128) - 64;
            default -> Layout.DATA + 512 + r.nextInt(Layout.DATA_SIZE - 1024);
        };
    }

    // ---------------------------------------------------------------- encoding

    /** Address behind the bytes so far. */
    private long here() {
        return (around == null ? c.address() : from) + c.code.length + size;
    }

    private void put(long value, int bytes) {
        for (int i = 0; i < bytes; i++) {
            code[size++] = (byte) (value >>> i * 8);
        }
    }

    private void encode() {
        if (segment >= 0) {
            put(segment < FS ? 0x26 | segment << 3 : 0x60 + segment, 1);
        }
        if (p67) {
            put(0x67, 1);
        }
        if (p66 && !row.vex) {
            put(0x66, 1);
        }
        if (lock) {
            put(0xF0, 1);
        }
        if (repeat != 0) {
            put(repeat, 1);
        }
        int r4 = reg >> 3;
        int x4 = memory && form >= 3 && form != 6 && form != 7 ? index >> 3 : 0;
        int b4 = row.plusR || !memory ? rm >> 3 : form <= 5 ? base >> 3 : 0;
        if (row.vex) {
            boolean hasVvvv = row.operands.stream().anyMatch(o -> o.kind() == Kind.VVVV || o.kind() == Kind.XMM_VVVV);
            int pp = row.prefix == 0x66 ? 1 : row.prefix == 0xF3 ? 2 : row.prefix == 0xF2 ? 3 : 0;
            int last = (hasVvvv ? ~vvvv & 15 : 15) << 3 | vexL << 2 | pp;
            if (row.map == Row.MAP_0F && !vexW && x4 + b4 == 0 && one(2)) {
                put(0xC5, 1);
                put((r4 == 0 ? 0x80 : 0) | last, 1);
            } else {
                put(0xC4, 1);
                put((~(r4 << 2 | x4 << 1 | b4) & 7) << 5 | row.map, 1);
                put((vexW ? 0x80 : 0) | last, 1);
            }
        } else {
            boolean usesReg = row.hasModRm() && row.modrm < 0;
            int rex = 0x40
                    | (rexW ? 8 : 0)
                    | (usesReg ? r4 << 2 : 0)
                    | (usesReg ? x4 << 1 : 0)
                    | (usesReg || row.plusR ? b4 : 0);
            if (is64 && (rex != 0x40 || one(4))) {
                put(rex, 1);
            }
            if (row.map != Row.MAP_1) {
                put(0x0F, 1);
            }
            if (row.map == Row.MAP_0F38 || row.map == Row.MAP_0F3A) {
                put(row.map == Row.MAP_0F38 ? 0x38 : 0x3A, 1);
            }
        }
        put(row.opcode | (row.plusR ? rm & 7 : 0), 1);
        int ripAt = -1;
        if (row.modrm >= 0) {
            put(row.modrm, 1);
        } else if (row.hasModRm()) {
            ripAt = modrm();
        }
        immediates();
        if (ripAt >= 0) {
            long next = here();
            Values.put(code, ripAt, displacement - next, 4);
        }
    }

    /** Writes ModRM, SIB and displacement; returns where a rip-relative displacement has to go, or -1. */
    private int modrm() {
        int middle = (reg & 7) << 3;
        if (!memory) {
            put(0xC0 | middle | rm & 7, 1);
            return -1;
        }
        switch (form) {
            case 0, 1, 2 -> {
                put(form << 6 | middle | ((base & 7) == 4 ? 4 : base & 7), 1);
                if ((base & 7) == 4) {
                    put(0x24, 1);
                }
                put(displacement, form == 0 ? 0 : form == 1 ? 1 : 4);
            }
            case 3, 4, 5 -> {
                put(form - 3 << 6 | middle | 4, 1);
                put(scale << 6 | (index & 7) << 3 | base & 7, 1);
                put(displacement, form == 3 ? 0 : form == 4 ? 1 : 4);
            }
            case 6 -> {
                put(middle | 4, 1);
                put(0x25, 1);
                put(displacement, 4);
            }
            case 7 -> {
                put(middle | 5, 1);
                put(0, 4);
                return size - 4;
            }
            default -> {
                put(middle | 4, 1);
                put(scale << 6 | (index & 7) << 3 | 5, 1);
                put(displacement, 4);
            }
        }
        return -1;
    }

    private void immediates() {
        List<OperandSpec> operands = row.operands;
        for (OperandSpec spec : operands) {
            switch (spec.kind()) {
                case IMM -> {
                    int bytes = switch (spec.size()) {
                        case 'b' -> 1;
                        case 'w' -> 2;
                        case 'd' -> 4;
                        case 'z' -> operandSize == 1 ? 2 : 4;
                        default -> 1 << operandSize;
                    };
                    long value = Values.integer(r);
                    if (semantics.equals("Stack.enter")) {
                        value = bytes == 2 ? r.nextInt(one(4) ? 0x2000 : 64) : r.nextInt(one(4) ? 256 : 4);
                    } else if (semantics.equals("Control.retImm")) {
                        value = r.nextInt(0x10000);
                    } else if (semantics.equals("FarControl.retfImm")) {
                        // Small: processors read an outer stack pointer behind it at different times.
                        value = r.nextInt(0x100);
                    } else if (semantics.equals("FarControl.intn")
                            && ((value & 0xff) == 0x80 || (value & 0xff) >= 0x15 && (value & 0xff) < 0x20)) {
                        // The host's own system call, and reserved vectors, some of which hypervisors keep for
                        // themselves.
                        value = 0x81;
                    }
                    put(value, bytes);
                }
                case XMM_IS4 -> put(is4, 1);
                case REL -> {
                    int bytes = spec.size() == 'b' ? 1 : 4;
                    put(landing() - (here() + bytes), bytes);
                }
                case FAR -> {
                    put(landing(), operandSize == 1 ? 2 : 4);
                    put(codeSelector(), 2);
                }
                case OFFSET -> {
                    if (around != null) {
                        put(around.data + 0x800 + r.nextInt(around.bytes - 0x1000), 8);
                        continue;
                    }
                    eaBytes = memoryBytes();
                    ea = address(eaBytes);
                    memory = false;
                    content();
                    put(ea, is64 ? 8 : 4);
                }
                default -> {}
            }
        }
    }
}
