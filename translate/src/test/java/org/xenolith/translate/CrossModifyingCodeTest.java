package org.xenolith.translate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.translate.Assembler.NE;
import static org.xenolith.translate.Assembler.NONE;
import static org.xenolith.translate.Assembler.RAX;
import static org.xenolith.translate.Assembler.RBX;
import static org.xenolith.translate.Assembler.RCX;
import static org.xenolith.translate.Assembler.RDX;
import static org.xenolith.translate.Assembler.RSI;
import static org.xenolith.translate.Machines.DATA;
import static org.xenolith.translate.SmpPrograms.awaitEqual;
import static org.xenolith.translate.SmpPrograms.bytes;
import static org.xenolith.translate.SmpPrograms.count;
import static org.xenolith.translate.SmpPrograms.failIf;
import static org.xenolith.translate.SmpPrograms.hlt;
import static org.xenolith.translate.SmpPrograms.load;
import static org.xenolith.translate.SmpPrograms.meet;
import static org.xenolith.translate.SmpPrograms.store;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.xenolith.memory.GuestPhysical;

/** Several processors that write each other's code and page tables, with the handshakes that the manuals ask for. */
class CrossModifyingCodeTest {
    private static final int ROUNDS = 500;
    private static final int FLAG = (int) DATA;
    private static final int ACK = (int) DATA + 64;
    /** {@code mov eax, imm32; ret} with an aligned immediate. */
    private static final int FUNCTION = 0x200003;

    private static final int IMMEDIATE = FUNCTION + 1;

    private static void writeFunction(SmpMachine m, long at, int value) {
        m.memory.write(at, 1, 0xB8);
        for (int i = 0; i < 4; i++) {
            m.memory.write(at + 1 + i, 1, value >>> i * 8);
        }
        m.memory.write(at + 5, 1, 0xC3);
    }

    private static void serialise(Assembler a, String how) {
        switch (how) {
            case "cpuid" -> {
                a.mov(3, SmpPrograms.R8, RCX);
                SmpPrograms.cpuid(a);
                a.mov(3, RCX, SmpPrograms.R8);
            }
            case "iret" -> SmpPrograms.iret(a);
            case "cr3" -> SmpPrograms.reloadCr3(a);
            case "invlpg" -> SmpPrograms.invlpg(a, DATA);
            default -> throw new IllegalArgumentException(how);
        }
    }

    /** Processor 0 changes the function and says so; processor 1 serialises, and must run the new one. */
    private static void patchAndRun(SmpMachine m, int function, int rounds, String how) {
        writeFunction(m, function, 0);
        m.load((a, n) -> {
            meet(a, 2);
            count(a, RCX, rounds, () -> {
                if (n == 0) {
                    store(a, 2, function + 1, RCX);
                    store(a, 2, FLAG, RCX);
                    awaitEqual(a, ACK, RCX);
                } else {
                    awaitEqual(a, FLAG, RCX);
                    serialise(a, how);
                    a.callTo(function);
                    a.alu(Assembler.CMP, 2, RAX, RCX);
                    failIf(a, NE);
                    store(a, 2, ACK, RCX);
                }
            });
            hlt(a);
        });
        m.run();
    }

    @ParameterizedTest
    @CsvSource({"II,cpuid", "II,iret", "IT,cpuid", "IT,cr3", "TI,iret", "TI,invlpg", "TT,cpuid", "TT,iret", "TT,cr3"})
    void aProcessorThatSerialisesRunsTheCodeThatAnotherHasWritten(String kinds, String how) {
        try (SmpMachine m = new SmpMachine(kinds)) {
            patchAndRun(m, FUNCTION, ROUNDS, how);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"II", "IT", "TI", "TT"})
    void theWrittenFunctionMayLieInThePageThatItsWriterRunsIn(String kinds) {
        try (SmpMachine m = new SmpMachine(kinds)) {
            patchAndRun(m, (int) Machines.CODE + 0x803, ROUNDS, "cpuid");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"II", "IT", "TI", "TT"})
    void codeThatCrossesIntoAnotherPageIsSeenToChangeThere(String kinds) {
        try (SmpMachine m = new SmpMachine(kinds)) {
            // The opcode is the last byte of its page.
            patchAndRun(m, 0x200FFF, ROUNDS, "cpuid");
        }
    }

    /** Every processor writes a function for the next one and runs the one that the last one wrote. */
    @ParameterizedTest
    @ValueSource(strings = {"II", "IT", "TT", "ITT", "ITIT"})
    void processorsThatWriteEachOthersCodeAtTheSameTimeDoNotWaitForEver(String kinds) {
        int all = kinds.length();
        int rounds = 100;
        try (SmpMachine m = new SmpMachine(kinds)) {
            for (int page = 0; page < rounds * all; page++) {
                writeFunction(m, 0x200000 + page * 4096L, 0);
            }
            m.load((a, n) -> {
                int next = (n + 1) % all;
                meet(a, all);
                // In each round functions in pages that nobody has run from: rsi mine to run, rbx mine to write.
                a.constant(RSI, 0x200000 + n * 4096L);
                a.constant(RBX, 0x200000 + next * 4096L);
                count(a, RCX, rounds, () -> {
                    a.store(2, RBX, 1, RCX);
                    store(a, 2, FLAG + next * 64L, RCX);
                    awaitEqual(a, FLAG + n * 64L, RCX);
                    serialise(a, "iret");
                    bytes(a, 0xFF, 0xD6); // call rsi
                    a.alu(Assembler.CMP, 2, RAX, RCX);
                    failIf(a, NE);
                    // Once more, when the reader is known to have run it.
                    store(a, 2, ACK + 0x1000 + n * 64L, RCX);
                    awaitEqual(a, ACK + 0x1000 + next * 64L, RCX);
                    a.storeImmediate(2, RBX, 1, 77);
                    store(a, 2, FLAG + 0x2000 + next * 64L, RCX);
                    awaitEqual(a, FLAG + 0x2000 + n * 64L, RCX);
                    serialise(a, "iret");
                    bytes(a, 0xFF, 0xD6);
                    a.aluImmediate(Assembler.CMP, 2, RAX, 77);
                    failIf(a, NE);
                    a.aluImmediate(Assembler.ADD, 3, RSI, all * 4096);
                    a.aluImmediate(Assembler.ADD, 3, RBX, all * 4096);
                });
                hlt(a);
            });
            m.run();
        }
    }

    /** A page of 4096 code bytes is written with one value after the other in it, while its reader sleeps or not. */
    @ParameterizedTest
    @ValueSource(strings = {"II", "IT", "TI", "TT"})
    void aPageOfCodeThatIsRewrittenAsAWholeIsSeenAsAWhole(String kinds) {
        int rounds = 100;
        int page = 0x300000;
        try (SmpMachine m = new SmpMachine(kinds)) {
            m.load((a, n) -> {
                meet(a, 2);
                count(a, RCX, rounds, () -> {
                    if (n == 0) {
                        // mov eax, imm32 at the beginning and at byte 2048, NOPs, jumps of 5 bytes and a ret at the end
                        a.constant(RBX, page);
                        a.constant(RAX, 0x9090909090909090L);
                        int fill = a.label();
                        a.bind(fill);
                        a.store(3, RBX, 0, RAX);
                        a.aluImmediate(Assembler.ADD, 3, RBX, 8);
                        a.aluImmediate(Assembler.CMP, 2, RBX, page + 4096);
                        a.jcc(NE, fill);
                        a.rm(0, 0, Assembler.MAP_1, 0xC6, 0, NONE, NONE, 0, page + 3);
                        a.byte1(0xBA);
                        store(a, 2, page + 4, RCX);
                        a.rm(0, 0, Assembler.MAP_1, 0xC6, 0, NONE, NONE, 0, page + 2051);
                        a.byte1(0xB8);
                        store(a, 2, page + 2052, RCX);
                        a.rm(0, 0, Assembler.MAP_1, 0xC6, 0, NONE, NONE, 0, page + 4095);
                        a.byte1(0xC3);
                        store(a, 2, FLAG, RCX);
                        awaitEqual(a, ACK, RCX);
                    } else {
                        awaitEqual(a, FLAG, RCX);
                        serialise(a, "invlpg");
                        a.callTo(page);
                        a.alu(Assembler.CMP, 2, RAX, RCX);
                        failIf(a, NE);
                        a.alu(Assembler.CMP, 2, RDX, RCX);
                        failIf(a, NE);
                        store(a, 2, ACK, RCX);
                    }
                });
                hlt(a);
            });
            m.run();
        }
    }

    /** Code beside a counter that another processor increments all the time. */
    @ParameterizedTest
    @ValueSource(strings = {"II", "IT", "TI", "TT"})
    void dataBesideCodeOfAnotherProcessorLosesNoStore(String kinds) {
        int rounds = 5_000;
        try (SmpMachine m = new SmpMachine(kinds)) {
            writeFunction(m, 0x200000, 5);
            m.load((a, n) -> {
                meet(a, 2);
                a.constant(RBX, 0);
                count(a, RCX, rounds, () -> {
                    if (n == 0) {
                        store(a, 2, 0x200800, RCX);
                        a.aluMemory(Assembler.CMP, 2, RCX, NONE, 0x200800);
                        failIf(a, NE);
                    } else {
                        a.callTo(0x200000);
                        a.alu(Assembler.ADD, 2, RBX, RAX);
                    }
                });
                store(a, 2, DATA + 0x100, RBX);
                hlt(a);
            });
            m.run();
            assertThat(m.memory.read(0x200800, 4)).isEqualTo(rounds);
            assertThat(m.processors.get(1).state.gpr(RBX)).isEqualTo(5L * rounds);
        }
    }

    // ---------------------------------------------------------------- page tables

    /** An address whose page-table entry is changed all the time. */
    private static final int WINDOW = 0x100000;

    @ParameterizedTest
    @ValueSource(strings = {"II", "IT", "TI", "TT"})
    void anAddressThatAnotherProcessorMapsElsewhereIsReadAndRunThereAfterInvlpg(String kinds) {
        try (SmpMachine m = new SmpMachine(kinds)) {
            for (int i = 0; i < 2; i++) {
                writeFunction(m, 0x400000 + i * 4096L, 1000 + i);
                m.memory.write(0x400800 + i * 4096L, 4, 2000 + i);
            }
            m.load((a, n) -> {
                meet(a, 2);
                count(a, RCX, ROUNDS, () -> {
                    // rdx = round & 1, the page that is mapped in this round
                    a.mov(2, RDX, RCX);
                    a.aluImmediate(Assembler.AND, 2, RDX, 1);
                    if (n == 0) {
                        a.mov(2, RAX, RDX);
                        a.shift(Assembler.SHL, 2, RAX, 12);
                        a.aluImmediate(Assembler.ADD, 2, RAX, 0x400003);
                        store(a, 3, Machines.PAGE_TABLE + (WINDOW >> 9), RAX);
                        store(a, 2, FLAG, RCX);
                        awaitEqual(a, ACK, RCX);
                    } else {
                        awaitEqual(a, FLAG, RCX);
                        SmpPrograms.invlpg(a, WINDOW);
                        a.callTo(WINDOW);
                        a.aluImmediate(Assembler.SUB, 2, RAX, 1000);
                        a.alu(Assembler.CMP, 2, RAX, RDX);
                        failIf(a, NE);
                        load(a, 2, RAX, WINDOW + 0x800);
                        a.aluImmediate(Assembler.SUB, 2, RAX, 2000);
                        a.alu(Assembler.CMP, 2, RAX, RDX);
                        failIf(a, NE);
                        store(a, 2, ACK, RCX);
                    }
                });
                hlt(a);
            });
            m.run();
        }
    }

    /** Both processors set accessed and dirty bits of entries in the quadwords that the other one counts in. */
    @ParameterizedTest
    @ValueSource(strings = {"II", "IT", "TT"})
    void accessedAndDirtyBitsAreSetWithoutLosingWhatAnotherProcessorWrites(String kinds) {
        int rounds = 3_000;
        long entry = Machines.PAGE_TABLE + (WINDOW >> 9);
        try (SmpMachine m = new SmpMachine(kinds)) {
            m.load((a, n) -> {
                meet(a, 2);
                // Bits 9..11 and 52..58 are the software's: each processor counts in bits of its own.
                a.constant(RDX, 1L << 52 + 3 * n);
                count(a, RCX, rounds, () -> {
                    // lock xor [entry],rdx; lock btr [entry],5 and 6; a store through the entry, that sets both
                    a.rm(Assembler.LOCK, 3, Assembler.MAP_1, 0x31, RDX, NONE, NONE, 0, (int) entry);
                    if (n == 0) {
                        a.rm(Assembler.LOCK, 3, Assembler.MAP_1, 0x83, 4, NONE, NONE, 0, (int) entry);
                        a.byte1(~0x60);
                    }
                    SmpPrograms.invlpg(a, WINDOW);
                    a.storeImmediate(2, NONE, WINDOW, 1);
                });
                a.rm(Assembler.LOCK, 3, Assembler.MAP_1, 0x31, RDX, NONE, NONE, 0, (int) entry);
                hlt(a);
            });
            m.run();
            assertThat(m.memory.read(entry, 8) & ~0x60L).isEqualTo(WINDOW | 3 | 1L << 52 | 1L << 55);
        }
    }

    // ---------------------------------------------------------------- the hypervisor

    @ParameterizedTest
    @ValueSource(strings = {"II", "IT", "TI", "TT"})
    void aFrameThatTheHypervisorTakesAwayIsNotSeenAfterTheFlush(String kinds) {
        int page = 0x500000;
        try (SmpMachine m = new SmpMachine(kinds)) {
            int[] frames = new int[50];
            for (int i = 0; i < frames.length; i++) {
                frames[i] = m.machine.allocateFrame();
                m.memory.map(page >> 12, frames[i], true);
                writeFunction(m, page, i);
                m.memory.write(page + 0x800, 4, i);
            }
            m.memory.map(page >> 12, frames[0], true);
            m.load((a, n) -> {
                int loop = a.label();
                int done = a.label();
                a.bind(loop);
                a.aluMemoryImmediate(Assembler.CMP, 2, NONE, FLAG, 0);
                a.jcc(NE, done);
                a.callTo(page);
                load(a, 2, RDX, page + 0x800);
                // What was seen last, and a count of looks.
                store(a, 2, ACK + n * 64L, RAX);
                store(a, 2, ACK + 8 + n * 64L, RDX);
                a.rm(0, 3, Assembler.MAP_1, 0xFF, 0, NONE, NONE, 0, ACK + 16 + n * 64);
                a.jmp(loop);
                a.bind(done);
                hlt(a);
            });
            m.start();
            long longest = 0;
            for (int i = 0; i < frames.length; i++) {
                m.memory.map(page >> 12, frames[i], true);
                long begin = System.nanoTime();
                for (SmpMachine.Processor p : m.processors) {
                    p.request(p.engine::flushTlb);
                }
                longest = Math.max(longest, System.nanoTime() - begin);
                for (int n = 0; n < 2; n++) {
                    long looks = m.memory.read(ACK + 16 + n * 64L, 8);
                    while (m.memory.read(ACK + 16 + n * 64L, 8) < looks + 2) {
                        Thread.onSpinWait();
                    }
                    assertThat(m.memory.read(ACK + n * 64L, 4)).isEqualTo(i);
                    assertThat(m.memory.read(ACK + 8 + n * 64L, 4)).isEqualTo(i);
                }
            }
            m.memory.write(FLAG, 4, 1);
            m.await();
            assertThat(longest).isLessThan(TimeUnit.SECONDS.toNanos(2));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"II", "IT", "TI", "TT"})
    void whatTheHypervisorWritesForOneProcessorIsRunByTheOther(String kinds) {
        try (SmpMachine m = new SmpMachine(kinds)) {
            writeFunction(m, FUNCTION, 0);
            m.load((a, n) -> {
                if (n == 0) {
                    // Something to interrupt, until the other one has seen the last version.
                    a.constant(RAX, 200);
                    awaitEqual(a, ACK, RAX);
                } else {
                    count(a, RCX, 200, () -> {
                        awaitEqual(a, FLAG, RCX);
                        serialise(a, "invlpg");
                        a.callTo(FUNCTION);
                        a.alu(Assembler.CMP, 2, RAX, RCX);
                        failIf(a, NE);
                        store(a, 2, ACK, RCX);
                    });
                }
                hlt(a);
            });
            m.start();
            SmpMachine.Processor writer = m.processors.getFirst();
            for (int i = 1; i <= 200; i++) {
                byte[] value = {(byte) i, 0, 0, 0};
                writer.request(() -> {
                    assertThat(writer.engine.linear().write(IMMEDIATE, value, 0, 4))
                            .isTrue();
                    assertThat(writer.engine.linear().write(FLAG, value, 0, 4)).isTrue();
                });
                while (m.memory.read(ACK, 4) != i && m.processors.get(1).isFine()) {
                    Thread.onSpinWait();
                }
            }
            m.await();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"I", "T"})
    void aProcessorThatIsAloneInItsDomainNeverWaits(String kinds) {
        try (SmpMachine m = new SmpMachine(kinds)) {
            m.load((a, n) -> {
                // Writes a function and runs it, in page after page.
                a.constant(RSI, 0x200000);
                count(a, RCX, 1_000, () -> {
                    a.rm(0, 0, Assembler.MAP_1, 0xC6, 0, RSI, NONE, 0, 0);
                    a.byte1(0xB8);
                    a.store(2, RSI, 1, RCX);
                    a.rm(0, 0, Assembler.MAP_1, 0xC6, 0, RSI, NONE, 0, 5);
                    a.byte1(0xC3);
                    bytes(a, 0xFF, 0xD6);
                    a.alu(Assembler.CMP, 2, RAX, RCX);
                    failIf(a, NE);
                    a.aluImmediate(Assembler.ADD, 3, RSI, GuestPhysical.FRAME_SIZE);
                });
                hlt(a);
            });
            m.run();
        }
    }
}
