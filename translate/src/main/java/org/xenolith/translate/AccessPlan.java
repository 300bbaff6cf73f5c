package org.xenolith.translate;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.decode.OperandSpec;
import org.xenolith.cpu.decode.OperandSpec.Kind;
import org.xenolith.translate.Emission.Place;
import org.xenolith.translate.Emitted.Entry;

/**
 * Which memory accesses of a block can share a TLB probe: those near to each other from the same base and index registers,
 * or from the stack pointer as it moves by constants.
 *
 * <p>The first access of a group probes for all of its bytes and keeps the addend; the others need no probe, and leave the
 * flags alone. A group that stores begins with a store, so that the first access asks for no more than its own page and
 * its own rights: what the guest can see does not change. Bytes that do not lie in one page make the probe fail, and the
 * interpreter executes that one instruction.
 */
final class AccessPlan {
    /** Groups of a block: {@link Context#GROUPS} has as many slots. */
    static final int MOST_GROUPS = 8;
    /** Bytes that a group may span: the more, the more often they cross a page. */
    private static final int MOST_BYTES = 128;
    /** Displacements of a group: so far from the ends of an int that distances between them never wrap. */
    private static final long MOST_DISPLACEMENT = 1 << 29;

    private static final int RSP = VcpuState.RSP * 8;
    private static final int ALL = 0xFFFF;
    private static final int RAX_RDX = 1 | 1 << VcpuState.RDX;

    /** Accesses that share a probe. Displacements are relative to the registers at the block's start. */
    static final class Group {
        private final Place key;
        private final boolean write;
        private boolean open = true;
        private int members;
        private int min;
        private int max;
        /** Low four bits that the displacement of an aligned access has, or -1 while there is none. */
        private int residue = -1;

        int slot = -1;

        private Group(Place key, boolean write) {
            this.key = key;
            this.write = write;
        }

        boolean writes() {
            return write;
        }

        boolean aligned() {
            return residue >= 0;
        }

        int bytes() {
            return max - begin();
        }

        /** Begin of the bytes; of an aligned group, on a multiple of 16 when its accesses are aligned. */
        int begin() {
            return residue < 0 ? min : min - (min - residue & 15);
        }

        private boolean takes(Access a, int displacement) {
            if (!open || a.write && !write || !sameRegisters(a.place)) {
                return false;
            }
            int low = Math.min(min, displacement);
            int high = Math.max(max, displacement + a.bytes);
            return high - low <= MOST_BYTES && (!a.aligned || residue < 0 || residue == (displacement & 15));
        }

        private boolean sameRegisters(Place p) {
            return key.base() == p.base() && key.index() == p.index() && key.scale() == p.scale();
        }

        private void add(Access a, int displacement) {
            min = members == 0 ? displacement : Math.min(min, displacement);
            max = members == 0 ? displacement + a.bytes : Math.max(max, displacement + a.bytes);
            if (a.aligned) {
                residue = displacement & 15;
            }
            members++;
        }
    }

    /** One access, in the order in which instructions are emitted. */
    static final class Access {
        final Place place;
        final int bytes;
        final boolean write;
        final boolean aligned;
        /** What the stack pointer has moved by before it, when that is the base. */
        private long moved;

        Group group;
        boolean leads;

        private Access(Place place, int bytes, boolean write, boolean aligned) {
            this.place = place;
            this.bytes = bytes;
            this.write = write;
            this.aligned = aligned;
        }

        /** Displacement of the group's first byte from the registers as they are at this access. */
        int groupDisplacement() {
            return Math.toIntExact(group.begin() - moved);
        }
    }

    private final Emission e;
    private final List<List<Access>> accesses = new ArrayList<>();
    private final List<Group> groups = new ArrayList<>();
    private long moved;

    AccessPlan(Emission e) {
        this.e = e;
    }

    /** Access number {@code k} of an instruction, or null when it is on its own. */
    Access access(int index, int k) {
        List<Access> list = accesses.get(index);
        Access a = k < list.size() ? list.get(k) : null;
        return a == null || a.group == null ? null : a;
    }

    /**
     * Looks at the block in {@link Emission#insns}.
     *
     * @param alone says of an instruction's offset in the page that its accesses share nothing
     */
    void make(IntPredicate alone) {
        accesses.clear();
        groups.clear();
        moved = 0;
        for (int n = 0; n < e.insns.size(); n++) {
            Insn i = e.insns.get(n);
            Entry entry = e.entries.get(n);
            List<Access> list = accessesOf(i, entry);
            accesses.add(list);
            if (!alone.test(e.start + i.offset)) {
                list.forEach(this::place);
            }
            move(i, entry);
        }
        int slots = 0;
        for (Group group : groups) {
            if (group.members > 1 && slots < MOST_GROUPS) {
                group.slot = slots++;
            }
        }
        for (List<Access> list : accesses) {
            for (Access a : list) {
                if (a.group != null && a.group.slot < 0) {
                    a.group = null;
                }
            }
        }
    }

    private void place(Access a) {
        Place p = a.place;
        if (p.segmentBase() >= 0 || a.aligned && a.bytes > 16) {
            return;
        }
        a.moved = p.base() == RSP ? moved : 0;
        if (Math.abs((long) p.displacement()) > MOST_DISPLACEMENT
                || Math.abs(p.displacement() + a.moved) > MOST_DISPLACEMENT) {
            return;
        }
        int displacement = (int) (p.displacement() + a.moved);
        for (Group group : groups) {
            if (group.takes(a, displacement)) {
                group.add(a, displacement);
                a.group = group;
                return;
            }
        }
        Group group = new Group(p, a.write);
        group.add(a, displacement);
        a.group = group;
        a.leads = true;
        // Stores first: a load finds a group of stores before one of loads.
        groups.add(a.write ? 0 : groups.size(), group);
    }

    // ---------------------------------------------------------------- what an instruction accesses

    private List<Access> accessesOf(Insn i, Entry entry) {
        Access operand = i.mem == null ? null : operand(i, entry);
        Access push = new Access(Place.stack(-8), 8, true, false);
        Access pop = new Access(Place.stack(0), 8, false, false);
        return switch (entry.shape()) {
            case SAME, ENCODED, DIVIDE, JMP_INDIRECT -> operand == null ? List.of() : List.of(operand);
            case PUSH, CALL_INDIRECT -> operand == null ? List.of(push) : List.of(operand, push);
            case PUSH_IMMEDIATE, CALL, CALL_ON, PUSH_FLAGS -> List.of(push);
            case POP, RET, RET_ON, POP_FLAGS -> List.of(pop);
            default -> List.of();
        };
    }

    private Access operand(Insn i, Entry entry) {
        Place place = e.place(i.mem);
        return switch (entry.shape()) {
            case SAME -> IntegerEmitter.operand(i, place);
            case ENCODED -> VectorEmitter.operand(i, place);
            case DIVIDE -> new Access(place, 1 << i.operandSize, false, false);
            default -> new Access(place, 8, false, false);
        };
    }

    static Access access(Place place, int bytes, boolean write, boolean aligned) {
        return new Access(place, bytes, write, aligned);
    }

    // ---------------------------------------------------------------- what an instruction does to addresses

    /** Closes the groups whose registers an instruction changes, and follows the stack pointer. */
    private void move(Insn i, Entry entry) {
        long by = stackMove(i, entry);
        int written = written(i, entry);
        if (by != 0) {
            boolean popped = entry.shape() == Emitted.Shape.POP && i.rm == VcpuState.RSP;
            if (!popped) {
                written &= ~(1 << VcpuState.RSP);
                moved += by;
            }
        }
        if (written != 0) {
            for (Group group : groups) {
                if (uses(group.key.base(), written) || uses(group.key.index(), written)) {
                    group.open = false;
                }
            }
        }
    }

    /** What an instruction adds to the stack pointer, as far as that is a constant; else 0. */
    static long stackMove(Insn i, Entry entry) {
        return switch (entry.shape()) {
            case PUSH, PUSH_IMMEDIATE, PUSH_FLAGS, CALL_ON -> -8;
            case POP, POP_FLAGS -> 8;
            case RET_ON -> BranchEmitter.popped(i);
            case SAME, LEA -> constantMove(i);
            default -> 0;
        };
    }

    private static boolean uses(int register, int written) {
        return register < VcpuState.GPR + 16 * 8 && (written >>> register / 8 & 1) != 0;
    }

    /** What ADD, SUB or LEA with a constant adds to the stack pointer; 0 when it is none of these. */
    private static long constantMove(Insn i) {
        if (i.operandSize != 3) {
            return 0;
        }
        if (i.row.semantics.equals("Moves.lea")) {
            boolean own = i.reg == VcpuState.RSP && i.mem.base() == RSP && i.mem.index() == VcpuState.ZERO;
            return own ? i.mem.displacement() : 0;
        }
        boolean immediate = i.mem == null
                && i.rm == VcpuState.RSP
                && i.row.operands.size() == 2
                && i.row.operands.getFirst().kind() == Kind.RM
                && i.row.operands.get(1).kind() == Kind.IMM;
        if (!immediate) {
            return 0;
        }
        return switch (i.row.semantics) {
            case "Arithmetic.add" -> i.imm;
            case "Arithmetic.sub" -> -i.imm;
            default -> 0;
        };
    }

    /** General registers that an instruction may write, a bit each. */
    private static int written(Insn i, Entry entry) {
        return switch (entry.shape()) {
            case NOTHING, BRANCH_ON, FPU_CONTROL, CLI, STI, CLD, SWAPGS -> 0;
            case PUSH, PUSH_IMMEDIATE, PUSH_FLAGS, POP_FLAGS, CALL, CALL_ON, RET_ON -> 1 << VcpuState.RSP;
            case POP -> 1 << VcpuState.RSP | 1 << i.rm;
            case LEA -> 1 << i.reg;
            case BARE -> RAX_RDX;
            case DIVIDE -> RAX_RDX;
            case X87 -> 1;
            case SEGMENT_READ, CONTROL_READ -> 1 << i.rm;
            case BIT_STRING -> 0;
            case ACC_EXCHANGE -> 1 | 1 << i.rm;
            case SAME, ENCODED -> operandsWritten(i) | implied(i);
            default -> ALL;
        };
    }

    private static int operandsWritten(Insn i) {
        int mask = 0;
        for (OperandSpec spec : i.row.operands) {
            if (spec.kind() == Kind.FIXED) {
                mask |= 1 << spec.fixed();
                continue;
            }
            int n = Emitted.registerOf(i, spec);
            if (n >= 0 && Emitted.writes(i, spec)) {
                // A high byte belongs to the register four below.
                mask |= 1 << n | (n >= 4 && n < 8 ? 1 << n - 4 : 0);
            }
        }
        return mask;
    }

    private static int implied(Insn i) {
        String name = i.row.semantics;
        if (name.startsWith("Multiply.") || name.startsWith("Atomics.cmpxchg")) {
            return RAX_RDX;
        }
        return name.startsWith("SseStrings.") ? 1 << VcpuState.RCX : 0;
    }
}
