package org.xenolith.cpu.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.cpu.testing.Asm.RAX;
import static org.xenolith.cpu.testing.Asm.RBX;
import static org.xenolith.cpu.testing.Asm.RCX;
import static org.xenolith.cpu.testing.Asm.RDI;
import static org.xenolith.cpu.testing.Asm.RSI;
import static org.xenolith.cpu.testing.Asm.abs;
import static org.xenolith.cpu.testing.Asm.mem;
import static org.xenolith.cpu.testing.TestMachine.CODE;
import static org.xenolith.cpu.testing.TestMachine.DATA;
import static org.xenolith.cpu.testing.TestMachine.TABLES;
import static org.xenolith.cpu.testing.TestMachine.pte;

import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cr0;
import org.xenolith.cpu.core.Cr4;
import org.xenolith.cpu.testing.Asm;
import org.xenolith.cpu.testing.TestMachine;
import org.xenolith.cpu.testing.TestMachine.Fault;

/** Page tables of all modes: what they allow, what they report, which bits they set. */
public class PagingTest {
    private static final long P = 1;
    private static final long W = 2;
    private static final long U = 4;
    private static final long A = 0x20;
    private static final long D = 0x40;
    private static final long PS = 0x80;
    private static final long G = 0x100;
    private static final long NX = 1L << 63;
    private static final long PAGE = DATA;

    private static void assertPageFault(long entry, boolean user, long cr4, Consumer<Asm> code, long error) {
        try (TestMachine m = TestMachine.long64()) {
            m.memory.put64(pte(PAGE), entry);
            m.state.setLong(VcpuState.CR4, m.state.getLong(VcpuState.CR4) | cr4);
            if (user) {
                m.user();
            }
            Asm a = m.code();
            code.accept(a);
            Fault f = m.load(a.ud2()).fault();
            if (error < 0) {
                assertThat(f.vector()).isEqualTo(6);
            } else {
                assertThat(f.vector()).isEqualTo(14);
                assertThat(f.error()).isEqualTo(error);
                assertThat(m.state.getLong(VcpuState.CR2) & -4096).isEqualTo(PAGE);
            }
        }
    }

    private static final Consumer<Asm> READ = a -> a.load(2, RAX, abs(PAGE + 8));
    private static final Consumer<Asm> WRITE = a -> a.store(2, abs(PAGE + 8), RAX);
    private static final Consumer<Asm> FETCH = a -> a.mov(2, RAX, PAGE).rr(2, 4, RAX, 0xFF);

    @Test
    void errorCodesTellPresenceWriteUserReservedAndFetch() {
        assertPageFault(PAGE, false, 0, READ, 0);
        assertPageFault(PAGE, false, 0, WRITE, 2);
        assertPageFault(PAGE, true, 0, READ, 4);
        assertPageFault(PAGE, true, 0, WRITE, 6);
        assertPageFault(PAGE | P | W, true, 0, READ, 5);
        assertPageFault(PAGE | P | U, true, 0, WRITE, 7);
        assertPageFault(PAGE | P | W | U | 1L << 51, false, 0, READ, 9);
        assertPageFault(PAGE | P | W | U | NX, false, 0, FETCH, 0x11);
        assertPageFault(PAGE | P | W | U | NX, true, 0, FETCH, 0x15);
        assertPageFault(PAGE, true, 0, FETCH, 0x14);
        assertPageFault(PAGE | P | W | U | NX, false, 0, READ, -1);
    }

    @Test
    void supervisorWritesHeedWp() {
        assertPageFault(PAGE | P, false, 0, WRITE, 3);
        try (TestMachine m = TestMachine.long64()) {
            m.memory.put64(pte(PAGE), PAGE | P);
            m.state.setLong(VcpuState.CR0, m.state.getLong(VcpuState.CR0) & ~Cr0.WP);
            Asm a = m.code();
            WRITE.accept(a);
            m.load(a.hlt()).runToHalt();
            assertThat(m.memory.get64(pte(PAGE))).isEqualTo(PAGE | P | A | D);
        }
    }

    @Test
    void smepAndSmapKeepTheKernelOutOfUserPages() {
        long user = PAGE | P | W | U;
        // The code itself must be a supervisor page then.
        Consumer<TestMachine> kernelCode = m -> m.memory.put64(pte(CODE), CODE | P | W);
        for (Object[] row : new Object[][] {
            {Cr4.SMEP, FETCH, 0x11L, 2L},
            {Cr4.SMAP, READ, 1L, 2L},
            {Cr4.SMAP, WRITE, 3L, 2L},
            {Cr4.SMAP, READ, -1L, 0x40002L}
        }) {
            try (TestMachine m = TestMachine.long64()) {
                for (long page = 0; page < DATA; page += 4096) {
                    m.memory.put64(pte(page), page | P | W);
                }
                kernelCode.accept(m);
                m.memory.put64(pte(PAGE), user);
                m.memory.put(PAGE, new Asm(64, 0).ud2().bytes());
                m.state.setLong(VcpuState.CR4, m.state.getLong(VcpuState.CR4) | (Long) row[0]);
                m.state.setRflags((Long) row[3]);
                Asm a = m.code();
                @SuppressWarnings("unchecked")
                Consumer<Asm> code = (Consumer<Asm>) row[1];
                code.accept(a);
                Fault f = m.load(a.ud2()).fault();
                assertThat(f.vector()).isEqualTo((Long) row[2] < 0 ? 6 : 14);
                if ((Long) row[2] >= 0) {
                    assertThat(f.error()).isEqualTo(row[2]);
                }
            }
        }
    }

    @Test
    void stacAndClacOpenAndCloseUserPages() {
        try (TestMachine m = TestMachine.long64()) {
            for (long page = 0; page < DATA; page += 4096) {
                m.memory.put64(pte(page), page | P | W);
            }
            m.state.setLong(VcpuState.CR4, m.state.getLong(VcpuState.CR4) | Cr4.SMAP);
            Asm a = m.code();
            a.db(0x0F, 0x01, 0xCB)
                    .load(2, RAX, abs(PAGE))
                    .db(0x0F, 0x01, 0xCA)
                    .mov(2, RCX, 1)
                    .load(2, RAX, abs(PAGE));
            Fault f = m.load(a).fault();
            assertThat(f.vector()).isEqualTo(14);
            assertThat(m.reg(RCX)).isEqualTo(1);
        }
    }

    @Test
    void accessedAndDirtyBitsAreSetOnTheWay() {
        try (TestMachine m = TestMachine.long64()) {
            Asm a = m.code();
            a.load(2, RAX, abs(PAGE))
                    .load(2, RAX, abs(PAGE + 0x1000))
                    .store(2, abs(PAGE + 0x1000), RAX)
                    .hlt();
            m.load(a).runToHalt();
            assertThat(m.memory.get64(pte(PAGE)) & (A | D)).isEqualTo(A);
            assertThat(m.memory.get64(pte(PAGE + 0x1000)) & (A | D)).isEqualTo(A | D);
            assertThat(m.memory.get64(pte(CODE)) & (A | D)).isEqualTo(A);
            assertThat(m.memory.get64(pte(PAGE + 0x2000)) & (A | D)).isZero();
            assertThat(m.memory.get64(TABLES) & (A | D)).isEqualTo(A);
        }
    }

    @Test
    void aFaultDoesNotSetAccessedInTheEntryThatRefused() {
        try (TestMachine m = TestMachine.long64()) {
            m.memory.put64(pte(PAGE), PAGE | P);
            Asm a = m.code();
            WRITE.accept(a);
            assertThat(m.load(a).fault().vector()).isEqualTo(14);
            assertThat(m.memory.get64(pte(PAGE)) & D).isZero();
        }
    }

    @Test
    void invlpgAndCr3WritesMakeNewMappingsVisible() {
        try (TestMachine m = TestMachine.long64()) {
            m.memory.put64(PAGE, 0x11);
            m.memory.put64(PAGE + 0x1000, 0x22);
            m.memory.put64(PAGE + 0x2000, 0x33);
            Asm a = m.code();
            a.load(3, RAX, abs(PAGE));
            a.mov(2, RSI, PAGE + 0x1000 | 7)
                    .store(3, abs(pte(PAGE)), RSI)
                    .invlpg(abs(PAGE))
                    .load(3, RBX, abs(PAGE));
            a.mov(2, RSI, PAGE + 0x2000 | 7)
                    .store(3, abs(pte(PAGE)), RSI)
                    .readCr(RCX, 3)
                    .writeCr(3, RCX)
                    .load(3, RCX, abs(PAGE));
            m.load(a.hlt()).runToHalt();
            assertThat(m.reg(RAX)).isEqualTo(0x11);
            assertThat(m.reg(RBX)).isEqualTo(0x22);
            assertThat(m.reg(RCX)).isEqualTo(0x33);
        }
    }

    @Test
    void globalPagesGoWithInvlpgOrAChangeOfPge() {
        try (TestMachine m = TestMachine.long64()) {
            m.memory.put64(PAGE, 0x11);
            m.memory.put64(PAGE + 0x1000, 0x22);
            m.memory.put64(pte(PAGE), PAGE | 7 | G);
            Asm a = m.code();
            a.load(3, RAX, abs(PAGE)).mov(2, RSI, PAGE + 0x1000 | 7).store(3, abs(pte(PAGE)), RSI);
            a.readCr(RCX, 4)
                    .movRR(3, RDI, RCX)
                    .alu(Asm.XOR, 2, RCX, 0x80)
                    .writeCr(4, RCX)
                    .writeCr(4, RDI);
            a.load(3, RBX, abs(PAGE));
            m.load(a.hlt()).runToHalt();
            assertThat(m.reg(RBX)).isEqualTo(0x22);
        }
    }

    @Test
    void largePagesOfLongMode() {
        try (TestMachine m = TestMachine.long64()) {
            // 2 MiB at 0x40000000, 1 GiB at 0x80000000, both showing the first megabytes.
            m.memory.put64(TABLES + 0x1000 + 8, TABLES + 0x8000 | 7);
            m.memory.put64(TABLES + 0x8000, PS | 7);
            m.memory.put64(TABLES + 0x1000 + 16, PS | 7);
            m.memory.put64(DATA, 0x4711);
            Asm a = m.code();
            a.mov(2, RSI, 0x40000000L).load(3, RAX, mem(RSI, (int) DATA));
            a.mov(2, RSI, 0x80000000L).load(3, RBX, mem(RSI, (int) DATA)).store(3, mem(RSI, (int) DATA + 8), RBX);
            m.load(a.hlt()).runToHalt();
            assertThat(m.reg(RAX)).isEqualTo(0x4711);
            assertThat(m.reg(RBX)).isEqualTo(0x4711);
            assertThat(m.memory.get64(TABLES + 0x8000)).isEqualTo(PS | 7 | A);
            assertThat(m.memory.get64(TABLES + 0x1000 + 16)).isEqualTo(PS | 7 | A | D);
        }
        try (TestMachine m = TestMachine.long64()) {
            m.memory.put64(TABLES + 0x1000 + 8, 0x2000 | PS | 7);
            Asm a = m.code();
            Fault f =
                    m.load(a.mov(2, RSI, 0x40000000L).load(3, RAX, mem(RSI, 0))).fault();
            assertThat(f.vector()).isEqualTo(14);
            assertThat(f.error()).isEqualTo(9);
        }
    }

    private static TestMachine paged32(long cr4, long efer) {
        TestMachine m = TestMachine.protected32();
        m.state.setLong(VcpuState.CR4, m.state.getLong(VcpuState.CR4) | cr4);
        m.state.setLong(VcpuState.EFER, efer);
        m.state.setLong(VcpuState.CR3, TABLES);
        m.state.setLong(VcpuState.CR0, m.state.getLong(VcpuState.CR0) | Cr0.PG | Cr0.WP);
        return m;
    }

    @Test
    void thirtyTwoBitPagingWithSmallPages() {
        try (TestMachine m = paged32(0, 0)) {
            m.memory.write(TABLES, 4, TABLES + 0x1000 | 7);
            for (int i = 0; i < 1024; i++) {
                m.memory.write(TABLES + 0x1000 + i * 4L, 4, i * 4096L | 7);
            }
            m.memory.write(TABLES + 0x1000 + (PAGE >>> 12) * 4, 4, PAGE + 0x1000 | 7);
            m.memory.write(TABLES + 0x1000 + (PAGE + 0x1000 >>> 12) * 4, 4, PAGE | P);
            m.memory.write(PAGE + 0x1000, 4, 0x4711);
            Asm a = m.code();
            a.load(2, RAX, abs(PAGE)).store(2, abs(PAGE + 0x1004), RAX);
            Fault f = m.load(a).fault();
            assertThat(m.reg(RAX)).isEqualTo(0x4711);
            assertThat(f.vector()).isEqualTo(14);
            assertThat(f.error()).isEqualTo(3);
            assertThat(m.state.getLong(VcpuState.CR2)).isEqualTo(PAGE + 0x1004);
        }
    }

    @Test
    void fourMegabytePagesWithPse() {
        try (TestMachine m = paged32(Cr4.PSE, 0)) {
            m.memory.write(TABLES, 4, PS | 7);
            m.memory.write(TABLES + 4, 4, PS | 7);
            m.memory.write(DATA, 4, 0x4711);
            m.load(m.code()
                            .load(2, RAX, abs(0x400000 + DATA))
                            .store(2, abs(0x400000 + DATA + 4), RAX)
                            .hlt())
                    .runToHalt();
            assertThat(m.reg(RAX)).isEqualTo(0x4711);
            assertThat(m.memory.get32(TABLES + 4)).isEqualTo((int) (PS | 7 | A | D));
        }
    }

    @Test
    void paePagingWithNx() {
        try (TestMachine m = paged32(Cr4.PAE, 0x800)) {
            m.memory.put64(TABLES, TABLES + 0x1000 | P);
            m.memory.put64(TABLES + 0x1000, PS | 7);
            m.memory.put64(TABLES + 0x1008, TABLES + 0x2000 | 7);
            m.memory.put64(TABLES + 0x2000, DATA | 7 | NX);
            m.memory.put(DATA, new Asm(32, 0).hlt().bytes());
            Asm a = m.code();
            Fault f = m.load(a.load(2, RBX, abs(0x200000)).mov(2, RAX, 0x200000).rr(2, 4, RAX, 0xFF))
                    .fault();
            assertThat(f.vector()).isEqualTo(14);
            assertThat(f.error()).isEqualTo(0x11);
            assertThat(m.reg(RBX) & 0xFF).isEqualTo(0xF4);
        }
    }

    @Test
    void storesAcrossPagesLeaveNoTraceWhenTheSecondPageFaults() {
        try (TestMachine m = TestMachine.long64()) {
            m.memory.put64(pte(PAGE + 0x1000), 0);
            m.memory.put64(PAGE + 0xFF8, 0x1111111111111111L);
            m.set(RAX, -1);
            Fault f = m.load(m.code().store(3, abs(PAGE + 0xFFC), RAX)).fault();
            assertThat(f.vector()).isEqualTo(14);
            assertThat(m.state.getLong(VcpuState.CR2)).isEqualTo(PAGE + 0x1000);
            assertThat(m.memory.get64(PAGE + 0xFF8)).isEqualTo(0x1111111111111111L);
        }
    }

    @Test
    void loadsAndReadModifyWritesAcrossPages() {
        try (TestMachine m = TestMachine.long64()) {
            // The two pages are not neighbours in physical memory.
            m.memory.put64(pte(PAGE + 0x1000), PAGE + 0x5000 | 7);
            m.memory.write(PAGE + 0xFFE, 2, 0xFFFF);
            m.memory.write(PAGE + 0x5000, 2, 1);
            m.load(m.code()
                            .incM(2, abs(PAGE + 0xFFE))
                            .load(2, RBX, abs(PAGE + 0xFFE))
                            .hlt())
                    .runToHalt();
            assertThat(m.reg(RBX)).isEqualTo(0x20000);
            assertThat(m.memory.read(PAGE + 0x5000, 2)).isEqualTo(2);
        }
    }

    @Test
    void instructionsAcrossPagesFaultAtTheSecondPage() {
        try (TestMachine m = TestMachine.long64()) {
            m.memory.put64(pte(PAGE + 0x1000), 0);
            m.memory.put(PAGE + 0xFFE, new byte[] {(byte) 0xB8, 1});
            Fault f = m.load(m.code().mov(2, RCX, PAGE + 0xFFE).rr(2, 4, RCX, 0xFF))
                    .fault();
            assertThat(f.vector()).isEqualTo(14);
            assertThat(f.rip()).isEqualTo(PAGE + 0xFFE);
            assertThat(m.state.getLong(VcpuState.CR2)).isEqualTo(PAGE + 0x1000);
            assertThat(f.error()).isEqualTo(0x10);
        }
    }

    @Test
    void repeatedStringsStopAtAFaultAndGoOnAfterIt() {
        try (TestMachine m = TestMachine.long64()) {
            m.memory.put64(pte(PAGE + 0x1000), PAGE + 0x1000 | P | U);
            m.set(RSI, DATA + 0x4000).set(RDI, PAGE + 0xFE0).set(RCX, 100).set(RAX, 0);
            for (int i = 0; i < 100; i++) {
                m.memory.write(DATA + 0x4000 + i, 1, i + 1);
            }
            Fault f = m.load(m.code().db(0xF3, 0xA4).hlt()).fault();
            assertThat(f.vector()).isEqualTo(14);
            assertThat(f.rip()).isEqualTo(CODE);
            assertThat(m.reg(RCX)).isEqualTo(100 - 32);
            assertThat(m.reg(RDI)).isEqualTo(PAGE + 0x1000);
            m.memory.put64(pte(PAGE + 0x1000), PAGE + 0x1000 | 7);
            m.state.setRip(CODE);
            m.runToHalt();
            assertThat(m.reg(RCX)).isZero();
            assertThat(m.memory.read(PAGE + 0xFE0 + 99, 1)).isEqualTo(100);
        }
    }

    @Test
    void memoryThatIsNotThereIsADevice() {
        try (TestMachine m = TestMachine.long64()) {
            m.memory.put64(pte(PAGE), 0x30000000L | 7);
            m.load(m.code()
                            .load(2, RAX, abs(PAGE + 0x10))
                            .store(1, abs(PAGE + 0x20), RAX)
                            .hlt())
                    .runToHalt();
            assertThat(m.world.log).containsExactly("read 30000010 4", "write 30000020 2 ffff");
            assertThat(m.reg(RAX)).isEqualTo(0xFFFFFFFFL);
        }
    }
}
