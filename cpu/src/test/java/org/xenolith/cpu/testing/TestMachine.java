package org.xenolith.cpu.testing;

import org.xenolith.cpu.Efer;
import org.xenolith.cpu.Engine;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cr0;
import org.xenolith.cpu.core.Cr4;
import org.xenolith.cpu.interpret.Interpreter;

/**
 * A tiny machine: a processor, some memory, logs. It starts in the mode that a test asks for, with tables and
 * handlers in place, so that a test is a few instructions and what should come of them.
 *
 * <pre>
 *   0x01000  GDT: selectors below   0x02000  IDT   0x03000  TSS   0x04000  handlers: HLT, then IRET, 16 bytes a vector
 *   0x06000  inner stack (top 0x8000)   0x09000  outer stack (top 0xA000)
 *   0x10000  code   0x20000  data   0x100000  page tables   8 MiB of memory, identity-mapped for all in the paged modes
 * </pre>
 *
 * Every vector's handler halts: {@link #fault} runs until then and reads the frame that the processor pushed.
 */
public final class TestMachine implements AutoCloseable {
    public static final long GDT = 0x1000;
    public static final long IDT = 0x2000;
    public static final long TSS = 0x3000;
    public static final long HANDLERS = 0x4000;
    public static final long STACK0 = 0x8000;
    public static final long STACK3 = 0xA000;
    public static final long CODE = 0x10000;
    public static final long DATA = 0x20000;
    public static final long TABLES = 0x100000;
    public static final long MEMORY = 0x800000;

    /** Selectors of the protected-mode GDT; in long mode CODE0 and CODE3 are 64-bit. */
    public static final int CODE0 = 0x08;

    public static final int DATA0 = 0x10;
    /** 32-bit user code; in long mode what SYSRET without REX.W returns to. */
    public static final int CODE3_32 = 0x18 | 3;

    public static final int DATA3 = 0x20 | 3;
    public static final int CODE3 = 0x28 | 3;
    public static final int TSS_SELECTOR = 0x30;
    /** 32-bit kernel code (compatibility mode when in long mode). */
    public static final int CODE0_32 = 0x40;

    public static final int CODE0_16 = 0x48;
    public static final int DATA0_16 = 0x50;
    /** First selector that no mode uses. */
    public static final int FREE = 0x58;

    private static final int CODE_ACCESS = 0x9B;
    private static final int DATA_ACCESS = 0x93;
    private static final int DPL3 = 0x60;
    private static final int FLAG_L = 0x2;
    private static final int FLAG_D = 0x4;
    private static final int FLAG_G = 0x8;
    private static final long STEPS = 1_000_000;

    /** What the processor pushed for an exception or interrupt. */
    public record Fault(int vector, long error, long rip, int cs, long flags, long sp, int ss) {}

    public final TestMemory memory = new TestMemory(0x40000, 4096);
    public final TestWorld world = new TestWorld();
    public final VcpuState state = new VcpuState();
    public final Engine engine;
    private int bits;

    private TestMachine() {
        memory.back(0, MEMORY);
        engine = TestEngine.make(new Interpreter(state, world, memory));
    }

    /** Real mode, all segments at 0, IP at {@link #CODE} & 0xFFFF in segment 0x1000, vectors to the handlers. */
    public static TestMachine real() {
        TestMachine m = new TestMachine();
        m.bits = 16;
        for (int seg = VcpuState.ES; seg <= VcpuState.GS; seg++) {
            m.state.setSegment(seg, 0, 0, 0xFFFF, DATA_ACCESS);
        }
        m.state.setSegment(VcpuState.CS, 0x1000, CODE, 0xFFFF, CODE_ACCESS);
        m.state.setRip(0);
        m.state.setGpr(Asm.RSP, STACK0);
        for (int v = 0; v < 256; v++) {
            m.memory.write(v * 4L, 2, HANDLERS + v * 16L);
            m.memory.write(v * 4L + 2, 2, 0);
        }
        m.state.setInt(VcpuState.IDTR_LIMIT, 0x3FF);
        m.handlers();
        return m;
    }

    /** Protected mode, flat 32-bit segments, ring 0, no paging. */
    public static TestMachine protected32() {
        TestMachine m = new TestMachine();
        m.bits = 32;
        m.tables(CODE_ACCESS, FLAG_G | FLAG_D);
        for (int v = 0; v < 256; v++) {
            m.gate32(v, CODE0, HANDLERS + v * 16L, 0xEE);
        }
        m.memory.write(TSS + 4, 4, STACK0);
        m.memory.write(TSS + 8, 4, DATA0);
        m.state.setLong(VcpuState.CR0, Cr0.PE | Cr0.ET | Cr0.NE | Cr0.MP);
        m.state.setLong(VcpuState.CR4, Cr4.OSFXSR | Cr4.OSXMMEXCPT);
        m.segments(0xC09B);
        m.state.setSegment(VcpuState.TR, TSS_SELECTOR, TSS, 0x2067, 0x8B);
        m.state.setInt(VcpuState.IDTR_LIMIT, 0x7FF);
        return m;
    }

    /** Long mode, 64-bit code, ring 0, four-level paging. */
    public static TestMachine long64() {
        TestMachine m = new TestMachine();
        m.bits = 64;
        m.tables(CODE_ACCESS, FLAG_G | FLAG_L);
        for (int v = 0; v < 256; v++) {
            m.gate64(v, CODE0, HANDLERS + v * 16L, 0, 0xEE);
        }
        m.memory.put64(TSS + 4, STACK0);
        m.map4Level();
        m.state.setLong(VcpuState.CR3, TABLES);
        m.state.setLong(VcpuState.EFER, Efer.LME | Efer.LMA | Efer.NXE | Efer.SCE);
        m.state.setLong(VcpuState.CR4, Cr4.PAE | Cr4.OSFXSR | Cr4.OSXMMEXCPT | Cr4.PGE);
        m.state.setLong(VcpuState.CR0, Cr0.PE | Cr0.ET | Cr0.NE | Cr0.MP | Cr0.WP | Cr0.PG);
        m.segments(0xA09B);
        m.state.setSegment(VcpuState.TR, TSS_SELECTOR, TSS, 0x2067, 0x8B);
        m.state.setInt(VcpuState.IDTR_LIMIT, 0xFFF);
        return m;
    }

    private void handlers() {
        for (int v = 0; v < 256; v++) {
            memory.put(HANDLERS + v * 16L, new Asm(bits, 0).hlt().iret().bytes());
        }
    }

    private void tables(int codeAccess, int codeFlags) {
        boolean is64 = bits == 64;
        descriptor(CODE0, 0, 0xFFFFF, codeAccess, codeFlags);
        descriptor(DATA0, 0, 0xFFFFF, DATA_ACCESS, FLAG_G | FLAG_D);
        descriptor(CODE3_32, 0, 0xFFFFF, codeAccess | DPL3, FLAG_G | FLAG_D);
        descriptor(DATA3, 0, 0xFFFFF, DATA_ACCESS | DPL3, FLAG_G | FLAG_D);
        descriptor(CODE3, 0, 0xFFFFF, codeAccess | DPL3, codeFlags);
        descriptor(TSS_SELECTOR, TSS, 0x2067, 0x8B, 0);
        if (is64) {
            memory.put64(GDT + TSS_SELECTOR + 8, 0);
        }
        descriptor(CODE0_32, 0, 0xFFFFF, codeAccess, FLAG_G | FLAG_D);
        descriptor(CODE0_16, 0, 0xFFFF, codeAccess, 0);
        descriptor(DATA0_16, 0, 0xFFFF, DATA_ACCESS, 0);
        // Interrupt redirection and I/O permission: all zero after the TSS proper, which ends with the map's offset.
        memory.write(TSS + 0x66, 2, 0x68);
        state.setLong(VcpuState.GDTR_BASE, GDT);
        state.setInt(VcpuState.GDTR_LIMIT, 0xFFF);
        state.setLong(VcpuState.IDTR_BASE, IDT);
        handlers();
    }

    private void segments(int codeAccess) {
        for (int seg : new int[] {VcpuState.ES, VcpuState.SS, VcpuState.DS, VcpuState.FS, VcpuState.GS}) {
            state.setSegment(seg, DATA0, 0, -1, 0xC093);
        }
        state.setSegment(VcpuState.CS, CODE0, 0, -1, codeAccess);
        state.setSegment(VcpuState.LDTR, 0, 0, 0, VcpuState.UNUSABLE);
        state.setRip(CODE);
        state.setGpr(Asm.RSP, STACK0);
        state.setRflags(2);
    }

    /** Goes to ring 3 (host side): flat user segments and the outer stack. */
    public TestMachine user() {
        state.setSegment(VcpuState.CS, CODE3, 0, -1, state.access(VcpuState.CS) | DPL3);
        for (int seg : new int[] {VcpuState.ES, VcpuState.SS, VcpuState.DS, VcpuState.FS, VcpuState.GS}) {
            state.setSegment(seg, DATA3, 0, -1, 0xC0F3);
        }
        state.setGpr(Asm.RSP, STACK3);
        return this;
    }

    /** Writes a GDT entry; {@code limit} as in the descriptor (20 bits), {@code flags} G D L AVL from bit 3 down. */
    public void descriptor(int selector, long base, int limit, int access, int flags) {
        long d = limit & 0xFFFF
                | (base & 0xFFFFFF) << 16
                | (long) access << 40
                | (long) (limit >>> 16 & 15) << 48
                | (long) flags << 52
                | (base >>> 24 & 0xFF) << 56;
        memory.put64(GDT + (selector & ~7), d);
    }

    /**
     * Writes a 32-bit IDT entry; {@code access} is the type byte: 0x8E interrupt gate, 0x8F trap gate, 0x85 task
     * gate.
     */
    public void gate32(int vector, int selector, long offset, int access) {
        memory.put64(
                IDT + vector * 8L,
                offset & 0xFFFF | (long) selector << 16 | (long) access << 40 | (offset >>> 16 & 0xFFFF) << 48);
    }

    /** Writes a 64-bit IDT entry. */
    public void gate64(int vector, int selector, long offset, int ist, int access) {
        memory.put64(
                IDT + vector * 16L,
                offset & 0xFFFF
                        | (long) selector << 16
                        | (long) ist << 32
                        | (long) access << 40
                        | (offset >>> 16 & 0xFFFF) << 48);
        memory.put64(IDT + vector * 16L + 8, offset >>> 32);
    }

    /**
     * Four-level tables: {@link #TABLES} PML4, then PDPT, PD, and a page table for each 2 MiB. All user, all
     * writable.
     */
    public TestMachine map4Level() {
        memory.put64(TABLES, TABLES + 0x1000 | 7);
        memory.put64(TABLES + 0x1000, TABLES + 0x2000 | 7);
        for (int i = 0; i < MEMORY >>> 21; i++) {
            memory.put64(TABLES + 0x2000 + i * 8L, TABLES + 0x3000 + i * 0x1000L | 7);
        }
        for (long page = 0; page < MEMORY; page += 4096) {
            memory.put64(pte(page), page | 7);
        }
        return this;
    }

    /** Address of the page-table entry of a page below {@link #MEMORY} in the tables of {@link #long64}. */
    public static long pte(long va) {
        return TABLES + 0x3000 + (va >>> 12) * 8;
    }

    /** An assembler for this machine's mode, at its code. */
    public Asm code() {
        return new Asm(bits, bits == 16 ? 0 : CODE);
    }

    /** Loads code where the processor starts. */
    public TestMachine load(Asm asm) {
        memory.put(CODE, asm.bytes());
        for (long gfn = CODE >>> 12; gfn < DATA >>> 12; gfn++) {
            engine.invalidateFrame(gfn);
        }
        return this;
    }

    /** Runs until something else than the budget stops it. */
    public VcpuExit run() {
        return engine.run(STEPS);
    }

    /** Runs until HLT, which has to come. */
    public TestMachine runToHalt() {
        VcpuExit exit = run();
        if (!(exit instanceof VcpuExit.Halt)) {
            throw new AssertionError(exit + " at 0x" + Long.toHexString(state.rip()));
        }
        return this;
    }

    /** Runs until a handler halts and returns what it got. */
    public Fault fault() {
        runToHalt();
        long at = state.rip() + (bits == 16 ? state.segmentBase(VcpuState.CS) : 0) - 1;
        if (at < HANDLERS || at >= HANDLERS + 0x1000 || (at & 15) != 0) {
            throw new AssertionError("halted at 0x" + Long.toHexString(at) + ", not in a handler");
        }
        int vector = (int) (at - HANDLERS) / 16;
        boolean hasError = vector == 8 || vector >= 10 && vector <= 14 || vector == 17;
        int w = bits / 8;
        long sp = state.gpr(Asm.RSP) + state.segmentBase(VcpuState.SS);
        long error = -1;
        if (hasError && bits != 16) {
            error = memory.read(sp, 4) & 0xffffffffL;
            sp += w;
        }
        int cs = (int) memory.read(sp + w, 2);
        boolean outer = bits == 64 || bits == 32 && (cs & 3) != 0;
        return new Fault(
                vector,
                error,
                memory.read(sp, w),
                cs,
                memory.read(sp + 2 * w, w),
                outer ? memory.read(sp + 3 * w, w) : sp + 3 * w,
                outer ? (int) memory.read(sp + 4 * w, 2) : state.selector(VcpuState.SS));
    }

    /** General register after a run. */
    public long reg(int n) {
        return state.gpr(n);
    }

    public TestMachine set(int n, long value) {
        state.setGpr(n, value);
        return this;
    }

    @Override
    public void close() {
        TestEngine.close(engine);
        state.close();
        memory.close();
    }
}
