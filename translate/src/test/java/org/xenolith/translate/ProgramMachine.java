package org.xenolith.translate;

import static org.xenolith.cpu.testing.Asm.RAX;
import static org.xenolith.cpu.testing.Asm.RCX;
import static org.xenolith.cpu.testing.Asm.RDI;
import static org.xenolith.cpu.testing.Asm.RDX;
import static org.xenolith.cpu.testing.Asm.RSI;
import static org.xenolith.cpu.testing.Asm.RSP;
import static org.xenolith.cpu.testing.Asm.abs;
import static org.xenolith.cpu.testing.Asm.mem;

import java.util.HexFormat;
import java.util.SplittableRandom;
import org.xenolith.cpu.Engine;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.interpret.Interpreter;
import org.xenolith.cpu.testing.Asm;
import org.xenolith.cpu.testing.TestEngine;
import org.xenolith.cpu.testing.TestMemory;
import org.xenolith.cpu.testing.TestWorld;
import org.xenolith.memory.Raw;

/**
 * A long-mode machine under either engine with a kernel that lets random programs live on: a page fault is noted with its
 * address, error code and flags, the page is made present and writable, and the program goes on; {@code int 40h} takes the
 * program's pages away again; interrupts and debug exceptions are counted; all other exceptions halt.
 *
 * <pre>
 *   0x1000 PML4  0x2000 PDPT  0x3000 PD  0x4000 PT of the first 2 MiB  0x5000 IDT  0x7000 GDT  0x7800 TSS  0x8000 handlers
 *   0x9000 stack of page faults (top 0xA000)   0xB000 kernel stack of user programs (top 0xC000)
 *   0xC000 log of page faults: count, then cr2, error code, rip, rflags   0xD000 counters   0xE000 page-table entries for int 40h
 *   0x10000 code   0x20000 data, 16 pages   0x3E000 stack, 2 pages   0x40000 end
 * </pre>
 */
final class ProgramMachine implements AutoCloseable {
    static final long CODE = 0x10000;
    static final long DATA = 0x20000;
    static final int DATA_PAGES = 16;
    static final long STACK = 0x3E000;
    static final long END = 0x40000;
    /** Vectors: takes pages away; external interrupts have this one or a higher one. */
    static final int PROTECT = 0x40;

    static final int INTERRUPT = 0x50;
    private static final int INTERRUPTS = 8;

    private static final long PAGE_TABLE = 0x4000;
    private static final long IDT = 0x5000;
    private static final long GDT = 0x7000;
    private static final long TSS = 0x7800;
    private static final long HANDLERS = 0x8000;
    private static final long LOG = 0xC000;
    private static final long COUNTERS = 0xD000;
    private static final long ENTRIES = 0xE000;
    private static final int PAGES = DATA_PAGES + 2;
    private static final int ROUNDS = 4;
    private static final int MOST_FAULTS = 2000;
    /** Frames without memory, and a read-only one. */
    private static final long DEVICE = 0x400_0000;

    private static final long ROM = 0x50000;
    private static final long ARITHMETIC = 0x8D5;
    /** Offset of a RET in each page of data, and in the read-only frame. */
    static final int RET = 0xFF0;

    private final TestMemory memory = new TestMemory(0x100, 0x60);
    private final TestWorld world = new TestWorld();
    final VcpuState state = new VcpuState();
    final Engine engine;
    private boolean checksAlignment;

    ProgramMachine(boolean translate, boolean user, SplittableRandom random) {
        memory.back(0x1000, END - 0x1000).back(ROM, 0x1000);
        memory.write(ROM + RET, 1, 0xC3);
        memory.protect(ROM >>> 12);
        tables(user, random);
        handlers();
        processor(user, random);
        Interpreter interpreter = new Interpreter(state, world, memory);
        engine = translate
                ? new TranslatingEngine(interpreter, false, new CodeMemory(2 << 20)).traceEagerly()
                : interpreter;
    }

    private void tables(boolean user, SplittableRandom random) {
        int present = user ? 7 : 3;
        memory.put64(0x1000, 0x2000 | 7);
        memory.put64(0x2000, 0x3000 | 7);
        memory.put64(0x3000, PAGE_TABLE | 7);
        for (long page = 0; page < END; page += 4096) {
            memory.put64(PAGE_TABLE + (page >>> 9), page | (page < CODE ? 3 : present));
        }
        for (int round = 0; round < ROUNDS; round++) {
            for (int n = 0; n < PAGES; n++) {
                long page = n < DATA_PAGES ? DATA + n * 4096L : STACK + (n - DATA_PAGES) * 4096L;
                memory.put64(ENTRIES + (round * PAGES + n) * 8L, entry(page, n < DATA_PAGES, present, random));
            }
        }
        byte[] data = new byte[(int) (END - DATA)];
        random.nextBytes(data);
        for (int page = 0; page < DATA_PAGES; page++) {
            data[page * 4096 + RET] = (byte) 0xC3;
        }
        memory.put(DATA, data);
        if (random.nextBoolean()) {
            // As after int 40h.
            for (int n = 0; n < DATA_PAGES; n++) {
                memory.put64(PAGE_TABLE + (DATA >>> 9) + n * 8L, memory.get64(ENTRIES + n * 8L));
            }
        }
    }

    /** A page-table entry that makes one kind of access or another go the slow way. */
    private static long entry(long page, boolean data, int present, SplittableRandom random) {
        return switch (random.nextInt(data ? 12 : 6)) {
            case 0, 1 -> page | 2;
            case 2, 3 -> page | present & ~2;
            case 4 -> page | 3;
            case 6 -> DEVICE + page | present;
            case 7 -> ROM | present;
            case 8 -> DATA + random.nextInt(DATA_PAGES) * 4096L | present;
            case 9 -> page | present | 1L << 63;
            default -> page | present;
        };
    }

    private void handlers() {
        Asm a = new Asm(64, HANDLERS);
        a.label("halt").hlt();

        // Frame: three registers, error code, rip, cs, rflags.
        a.label("page").push(RAX).push(RCX).push(RDX);
        a.readCr(RAX, 2);
        a.load(3, RCX, abs(LOG)).alu(Asm.AND, 2, RCX, 63).db(0xC1, 0xE1, 5);
        a.store(3, mem(RCX, (int) LOG + 32), RAX);
        for (int n = 0; n < 3; n++) {
            a.load(3, RDX, mem(RSP, new int[] {24, 32, 48}[n])).store(3, mem(RCX, (int) LOG + 40 + n * 8), RDX);
        }
        a.incM(3, abs(LOG))
                .load(3, RCX, abs(LOG))
                .alu(Asm.CMP, 3, RCX, MOST_FAULTS)
                .jcc(Asm.A, "stop");
        a.movRR(3, RCX, RAX).alu(Asm.AND, 3, RCX, -4096);
        a.alu(Asm.CMP, 3, RCX, CODE)
                .jcc(Asm.B, "stop")
                .alu(Asm.CMP, 3, RCX, END)
                .jcc(Asm.AE, "stop");
        a.movRR(3, RDX, RCX).alu(Asm.OR, 3, RDX, 7).db(0x48, 0xC1, 0xE9, 9);
        a.store(3, mem(RCX, (int) PAGE_TABLE), RDX).invlpg(mem(RAX, 0));
        a.pop(RDX).pop(RCX).pop(RAX).lea(3, RSP, mem(RSP, 8)).iret();
        a.label("stop").hlt();

        // The flags of some instructions are undefined until the next one: those in the frame are made equal.
        a.label("debug").incM(3, abs(COUNTERS)).push(RAX);
        a.readDr(RAX, 6).aluMR(Asm.ADD, 3, abs(COUNTERS + 8), RAX);
        a.mov(2, RAX, 0xFFFF0FF0L).writeDr(6, RAX).pop(RAX);
        a.rm(2, 1, mem(RSP, 18), 0x83).db(1);
        a.jmp("clean");
        a.label("interrupt").incM(3, abs(COUNTERS + 16));
        a.label("clean").rm(3, 4, mem(RSP, 16), 0x81).dd(~ARITHMETIC).iret();

        a.label("protect").push(RAX).push(RCX).push(RSI).push(RDI).db(0xFC);
        a.load(2, RAX, abs(COUNTERS + 24)).incM(2, abs(COUNTERS + 24)).alu(Asm.AND, 2, RAX, ROUNDS - 1);
        a.rr(2, RSI, RAX, 0x69).dd(PAGES * 8).alu(Asm.ADD, 2, RSI, ENTRIES);
        a.mov(RDI, PAGE_TABLE + (DATA >>> 9)).mov(RCX, DATA_PAGES).db(0xF3, 0x48, 0xA5);
        a.mov(RDI, PAGE_TABLE + (STACK >>> 9)).mov(RCX, PAGES - DATA_PAGES).db(0xF3, 0x48, 0xA5);
        a.readCr(RAX, 3).writeCr(3, RAX).pop(RDI).pop(RSI).pop(RCX).pop(RAX);
        a.jmp("clean");
        memory.put(HANDLERS, a.bytes());

        for (int v = 0; v < 256; v++) {
            String handler = v == 14
                    ? "page"
                    : v == 1
                            ? "debug"
                            : v == PROTECT
                                    ? "protect"
                                    : v >= INTERRUPT && v < INTERRUPT + INTERRUPTS ? "interrupt" : "halt";
            long to = a.address(handler);
            boolean ofUser = v == PROTECT || v == 3;
            memory.put64(IDT + v * 16L, to | 8L << 16 | (v == 14 ? 1L << 32 : 0) | (ofUser ? 0xEE00L : 0x8E00L) << 32);
        }
        memory.put64(GDT + 0x08, 0x00AF9B000000FFFFL);
        memory.put64(GDT + 0x10, 0x00CF93000000FFFFL);
        memory.put64(GDT + 0x18, 0x00CFF3000000FFFFL);
        memory.put64(GDT + 0x20, 0x00AFFB000000FFFFL);
        memory.put64(TSS + 4, 0xC000);
        memory.put64(TSS + 0x24, 0xA000);
        memory.write(TSS + 0x66, 2, 0xFFFF);
    }

    private void processor(boolean user, SplittableRandom random) {
        state.setLong(VcpuState.CR0, 0x80050033L);
        state.setLong(VcpuState.CR3, 0x1000);
        // PAE, PGE, OSFXSR, OSXMMEXCPT, FSGSBASE, OSXSAVE
        state.setLong(VcpuState.CR4, 0x506A0L | 0x10000);
        state.setLong(VcpuState.EFER, 0xD01);
        state.setLong(VcpuState.XCR0, 7);
        int dpl = user ? 0x60 : 0;
        state.setSegment(VcpuState.CS, user ? 0x23 : 8, 0, -1, 0xA09B | dpl);
        for (int segment : new int[] {VcpuState.ES, VcpuState.SS, VcpuState.DS, VcpuState.FS, VcpuState.GS}) {
            state.setSegment(segment, user ? 0x1B : 16, 0, -1, 0xC093 | dpl);
        }
        state.setLong(VcpuState.SEGMENTS + VcpuState.FS * VcpuState.SEGMENT_SIZE, random.nextInt(0x80) * 16L);
        state.setLong(VcpuState.SEGMENTS + VcpuState.GS * VcpuState.SEGMENT_SIZE, random.nextInt(0x80) * -16L);
        state.setSegment(VcpuState.TR, 0x30, TSS, 0x67, 0x8B);
        state.setLong(VcpuState.IDTR_BASE, IDT);
        state.setInt(VcpuState.IDTR_LIMIT, 0xFFF);
        state.setLong(VcpuState.GDTR_BASE, GDT);
        state.setInt(VcpuState.GDTR_LIMIT, 0x2F);
        // Mostly IF, IOPL 3 half of the time, seldom AC.
        state.setRflags(2
                | (random.nextInt(4) == 0 ? 0 : 0x200)
                | (random.nextBoolean() ? 0x3000 : 0)
                | (user && random.nextInt(30) == 0 ? 0x40000 : 0)
                | random.nextLong() & ARITHMETIC);
        checksAlignment = (state.rflags() & 0x40000) != 0;
        state.setGpr(VcpuState.RSP, END - 0x800);
        for (int n = 0; n < 16; n++) {
            state.setLong(VcpuState.XMM + n * 16, random.nextLong());
            state.setLong(VcpuState.XMM + n * 16 + 8, Double.doubleToRawLongBits(random.nextDouble() * 1000));
        }
        state.setInt(VcpuState.MXCSR, 0x1F80 | random.nextInt(4) << 13 | (random.nextInt(4) == 0 ? 0x8040 : 0));
        if (random.nextInt(16) == 0) {
            state.setInt(VcpuState.MXCSR, state.getInt(VcpuState.MXCSR) & ~(random.nextInt(64) << 7));
        }
        state.setShort(VcpuState.FCW, 0x37F & ~(random.nextInt(16) == 0 ? random.nextInt(64) : 0));
        state.setShort(VcpuState.FSW, random.nextInt(8) << 11);
        Raw.putByte(state.address() + VcpuState.FTW, (byte) random.nextInt(256));
        for (int n = 0; n < 8; n++) {
            state.setLong(VcpuState.ST + n * 16, random.nextLong() | Long.MIN_VALUE);
            state.setShort(VcpuState.ST + n * 16 + 8, 0x3FFF - 20 + random.nextInt(40));
        }
        if (random.nextInt(12) == 0) {
            // Breakpoints: one on data of 8 bytes, written or accessed, one on an instruction.
            state.setLong(VcpuState.DR, DATA + 0x800 + random.nextInt(0x1E00) * 8L);
            state.setLong(VcpuState.DR + 8, CODE + 0xF80 + random.nextInt(0x100));
            state.setLong(VcpuState.DR + 7 * 8, 0x400 | 0xA | (random.nextBoolean() ? 0x90000 : 0xB0000));
        }
    }

    ProgramMachine load(long at, byte[] code) {
        memory.put(at, code);
        state.setRip(at);
        return this;
    }

    /** Runs, after an external interrupt has arrived when its number is not negative. */
    VcpuExit run(long budget, int interrupt) {
        if (interrupt >= 0) {
            world.interrupts.add(INTERRUPT + interrupt % INTERRUPTS);
            state.raise(VcpuState.EVENT_INTERRUPT);
        }
        return engine.run(budget);
    }

    /** Everything that a guest can see but memory; {@code flags} says which flags count. */
    String registers(long flags) {
        StringBuilder s = new StringBuilder();
        for (int n = 0; n < 16; n++) {
            s.append("r")
                    .append(n)
                    .append('=')
                    .append(Long.toHexString(state.gpr(n)))
                    .append(' ');
        }
        s.append("rip=").append(Long.toHexString(state.rip()));
        s.append(" rflags=").append(Long.toHexString(state.rflags() & flags));
        s.append(" retired=").append(state.retired());
        s.append(" cr2=").append(Long.toHexString(state.getLong(VcpuState.CR2)));
        s.append(" dr6=").append(Long.toHexString(state.getLong(VcpuState.DR + 6 * 8)));
        s.append(" shadow=").append(state.getInt(VcpuState.SHADOW));
        s.append("\nfpu=").append(block(VcpuState.FXSAVE, 32));
        s.append("\nst=").append(block(VcpuState.ST, 128));
        s.append("\nxmm=").append(block(VcpuState.XMM, 256));
        s.append("\nymm=").append(block(VcpuState.YMM_HIGH, 256));
        s.append("\nwaiting=").append(world.interrupts.size());
        return s.toString();
    }

    private String block(int offset, int bytes) {
        byte[] copy = new byte[bytes];
        Raw.copy(state.address() + offset, copy, 0, bytes);
        return HexFormat.of().formatHex(copy);
    }

    /**
     * All memory, from the page tables to the stack. Accessed bits are left out for code pages, as an engine may decode ahead of
     * what it executes; with alignment checks also accessed and dirty bits of all others, as nobody promises whether the
     * page of an access that is refused counts.
     */
    byte[] memory() {
        byte[] copy = new byte[(int) END - 0x1000];
        memory.read(0x1000, copy, 0, copy.length);
        for (long page = 0; page < END; page += 4096) {
            boolean code = page >= CODE && page < DATA;
            copy[(int) (PAGE_TABLE + (page >>> 9) - 0x1000)] &= (byte) (checksAlignment ? ~0x60 : code ? ~0x20 : -1);
        }
        return copy;
    }

    /** What devices saw. */
    String devices() {
        return String.join("\n", world.log);
    }

    /** Page faults that the kernel repaired. */
    long pageFaults() {
        return memory.get64(LOG);
    }

    @Override
    public void close() {
        TestEngine.close(engine);
        state.close();
        memory.close();
    }
}
