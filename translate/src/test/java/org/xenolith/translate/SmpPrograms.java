package org.xenolith.translate;

/** Pieces of programs for {@link SmpMachine}: what tests say again and again, at absolute addresses below 2 GiB. */
final class SmpPrograms {
    /** Processors that have come to {@link #meet}. */
    private static final int MET = 0x2F000;

    private static final int NONE = Assembler.NONE;
    private static final int MAP_1 = Assembler.MAP_1;
    static final int R8 = 8;
    static final int R9 = 9;

    private SmpPrograms() {}

    static void bytes(Assembler a, int... values) {
        for (int value : values) {
            a.byte1(value);
        }
    }

    static void hlt(Assembler a) {
        a.byte1(0xF4);
    }

    static void pause(Assembler a) {
        bytes(a, 0xF3, 0x90);
    }

    static void mfence(Assembler a) {
        bytes(a, 0x0F, 0xAE, 0xF0);
    }

    /** CPUID, with rbx saved in r9. */
    static void cpuid(Assembler a) {
        a.mov(3, R9, Assembler.RBX);
        bytes(a, 0x0F, 0xA2);
        a.mov(3, Assembler.RBX, R9);
    }

    /** IRETQ to the next instruction. */
    static void iret(Assembler a) {
        a.mov(3, R9, Assembler.RSP);
        bytes(a, 0x6A, 0x10); // push ss
        a.push(R9);
        bytes(a, 0x9C, 0x6A, 0x08); // pushf; push cs
        a.lea(R8, NONE, NONE, 0, (int) a.here() + 8 + 2 + 2);
        a.push(R8);
        bytes(a, 0x48, 0xCF);
    }

    /** MOV CR3 to itself. */
    static void reloadCr3(Assembler a) {
        bytes(a, 0x0F, 0x20, 0xD8, 0x0F, 0x22, 0xD8);
    }

    static void invlpg(Assembler a, long at) {
        a.rm(0, 2, Assembler.MAP_0F, 0x01, 7, NONE, NONE, 0, (int) at);
    }

    static void load(Assembler a, int w, int reg, long at) {
        a.load(w, reg, NONE, (int) at);
    }

    static void store(Assembler a, int w, long at, int reg) {
        a.store(w, NONE, (int) at, reg);
    }

    /** {@code lock inc} of {@code 1 << w} bytes. */
    static void lockInc(Assembler a, int w, long at) {
        a.rm(Assembler.LOCK, w, MAP_1, w == 0 ? 0xFE : 0xFF, 0, NONE, NONE, 0, (int) at);
    }

    /** Halts in the handler of #UD when the condition holds. */
    static void failIf(Assembler a, int cc) {
        int fine = a.label();
        a.jcc(cc ^ 1, fine);
        bytes(a, 0x0F, 0x0B);
        a.bind(fine);
    }

    /** Spins until the dword at an address equals a register. */
    static void awaitEqual(Assembler a, long at, int reg) {
        int wait = a.label();
        int done = a.label();
        a.bind(wait);
        a.aluMemory(Assembler.CMP, 2, reg, NONE, (int) at);
        a.jcc(Assembler.E, done);
        pause(a);
        a.jmp(wait);
        a.bind(done);
    }

    /** Waits for all {@code n} processors; once a program. Uses eax. */
    static void meet(Assembler a, int n) {
        lockInc(a, 2, MET);
        a.constant(Assembler.RAX, n);
        awaitEqual(a, MET, Assembler.RAX);
    }

    /** Counts a register down from what it holds and runs the body each time. */
    static void repeat(Assembler a, int reg, int count, Runnable body) {
        a.constant(reg, count);
        int loop = a.label();
        a.bind(loop);
        body.run();
        a.aluImmediate(Assembler.SUB, 2, reg, 1);
        a.jcc(Assembler.NE, loop);
    }

    /** Counts a register up from 1 to {@code count} and runs the body each time. */
    static void count(Assembler a, int reg, int count, Runnable body) {
        a.constant(reg, 1);
        int loop = a.label();
        a.bind(loop);
        body.run();
        a.aluImmediate(Assembler.ADD, 2, reg, 1);
        a.aluImmediate(Assembler.CMP, 2, reg, count + 1);
        a.jcc(Assembler.NE, loop);
    }
}
