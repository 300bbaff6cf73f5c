package org.xenolith.cpu.oracle;

import java.util.function.Function;
import org.xenolith.cpu.Efer;
import org.xenolith.cpu.Engine;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cr0;
import org.xenolith.cpu.core.Cr4;
import org.xenolith.cpu.interpret.Interpreter;
import org.xenolith.cpu.testing.TestEngine;
import org.xenolith.cpu.testing.TestMemory;
import org.xenolith.cpu.testing.TestWorld;
import org.xenolith.memory.Raw;

/**
 * Runs test cases on the interpreter, or on an engine around one, as a user program of a long-mode kernel that has
 * nothing but an IDT: the handler of each vector is a HLT, so a fault shows as a halt at the handler's address with its
 * frame on the kernel stack.
 */
public final class EngineProcessor implements AutoCloseable {
    private static final long TABLES = 0x10000;
    private static final long KERNEL = 0x3000_0000L;
    private static final long IDT = KERNEL;
    private static final long HANDLERS = KERNEL + 0x1000;
    private static final long GDT = KERNEL + 0x2000;
    private static final long TSS = KERNEL + 0x2100;
    private static final long STACK_TOP = KERNEL + 0x4000;
    private static final int ACCESS_CODE64 = 0xA0FB;
    private static final int ACCESS_CODE32 = 0xC0FB;
    private static final int ACCESS_DATA = 0xC0F3;

    private static final long PRESENT = 1;
    private static final long WRITABLE = 2;
    private static final long USER = 4;
    /** A repeated string instruction may stop between iterations; no case asks for more than this many steps. */
    private static final int MAX_STEPS = 2000;

    private final TestMemory memory = new TestMemory(0x40000, 1024);
    private final VcpuState state = new VcpuState();
    private final Engine engine;
    private final DataArea data = new DataArea();
    private final long shadow;
    private final long dataHost;
    private long nextTable = TABLES + 0x1000;

    /**
     * Sets a data breakpoint that nothing hits: the engine then takes its slow paths, one instruction and one checked
     * memory access at a time.
     */
    boolean slowPaths;

    /** What the engine threw instead of running the last case, or null. */
    Throwable broken;

    /** The interpreter itself. */
    EngineProcessor() {
        this(interpreter -> interpreter);
    }

    /** The engine that {@code around} makes of an interpreter, which it closes with itself. */
    public EngineProcessor(Function<Interpreter, Engine> around) {
        engine = around.apply(new Interpreter(state, new TestWorld(), memory));
        memory.back(TABLES, 0x10000);
        map(Layout.CODE, Layout.CODE_SIZE, USER);
        map(Layout.DATA, Layout.DATA_SIZE, USER | WRITABLE);
        map(KERNEL, 0x4000, WRITABLE);
        // The data area must be one piece of host memory: pages are copied in and out through here.
        shadow = memory.host(Layout.DATA);
        dataHost = memory.host(Layout.DATA + 0x1000) == shadow + 0x1000 ? shadow : 0;
        if (dataHost == 0) {
            throw new IllegalStateException("test frames are not adjacent");
        }
        for (int v = 0; v < 32; v++) {
            long handler = HANDLERS + v * 16L;
            memory.write(handler, 1, 0xF4);
            memory.put64(
                    IDT + v * 16L,
                    handler & 0xffff
                            | 0x10L << 16
                            | (v == 3 || v == 4 ? 0xEE00L : 0x8E00L) << 32
                            | handler >>> 16 << 48);
            memory.put64(IDT + v * 16L + 8, handler >>> 32);
        }
        memory.put64(GDT + 0x10, 0x00AF9B000000FFFFL);
        memory.put64(GDT + 0x18, 0x00CF93000000FFFFL);
        memory.put64(GDT + 0x20, 0x00CFFB000000FFFFL);
        memory.put64(GDT + 0x28, 0x00CFF3000000FFFFL);
        memory.put64(GDT + 0x30, 0x00AFFB000000FFFFL);
        memory.put64(TSS + 4, STACK_TOP);
        // No I/O permission map.
        memory.write(TSS + 0x66, 2, 0xFFFF);
    }

    private void map(long va, long bytes, long rights) {
        memory.back(va, bytes);
        for (long page = va; page < va + bytes; page += 4096) {
            long table = TABLES;
            for (int level = 4; level > 1; level--) {
                long at = table + (page >>> 12 + 9 * (level - 1) & 511) * 8;
                if (memory.get64(at) == 0) {
                    memory.put64(at, nextTable | PRESENT | WRITABLE | USER);
                    nextTable += 4096;
                }
                table = memory.get64(at) & -4096L;
            }
            // Accessed and dirty, so that walks change nothing.
            memory.put64(table + (page >>> 12 & 511) * 8, page | PRESENT | rights | 0x60);
        }
    }

    /** Places the code of cases (in shared form) into their slots. */
    void place(long cases, int count) {
        for (int i = 0; i < count; i++) {
            long c = cases + (long) i * TestCase.SIZE;
            long to = memory.host(Layout.slot(Raw.getInt(c + 152)));
            Raw.fill(to, Layout.SLOT, (byte) 0xCC);
            Raw.copy(c + TestCase.CODE, to + Layout.INSN, Raw.getByte(c + 156));
        }
        for (long gfn = Layout.CODE >>> 12; gfn < Layout.CODE + Layout.CODE_SIZE >>> 12; gfn++) {
            engine.invalidateFrame(gfn);
        }
    }

    /** Runs one case that was placed. */
    void run(long testCase, long outcome) {
        broken = null;
        data.prepare(dataHost, testCase);
        boolean is64 = Raw.getByte(testCase + 157) == 3;
        enter(testCase, is64);
        long slot = Layout.slot(Raw.getInt(testCase + 152));
        long start = slot + Layout.INSN;
        int length = Raw.getByte(testCase + 156);
        int instructions = Raw.getByte(testCase + 159);
        boolean halted = false;
        try {
            int steps = 0;
            do {
                VcpuExit exit = engine.run(instructions);
                halted = exit instanceof VcpuExit.Halt;
                if (exit instanceof VcpuExit.TripleFault fault) {
                    throw new IllegalStateException(fault.reason());
                }
            } while (!halted && (state.rip() == start && ++steps < MAX_STEPS || outside(state.rip())));
        } catch (RuntimeException | Error e) {
            broken = e;
        }
        long rip = state.rip();
        Raw.putInt(outcome + 4, 0);
        Raw.putLong(outcome + 8, 0);
        Raw.putLong(outcome + 16, 0);
        if (halted && rip > HANDLERS && rip < HANDLERS + 0x200) {
            fault(outcome, (int) (rip - HANDLERS) / 16);
        } else {
            int exit = rip == start + length
                    ? Layout.EXIT_NEXT
                    : rip == slot + Layout.PAD_BACK
                            ? Layout.EXIT_BACK
                            : rip == slot + Layout.PAD_FORWARD ? Layout.EXIT_FORWARD : Layout.ASTRAY;
            Raw.putInt(outcome, broken != null ? Layout.CRASH : exit);
            Raw.putLong(outcome + 8, exit == Layout.ASTRAY ? rip : 0);
            Raw.copy(state.address(), outcome + 24, 128);
            Raw.putLong(outcome + 24 + 128, state.rflags());
        }
        Raw.putLong(outcome + 24 + 136, state.segmentBase(VcpuState.FS));
        Raw.putLong(outcome + 24 + 144, state.segmentBase(VcpuState.GS));
        saveFx(outcome + 176);
        data.collect(dataHost, outcome);
    }

    /** Where the next fetch faults, or a handler halts. */
    private static boolean outside(long rip) {
        return rip < Layout.CODE || rip >= Layout.CODE + Layout.CODE_SIZE;
    }

    private void enter(long testCase, boolean is64) {
        Raw.copy(testCase, state.address(), 128);
        state.setRip(Layout.slot(Raw.getInt(testCase + 152)) + Layout.INSN);
        state.setRflags(Raw.getLong(testCase + 128));
        state.setSegment(VcpuState.CS, is64 ? 0x33 : 0x23, 0, -1, is64 ? ACCESS_CODE64 : ACCESS_CODE32);
        state.setSegment(VcpuState.SS, 0x2B, 0, -1, ACCESS_DATA);
        state.setSegment(VcpuState.DS, 0x2B, 0, -1, ACCESS_DATA);
        state.setSegment(VcpuState.ES, 0x2B, 0, -1, ACCESS_DATA);
        state.setSegment(VcpuState.FS, 0, Raw.getLong(testCase + 136), 0, VcpuState.UNUSABLE);
        state.setSegment(VcpuState.GS, 0, Raw.getLong(testCase + 144), 0, VcpuState.UNUSABLE);
        state.setSegment(VcpuState.TR, 0x40, TSS, 0x67, 0x8B);
        state.setSegment(VcpuState.LDTR, 0, 0, 0, VcpuState.UNUSABLE);
        state.setLong(VcpuState.GDTR_BASE, GDT);
        state.setInt(VcpuState.GDTR_LIMIT, 0x4F);
        state.setLong(VcpuState.IDTR_BASE, IDT);
        state.setInt(VcpuState.IDTR_LIMIT, 0x1FF);
        state.setLong(VcpuState.CR0, Cr0.PE | Cr0.MP | Cr0.ET | Cr0.NE | Cr0.WP | Cr0.AM | Cr0.PG);
        state.setLong(VcpuState.CR2, 0);
        state.setLong(VcpuState.CR3, TABLES);
        state.setLong(
                VcpuState.CR4,
                Cr4.DE | Cr4.PAE | Cr4.PGE | Cr4.OSFXSR | Cr4.OSXMMEXCPT | Cr4.FSGSBASE | Cr4.OSXSAVE | Cr4.UMIP);
        state.setLong(VcpuState.DR, 0x7000_0000L);
        state.setLong(VcpuState.DR + 7 * 8, slowPaths ? 0x400 | 2 | 3 << 16 : 0x400);
        state.setLong(VcpuState.XCR0, 3);
        state.setLong(VcpuState.EFER, Efer.SCE | Efer.LME | Efer.LMA | Efer.NXE);
        state.setInt(VcpuState.EVENTS, 0);
        state.setInt(VcpuState.SHADOW, 0);
        state.setInt(VcpuState.ACTIVITY, VcpuState.ACTIVE);
        loadFx(testCase + 192);
    }

    private void fault(long outcome, int vector) {
        boolean hasError = vector == 8 || vector >= 10 && vector <= 14 || vector == 17 || vector == 21;
        // Frame: [error] rip cs rflags rsp ss, below the aligned top of the kernel stack.
        long frame = STACK_TOP - 40;
        Raw.putInt(outcome, Layout.FAULT + vector);
        Raw.putInt(outcome + 4, hasError ? (int) memory.get64(frame - 8) : 0);
        Raw.putLong(outcome + 8, memory.get64(frame));
        Raw.putLong(outcome + 16, state.getLong(VcpuState.CR2));
        Raw.copy(state.address(), outcome + 24, 128);
        Raw.putLong(outcome + 24 + 4 * 8, memory.get64(frame + 24));
        Raw.putLong(outcome + 24 + 128, memory.get64(frame + 16) & ~0x10000L);
    }

    /** FXSAVE order (stack order) to the block's order (physical order). */
    private void loadFx(long image) {
        long fx = state.address() + VcpuState.FXSAVE;
        Raw.copy(image, fx, 32);
        Raw.copy(image + 160, fx + 160, 256);
        Raw.putInt(fx + 28, 0xFFFF);
        int top = Raw.getShort(image + 2) >>> 11 & 7;
        for (int i = 0; i < 8; i++) {
            Raw.copy(image + 32 + i * 16L, fx + 32 + (top + i & 7) * 16L, 16);
        }
    }

    private void saveFx(long image) {
        long fx = state.address() + VcpuState.FXSAVE;
        Raw.copy(fx, image, MachineState.FX_SIZE);
        int top = Raw.getShort(fx + 2) >>> 11 & 7;
        for (int i = 0; i < 8; i++) {
            Raw.copy(fx + 32 + (top + i & 7) * 16L, image + 32 + i * 16L, 16);
        }
    }

    @Override
    public void close() {
        TestEngine.close(engine);
        state.close();
        memory.close();
        data.close();
    }
}
