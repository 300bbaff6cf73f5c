package org.xenolith.translate;

import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.LongPredicate;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Tlb;
import org.xenolith.cpu.decode.Decoder;
import org.xenolith.cpu.decode.Disassembler;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.decode.Mem;
import org.xenolith.cpu.decode.OperandSpec;
import org.xenolith.cpu.decode.OperandSpec.Access;
import org.xenolith.cpu.decode.OperandSpec.Kind;
import org.xenolith.cpu.decode.Row;
import org.xenolith.memory.Raw;
import org.xenolith.translate.HostState.Cell;
import org.xenolith.translate.HostState.Compared;
import org.xenolith.translate.HostState.Fact;
import org.xenolith.translate.HostState.OfCompare;
import org.xenolith.translate.HostState.OfHeldTest;
import org.xenolith.translate.HostState.Probed;
import org.xenolith.translate.HostState.Relation;
import org.xenolith.translate.Term.And;
import org.xenolith.translate.Term.Right;
import org.xenolith.translate.Term.Sort;
import org.xenolith.translate.Term.Tag;
import org.xenolith.translate.Term.Unknown;

/**
 * Proves that emitted code is harmless, whatever the guest's registers and memory hold: the safety argument of the translator,
 * for the bytes that the host executes. It knows nothing of how they were made, and decodes them anew.
 *
 * <p>It runs the code on {@link Term}s instead of numbers, over all paths, and refuses ({@link UnsafeCode}) what it cannot prove:
 *
 * <ul>
 *   <li><b>Instructions.</b> Only those that compute, and that neither touch memory that their operands do not name nor the host's control
 *       state. No segment, no 32-bit address. r14 and rsp are never written. DIV, IDIV, LDMXCSR, FLDCW and BT only behind the
 *       comparisons by which they cannot fault or reach further. Vector and x87 registers only where the host holds the guest's.
 *   <li><b>Memory operands</b> lie in (a) the state block, at r14 plus a constant: readable as a whole, writable where the
 *       guest's state or a slot is, and slots with addresses only with such addresses; (b) the page that a TLB entry was
 *       found for: the tag was compared with the page of the first byte, of the entry that the last byte belongs to, and was equal; the
 *       addend is of the same entry; the operand lies within these bytes; a store had the write tag compared; what the host wants aligned is so;
 *       (c) tables, with an index that was masked, only to be read.
 *   <li><b>Branches</b> stay in the block, or go to the head of a block or to a trampoline; indirect ones go where an entry of the jump
 *       cache says whose tag was equal to the target, and which belongs to it. Calls go to trampolines, and there is no return.
 *   <li><b>Secrets.</b> No address of the host is in a guest register or in memory when code leaves.
 * </ul>
 *
 * <p>It takes for granted, and other tests test: that the tables hold what their classes promise (an entry's tag belongs to its slot and is
 * the page's address when accesses need no slow path; addends are multiples of 4096; code addresses are heads of blocks); that Java changes, behind an exit
 * that is resumed, only what {@link #resumed} forgets, and does not resume a miss during which anything was flushed; that the decoder and the
 * instruction table are right, which the oracle compares with real processors; that DF is clear and no exception unmasked on entry.
 */
final class EmittedCodeCheck {
    private static final int STATE = Assembler.R14;
    private static final int MOST_STEPS = 200_000;
    private static final int DATA_INDEX = Tlb.INDEX_MASK << Tlb.ENTRY_SHIFT;
    private static final int MXCSR_UNSAFE = 0xFFFF1F80;
    private static final int MXCSR_MASKED = 0x1F80;
    private static final int FCW_MASKED = 0x3F;

    /** Families of instructions that only compute: with what operands say, and {@link #implied}. */
    private static final Set<String> FAMILIES = Set.of(
            "Arithmetic",
            "Shifts",
            "Bits",
            "Moves",
            "Multiply",
            "Atomics",
            "FlagInsns",
            "SseMoves",
            "SseFloat",
            "SseInteger",
            "SseShuffle",
            "SseConvert",
            "SseStrings",
            "Sse4",
            "Avx",
            "Fma",
            "Crypto",
            "Mmx",
            "X87Arithmetic",
            "X87Compare",
            "X87Functions",
            "X87Moves",
            "X87Control");

    /** Of these families what does more than that. */
    private static final Set<String> REFUSED = Set.of(
            // Memory that no operand names, or that a mask or a vector of indices selects.
            "Moves.xlat",
            "SseMoves.maskmovq",
            "SseMoves.maskmovdqu",
            "Avx.gather",
            "Avx.maskedLoad",
            "Avx.maskedStore",
            // Sizes that the table does not tell, or exceptions unmasked from memory.
            "X87Control.fldenv",
            "X87Control.frstor",
            "X87Control.fnstenv",
            "X87Control.fnsave",
            // The direction flag; what differs from one call to the next; 8-bit divisions, which have no guard.
            "FlagInsns.cld",
            "FlagInsns.std",
            "Moves.clflush",
            "Moves.nopModrm",
            "Moves.rdrand",
            "Multiply.div8",
            "Multiply.idiv8");

    /** 16-byte operands without VEX that need not be aligned. */
    private static final Set<String> UNALIGNED =
            Set.of("movups", "movupd", "movdqu", "lddqu", "pcmpestri", "pcmpestrm", "pcmpistri", "pcmpistrm");

    /** What a block may write in the state block, as begin and end from its start: guest state that emitted code keeps, and slots. */
    private static final int[][] WRITABLE = {
        {VcpuState.GPR, VcpuState.GPR + 16 * 8},
        {VcpuState.RFLAGS, VcpuState.RFLAGS + 8},
        segment(VcpuState.CS),
        segment(VcpuState.SS),
        segment(VcpuState.GS),
        {VcpuState.KERNEL_GS_BASE, VcpuState.KERNEL_GS_BASE + 8},
        {VcpuState.FOP, VcpuState.FDP + 8},
        slot(Context.BUDGET, 8),
        slot(Context.AF_CLEARED, 1),
        slot(Context.EXIT, 4),
        slot(Context.PAGE, 8),
        slot(Context.FLAGS, 2),
        slot(Context.VA, 8),
        slot(Context.SPARED, 8),
        slot(Context.TARGET, 8),
        slot(Context.TEMP, 16),
        slot(Context.GROUPS, AccessPlan.MOST_GROUPS * 8),
    };

    /** Slots with addresses of tables: how far from r14, and of what. */
    private static final Map<Integer, Sort> POINTERS = Map.ofEntries(
            Map.entry(Context.TABLE, Sort.DATA_TABLE),
            Map.entry(Context.FETCH_TABLE, Sort.FETCH_TABLE),
            Map.entry(Context.JUMPS, Sort.JUMPS),
            Map.entry(Context.JOURNAL, Sort.JOURNAL),
            Map.entry(Context.BLOCKS, Sort.BLOCKS),
            Map.entry(Context.IMAGE, Sort.IMAGE),
            Map.entry(Context.USER, Sort.DATA_TABLE),
            Map.entry(Context.USER + 8, Sort.FETCH_TABLE),
            Map.entry(Context.USER + 16, Sort.JUMPS),
            Map.entry(Context.USER + 24, Sort.JOURNAL),
            Map.entry(Context.SUPERVISOR, Sort.DATA_TABLE),
            Map.entry(Context.SUPERVISOR + 8, Sort.FETCH_TABLE),
            Map.entry(Context.SUPERVISOR + 16, Sort.JUMPS),
            Map.entry(Context.SUPERVISOR + 24, Sort.JOURNAL));

    /** Slots that emitted code may point elsewhere. */
    private static final Set<Integer> SWITCHED =
            Set.of(Context.TABLE, Context.FETCH_TABLE, Context.JUMPS, Context.JOURNAL);

    private static final Disassembler DISASSEMBLER = new Disassembler(Disassembler.Symbols.NONE);

    private final Trampolines trampolines;
    private final Decoder decoder = new Decoder();

    /** What is known on each path that leads to an address, by where it comes from; and what is known there. */
    private final Map<Long, Map<Long, HostState>> incoming = new HashMap<>();

    private final Map<Long, HostState> known = new HashMap<>();
    private final TreeSet<Long> waiting = new TreeSet<>();
    /** Addresses at which paths may meet; and those that were passed without stopping. */
    private final Set<Long> meetings = new HashSet<>();

    private final Set<Long> passed = new HashSet<>();
    private boolean again;
    private long begin;
    private long end;
    private LongPredicate heads;
    private long blocks;
    private long instructions;

    EmittedCodeCheck(Trampolines trampolines) {
        this.trampolines = trampolines;
    }

    /** Blocks that were proved harmless, and their host instructions. */
    long blocks() {
        return blocks;
    }

    long instructions() {
        return instructions;
    }

    /**
     * Checks a block.
     *
     * @param code its head
     * @param limit end of its code
     * @param otherHeads whether an address is the head of a block that it may jump to
     */
    void block(long code, long limit, LongPredicate otherHeads) {
        begin = code;
        end = limit;
        heads = otherHeads;
        meetings.clear();
        do {
            again = false;
            incoming.clear();
            known.clear();
            waiting.clear();
            passed.clear();
            flow(0, code, atHead());
            int steps = 0;
            while (!waiting.isEmpty() && !again) {
                long pc = waiting.pollFirst();
                HostState s = known.get(pc).copy();
                boolean on = true;
                while (on) {
                    if (steps++ > MOST_STEPS) {
                        throw new UnsafeCode(
                                "the check of the block at 0x" + Long.toHexString(begin) + " does not end");
                    }
                    passed.add(pc);
                    Insn i = decode(pc);
                    try {
                        on = execute(s, i, pc);
                    } catch (UnsafeCode e) {
                        throw new UnsafeCode(e.getMessage() + "\nat " + text(pc, i) + "\nin\n" + listing());
                    }
                    long from = pc;
                    pc += i.length();
                    if (on && meetings.contains(pc)) {
                        flow(from, pc, s);
                        on = false;
                    }
                }
            }
        } while (again);
        blocks++;
        instructions += passed.size();
    }

    private static HostState atHead() {
        HostState s = new HostState();
        for (int n = 0; n < 16; n++) {
            s.registers[n] =
                    Term.of(new Unknown(0, n, n == STATE ? Sort.STATE : n == Assembler.RSP ? Sort.STACK : Sort.PLAIN));
        }
        return s;
    }

    /** The path from one address goes on at another. */
    private void flow(long from, long pc, HostState s) {
        if (meetings.add(pc) && passed.contains(pc)) {
            // Was not known when the path that falls into it passed.
            again = true;
            return;
        }
        HostState before = known.get(pc);
        Map<Long, HostState> paths = incoming.computeIfAbsent(pc, to -> new TreeMap<>());
        paths.put(from, s.copy());
        HostState now = null;
        for (HostState path : paths.values()) {
            now = now == null ? path.copy() : now.join(path, pc);
        }
        if (before == null || !now.sameAs(before)) {
            known.put(pc, now);
            waiting.add(pc);
        }
    }

    private Insn decode(long pc) {
        if (pc < begin || pc >= end) {
            throw new UnsafeCode("runs on to 0x" + Long.toHexString(pc) + ", which is not of the block\n" + listing());
        }
        Insn i = decoder.decode(offset -> Raw.getByte(pc + offset) & 0xff, 0, 3);
        if (i == null || pc + i.length() > end) {
            throw new UnsafeCode("no instruction at 0x" + Long.toHexString(pc) + "\n" + listing());
        }
        return i;
    }

    // ---------------------------------------------------------------- instructions

    private static UnsafeCode refuse(String why) {
        return new UnsafeCode(why);
    }

    private static String name(Row row) {
        int constant = row.semantics.indexOf('#');
        return constant < 0 ? row.semantics : row.semantics.substring(0, constant);
    }

    /** Executes one instruction; false when nothing falls through to the next. */
    private boolean execute(HostState s, Insn i, long pc) {
        if (i.segment >= 0 || i.mem != null && i.mem.addressSize != 3 || i.addressSize != 3) {
            throw refuse("a segment or another address size");
        }
        String name = name(i.row);
        long next = pc + i.length();
        switch (name) {
            case "Control.jmp" -> {
                jump(s, pc, next + i.imm);
                return false;
            }
            case "Control.jcc" -> {
                HostState taken = s.copy();
                if (learn(taken, i.opcode & 15)) {
                    jump(taken, pc, next + i.imm);
                }
                return learn(s, i.opcode & 15 ^ 1);
            }
            case "Control.call" -> {
                return call(s, next + i.imm, next);
            }
            case "Control.jmpRm" -> {
                jumpThroughCache(s, i);
                return false;
            }
            case "Strings.movs", "Strings.stos" -> string(s, i, pc, name.equals("Strings.movs"));
            case "SseMoves.ldmxcsr" -> loadControl(s, i, 4, MXCSR_UNSAFE & 0xffffffffL, MXCSR_MASKED, 2);
            case "X87Control.fldcw" -> loadControl(s, i, 2, FCW_MASKED, FCW_MASKED, 1);
            default -> {
                if (!FAMILIES.contains(name.substring(0, name.indexOf('.'))) || REFUSED.contains(name)) {
                    throw refuse("not an instruction that may be emitted");
                }
                held(s, i);
                if (!exact(s, i, pc, name)) {
                    general(s, i, pc, name);
                }
            }
        }
        if (s.registers[Assembler.RSP].pointer(Sort.STACK) == null || s.registers[STATE].pointer(Sort.STATE) == null) {
            throw refuse("writes rsp or r14");
        }
        return true;
    }

    /** Instructions whose results are needed to know what memory operands mean; false for all others. */
    private boolean exact(HostState s, Insn i, long pc, String name) {
        List<OperandSpec> operands = i.row.operands;
        if (name.equals("Moves.lea")) {
            set(s, i, operands.getFirst(), pc, address(s, i.mem));
            return true;
        }
        boolean two = operands.size() == 2 && operands.stream().allMatch(EmittedCodeCheck::isGeneral);
        if (!two) {
            return false;
        }
        OperandSpec to = operands.getFirst();
        OperandSpec from = operands.get(1);
        int w = to.width(i.operandSize);
        switch (name) {
            case "Moves.mov" -> {
                Term value = get(s, i, from, pc);
                set(s, i, to, pc, value);
                return true;
            }
            case "Arithmetic.cmp" -> {
                Term a = get(s, i, to, pc).low(w);
                Term b = get(s, i, from, pc).low(w);
                s.flags = w >= 2 ? new OfCompare(w, a, b) : null;
                return true;
            }
            case "Arithmetic.test" -> {
                boolean ofHeld = i.mem != null
                        && address(s, i.mem).minus(s.registers[STATE]).equals(Term.of(Context.HELD))
                        && from.kind() == Kind.IMM;
                get(s, i, to, pc);
                get(s, i, from, pc);
                s.flags = ofHeld ? new OfHeldTest((int) i.imm & 0xff) : null;
                return true;
            }
            default -> {}
        }
        boolean intoRegister = i.mem == null || to.kind() == Kind.REG;
        if (!intoRegister || w < 2) {
            return false;
        }
        switch (name) {
            case "Arithmetic.add" -> set(s, i, to, pc, get(s, i, to, pc).plus(get(s, i, from, pc)));
            case "Arithmetic.sub" -> set(s, i, to, pc, get(s, i, to, pc).minus(get(s, i, from, pc)));
            case "Arithmetic.and" -> {
                Term mask = get(s, i, from, pc);
                if (!mask.isConstant()) {
                    return false;
                }
                set(s, i, to, pc, get(s, i, to, pc).and(mask.low(w).constant()));
            }
            case "Shifts.shl", "Shifts.shr", "Shifts.sar" -> {
                if (from.kind() != Kind.IMM) {
                    return false;
                }
                int count = (int) i.imm & (w == 3 ? 63 : 31);
                Term value = get(s, i, to, pc);
                set(
                        s,
                        i,
                        to,
                        pc,
                        name.equals("Shifts.shl")
                                ? value.times(1L << count)
                                : value.right(w, count, name.equals("Shifts.sar")));
            }
            default -> {
                return false;
            }
        }
        s.flags = null;
        return true;
    }

    private static boolean isGeneral(OperandSpec spec) {
        return switch (spec.kind()) {
            case REG, RM, RM_REG, MEM, OPCODE_REG, IMM, CONSTANT -> "bwdqvzy".indexOf(spec.size()) >= 0;
            default -> false;
        };
    }

    /** Any other instruction that computes: its operands are accessed, and what it writes is unknown. */
    private void general(HostState s, Insn i, long pc, String name) {
        if (name.equals("Multiply.div") || name.equals("Multiply.idiv")) {
            divide(s, i, name.equals("Multiply.idiv"));
        }
        for (OperandSpec spec : i.row.operands) {
            int register = register(i, spec);
            boolean writes = writes(spec, name);
            if (register >= 0) {
                if (spec.access() != Access.WRITE && s.registers[register].isSecret()) {
                    throw refuse("computes with a secret of the host");
                }
            } else if (i.mem != null && isMemory(spec)) {
                int bytes = bytes(i, spec);
                if (name.matches("Bits\\.bt[src]?")
                        && get(s, i, i.row.operands.get(1), pc).max() >>> 3 > bytes - 1) {
                    throw refuse("reaches a bit beyond its operand");
                }
                access(s, address(s, i.mem), bytes, spec.access() != Access.WRITE, writes, alignment(i, bytes));
                forgetSlots(s, i.mem, bytes, writes);
            }
        }
        for (OperandSpec spec : i.row.operands) {
            int register = register(i, spec);
            if (register >= 0 && writes(spec, name)) {
                s.registers[register] = s.unknown(pc, register, Sort.PLAIN);
            }
        }
        for (int register : implied(i, name)) {
            s.registers[register] = s.unknown(pc, register, Sort.PLAIN);
        }
        s.flags = null;
    }

    /** Whether an operand is written; the table leaves that to the semantics of what exchanges. */
    private static boolean writes(OperandSpec spec, String name) {
        return spec.access() != Access.READ
                || name.startsWith("Moves.xchg")
                || name.startsWith("Atomics.xadd")
                || (name.startsWith("Atomics.") || name.matches("Bits\\.bt[src]")) && spec.kind() != Kind.REG;
    }

    /** General registers that an instruction writes although no operand says so. */
    private static int[] implied(Insn i, String name) {
        return switch (name) {
            case "Multiply.mul",
                    "Multiply.imul",
                    "Multiply.mul8",
                    "Multiply.imul8",
                    "Multiply.div",
                    "Multiply.idiv",
                    "Atomics.cmpxchg8b",
                    "Atomics.cmpxchg16b" -> new int[] {Assembler.RAX, Assembler.RDX};
            case "Atomics.cmpxchg", "Atomics.cmpxchg8", "Moves.cbw", "FlagInsns.lahf" -> new int[] {Assembler.RAX};
            case "Moves.cwd" -> new int[] {Assembler.RDX};
            case "SseStrings.pcmpestri", "SseStrings.pcmpistri" -> new int[] {Assembler.RCX};
            default -> new int[0];
        };
    }

    private static boolean isMemory(OperandSpec spec) {
        return switch (spec.kind()) {
            case RM, MEM, OFFSET, XMM_RM, MMX_RM -> true;
            default -> false;
        };
    }

    private static int bytes(Insn i, OperandSpec spec) {
        return switch (spec.size()) {
            case 'v', 'z', 'y' -> 1 << spec.width(i.operandSize);
            default -> spec.bytes(i.vexL);
        };
    }

    /** What the host wants a memory operand to be aligned by. */
    private static int alignment(Insn i, int bytes) {
        if (bytes < 16) {
            return 1;
        }
        String m = i.row.mnemonic;
        boolean moves = m.matches("vmov(a|nt).*") || m.equals("vmovdqa");
        boolean wants = i.row.vex ? moves : !UNALIGNED.contains(m);
        return wants ? bytes : 1;
    }

    /** The general register that an operand is, or -1. A high byte belongs to the register four below. */
    private static int register(Insn i, OperandSpec spec) {
        int n = switch (spec.kind()) {
            case REG -> i.reg;
            case RM, RM_REG -> i.mem == null ? i.rm : -1;
            case OPCODE_REG -> i.rm;
            case VVVV -> i.vvvv;
            case FIXED -> spec.fixed();
            default -> -1;
        };
        return n >= 4 && spec.size() == 'b' && i.rex == 0 ? n - 4 : n;
    }

    private static void held(HostState s, Insn i) {
        int wanted = 0;
        for (OperandSpec spec : i.row.operands) {
            wanted |= switch (spec.kind()) {
                case XMM, XMM_RM, XMM_RM_REG, XMM_VVVV, XMM_IS4 ->
                    i.row.isVexVector() ? Context.SSE | Context.AVX : Context.SSE;
                case MMX, MMX_RM, MMX_RM_REG, ST -> Context.X87;
                default -> 0;
            };
        }
        if (i.row.semantics.startsWith("X87") || i.row.semantics.equals("SseMoves.emms")) {
            wanted |= Context.X87;
        }
        if (i.row.semantics.startsWith("Avx.vzero")) {
            wanted |= Context.SSE | Context.AVX;
        }
        if ((s.held & wanted) != wanted) {
            throw refuse("the host does not hold the guest's registers");
        }
    }

    // ---------------------------------------------------------------- operands

    /** The value of a general operand, zero-extended. */
    private Term get(HostState s, Insn i, OperandSpec spec, long pc) {
        int w = spec.width(i.operandSize);
        if (spec.kind() == Kind.IMM) {
            return Term.of(i.imm);
        }
        if (spec.kind() == Kind.CONSTANT) {
            return Term.of(1);
        }
        int register = register(i, spec);
        if (register >= 0) {
            boolean high = w == 0 && i.rex == 0 && (spec.kind() == Kind.REG ? i.reg : i.rm) >= 4;
            return high ? s.registers[register].right(1, 8, false) : s.registers[register].low(w);
        }
        return load(s, address(s, i.mem), 1 << w, pc);
    }

    /** Writes a general operand; bytes and words leave a register whose value is not known. */
    private void set(HostState s, Insn i, OperandSpec spec, long pc, Term value) {
        int w = spec.width(i.operandSize);
        int register = register(i, spec);
        if (register >= 0) {
            boolean secret = value.isSecret();
            s.registers[register] = w >= 2 ? value.low(w) : s.unknown(pc, register, secret ? Sort.HOST : Sort.PLAIN);
        } else {
            store(s, address(s, i.mem), 1 << w, value.low(w));
        }
    }

    private static Term address(HostState s, Mem m) {
        if (m.ripRelative()) {
            throw refuse("a rip-relative operand");
        }
        Term base = m.base() == VcpuState.ZERO ? Term.of(0) : s.registers[(m.base() - VcpuState.GPR) / 8];
        Term index = m.index() == VcpuState.ZERO ? Term.of(0) : s.registers[(m.index() - VcpuState.GPR) / 8];
        return base.plus(index.times(1L << m.scale())).plus(m.displacement());
    }

    // ---------------------------------------------------------------- memory

    private static int[] segment(int n) {
        int begin = VcpuState.SEGMENTS + n * VcpuState.SEGMENT_SIZE;
        return new int[] {begin, begin + VcpuState.SEGMENT_SIZE};
    }

    private static int[] slot(int at, int bytes) {
        return new int[] {Context.BIAS + at, Context.BIAS + at + bytes};
    }

    /** How far an address is from r14, or null when it is not in the state block. */
    private static Integer inState(HostState s, Term address) {
        Term distance = address.minus(s.registers[STATE]);
        return distance.isConstant() && distance.constant() == (int) distance.constant()
                ? (int) distance.constant()
                : null;
    }

    /** The entry of a table, and the field of it, that an address is; null for other addresses. */
    private static Tag inTable(Term address) {
        for (Sort sort : new Sort[] {Sort.DATA_TABLE, Sort.FETCH_TABLE, Sort.JUMPS, Sort.BLOCKS}) {
            Unknown table = address.pointer(sort);
            if (table == null) {
                continue;
            }
            boolean tlb = sort == Sort.DATA_TABLE || sort == Sort.FETCH_TABLE;
            int times = tlb ? 1 : 1 << JumpCache.ENTRY_SHIFT;
            int mask = tlb ? DATA_INDEX : (sort == Sort.JUMPS ? JumpCache.ENTRIES : BlockTable.ENTRIES) - 1;
            int bytes = tlb ? 1 << Tlb.ENTRY_SHIFT : 1 << JumpCache.ENTRY_SHIFT;
            long field = address.constant();
            Map<Term.Atom, Long> parts = new HashMap<>(address.parts());
            parts.remove(table);
            Map.Entry<Term.Atom, Long> index =
                    parts.size() == 1 ? parts.entrySet().iterator().next() : null;
            if (index != null
                    && index.getKey() instanceof And and
                    && (and.mask() & ~mask) == 0
                    && index.getValue() == times
                    && field >= 0
                    && field <= bytes - 8) {
                return new Tag(address.plus(-field), (int) field);
            }
            throw refuse("an index of a table that is not masked: " + address);
        }
        return null;
    }

    /** Reads a value into a register, or for a comparison. */
    private Term load(HostState s, Term address, int bytes, long pc) {
        Integer at = inState(s, address);
        if (at != null) {
            access(s, address, bytes, true, false, 1);
            Cell cell = s.slots.get(at);
            if (cell != null && cell.bytes() >= bytes) {
                return bytes == 8 ? cell.value() : cell.value().and((1L << bytes * 8) - 1);
            }
            Sort sort = bytes == 8 ? POINTERS.getOrDefault(at, Sort.PLAIN) : Sort.PLAIN;
            Term value = s.unknown(pc, HostState.SLOT + at, sort);
            if (bytes == 8) {
                s.forget(at, 8);
                s.slots.put(at, new Cell(8, value));
                return value;
            }
            return value.and((1L << bytes * 8) - 1);
        }
        Tag tag = inTable(address);
        if (tag != null && bytes == 8) {
            return inEntry(s, tag, pc);
        }
        access(s, address, bytes, true, false, 1);
        Term value = s.unknown(pc, HostState.RESULT, Sort.PLAIN);
        return bytes == 8 ? value : value.and((1L << bytes * 8) - 1);
    }

    private static Term inEntry(HostState s, Tag tag, long pc) {
        if (tag.entry().pointer(Sort.DATA_TABLE) != null && tag.field() == Tlb.ADDEND) {
            Term addend = s.unknown(pc, HostState.RESULT, Sort.ADDEND);
            s.facts.addAll(probes(s, tag.entry(), (Unknown) addend.only()));
            // Of no further use: an addend is read once.
            s.facts.removeIf(fact -> fact instanceof Compared c && (c.a().mentionsTag() || c.b().mentionsTag()));
            return addend;
        }
        if (tag.entry().pointer(Sort.FETCH_TABLE) != null && tag.field() == Tlb.ADDEND) {
            return s.unknown(pc, HostState.RESULT, Sort.HOST);
        }
        boolean code = tag.entry().pointer(Sort.JUMPS) != null || tag.entry().pointer(Sort.BLOCKS) != null;
        if (code && tag.field() == 8) {
            return s.unknown(pc, HostState.RESULT, Sort.CODE);
        }
        return Term.of(tag);
    }

    /**
     * What the addend of an entry is good for: bytes whose first has the page that a tag of the entry was equal to, and whose last
     * has the entry itself. Pages of the two can only be the same or neighbours; neighbours have different entries.
     */
    private static Set<Fact> probes(HostState s, Term entry, Unknown addend) {
        Set<Fact> probes = new HashSet<>();
        Right last = index(entry);
        for (Fact fact : s.facts) {
            boolean equal = fact instanceof Compared c && c.relation() == Relation.EQUAL && c.w() == 3;
            if (!equal || last == null) {
                continue;
            }
            Compared c = (Compared) fact;
            And page = c.a().only() instanceof And a ? a : c.b().only() instanceof And b ? b : null;
            Tag tag = c.b().only() instanceof Tag b ? b : c.a().only() instanceof Tag a ? a : null;
            if (page == null
                    || tag == null
                    || !tag.entry().equals(entry)
                    || tag.field() != Tlb.READ && tag.field() != Tlb.WRITE) {
                continue;
            }
            // A tag has no bit below 64 set, so that what the mask leaves of the low bits is 0.
            long alignment = (page.mask() & 63) + 1;
            boolean masks = page.mask() == (-4096 | alignment - 1) && Long.bitCount(alignment) == 1;
            Term distance = last.of().minus(page.of());
            if (masks && distance.isConstant() && distance.constant() >= 0 && distance.constant() < 4096) {
                int bytes = (int) Math.max(distance.constant() + 1, alignment);
                probes.add(new Probed(addend, page.of(), bytes, tag.field() == Tlb.WRITE, (int) alignment));
            }
        }
        return probes;
    }

    /** The address whose page has this entry, shifted; null when that is not what the index is. */
    private static Right index(Term entry) {
        for (Term.Atom atom : entry.parts().keySet()) {
            if (atom instanceof And and
                    && and.mask() == DATA_INDEX
                    && and.of().only() instanceof Right right
                    && right.w() == 3
                    && right.count() == 12 - Tlb.ENTRY_SHIFT) {
                return right;
            }
        }
        return null;
    }

    private static void store(HostState s, Term address, int bytes, Term value) {
        Integer at = inState(s, address);
        if (at != null
                && bytes == 8
                && SWITCHED.contains(at)
                && value.pointer(POINTERS.get(at)) != null
                && value.only() != null) {
            s.forget(at, 8);
            s.slots.put(at, new Cell(8, value));
            return;
        }
        access(s, address, bytes, false, true, 1);
        boolean ours = at != null && at >= Context.VA;
        if (value.isSecret() && !ours) {
            throw refuse("stores a secret of the host");
        }
        if (at != null) {
            s.forget(at, bytes);
            s.slots.put(at, new Cell(bytes, value));
        }
    }

    private static void forgetSlots(HostState s, Mem m, int bytes, boolean written) {
        Integer at = written ? inState(s, address(s, m)) : null;
        if (at != null) {
            s.forget(at, bytes);
        }
    }

    /** An operand in memory, of any instruction: (a), (b) or (c) of what is allowed. */
    private static void access(HostState s, Term address, int bytes, boolean reads, boolean writes, int alignment) {
        Integer at = inState(s, address);
        if (at != null) {
            int from = Context.BIAS + at;
            boolean inside = from >= 0 && from + bytes <= VcpuState.SIZE;
            boolean writable = false;
            for (int[] range : WRITABLE) {
                writable |= from >= range[0] && from + bytes <= range[1];
            }
            // The state block lies on a page, and r14 with it on a multiple of 64.
            if (!inside || writes && !writable || from % alignment != 0) {
                throw refuse("an operand in the state block at 0x" + Integer.toHexString(from));
            }
            return;
        }
        Unknown addend = address.pointer(Sort.ADDEND);
        if (addend != null) {
            Term guest = address.minus(Term.of(addend));
            for (Fact fact : s.facts) {
                if (fact instanceof Probed p
                        && p.addend().equals(addend)
                        && covers(p, guest, bytes, writes, alignment)) {
                    return;
                }
            }
            throw refuse(
                    "no probe covers " + bytes + " bytes at " + guest + (writes ? " for a store: " : ": ") + s.facts);
        }
        if (inTable(address) != null && !writes && bytes <= 8) {
            return;
        }
        throw refuse("an operand in memory at " + address);
    }

    private static boolean covers(Probed p, Term guest, int bytes, boolean writes, int alignment) {
        Term distance = guest.minus(p.first());
        long from = distance.constant();
        return distance.isConstant()
                && from >= 0
                && from + bytes <= p.bytes()
                && (p.write() || !writes)
                && p.alignment() % alignment == 0
                && from % alignment == 0;
    }

    // ---------------------------------------------------------------- what could fault or reach further

    /** The quotient fits, by what branches have found. */
    private static void divide(HostState s, Insn i, boolean signed) {
        if (i.mem != null) {
            throw refuse("divides by memory, which may have changed since it was looked at");
        }
        int w = i.operandSize;
        Term divisor = s.registers[i.rm].low(w);
        Term high = s.registers[Assembler.RDX].low(w);
        boolean safe;
        if (signed) {
            // Neither 0 nor -1, and only sign above.
            Term sign = s.registers[Assembler.RAX].right(w, (8 << w) - 1, true).low(w);
            safe = s.facts.contains(new Compared(
                            Relation.BELOW, w, Term.of(1), divisor.plus(1).low(w)))
                    && (s.facts.contains(new Compared(Relation.EQUAL, w, sign, high))
                            || s.facts.contains(new Compared(Relation.EQUAL, w, high, sign)));
        } else {
            safe = s.facts.contains(new Compared(Relation.BELOW, w, high, divisor));
        }
        if (!safe) {
            throw refuse("divides without a guard by " + divisor);
        }
    }

    /** LDMXCSR and FLDCW, from a slot whose value was looked at. */
    private void loadControl(HostState s, Insn i, int bytes, long mask, long wanted, int w) {
        Integer at = inState(s, address(s, i.mem));
        Cell cell = at == null ? null : s.slots.get(at);
        if (cell == null || cell.bytes() < bytes) {
            throw refuse("loads a control register that nobody has looked at");
        }
        Term looked = cell.value().and(mask);
        if (!s.facts.contains(new Compared(Relation.EQUAL, 2, looked, Term.of(wanted)))) {
            throw refuse("loads a control register that may unmask exceptions: " + cell.value());
        }
        int held = w == 2 ? Context.SSE : Context.X87;
        if ((s.held & held) == 0) {
            throw refuse("the host does not hold the guest's registers");
        }
    }

    /** MOVS and STOS: everything lies in the page of the first element. */
    private void string(HostState s, Insn i, long pc, boolean moves) {
        int w = (i.opcode & 1) == 0 ? 0 : i.operandSize;
        boolean repeated = i.rep || i.repne;
        Term count = repeated ? s.registers[Assembler.RCX] : Term.of(1);
        if (s.registers[Assembler.RAX].isSecret() && !moves) {
            throw refuse("stores a secret of the host");
        }
        stringOperand(s, Assembler.RDI, w, repeated ? count : null, true);
        if (moves) {
            stringOperand(s, Assembler.RSI, w, repeated ? count : null, false);
            s.registers[Assembler.RSI] = s.registers[Assembler.RSI].plus(count.times(1L << w));
        }
        s.registers[Assembler.RDI] = s.registers[Assembler.RDI].plus(count.times(1L << w));
        if (repeated) {
            s.registers[Assembler.RCX] = Term.of(0);
        }
    }

    private static void stringOperand(HostState s, int pointer, int w, Term count, boolean write) {
        Term address = s.registers[pointer];
        access(s, address, 1 << w, !write, write, 1);
        Unknown addend = address.pointer(Sort.ADDEND);
        if (addend == null) {
            throw refuse("a string that is not the guest's");
        }
        if (count == null) {
            return;
        }
        Term guest = address.minus(Term.of(addend));
        // First that the sum cannot wrap, then that it ends in the page.
        boolean few = s.facts.contains(new Compared(Relation.BELOW_OR_EQUAL, 3, count, Term.of(4096 >> w)));
        Term ends = guest.low(2).and(4095).plus(count.times(1L << w)).low(2);
        boolean inside = s.facts.contains(new Compared(Relation.BELOW_OR_EQUAL, 2, ends, Term.of(4096)));
        if (!few || !inside) {
            throw refuse("a string that may leave its page");
        }
    }

    // ---------------------------------------------------------------- branches

    /** What a condition says about the values that were compared; false when it cannot be true. */
    private static boolean learn(HostState s, int condition) {
        if (s.flags instanceof OfCompare c) {
            Compared fact = switch (condition) {
                case Assembler.E -> new Compared(Relation.EQUAL, c.w(), c.a(), c.b());
                case Assembler.BELOW -> new Compared(Relation.BELOW, c.w(), c.a(), c.b());
                case Assembler.AE -> new Compared(Relation.BELOW_OR_EQUAL, c.w(), c.b(), c.a());
                case Assembler.BE -> new Compared(Relation.BELOW_OR_EQUAL, c.w(), c.a(), c.b());
                case Assembler.A -> new Compared(Relation.BELOW, c.w(), c.b(), c.a());
                default -> null;
            };
            if (fact != null) {
                s.facts.add(fact);
            }
        } else if (s.flags instanceof OfHeldTest t && Integer.bitCount(t.bits()) == 1) {
            if (condition == Assembler.NE) {
                s.held |= holds(t.bits());
            }
            return condition != Assembler.E || (s.held & t.bits()) == 0;
        }
        return true;
    }

    /** Whoever holds more holds the XMM registers too. */
    private static int holds(int bits) {
        return bits | Context.SSE;
    }

    private void jump(HostState s, long pc, long target) {
        if (target > begin && target < end) {
            flow(pc, target, s);
        } else if (target == trampolines.dispatch || target == begin || heads.test(target)) {
            leaves(s);
        } else {
            throw refuse("jumps to 0x" + Long.toHexString(target));
        }
    }

    /** True when Java may come back to the instruction behind the call. */
    private boolean call(HostState s, long target, long behind) {
        if (target == trampolines.loadSse || target == trampolines.loadAvx || target == trampolines.loadX87) {
            s.registers[Emission.T1] = Term.of(0);
            s.registers[Emission.T1] = s.unknown(behind, Emission.T1, Sort.PLAIN);
            s.flags = null;
            s.held = target == trampolines.loadAvx
                    ? s.held | Context.AVX
                    : target == trampolines.loadSse ? Context.SSE : Context.SSE | Context.X87;
            return true;
        }
        if (target != trampolines.exit) {
            throw refuse("calls 0x" + Long.toHexString(target));
        }
        leaves(s);
        Cell word = s.slots.get(Context.EXIT);
        if (word == null || word.bytes() != 4 || !word.value().isConstant()) {
            throw refuse("leaves without saying why");
        }
        int reason = Context.reason((int) word.value().constant());
        if (reason >= Context.REASONS) {
            throw refuse("leaves for no reason that there is");
        }
        return resumed(s, reason, behind);
    }

    /**
     * What Java may have changed when it comes back: registers that are not the guest's, slots that it or the interpreter uses, tables. A miss is
     * resumed only when nothing of what was found before has become wrong. RDTSC changes guest registers; more is not assumed
     * behind it.
     */
    private static boolean resumed(HostState s, int reason, long pc) {
        boolean miss = reason == Context.MISS_READ || reason == Context.MISS_WRITE;
        if (!miss && reason != Context.TIME && reason != Context.FPU_X87) {
            return false;
        }
        s.forgetTables();
        for (int n = 0; n < 16; n++) {
            boolean scratch = n == Emission.T0 || n == Emission.T1;
            if (n != STATE && n != Assembler.RSP && (scratch || !miss)) {
                s.registers[n] = Term.of(0);
                s.registers[n] = s.unknown(pc, n, Sort.PLAIN);
            }
        }
        if (miss) {
            s.slots.keySet().removeIf(at -> !isKept(at));
        } else {
            s.slots.clear();
            s.facts.clear();
        }
        if (reason == Context.FPU_X87) {
            s.held = 0;
        }
        return true;
    }

    /** Slots that stay as they are when a miss is resumed: guest registers, segment bases, the page, what is kept across a probe. */
    private static boolean isKept(int at) {
        return at + Context.BIAS < VcpuState.RIP
                || at + Context.BIAS >= VcpuState.SEGMENTS && at + Context.BIAS < VcpuState.GDTR_BASE
                || at == Context.PAGE
                || at >= Context.TEMP && at < Context.IMAGE
                || at >= Context.GROUPS;
    }

    /** An indirect branch: the entry that belongs to the target was found to be of the target. */
    private void jumpThroughCache(HostState s, Insn i) {
        if (i.mem == null) {
            throw refuse("jumps to a register");
        }
        Tag entry = inTable(address(s, i.mem));
        if (entry == null || entry.field() != 8 || entry.entry().pointer(Sort.JUMPS) == null) {
            throw refuse("jumps through " + address(s, i.mem));
        }
        Term tag = Term.of(new Tag(entry.entry(), 0));
        for (Fact fact : s.facts) {
            if (fact instanceof Compared c && c.relation() == Relation.EQUAL && c.w() == 3) {
                Term target = c.b().equals(tag) ? c.a() : c.a().equals(tag) ? c.b() : null;
                Term index = target == null
                        ? null
                        : target.low(2).and(JumpCache.ENTRIES - 1L).times(1L << JumpCache.ENTRY_SHIFT);
                if (index != null && entry.entry().minus(index).only() instanceof Unknown u && u.sort() == Sort.JUMPS) {
                    leaves(s);
                    return;
                }
            }
        }
        throw refuse("jumps through an entry of the jump cache that was not found to be the target's");
    }

    /** No secret of the host stays in a guest register. */
    private static void leaves(HostState s) {
        for (int n = 0; n < 16; n++) {
            boolean ours = n == STATE || n == Assembler.RSP || n == Emission.T0 || n == Emission.T1;
            if (!ours && s.registers[n].isSecret()) {
                throw refuse("leaves a secret of the host in register " + n);
            }
        }
        for (Map.Entry<Integer, Cell> e : s.slots.entrySet()) {
            if (e.getKey() < 0 && e.getValue().value().isSecret()) {
                throw refuse("leaves a secret of the host in guest state at " + e.getKey());
            }
        }
    }

    // ---------------------------------------------------------------- for people

    private static String text(long pc, Insn i) {
        return Long.toHexString(pc) + ": " + DISASSEMBLER.text(i, pc);
    }

    /** All instructions of the block, from its head on. */
    private String listing() {
        StringBuilder s = new StringBuilder();
        for (long pc = begin; pc < end; ) {
            long at = pc;
            Insn i = decoder.decode(offset -> Raw.getByte(at + offset) & 0xff, 0, 3);
            if (i == null) {
                return s.append(Long.toHexString(pc)).append(": ?\n").toString();
            }
            s.append(text(pc, i)).append('\n');
            pc += i.length();
        }
        return s.toString();
    }
}
