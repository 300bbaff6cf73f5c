package org.xenolith.translate;

import org.xenolith.cpu.decode.Insn;
import org.xenolith.translate.Emission.Place;

/** Emits near branches: what ends a block and says where to go on. */
final class BranchEmitter {
    private static final int STATE = Emission.STATE;
    private static final int SP = Emission.SP;
    private static final int T0 = Emission.T0;
    private static final int T1 = Emission.T1;

    private final Emission e;
    private final Assembler a;

    BranchEmitter(Emission e) {
        this.e = e;
        a = e.a;
    }

    void conditional(Insn i) {
        e.settle();
        e.need();
        int taken = a.label();
        a.jcc(i.opcode & 15, taken);
        e.goOn((long) e.start + i.next);
        a.bind(taken);
        e.goOn(e.start + i.next + i.imm);
    }

    /**
     * Inside a trace.
     *
     * @param onward where that goes on, counted from the block's start
     */
    void conditionalOn(Insn i, int onward) {
        int condition = i.opcode & 15;
        if (onward == i.next) {
            e.branchOut(condition, e.start + i.next + i.imm);
        } else {
            e.branchOut(condition ^ 1, (long) e.start + i.next);
        }
    }

    /** Inside a trace that goes on at the target. */
    void callOn(Insn i) {
        pushReturn(i);
    }

    /** Inside a trace that goes on behind the call that it came from; any other return is the interpreter's. */
    void retOn(Insn i, int onward) {
        e.probe(Place.stack(0), 8, false);
        e.clobber();
        e.at(0, 3, Assembler.MAP_1, 0x8B, T0);
        a.load(3, T1, STATE, Context.PAGE);
        a.lea(T1, T1, Assembler.NONE, 0, e.start + onward);
        int refuse = e.refuse();
        a.alu(Assembler.CMP, 3, T1, T0);
        a.jcc(Assembler.NE, refuse);
        a.lea(SP, SP, Assembler.NONE, 0, popped(i));
    }

    /** What RET adds to the stack pointer. */
    static int popped(Insn i) {
        return 8 + (i.row.operands.isEmpty() ? 0 : (int) i.imm & 0xffff);
    }

    void jump(Insn i) {
        e.goOn(e.start + i.next + i.imm);
    }

    void call(Insn i) {
        e.settle();
        pushReturn(i);
        e.goOn(e.start + i.next + i.imm);
    }

    void jumpIndirect(Insn i) {
        target(i);
        e.indirect();
    }

    void callIndirect(Insn i) {
        target(i);
        a.store(3, STATE, Context.TEMP, T0);
        e.settle();
        pushReturn(i);
        a.load(3, T0, STATE, Context.TEMP);
        e.indirect();
    }

    void ret(Insn i) {
        e.settle();
        e.probe(Place.stack(0), 8, false);
        e.at(0, 3, Assembler.MAP_1, 0x8B, T0);
        refuseNonCanonical();
        a.lea(SP, SP, Assembler.NONE, 0, popped(i));
        e.indirect();
    }

    /** T0 = the operand of an indirect branch; nothing else may be needed in a host register alone. */
    private void target(Insn i) {
        e.settle();
        if (i.mem != null) {
            e.probe(e.place(i.mem), 8, false);
            e.at(0, 3, Assembler.MAP_1, 0x8B, T0);
        } else {
            e.clobber();
            int from = e.fetch(i.rm, T0);
            if (from != T0) {
                a.mov(3, T0, from);
            }
        }
        refuseNonCanonical();
    }

    /** A branch to the address in T0 must raise #GP before anything changes when that is not canonical: the interpreter does. */
    private void refuseNonCanonical() {
        int refuse = e.refuse();
        a.mov(3, T1, T0);
        a.shift(Assembler.SHL, 3, T1, 16);
        a.shift(Assembler.SAR, 3, T1, 16);
        a.alu(Assembler.CMP, 3, T1, T0);
        a.jcc(Assembler.NE, refuse);
    }

    private void pushReturn(Insn i) {
        e.probe(Place.stack(-8), 8, true);
        a.load(3, T0, STATE, Context.PAGE);
        a.lea(T0, T0, Assembler.NONE, 0, e.start + i.next);
        e.at(0, 3, Assembler.MAP_1, 0x89, T0);
        a.lea(SP, SP, Assembler.NONE, 0, -8);
    }
}
