package org.xenolith.translate;

import java.lang.reflect.Proxy;
import java.util.function.Function;
import org.xenolith.cpu.Engine;
import org.xenolith.cpu.EngineMeter;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.World;
import org.xenolith.cpu.interpret.Interpreter;
import org.xenolith.memory.MachineMemory;
import org.xenolith.memory.PhysicalToMachine;

/**
 * A small long-mode machine under either engine: 16 MiB, identity-mapped by 2 MiB pages but for one page table, so that a
 * test can take pages away. Every exception vector halts.
 *
 * <pre>
 *   0x1000 PML4  0x2000 PDPT  0x3000 PD  0x4000 PT of the first 2 MiB   0x5000 IDT  0x6000 handlers  0x7000 GDT
 *   0x10000 code   0x20000 data   0x40000 top of the stack
 * </pre>
 */
final class Machines implements AutoCloseable {
    static final long CODE = 0x10000;
    static final long DATA = 0x20000;
    static final long STACK = 0x40000;
    static final int DATA_BYTES = 0x3000;
    static final long PAGE_TABLE = 0x4000;
    static final long BYTES = 16 << 20;
    private static final int PRESENT_WRITABLE = 3;

    final MachineMemory machine = new MachineMemory(32 << 20);
    final PhysicalToMachine memory = new PhysicalToMachine(machine);
    final VcpuState state = new VcpuState();
    final Engine engine;
    private final Interpreter interpreter;
    /** Loads and stores at {@link #device} pages. */
    int deviceAccesses;

    Machines(boolean translate) {
        this(translate, false);
    }

    /**
     * @param exact the translator gives what the interpreter gives, also where the manuals leave that open
     */
    Machines(boolean translate, boolean exact) {
        this(inner -> translate ? new TranslatingEngine(inner, exact, new CodeMemory(4 << 20)).traceEagerly() : inner);
    }

    Machines(SwitchableEngine.Choice choice) {
        this(inner -> new SwitchableEngine(inner, choice, false));
    }

    private Machines(Function<Interpreter, Engine> engines) {
        for (int gfn = 0; gfn < BYTES >> 12; gfn++) {
            memory.map(gfn, machine.allocateFrame(), true);
        }
        reset();
        interpreter = new Interpreter(state, emptyWorld(state, () -> deviceAccesses++, () -> {}), memory);
        engine = engines.apply(interpreter);
    }

    /** A world with nothing in it but a time-stamp counter that counts instructions. */
    static World emptyWorld(VcpuState state) {
        return emptyWorld(state, () -> {}, () -> {});
    }

    /** Such a world, which tells of accesses to devices and of PAUSE. */
    static World emptyWorld(VcpuState state, Runnable deviceAccess, Runnable pause) {
        return (World) Proxy.newProxyInstance(
                World.class.getClassLoader(), new Class<?>[] {World.class}, (self, method, arguments) -> {
                    Class<?> type = method.getReturnType();
                    if (method.getName().startsWith("mmio")) {
                        deviceAccess.run();
                    }
                    if (method.getName().equals("pause")) {
                        pause.run();
                    }
                    if (method.getName().equals("timeStampCounter")) {
                        return state.retired();
                    }
                    return type == int.class
                            ? (Object) (-1)
                            : type == long.class ? (Object) 0L : type == boolean.class ? (Object) false : null;
                });
    }

    /** Tables, handlers, system registers and empty data as at the start. */
    void reset() {
        writeTables(memory);
        enterLongMode(state);
    }

    /** Tables and handlers, and zeros in the rest up to {@link #STACK}. */
    static void writeTables(PhysicalToMachine memory) {
        byte[] zeros = new byte[4096];
        for (int gfn = 1; gfn < STACK >> 12; gfn++) {
            memory.write((long) gfn << 12, zeros, 0, zeros.length);
        }
        memory.write(0x1000, 8, 0x2000 | PRESENT_WRITABLE);
        memory.write(0x2000, 8, 0x3000 | PRESENT_WRITABLE);
        memory.write(0x3000, 8, PAGE_TABLE | PRESENT_WRITABLE);
        for (int i = 1; i < BYTES >> 21; i++) {
            memory.write(0x3000 + i * 8, 8, (long) i << 21 | 0x83);
        }
        for (long page = 0; page < 2 << 20; page += 4096) {
            memory.write(PAGE_TABLE + (page >> 9), 8, page | PRESENT_WRITABLE);
        }
        for (int v = 0; v < 32; v++) {
            long handler = 0x6000 + v * 16;
            memory.write(handler, 1, 0xF4);
            memory.write(0x5000 + v * 16, 8, handler & 0xffff | 8L << 16 | 0x8E00L << 32);
        }
        memory.write(0x7008, 8, 0x00AF9B000000FFFFL);
        memory.write(0x7010, 8, 0x00CF93000000FFFFL);
    }

    /** System registers for those tables, rip and rsp at {@link #CODE} and {@link #STACK}. */
    static void enterLongMode(VcpuState state) {
        state.reset();
        state.setLong(VcpuState.CR0, 0x80010011L);
        state.setLong(VcpuState.CR3, 0x1000);
        state.setLong(VcpuState.CR4, 0x20);
        state.setLong(VcpuState.EFER, 0x500);
        state.setSegment(VcpuState.CS, 8, 0, -1, 0xA09B);
        state.setSegment(VcpuState.SS, 16, 0, -1, 0xC093);
        state.setSegment(VcpuState.GS, 0, DATA, -1, 0xC093);
        state.setLong(VcpuState.IDTR_BASE, 0x5000);
        state.setInt(VcpuState.IDTR_LIMIT, 0xFFF);
        state.setLong(VcpuState.GDTR_BASE, 0x7000);
        state.setInt(VcpuState.GDTR_LIMIT, 0xFF);
        state.setRip(CODE);
        state.setGpr(VcpuState.RSP, STACK);
    }

    /** Puts code at {@link #CODE}. */
    Machines load(byte[] code, int length) {
        memory.write(CODE, code, 0, length);
        return this;
    }

    /** Marks a page of the first 2 MiB not present. */
    Machines unmap(long page) {
        memory.write(PAGE_TABLE + (page >> 9), 8, page);
        return this;
    }

    /** Puts an address without memory behind a page of the first 2 MiB. */
    Machines device(long page) {
        memory.write(PAGE_TABLE + (page >> 9), 8, BYTES * 2 | PRESENT_WRITABLE);
        return this;
    }

    /** Lets the translator compare each block with the interpreter. */
    Machines verify() {
        translator().verify(true, address -> address == CODE ? "start" : null);
        return this;
    }

    TranslatingEngine translator() {
        return (TranslatingEngine) engine;
    }

    Machines readOnly(long page) {
        memory.write(PAGE_TABLE + (page >> 9), 8, page | 1);
        return this;
    }

    EngineMeter meter() {
        return interpreter.meter();
    }

    VcpuExit run(long budget) {
        return engine.run(budget);
    }

    /** Registers and rip for comparison; the arithmetic flags on request, as shifts leave some of them undefined. */
    String registers(boolean flags) {
        StringBuilder s = new StringBuilder();
        for (int i = 0; i < 16; i++) {
            s.append("r")
                    .append(i)
                    .append('=')
                    .append(Long.toHexString(state.gpr(i)))
                    .append(' ');
        }
        s.append("rip=").append(Long.toHexString(state.rip()));
        s.append(" retired=").append(state.retired());
        if (flags) {
            s.append(" flags=").append(Long.toHexString(state.rflags()));
        }
        return s.toString();
    }

    /** Memory from the data area to the top of the stack. */
    byte[] data() {
        byte[] copy = new byte[(int) (STACK - DATA)];
        memory.read(DATA, copy, 0, copy.length);
        return copy;
    }

    /** The page tables. */
    byte[] tables() {
        byte[] copy = new byte[0x4000];
        memory.read(0x1000, copy, 0, copy.length);
        return copy;
    }

    @Override
    public void close() {
        switch (engine) {
            case TranslatingEngine t -> t.close();
            case SwitchableEngine s -> s.close();
            default -> interpreter.close();
        }
        state.close();
        machine.close();
    }
}
