package org.xenolith.translate;

import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Flags;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.translate.Emission.Place;

/**
 * Emits what a kernel does all the time: interrupt flag, flags on the stack, SWAPGS.
 *
 * <p>A block serves every privilege, so that a privileged instruction looks at the privilege level (the DPL of SS, as
 * hardware keeps it) and leaves #GP to the interpreter. While events are pending the interpreter opens the interrupt window
 * as well, because it then has to look at them.
 */
final class SystemEmitter {
    private static final int STATE = Emission.STATE;
    private static final int SP = Emission.SP;
    private static final int T0 = Emission.T0;
    private static final int T1 = Emission.T1;
    private static final int RFLAGS = VcpuState.RFLAGS - Context.BIAS;
    private static final int EVENTS = VcpuState.EVENTS - Context.BIAS;
    private static final int SS_ACCESS =
            VcpuState.SEGMENTS + VcpuState.SS * VcpuState.SEGMENT_SIZE + VcpuState.SEG_ACCESS - Context.BIAS;
    private static final int DPL = 0x60;
    private static final int IF = (int) Flags.IF;
    private static final int ARITHMETIC = (int) Flags.ARITHMETIC;
    /** Flags that PUSHF shows as 0. */
    private static final int HIDDEN = (int) (Flags.RF | Flags.VM);
    /** Flags that emitted POPF can change, and the one that always reads as 1. */
    private static final int POPPED = ARITHMETIC | IF | 2;

    private final Emission e;
    private final Assembler a;

    SystemEmitter(Emission e) {
        this.e = e;
        a = e.a;
    }

    private void test(int w, int displacement, int bits) {
        a.rm(0, w, Assembler.MAP_1, w == 0 ? 0xF6 : 0xF7, 0, STATE, Assembler.NONE, 0, displacement);
        a.immediate(w, bits);
    }

    private void onlyAtPrivilege0(int refuse) {
        test(0, SS_ACCESS, DPL);
        a.jcc(Assembler.NE, refuse);
    }

    private void onlyWithoutEvents(int refuse) {
        a.aluMemoryImmediate(Assembler.CMP, 2, STATE, EVENTS, 0);
        a.jcc(Assembler.NE, refuse);
    }

    void cli() {
        e.clobberSaved();
        onlyAtPrivilege0(e.refuse());
        a.aluMemoryImmediate(Assembler.AND, 2, STATE, RFLAGS, ~IF);
    }

    /** Another instruction of the block follows, so that no event comes between the two. */
    void sti() {
        e.clobberSaved();
        int refuse = e.refuse();
        onlyAtPrivilege0(refuse);
        onlyWithoutEvents(refuse);
        a.aluMemoryImmediate(Assembler.OR, 2, STATE, RFLAGS, IF);
    }

    void pushFlags() {
        e.clobberSaved();
        e.probe(Place.stack(-8), 8, true);
        a.store(3, STATE, Context.TEMP, Assembler.RAX);
        // The slot has OF in its low byte, and above it what LAHF gave.
        a.rm(0, 2, Assembler.MAP_0F, 0xB7, Assembler.RAX, STATE, Assembler.NONE, 0, Context.FLAGS);
        a.mov(2, T0, Assembler.RAX);
        a.shift(Assembler.SHR, 2, T0, 8);
        a.aluImmediate(Assembler.AND, 2, T0, 0xD5);
        a.aluImmediate(Assembler.AND, 2, Assembler.RAX, 1);
        a.shift(Assembler.SHL, 2, Assembler.RAX, 11);
        a.alu(Assembler.OR, 2, Assembler.RAX, T0);
        a.load(2, T0, STATE, RFLAGS);
        a.aluImmediate(Assembler.AND, 2, T0, ~(ARITHMETIC | HIDDEN));
        a.alu(Assembler.OR, 2, T0, Assembler.RAX);
        a.load(3, Assembler.RAX, STATE, Context.TEMP);
        e.at(0, 3, Assembler.MAP_1, 0x89, T0);
        a.lea(SP, SP, Assembler.NONE, 0, -8);
    }

    /** A value that changes more than the arithmetic flags and IF is for the interpreter. */
    void popFlags() {
        e.clobberSaved();
        e.probe(Place.stack(0), 8, false);
        e.at(0, 3, Assembler.MAP_1, 0x8B, T0);
        int refuse = e.refuse();
        int sameIf = a.label();
        int closed = a.label();
        a.mov(2, T1, T0);
        a.aluMemory(Assembler.XOR, 2, T1, STATE, RFLAGS);
        a.rr(0, 2, Assembler.MAP_1, 0xF7, 0, T1);
        a.int32(~POPPED);
        a.jcc(Assembler.NE, refuse);
        a.rr(0, 2, Assembler.MAP_1, 0xF7, 0, T1);
        a.int32(IF);
        a.jcc(Assembler.E, sameIf);
        onlyAtPrivilege0(refuse);
        a.rr(0, 2, Assembler.MAP_1, 0xF7, 0, T0);
        a.int32(IF);
        a.jcc(Assembler.E, closed);
        onlyWithoutEvents(refuse);
        a.bind(closed);
        a.aluMemoryImmediate(Assembler.XOR, 2, STATE, RFLAGS, IF);
        a.bind(sameIf);
        a.mov(2, T1, T0);
        a.shift(Assembler.SHR, 2, T1, 11);
        a.aluImmediate(Assembler.AND, 2, T1, 1);
        a.aluImmediate(Assembler.AND, 2, T0, 0xD5);
        a.aluImmediate(Assembler.OR, 2, T0, 2);
        a.shift(Assembler.SHL, 2, T0, 8);
        a.alu(Assembler.OR, 2, T0, T1);
        a.store(1, STATE, Context.FLAGS, T0);
        a.lea(SP, SP, Assembler.NONE, 0, 8);
        e.flagsAreInSlot();
    }

    void swapGs() {
        e.clobberSaved();
        onlyAtPrivilege0(e.refuse());
        int base = VcpuState.SEGMENTS + VcpuState.GS * VcpuState.SEGMENT_SIZE - Context.BIAS;
        int other = VcpuState.KERNEL_GS_BASE - Context.BIAS;
        a.load(3, T0, STATE, base);
        a.load(3, T1, STATE, other);
        a.store(3, STATE, base, T1);
        a.store(3, STATE, other, T0);
    }

    /** CLD: the direction flag is not the host's. */
    void cld() {
        e.clobberSaved();
        a.aluMemoryImmediate(Assembler.AND, 2, STATE, RFLAGS, ~(int) Flags.DF);
    }

    // ---------------------------------------------------------------- strings

    /**
     * MOVS and STOS upwards, with or without REP, whose operands each lie in one page; everything else goes to the
     * interpreter, which takes it page by page.
     */
    void string(Insn i) {
        boolean moves = (i.opcode & 0xFE) == 0xA4;
        int w = (i.opcode & 1) == 0 ? 0 : i.operandSize;
        boolean repeated = i.rep || i.repne;
        e.clobberSaved();
        int refuse = e.refuse();
        int done = a.label();
        test(2, RFLAGS, (int) Flags.DF);
        a.jcc(Assembler.NE, refuse);
        if (repeated) {
            a.aluImmediate(Assembler.CMP, 3, Assembler.RCX, 4096 >> w);
            a.jcc(Assembler.A, refuse);
            a.rr(0, 2, Assembler.MAP_1, 0x85, Assembler.RCX, Assembler.RCX);
            a.jcc(Assembler.E, done);
            onlyInsidePage(Assembler.RDI, w, refuse);
            if (moves) {
                onlyInsidePage(Assembler.RSI, w, refuse);
            }
        }
        if (moves) {
            e.probe(register(VcpuState.RSI), 1 << w, false);
            a.store(3, STATE, Context.TEMP, T1);
        }
        e.probe(register(VcpuState.RDI), 1 << w, true);
        a.store(3, STATE, Context.TEMP2, T1);
        a.alu(Assembler.ADD, 3, Assembler.RDI, T1);
        if (moves) {
            a.aluMemory(Assembler.ADD, 3, Assembler.RSI, STATE, Context.TEMP);
        }
        if (repeated) {
            a.byte1(0xF3);
        }
        if (w == 1) {
            a.byte1(0x66);
        } else if (w == 3) {
            a.byte1(0x48);
        }
        a.byte1(i.opcode);
        a.aluMemory(Assembler.SUB, 3, Assembler.RDI, STATE, Context.TEMP2);
        if (moves) {
            a.aluMemory(Assembler.SUB, 3, Assembler.RSI, STATE, Context.TEMP);
        }
        a.bind(done);
    }

    private static Place register(int guest) {
        return new Place(-1, guest * 8, VcpuState.ZERO, 0, 0);
    }

    private void onlyInsidePage(int pointer, int w, int refuse) {
        a.mov(2, T0, pointer);
        a.aluImmediate(Assembler.AND, 2, T0, 4095);
        a.lea(T0, T0, Assembler.RCX, w, 0);
        a.aluImmediate(Assembler.CMP, 2, T0, 4096);
        a.jcc(Assembler.A, refuse);
    }
}
