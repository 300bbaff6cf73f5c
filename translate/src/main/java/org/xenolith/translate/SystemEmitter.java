package org.xenolith.translate;

import org.xenolith.cpu.Efer;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cr4;
import org.xenolith.cpu.core.Flags;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.translate.Emission.Place;

/**
 * Emits what a kernel does all the time: interrupt flag, flags on the stack, system calls, time, string moves.
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
    private static final int CODE_64 = 0xA09B;
    private static final int DATA = 0xC093;
    private static final int STAR = VcpuState.STAR - Context.BIAS;
    private static final int SFMASK = VcpuState.SFMASK - Context.BIAS;
    private static final int CR4 = VcpuState.CR4 - Context.BIAS;
    private static final int TSD = (int) Cr4.TSD;
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
        flagsValue();
        e.at(0, 3, Assembler.MAP_1, 0x89, T0);
        a.lea(SP, SP, Assembler.NONE, 0, -8);
    }

    /** T0 = rflags as PUSHF shows them; keeps T1. */
    private void flagsValue() {
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
    }

    /** The slot = the arithmetic flags in T0; destroys T0 and T1. */
    private void flagsToSlot() {
        a.mov(2, T1, T0);
        a.shift(Assembler.SHR, 2, T1, 11);
        a.aluImmediate(Assembler.AND, 2, T1, 1);
        a.aluImmediate(Assembler.AND, 2, T0, 0xD5);
        a.aluImmediate(Assembler.OR, 2, T0, 2);
        a.shift(Assembler.SHL, 2, T0, 8);
        a.alu(Assembler.OR, 2, T0, T1);
        a.store(1, STATE, Context.FLAGS, T0);
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
        flagsToSlot();
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

    void readSegment(Insn i) {
        int selector =
                VcpuState.SEGMENTS + (i.reg & 7) * VcpuState.SEGMENT_SIZE + VcpuState.SEG_SELECTOR - Context.BIAS;
        a.rm(0, 2, Assembler.MAP_0F, 0xB7, T0, STATE, Assembler.NONE, 0, selector);
        int host = Context.host(i.rm);
        if (host < 0) {
            a.store(i.operandSize == 1 ? 1 : 3, STATE, Emission.slot(i.rm), T0);
        } else {
            a.mov(i.operandSize == 1 ? 1 : 2, host, T0);
        }
    }

    void readControl(Insn i) {
        e.clobberSaved();
        onlyAtPrivilege0(e.refuse());
        // There is no CR1.
        int register = i.reg == 0 ? VcpuState.CR0 : VcpuState.CR2 + (i.reg - 2) * 8;
        a.load(3, T0, STATE, register - Context.BIAS);
        e.put(i.rm, T0);
    }

    /** RDTSC and RDTSCP: Java knows the time. */
    void time(Insn i) {
        e.clobberSaved();
        int refuse = e.refuse();
        test(0, CR4, TSD);
        int open = a.label();
        a.jcc(Assembler.E, open);
        onlyAtPrivilege0(refuse);
        a.bind(open);
        e.service(Context.TIME);
        if (i.row.semantics.endsWith("rdtscp")) {
            a.load(2, Assembler.RCX, STATE, VcpuState.TSC_AUX - Context.BIAS);
        }
    }

    /** PAUSE where other processors are. */
    void pause() {
        e.clobberSaved();
        e.service(Context.PAUSE);
    }

    // ---------------------------------------------------------------- system calls

    /** SYSCALL with flags that are ordinary and a mask that clears what a kernel must not inherit. */
    void syscall(Insn i) {
        e.settle();
        e.clobberSaved();
        int refuse = e.refuse();
        systemCallsAreOn(refuse);
        test(2, RFLAGS, ~(ARITHMETIC | IF | 2));
        a.jcc(Assembler.NE, refuse);
        a.load(2, T0, STATE, SFMASK);
        a.aluImmediate(Assembler.AND, 2, T0, ARITHMETIC | IF);
        a.aluImmediate(Assembler.CMP, 2, T0, ARITHMETIC | IF);
        a.jcc(Assembler.NE, refuse);
        flagsValue();
        a.store(3, STATE, Emission.slot(11), T0);
        a.load(3, Assembler.RCX, STATE, Context.PAGE);
        a.lea(Assembler.RCX, Assembler.RCX, Assembler.NONE, 0, e.start + i.next);
        // All that may be set is masked.
        a.storeImmediate(2, STATE, RFLAGS, 2);
        a.rm(0, 1, Assembler.MAP_1, 0xC7, 0, STATE, Assembler.NONE, 0, Context.FLAGS);
        a.immediate(1, Context.flagsSlot(0));
        a.load(2, T0, STATE, STAR + 4);
        a.aluImmediate(Assembler.AND, 2, T0, 0xFFFC);
        flat(VcpuState.CS, CODE_64);
        a.aluImmediate(Assembler.ADD, 2, T0, 8);
        flat(VcpuState.SS, DATA);
        privilege(Context.SUPERVISOR);
        a.load(3, T0, STATE, VcpuState.LSTAR - Context.BIAS);
        e.indirect();
    }

    /** SYSRET to 64-bit code with flags that are ordinary. */
    void sysret() {
        e.settle();
        e.clobberSaved();
        int refuse = e.refuse();
        int closed = a.label();
        systemCallsAreOn(refuse);
        onlyAtPrivilege0(refuse);
        a.mov(3, T0, Assembler.RCX);
        a.shift(Assembler.SHL, 3, T0, 16);
        a.shift(Assembler.SAR, 3, T0, 16);
        a.alu(Assembler.CMP, 3, T0, Assembler.RCX);
        a.jcc(Assembler.NE, refuse);
        a.load(3, T0, STATE, Emission.slot(11));
        a.rr(0, 2, Assembler.MAP_1, 0xF7, 0, T0);
        a.int32(~POPPED);
        a.jcc(Assembler.NE, refuse);
        a.rr(0, 2, Assembler.MAP_1, 0xF7, 0, T0);
        a.int32(IF);
        a.jcc(Assembler.E, closed);
        onlyWithoutEvents(refuse);
        a.bind(closed);
        a.mov(2, T1, T0);
        a.aluImmediate(Assembler.AND, 2, T1, IF);
        a.aluImmediate(Assembler.OR, 2, T1, 2);
        a.store(3, STATE, RFLAGS, T1);
        flagsToSlot();
        e.flagsAreInSlot();
        a.load(2, T0, STATE, STAR + 4);
        a.shift(Assembler.SHR, 2, T0, 16);
        a.aluImmediate(Assembler.ADD, 2, T0, 16);
        a.aluImmediate(Assembler.OR, 2, T0, 3);
        a.aluImmediate(Assembler.AND, 2, T0, 0xFFFF);
        flat(VcpuState.CS, CODE_64 | DPL);
        a.load(2, T0, STATE, STAR + 4);
        a.shift(Assembler.SHR, 2, T0, 16);
        a.aluImmediate(Assembler.ADD, 2, T0, 8);
        a.aluImmediate(Assembler.OR, 2, T0, 3);
        a.aluImmediate(Assembler.AND, 2, T0, 0xFFFF);
        flat(VcpuState.SS, DATA | DPL);
        privilege(Context.USER);
        a.mov(3, T0, Assembler.RCX);
        e.indirect();
    }

    private void systemCallsAreOn(int refuse) {
        test(0, VcpuState.EFER - Context.BIAS, (int) Efer.SCE);
        a.jcc(Assembler.E, refuse);
    }

    /** Loads a segment register with the selector in T0, base 0 and limit 4 GiB; destroys T1. */
    private void flat(int segment, int access) {
        int at = VcpuState.SEGMENTS + segment * VcpuState.SEGMENT_SIZE - Context.BIAS;
        a.storeImmediate(3, STATE, at + VcpuState.SEG_BASE, 0);
        a.storeImmediate(2, STATE, at + VcpuState.SEG_LIMIT, -1);
        a.store(1, STATE, at + VcpuState.SEG_SELECTOR, T0);
        a.rm(0, 1, Assembler.MAP_1, 0xC7, 0, STATE, Assembler.NONE, 0, at + VcpuState.SEG_ACCESS);
        a.immediate(1, access);
    }

    /** Emitted code works on with the tables of another privilege; Java sees that at the next exit. */
    private void privilege(int slots) {
        for (int n = 0; n < 4; n++) {
            a.load(3, T0, STATE, slots + n * 8);
            a.store(3, STATE, Context.privileged(n), T0);
        }
    }

    /** CLD: the direction flag is not the host's. */
    void cld() {
        e.clobberSaved();
        a.aluMemoryImmediate(Assembler.AND, 2, STATE, RFLAGS, ~(int) Flags.DF);
    }

    // ---------------------------------------------------------------- strings

    /**
     * MOVS and STOS upwards, with or without REP, whose operands each lie in one page; everything else goes to the
     * interpreter, which takes it page by page, and counts what is too long for one go as several instructions.
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
