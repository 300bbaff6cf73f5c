package org.xenolith.translate;

import java.util.SplittableRandom;

/**
 * A random program of the integer core: every shape the translator emits, on all sixteen registers, with forward branches,
 * a subroutine, pushes and pops in pairs, in a loop counted by r13 that ends in HLT.
 *
 * <p>rbx, r12 and r14 point into the data area and r9 is a small index; nothing changes them. Unless asked otherwise, an
 * instruction that leaves flags undefined is followed by one that defines them all.
 */
final class RandomProgram {
    private static final int[] FREE = {0, 1, 2, 5, 6, 7, 8, 10, 11, 15};
    private static final int[] POINTERS = {3, 12, 14};
    private static final int COUNTER = 13;
    private static final int INDEX = 9;

    private final SplittableRandom random;
    private final boolean open;
    private final Assembler a = new Assembler();
    private int subroutine;

    RandomProgram(SplittableRandom random) {
        this(random, false);
    }

    /**
     * @param open leave undefined flags as they are, and read the time, which both are what an exact engine must get right
     */
    RandomProgram(SplittableRandom random, boolean open) {
        this.random = random;
        this.open = open;
    }

    /** The code; {@link #size} bytes of the array count. */
    byte[] make(int length, int rounds) {
        a.start(Machines.CODE);
        subroutine = a.label();
        a.constant(COUNTER, rounds);
        a.constant(INDEX, random.nextInt(64));
        for (int p : POINTERS) {
            a.constant(p, Machines.DATA + 0x800 + random.nextInt(0x1000));
        }
        for (int r : FREE) {
            a.constant(r, random.nextLong() >> random.nextInt(64));
        }
        int loop = a.label();
        a.bind(loop);
        for (int i = 0; i < length; i++) {
            step(true);
        }
        a.rr(0, 3, Assembler.MAP_1, 0xFF, 1, COUNTER);
        a.jcc(Assembler.NE, loop);
        a.byte1(0xF4);
        a.bind(subroutine);
        for (int i = 0; i < 6; i++) {
            step(false);
        }
        a.ret();
        return a.finish();
    }

    int size() {
        return a.size();
    }

    private int free() {
        return FREE[random.nextInt(FREE.length)];
    }

    /** Any register, for reading. */
    private int any() {
        return random.nextInt(16);
    }

    private int flags(int w, int reg, int rm) {
        return w == 0 && (reg >= 4 || rm >= 4) ? Assembler.BYTE : 0;
    }

    /** An instruction with ModRM whose reg field is {@code reg}, on memory or a free register. */
    private void modrm(int prefix, int w, int map, int opcode, int reg, boolean byteOperands, int rmFree) {
        if (random.nextInt(2) == 0) {
            int f = prefix | (byteOperands && reg >= 4 ? Assembler.BYTE : 0);
            memory(f, w, map, opcode, reg);
        } else {
            a.rr(
                    prefix & ~Assembler.LOCK | (byteOperands && (reg >= 4 || rmFree >= 4) ? Assembler.BYTE : 0),
                    w,
                    map,
                    opcode,
                    reg,
                    rmFree);
        }
    }

    private void memory(int flags, int w, int map, int opcode, int reg) {
        int pointer = POINTERS[random.nextInt(3)];
        // Now and then close to a page's end.
        int displacement = random.nextInt(16) == 0 ? random.nextInt(0x1000) : random.nextInt(256) - 128;
        switch (random.nextInt(4)) {
            case 0 -> {
                a.byte1(0x65);
                a.rm(flags, w, map, opcode, reg, INDEX, Assembler.NONE, 0, random.nextInt(0x2000));
            }
            case 1 -> a.rm(flags, w, map, opcode, reg, pointer, INDEX, random.nextInt(4), displacement);
            default -> a.rm(flags, w, map, opcode, reg, pointer, Assembler.NONE, 0, displacement);
        }
    }

    private void define() {
        if (open) {
            return;
        }
        a.rr(0, 3, Assembler.MAP_1, 0x81, Assembler.CMP, any());
        a.int32(random.nextInt());
    }

    /** What depends on the processor, and on the number of instructions. */
    private void special() {
        int w = 1 + random.nextInt(3);
        switch (random.nextInt(6)) {
            case 0 -> {
                a.byte1(0x0F);
                a.byte1(0x31);
            }
            case 1 -> {
                if (random.nextBoolean()) {
                    a.lahf();
                } else {
                    a.byte1(0x9C);
                    a.plus(2, 0, 0x58, free(), 0);
                }
            }
            case 2 -> a.byte1(random.nextBoolean() ? 0xF5 : 0xF8);
            case 3 -> modrm(0, w, 1, 0xBC + random.nextInt(2), free(), false, free());
            case 4 -> {
                modrm(0, w, 1, 0xBA, 4 + random.nextInt(4), false, free());
                a.byte1(random.nextInt(64));
            }
            default -> {
                a.rr(0, w, 1, random.nextBoolean() ? 0xA4 : 0xAC, any(), free());
                a.byte1(random.nextInt(w == 1 ? 17 : 64));
            }
        }
    }

    private void step(boolean outer) {
        if (open && random.nextInt(8) == 0) {
            special();
            return;
        }
        int w = random.nextInt(4);
        int high = w == 0 ? 0 : 1;
        boolean bytes = w == 0;
        switch (random.nextInt(outer ? 27 : 23)) {
            case 0, 1, 2 -> {
                int op = random.nextInt(8);
                int lock = op != 7 && random.nextInt(4) == 0 ? Assembler.LOCK : 0;
                modrm(lock, w, 0, op * 8 + high, any(), bytes, free());
            }
            case 3 -> {
                // op reg, r/m: memory forms write the register.
                memory(bytes ? Assembler.BYTE : 0, w, 0, random.nextInt(8) * 8 + 2 + high, free());
            }
            case 4 -> {
                a.rr(flags(w, 0, 0), w, 0, 0x80 + high, random.nextInt(8), 0);
                a.immediate(Math.min(w, 2), random.nextInt());
            }
            case 5 -> {
                modrm(0, w, 0, 0x88 + high, any(), bytes, free());
            }
            case 6 -> memory(bytes ? Assembler.BYTE : 0, w, 0, 0x8A + high, free());
            case 7 -> {
                memory(0, w, 0, 0xC6 + high, 0);
                a.immediate(Math.min(w, 2), random.nextInt());
            }
            case 8 -> memory(0, Math.max(w, 1), 1, random.nextBoolean() ? 0xB6 : 0xBE, free());
            case 9 -> memory(0, Math.max(w, 1), 1, random.nextBoolean() ? 0xB7 : 0xBF, free());
            case 10 -> a.rm(0, Math.max(w, 1), 0, 0x8D, free(), any(), INDEX, random.nextInt(4), random.nextInt());
            case 11 -> modrm(0, w, 0, 0xFE + high, random.nextInt(2), bytes, free());
            case 12 -> {
                modrm(0, w, 0, 0xF6 + high, 2 + random.nextInt(2), bytes, free());
            }
            case 13 -> {
                modrm(0, w, 0, 0xC0 + high, random.nextInt(8), bytes, free());
                a.byte1(random.nextInt(64));
                define();
            }
            case 14 -> {
                modrm(0, w, 0, 0xD2 + high, random.nextInt(8), bytes, free());
                define();
            }
            case 15 -> a.rr(0, Math.max(w, 1), 1, 0x40 + random.nextInt(16), free(), any());
            case 16 -> modrm(0, 0, 1, 0x90 + random.nextInt(16), 0, true, free());
            case 17 -> {
                memory(0, Math.max(w, 1), 1, 0xAF, free());
                define();
            }
            case 18 -> {
                modrm(0, w, 0, 0xF6 + high, 4 + random.nextInt(2), bytes, any());
                define();
            }
            case 19 -> modrm(0, w, 0, 0x86 + high, free(), bytes, free());
            case 20 -> modrm(random.nextBoolean() ? Assembler.LOCK : 0, w, 1, 0xC0 + high, free(), bytes, free());
            case 21 -> modrm(random.nextBoolean() ? Assembler.LOCK : 0, w, 1, 0xB0 + high, any(), bytes, free());
            case 22 -> {
                int skip = a.label();
                a.jcc(random.nextInt(16), skip);
                a.rr(0, 3, 0, 0x89, any(), free());
                memory(0, 3, 0, 0x89, any());
                a.bind(skip);
            }
            case 23 -> {
                a.plus(2, 0, 0x50, any(), 0);
                a.plus(2, 0, 0x58, free(), 0);
            }
            case 24 -> a.call(subroutine);
            case 25 -> {
                // A division that cannot fault: small dividend, divisor at least one.
                int divisor = free() == 0 ? 6 : 8;
                a.rr(0, 2, 0, 0x31, 2, 2);
                a.rr(0, 3, 0, 0x83, 1, divisor);
                a.byte1(1);
                a.rr(0, 2 + random.nextInt(2), 0, 0xF7, 6, divisor);
                define();
            }
            default -> {
                a.rr(0, 3, 0, 0x0B, 2, 2);
                a.byte1(0x48);
                a.byte1(0x99);
                a.rr(0, 3, 0, 0x83, 1, 7);
                a.byte1(2);
                a.rr(0, 3, 0, 0xD1, 5, 7);
                a.rr(0, 3, 0, 0x83, 1, 7);
                a.byte1(2);
                a.rr(0, 3, 0, 0xF7, 7, 7);
                define();
            }
        }
    }
}
