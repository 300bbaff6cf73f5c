package org.xenolith.translate;

import static org.xenolith.cpu.testing.Asm.R12;
import static org.xenolith.cpu.testing.Asm.R13;
import static org.xenolith.cpu.testing.Asm.R14;
import static org.xenolith.cpu.testing.Asm.R9;
import static org.xenolith.cpu.testing.Asm.RAX;
import static org.xenolith.cpu.testing.Asm.RBP;
import static org.xenolith.cpu.testing.Asm.RCX;
import static org.xenolith.cpu.testing.Asm.RDI;
import static org.xenolith.cpu.testing.Asm.RDX;
import static org.xenolith.cpu.testing.Asm.RSI;
import static org.xenolith.cpu.testing.Asm.RSP;
import static org.xenolith.cpu.testing.Asm.abs;
import static org.xenolith.cpu.testing.Asm.mem;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import org.xenolith.cpu.decode.Decoder;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.decode.InsnTable;
import org.xenolith.cpu.decode.Row;
import org.xenolith.cpu.oracle.CaseGenerator;
import org.xenolith.cpu.oracle.Exclusions;
import org.xenolith.cpu.testing.Asm;

/**
 * A random program for a {@link ProgramMachine}: rows of the instruction table with all their operands and addressing modes, mixed
 * with branches, calls that return and calls that do not, string instructions, stores to its own code, single-stepping, and
 * the interrupt flag; in a loop that ends in HLT. New rows of the table take part by themselves.
 */
final class TableProgram {
    private static final int[] FREE = {0, 1, 2, 3, 6, 7, 8, 10, 11, 15};
    private static final int[] POINTERS = {RBP, R12, R14};
    private static final CaseGenerator.Surroundings AROUND =
            new CaseGenerator.Surroundings(POINTERS, R9, FREE, ProgramMachine.DATA, ProgramMachine.DATA_PAGES * 4096);

    private static final List<Row> INTEGER = rows("Arithmetic|Moves|Multiply|Shifts|Bits|Atomics|FlagInsns");
    private static final List<Row> VECTOR = rows("Sse.*|Avx.*|Fma.*|F16c.*|Crypto");
    private static final List<Row> X87 = rows("X87.*|Mmx");

    private final SplittableRandom random;
    private final Asm a;
    private final Decoder decoder = new Decoder();
    private final Set<Long> undefined = new HashSet<>();
    private final int vectors;
    private final int x87;
    private int labels;
    private boolean nested;

    /** A program that begins at an address. */
    TableProgram(long start, SplittableRandom random) {
        this.random = random;
        a = new Asm(64, start);
        vectors = random.nextInt(4) * 15;
        x87 = random.nextInt(4) * 15;
    }

    private static List<Row> rows(String families) {
        return InsnTable.get().rows().stream()
                .filter(row ->
                        row.semantics.substring(0, row.semantics.indexOf('.')).matches(families))
                .filter(row -> !row.not64 && !row.endsBlock && !row.has("sys") && !row.has("nonoracle"))
                // Implicit pointers; results that only this host's processor knows; divisions have steps of their own.
                .filter(row -> !row.has("st") && !row.has("ulp") && !row.mnemonic.equals("xlat"))
                .filter(row -> !row.semantics.contains("maskmov") && !row.semantics.matches("Multiply\\.i?div.*"))
                .filter(row -> !row.mnemonic.matches("fldenv|frstor"))
                .filter(row -> Exclusions.reason(row) == null)
                .toList();
    }

    byte[] make(int length, int rounds) {
        a.mov(R13, rounds).mov(R9, random.nextInt(8) * 16L);
        for (int pointer : POINTERS) {
            a.mov(pointer, ProgramMachine.DATA + 0x1000 + random.nextInt(0xE00) * 16L);
        }
        for (int register : FREE) {
            a.mov(register, random.nextLong() >> random.nextInt(64));
        }
        a.label("loop");
        for (int i = 0; i < length; i++) {
            step();
        }
        if (random.nextBoolean()) {
            a.int_(ProgramMachine.PROTECT);
        }
        a.dec(3, R13).jcc(Asm.NE, "loop").hlt();
        nested = true;
        a.label("leaf");
        for (int i = 0; i < 5; i++) {
            step();
        }
        a.ret();
        a.label("popping").db(0xC2, 16, 0);
        a.label("outer").call("inner").hlt();
        // Drops its own return address and goes back to the caller of its caller.
        a.label("inner").lea(3, RSP, mem(RSP, 8)).ret();
        return a.bytes();
    }

    /** True for addresses at which some flags are undefined, in the program or in the kernel. */
    boolean undefinedFlags(long rip) {
        return undefined.contains(rip) || rip < ProgramMachine.CODE;
    }

    private String label() {
        return "l" + labels++;
    }

    private int free() {
        return FREE[random.nextInt(FREE.length)];
    }

    private Asm.Mem data() {
        return mem(POINTERS[random.nextInt(POINTERS.length)], random.nextInt(256) - 128);
    }

    private void step() {
        int kind = random.nextInt(100);
        if (kind < 78 || nested) {
            instruction();
        } else if (kind < 82) {
            branch();
        } else if (kind < 87) {
            call();
        } else if (kind < 90) {
            string();
        } else if (kind < 93) {
            stack();
        } else if (kind < 95) {
            modify();
        } else if (kind < 97) {
            interruptFlag();
        } else if (kind < 98) {
            division();
        } else if (kind < 99) {
            codeAmongData();
        } else if (random.nextInt(4) == 0) {
            singleStep();
        } else {
            a.int_(ProgramMachine.PROTECT);
        }
    }

    private void instruction() {
        int choice = random.nextInt(100);
        List<Row> rows = choice < vectors ? VECTOR : choice < vectors + x87 ? X87 : INTEGER;
        Row row = rows.get(random.nextInt(rows.size()));
        byte[] code = CaseGenerator.instruction(row, AROUND, a.here(), random);
        Insn insn = decoder.decode(at -> at < code.length ? code[at] & 0xff : 0x90, 0, 3);
        if (insn == null || insn.length() != code.length) {
            throw new IllegalStateException("the generator made an instruction that is none: " + row);
        }
        if (!allowed(insn)) {
            return;
        }
        if (insn.mem != null && row.semantics.matches("Bits\\.bt[src]?")) {
            // A bit string: what it reaches must stay in the data.
            a.alu(Asm.AND, 3, insn.reg, 0x3FF);
        }
        a.raw(code);
        // What AND, OR, XOR and TEST leave undefined is the same everywhere.
        if (row.undefinedFlags != 0 && !row.semantics.startsWith("Arithmetic.")) {
            define();
        }
    }

    private boolean allowed(Insn insn) {
        String name = insn.row.semantics;
        if (name.equals("Shifts.shld") || name.equals("Shifts.shrd")) {
            // Of words by more than 16 the result is undefined.
            return insn.operandSize > 1;
        }
        boolean control = name.endsWith(".ldmxcsr") || name.endsWith(".fldcw");
        return !control || random.nextInt(8) == 0;
    }

    /** An instruction that sets all flags, behind one that left some undefined. */
    private void define() {
        undefined.add(a.here());
        a.alu(Asm.CMP, 3, random.nextInt(16), random.nextInt());
    }

    private void branch() {
        String skip = label();
        switch (random.nextInt(6)) {
            case 0 -> a.jmp(skip);
            case 1 -> a.movLabel(RAX, skip).db(0xFF, 0xE0);
            case 2 -> a.movLabel(RAX, skip).store(3, mem(RBP, 8), RAX).rm(2, 4, mem(RBP, 8), 0xFF);
            case 3 -> {
                // A short loop of its own.
                a.mov(RCX, random.nextInt(3) + 1L).label(skip);
                instructionWithoutRcx();
                a.alu(Asm.SUB, 3, RCX, 1).jcc(Asm.A, skip);
                return;
            }
            default -> a.jcc(random.nextInt(16), skip);
        }
        for (int i = random.nextInt(4); i > 0; i--) {
            instruction();
        }
        a.label(skip);
    }

    private void instructionWithoutRcx() {
        a.load(3, RDX, data()).aluMR(random.nextInt(7), 3, data(), RDX);
    }

    private void call() {
        String next = label();
        switch (random.nextInt(7)) {
            case 0, 1 -> a.call("leaf");
            case 2 -> a.push(free()).push(free()).call("popping");
            case 3 -> a.call("outer");
            case 4 -> a.call(next).label(next).pop(free());
            case 5 -> a.movLabel(RAX, next).push(RAX).ret().label(next);
            default -> a.movLabel(RDX, "leaf").db(0xFF, 0xD2);
        }
    }

    private void string() {
        int w = random.nextInt(4);
        boolean down = random.nextInt(3) == 0;
        a.lea(3, RSI, data()).lea(3, RDI, data());
        if (random.nextInt(3) == 0) {
            // Further away than the next page.
            a.lea(3, RDI, mem(RDI, random.nextInt(0x1000) - 0x800));
        }
        a.mov(RCX, random.nextInt(4) == 0 ? 0 : random.nextInt(300 >> w) + 1L);
        if (down) {
            a.db(0xFD);
        }
        int opcode = new int[] {0xA4, 0xAA, 0xAC, 0xA6, 0xAE}[random.nextInt(5)];
        if (w == 1) {
            a.db(0x66);
        }
        if (random.nextInt(5) != 0) {
            a.db(opcode < 0xA8 && opcode > 0xA4 || opcode == 0xAE ? 0xF2 + random.nextInt(2) : 0xF3);
        }
        if (w == 3) {
            a.db(0x48);
        }
        a.db(opcode | (w == 0 ? 0 : 1));
        if (down) {
            a.db(0xFC);
        }
    }

    private void stack() {
        switch (random.nextInt(6)) {
            case 0 -> a.push(random.nextInt(16)).pop(free());
            case 1 -> a.rm(2, 6, data(), 0xFF).rm(2, 0, data(), 0x8F);
            case 2 -> a.pushf().popf();
            case 3 -> a.push(RBP).movRR(3, RBP, RSP).push(free()).push(free()).db(0xC9);
            case 4 -> a.db(0xC8, 16, 0, 0).db(0xC9);
            default -> a.pushImm(random.nextInt()).push(free()).lea(3, RSP, mem(RSP, 16));
        }
    }

    /** A store that changes the immediate of an instruction further on, in this block or in one behind a branch. */
    private void modify() {
        String place = label();
        int register = free() & 7;
        if (register == RBP || register == RSP) {
            return;
        }
        // mov dword [place], imm32
        a.db(0xC7, 0x04, 0x25).addressOf(place, 4).dd(random.nextInt(4) == 0 ? 5 : random.nextInt());
        for (int i = random.nextInt(4); i > 0; i--) {
            instruction();
        }
        if (random.nextBoolean()) {
            String skip = label();
            a.jcc(random.nextInt(16), skip);
            instruction();
            a.label(skip);
        }
        a.db(0xB8 + register).label(place).dd(5);
    }

    private void interruptFlag() {
        // In user mode without IOPL 3 these fault; then STI or CLI ends the program, which is seldom enough.
        switch (random.nextInt(5)) {
            case 0 -> a.sti();
            case 1 -> a.cli();
            case 2 -> a.sti().nop();
            case 3 -> a.cli().sti();
            // mov eax, ss; mov ss, eax: a shadow.
            default -> a.db(0x8C, 0xD0, 0x8E, 0xD0);
        }
    }

    private void division() {
        int w = random.nextInt(2) + 2;
        if (random.nextInt(8) == 0) {
            a.rm(w, 6 + random.nextInt(2), data(), 0xF7);
        } else {
            a.aluRR(Asm.XOR, 2, RDX, RDX).alu(Asm.OR, w, RCX, 1).db(0x48, 0xD1, 0xE8);
            a.rr(w, 6, RCX, 0xF7);
        }
        define();
    }

    /** A call of an instruction that lies among data: the page is watched from then on. */
    private void codeAmongData() {
        long at = ProgramMachine.DATA + random.nextInt(ProgramMachine.DATA_PAGES) * 4096L + 0xFF0;
        a.storeImm(0, abs(at), 0xC3).mov(RAX, at).db(0xFF, 0xD0);
    }

    private void singleStep() {
        a.pushf().rm(2, 1, mem(RSP, 0), 0x81).dd(0x100).popf();
        for (int i = 0; i < 3; i++) {
            instruction();
        }
        a.pushf().rm(2, 4, mem(RSP, 0), 0x81).dd(~0x100).popf();
    }
}
