package org.xenolith.translate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.translate.Assembler.CMP;
import static org.xenolith.translate.Assembler.E;
import static org.xenolith.translate.Assembler.LOCK;
import static org.xenolith.translate.Assembler.MAP_0F;
import static org.xenolith.translate.Assembler.MAP_1;
import static org.xenolith.translate.Assembler.NE;
import static org.xenolith.translate.Assembler.NONE;
import static org.xenolith.translate.Assembler.RAX;
import static org.xenolith.translate.Assembler.RBP;
import static org.xenolith.translate.Assembler.RBX;
import static org.xenolith.translate.Assembler.RCX;
import static org.xenolith.translate.Assembler.RDI;
import static org.xenolith.translate.Assembler.RDX;
import static org.xenolith.translate.Assembler.RSI;
import static org.xenolith.translate.Machines.DATA;
import static org.xenolith.translate.SmpPrograms.awaitEqual;
import static org.xenolith.translate.SmpPrograms.bytes;
import static org.xenolith.translate.SmpPrograms.count;
import static org.xenolith.translate.SmpPrograms.failIf;
import static org.xenolith.translate.SmpPrograms.hlt;
import static org.xenolith.translate.SmpPrograms.load;
import static org.xenolith.translate.SmpPrograms.lockInc;
import static org.xenolith.translate.SmpPrograms.meet;
import static org.xenolith.translate.SmpPrograms.pause;
import static org.xenolith.translate.SmpPrograms.repeat;
import static org.xenolith.translate.SmpPrograms.store;

import java.util.function.Consumer;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Several processors on one memory: locked instructions are atomic, and loads and stores are ordered as on x86. */
class SharedMemoryTest {
    /** Number of ADC among the arithmetic instructions. */
    private static final int ADC = 2;

    private static final int CARRY_IS_ONE = 0xF9;
    private static final int BELOW = 2;
    private static final int NOT_SIGNED = 9;

    // ---------------------------------------------------------------- locked instructions

    @ParameterizedTest
    @ValueSource(strings = {"II", "ii", "IT", "TT", "ITIT"})
    void lockedIncrementsOfEachWidthAreNeverLost(String kinds) {
        int rounds = 20_000;
        for (int w = 0; w < 4; w++) {
            int width = w;
            try (SmpMachine m = new SmpMachine(kinds).load((a, n) -> {
                meet(a, kinds.length());
                repeat(a, RCX, rounds, () -> lockInc(a, width, DATA + 1L));
                hlt(a);
            })) {
                long mask = w == 3 ? -1 : (1L << (8 << w)) - 1;
                assertThat(m.run().memory.read(DATA + 1, 1 << w) & mask)
                        .isEqualTo((long) rounds * kinds.length() & mask);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"II", "ii", "IT", "TT", "ITIT"})
    void addWithCarryAndExchangeAndAddAndBitInstructionsAreAtomic(String kinds) {
        int rounds = 20_000;
        try (SmpMachine m = new SmpMachine(kinds).load((a, n) -> {
            meet(a, kinds.length());
            a.constant(RBX, 3);
            repeat(a, RCX, rounds, () -> {
                a.byte1(CARRY_IS_ONE);
                // lock adc dword [DATA],1
                a.rm(LOCK, 2, MAP_1, 0x83, 2, NONE, NONE, 0, (int) DATA);
                a.byte1(1);
                // lock xadd [DATA+8],rdx with 3
                a.mov(3, RDX, RBX);
                a.rm(LOCK, 3, MAP_0F, 0xC1, RDX, NONE, NONE, 0, (int) DATA + 8);
                // lock btc dword [DATA+16],n
                a.rm(LOCK, 2, MAP_0F, 0xBA, 7, NONE, NONE, 0, (int) DATA + 16);
                a.byte1(n);
            });
            lockInc(a, 2, DATA + 24);
            // The odd change: each bit was flipped an even number of times before.
            a.rm(LOCK, 2, MAP_0F, 0xBA, 7, NONE, NONE, 0, (int) DATA + 16);
            a.byte1(n);
            hlt(a);
        })) {
            m.run();
            assertThat(m.memory.read(DATA, 4)).isEqualTo(2L * rounds * kinds.length());
            assertThat(m.memory.read(DATA + 8, 8)).isEqualTo(3L * rounds * kinds.length());
            assertThat(m.memory.read(DATA + 16, 4)).isEqualTo((1L << kinds.length()) - 1);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"IT", "TT"})
    void pauseIsToldToTheWorldAndChangesNothing(String kinds) {
        int rounds = 3_000;
        try (SmpMachine m = new SmpMachine(kinds).load((a, n) -> {
            a.constant(RBX, 0);
            repeat(a, RCX, rounds, () -> {
                // The carry of the comparison survives PAUSE: rbx counts it.
                a.constant(RAX, 1);
                a.aluImmediate(CMP, 3, RAX, 2);
                pause(a);
                a.aluImmediate(ADC, 3, RBX, 0);
            });
            hlt(a);
        })) {
            m.run();
            for (SmpMachine.Processor p : m.processors) {
                // One more for each time that something else was due.
                assertThat(p.pauses).isBetween(rounds, rounds + 100);
                assertThat(p.state.gpr(RBX)).isEqualTo(rounds);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"II", "ii", "IT", "iT", "TT", "ITiT"})
    void operandsAcrossQuadwordsCacheLinesAndPagesAreAtomic(String kinds) {
        int rounds = 1_000;
        int[][] places = {{1, 7}, {1, 63}, {2, 6}, {2, 62}, {3, 4}, {3, 60}, {1, 4095}, {2, 4094}, {3, 4089}};
        try (SmpMachine m = new SmpMachine(kinds).load((a, n) -> {
            meet(a, kinds.length());
            a.constant(RBX, 1);
            repeat(a, RCX, rounds, () -> {
                for (int i = 0; i < places.length; i++) {
                    int at = place(places, i);
                    int w = places[i][0];
                    lockInc(a, w, at);
                    // lock xadd by 1
                    a.mov(3, RDX, RBX);
                    a.rm(LOCK, w, MAP_0F, 0xC1, RDX, NONE, NONE, 0, at);
                    // lock cmpxchg until it succeeds
                    int again = a.label();
                    load(a, w, RAX, at);
                    a.bind(again);
                    a.lea(RDX, RAX, NONE, 0, 1);
                    a.rm(LOCK, w, MAP_0F, 0xB1, RDX, NONE, NONE, 0, at);
                    a.jcc(NE, again);
                }
            });
            hlt(a);
        })) {
            m.run();
            for (int i = 0; i < places.length; i++) {
                byte[] bytes = new byte[1 << places[i][0]];
                m.memory.read(place(places, i), bytes, 0, bytes.length);
                long value = 0;
                for (int b = bytes.length - 1; b >= 0; b--) {
                    value = value << 8 | bytes[b] & 0xff;
                }
                assertThat(value).as("operand %d", i).isEqualTo(3L * rounds * kinds.length());
            }
        }
    }

    /** Each place in two pages of its own. */
    private static int place(int[][] places, int i) {
        return 0x200000 + i * 0x2000 + places[i][1];
    }

    @ParameterizedTest
    @ValueSource(strings = {"II", "IT", "TI", "TT"})
    void aSplitOperandAndAnAlignedOneThatOverlapsItLoseNothingOfEachOther(String kinds) {
        int split = 140_000;
        int aligned = 60_000;
        try (SmpMachine m = new SmpMachine(kinds).load((a, n) -> {
            meet(a, kinds.length());
            if (n == 0) {
                repeat(a, RCX, split, () -> lockInc(a, 2, DATA + 6));
            } else {
                repeat(a, RCX, aligned, () -> lockInc(a, 2, DATA + 8));
            }
            hlt(a);
        })) {
            assertThat(m.run().memory.read(DATA + 4, 4) & 0xffffffffL).isEqualTo((long) split << 16 & 0xffffffffL);
            assertThat(m.memory.read(DATA + 8, 4)).isEqualTo(aligned + (split >>> 16));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"II", "ii", "IT", "TT", "ITIT"})
    void sixteenBytesAreExchangedAsOne(String kinds) {
        int rounds = 3_000;
        try (SmpMachine m = new SmpMachine(kinds).load((a, n) -> {
            meet(a, kinds.length());
            a.constant(RAX, 0);
            a.constant(RDX, 0);
            repeat(a, RBP, rounds, () -> {
                int again = a.label();
                a.bind(again);
                a.lea(RBX, RAX, NONE, 0, 1);
                a.lea(RCX, RDX, NONE, 0, 3);
                // lock cmpxchg16b [DATA]
                a.rm(LOCK, 3, MAP_0F, 0xC7, 1, NONE, NONE, 0, (int) DATA);
                // The upper half is three times the lower one, or somebody saw half of an exchange.
                a.lea(RSI, RAX, RAX, 1, 0);
                int failed = a.label();
                int fine = a.label();
                a.jcc(NE, failed);
                a.alu(CMP, 3, RSI, RDX);
                failIf(a, NE);
                a.mov(3, RAX, RBX);
                a.mov(3, RDX, RCX);
                a.jmp(fine);
                a.bind(failed);
                a.alu(CMP, 3, RSI, RDX);
                failIf(a, NE);
                a.jmp(again);
                a.bind(fine);
            });
            hlt(a);
        })) {
            m.run();
            assertThat(m.memory.read(DATA, 8)).isEqualTo((long) rounds * kinds.length());
            assertThat(m.memory.read(DATA + 8, 8)).isEqualTo(3L * rounds * kinds.length());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"II", "IT", "TT", "TIT"})
    void aSpinLockExcludes(String kinds) {
        int rounds = 500;
        try (SmpMachine m = new SmpMachine(kinds).load((a, n) -> {
            meet(a, kinds.length());
            repeat(a, RCX, rounds, () -> {
                int take = a.label();
                int spin = a.label();
                int taken = a.label();
                a.bind(take);
                a.constant(RAX, 1);
                // xchg [DATA],eax is locked without a prefix
                a.rm(0, 2, MAP_1, 0x87, RAX, NONE, NONE, 0, (int) DATA);
                a.alu(Assembler.OR, 2, RAX, RAX);
                a.jcc(E, taken);
                a.bind(spin);
                pause(a);
                a.aluMemoryImmediate(Assembler.CMP, 2, NONE, (int) DATA, 0);
                a.jcc(NE, spin);
                a.jmp(take);
                a.bind(taken);
                load(a, 2, RDX, DATA + 64);
                pause(a);
                a.aluImmediate(Assembler.ADD, 2, RDX, 1);
                store(a, 2, DATA + 64, RDX);
                a.storeImmediate(2, NONE, (int) DATA, 0);
            });
            hlt(a);
        })) {
            assertThat(m.run().memory.read(DATA + 64, 4)).isEqualTo((long) rounds * kinds.length());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"II", "IT", "TT", "TIT"})
    void aTicketLockServesInOrder(String kinds) {
        int rounds = 100;
        try (SmpMachine m = new SmpMachine(kinds).load((a, n) -> {
            meet(a, kinds.length());
            repeat(a, RCX, rounds, () -> {
                a.constant(RDX, 1);
                // lock xadd word [DATA],dx: my ticket
                a.rm(LOCK, 1, MAP_0F, 0xC1, RDX, NONE, NONE, 0, (int) DATA);
                a.rr(0, 2, MAP_0F, 0xB7, RDX, RDX);
                awaitEqual(a, DATA + 64, RDX);
                a.aluMemory(Assembler.CMP, 2, RDX, NONE, (int) DATA + 128);
                failIf(a, NE);
                load(a, 2, RAX, DATA + 128);
                a.aluImmediate(Assembler.ADD, 2, RAX, 1);
                store(a, 2, DATA + 128, RAX);
                store(a, 2, DATA + 64, RAX);
            });
            hlt(a);
        })) {
            assertThat(m.run().memory.read(DATA + 128, 4)).isEqualTo((long) rounds * kinds.length());
        }
    }

    // ---------------------------------------------------------------- order

    private static final int X = 0x200000;
    private static final int Y = 0x400000;
    private static final int SAW = 0x600000;
    private static final int STEPS = 20_000;
    /** Looks at the other processor's step before going on without it. */
    private static final int PATIENCE = 1_000;

    @ParameterizedTest
    @ValueSource(strings = {"II", "IT", "TI", "TT"})
    void aMessageIsThereWhenItsFlagIs(String kinds) {
        int messages = 200_000;
        try (SmpMachine m = new SmpMachine(kinds).load((a, n) -> {
            meet(a, kinds.length());
            if (n == 0) {
                count(a, RCX, messages, () -> {
                    store(a, 2, DATA, RCX);
                    store(a, 2, DATA + 0x1040, RCX);
                });
            } else {
                int loop = a.label();
                a.bind(loop);
                load(a, 2, RAX, DATA + 0x1040);
                load(a, 2, RDX, DATA);
                a.alu(Assembler.CMP, 2, RDX, RAX);
                failIf(a, BELOW);
                a.aluImmediate(Assembler.CMP, 2, RAX, messages);
                a.jcc(NE, loop);
            }
            hlt(a);
        })) {
            m.run();
        }
    }

    /**
     * Each step has a location of its own in both arrays; the processors go from step to step together, but for one that
     * the host does not run.
     */
    private static void steps(SmpMachine m, int steps, StepBody body) {
        m.load((a, n) -> {
            meet(a, 2);
            a.constant(RBP, 0);
            count(a, RCX, steps, () -> {
                body.emit(a, n);
                a.rm(0, 3, MAP_1, 0x89, RAX, RBP, RDI, 3, SAW);
                a.aluImmediate(Assembler.ADD, 2, RBP, 16);
                store(a, 2, DATA + n * 64L, RCX);
                int wait = a.label();
                int next = a.label();
                a.constant(RDX, PATIENCE);
                a.bind(wait);
                a.aluMemory(Assembler.CMP, 2, RCX, NONE, (int) DATA + (1 - n) * 64);
                a.jcc(Assembler.BE, next);
                pause(a);
                a.aluImmediate(Assembler.SUB, 2, RDX, 1);
                a.jcc(NE, wait);
                a.bind(next);
                // One of the two sees the other one late: delays of 0 to 31 turns even that out now and then.
                a.lea(RDX, RCX, RCX, n, 0);
                a.aluImmediate(Assembler.AND, 2, RDX, 31);
                int delay = a.label();
                a.bind(delay);
                a.aluImmediate(Assembler.SUB, 2, RDX, 1);
                a.jcc(NOT_SIGNED, delay);
            });
            hlt(a);
        });
        m.run();
    }

    /** An interpreted processor that waits for one that the host does not run takes its time. */
    private static int steps(String kinds) {
        return kinds.equals("TT") ? STEPS : STEPS / 8;
    }

    private interface StepBody {
        void emit(Assembler a, int n);
    }

    private static void storeOne(Assembler a, int array) {
        a.storeImmediate(3, RBP, array, 1);
    }

    private static void loadInto(Assembler a, int reg, int array) {
        a.load(3, reg, RBP, array);
    }

    @ParameterizedTest
    @ValueSource(strings = {"II", "IT", "TT"})
    void loadsAreNotDelayedBehindLaterStores(String kinds) {
        int steps = steps(kinds);
        try (SmpMachine m = new SmpMachine(kinds)) {
            steps(m, steps, (a, n) -> {
                loadInto(a, RAX, n == 0 ? X : Y);
                storeOne(a, n == 0 ? Y : X);
            });
            for (int i = 0; i < steps; i++) {
                assertThat(m.memory.read(SAW + i * 16L, 8) + m.memory.read(SAW + i * 16L + 8, 8))
                        .as("step %d", i)
                        .isLessThan(2);
            }
        }
    }

    private static void storeBuffering(String kinds, Consumer<Assembler> fence) {
        int steps = steps(kinds);
        try (SmpMachine m = new SmpMachine(kinds)) {
            steps(m, steps, (a, n) -> {
                storeOne(a, n == 0 ? X : Y);
                fence.accept(a);
                loadInto(a, RAX, n == 0 ? Y : X);
            });
            for (int i = 0; i < steps; i++) {
                assertThat(m.memory.read(SAW + i * 16L, 8) + m.memory.read(SAW + i * 16L + 8, 8))
                        .as("step %d", i)
                        .isGreaterThan(0);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"II", "IT", "TT"})
    void anMfenceKeepsLoadsBehindEarlierStores(String kinds) {
        storeBuffering(kinds, SmpPrograms::mfence);
    }

    @ParameterizedTest
    @ValueSource(strings = {"II", "IT", "TT"})
    void aLockedInstructionIsAFence(String kinds) {
        storeBuffering(kinds, a -> {
            // lock add dword [rsp-64],0
            a.rm(LOCK, 2, MAP_1, 0x83, 0, Assembler.RSP, NONE, 0, -64);
            a.byte1(0);
        });
    }

    @ParameterizedTest
    @ValueSource(strings = {"II", "IT", "TT"})
    void aLockedExchangeThatFailsIsAFenceToo(String kinds) {
        storeBuffering(kinds, a -> {
            a.constant(RAX, 77);
            a.rm(LOCK, 2, MAP_0F, 0xB1, RDX, Assembler.RSP, NONE, 0, -64);
        });
    }

    @ParameterizedTest
    @ValueSource(strings = {"II", "IT", "TT"})
    void serialisingInstructionsAreFences(String kinds) {
        storeBuffering(kinds, a -> {
            a.mov(3, SmpPrograms.R8, RCX);
            SmpPrograms.cpuid(a);
            a.mov(3, RCX, SmpPrograms.R8);
        });
        storeBuffering(kinds, SmpPrograms::iret);
    }

    @ParameterizedTest
    @ValueSource(strings = {"IIII", "ITIT", "TTTT"})
    void twoReadersSeeTheStoresOfTwoWritersInOneOrder(String kinds) {
        try (SmpMachine m = new SmpMachine(kinds).load((a, n) -> {
            meet(a, kinds.length());
            a.constant(RBP, 0);
            repeat(a, RCX, STEPS, () -> {
                if (n < 2) {
                    storeOne(a, n == 0 ? X : Y);
                } else {
                    loadInto(a, RAX, n == 2 ? X : Y);
                    loadInto(a, RDX, n == 2 ? Y : X);
                    a.lea(RAX, RAX, RDX, 1, 0);
                    a.rm(0, 3, MAP_1, 0x89, RAX, RBP, RDI, 3, SAW - 16);
                }
                a.aluImmediate(Assembler.ADD, 2, RBP, 16);
            });
            hlt(a);
        })) {
            m.run();
            for (int i = 0; i < STEPS; i++) {
                // 1: the first store of this reader's order was there and the second one was not.
                boolean xBeforeY = m.memory.read(SAW + i * 16L, 8) == 1;
                boolean yBeforeX = m.memory.read(SAW + i * 16L + 8, 8) == 1;
                assertThat(xBeforeY && yBeforeX).as("step %d", i).isFalse();
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"II", "IT", "TI", "TT"})
    void alignedStoresAreSeenWholeOrNotAtAll(String kinds) {
        int rounds = 50_000;
        try (SmpMachine m = new SmpMachine(kinds).load((a, n) -> {
            meet(a, kinds.length());
            if (n == 0) {
                a.constant(RBX, 0x0001000100010001L);
                a.constant(RAX, 0);
                repeat(a, RCX, rounds, () -> {
                    store(a, 3, DATA + 8, RAX);
                    a.alu(Assembler.ADD, 3, RAX, RBX);
                });
                a.constant(RAX, -1);
                store(a, 3, DATA + 8, RAX);
            } else {
                int loop = a.label();
                a.bind(loop);
                load(a, 3, RAX, DATA + 8);
                a.mov(3, RDX, RAX);
                // rol rdx,16
                bytes(a, 0x48, 0xC1, 0xC2, 16);
                a.alu(CMP, 3, RAX, RDX);
                failIf(a, NE);
                a.aluImmediate(CMP, 3, RAX, -1);
                a.jcc(NE, loop);
            }
            hlt(a);
        })) {
            m.run();
        }
    }
}
