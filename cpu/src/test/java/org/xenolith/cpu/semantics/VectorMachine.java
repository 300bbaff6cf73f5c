package org.xenolith.cpu.semantics;

import java.lang.foreign.Arena;
import org.xenolith.cpu.CpuTracer;
import org.xenolith.cpu.Efer;
import org.xenolith.cpu.Engine;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cr0;
import org.xenolith.cpu.core.Cr4;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.interpret.Interpreter;
import org.xenolith.cpu.testing.TestEngine;
import org.xenolith.memory.GuestPhysical;
import org.xenolith.memory.Raw;

/**
 * A processor in flat 64-bit mode (without paging, which only an engine in software allows) with four pages of memory:
 * runs a few bytes of code up to a HLT and tells the first exception.
 */
final class VectorMachine implements AutoCloseable {
    static final int NO_FAULT = -1;
    /** Guest address of the data page; the page behind it is the last one. */
    static final long DATA = 0x2000;

    private static final long CODE = 0x1000;
    private static final long PAGES = 4;

    final VcpuState state = new VcpuState();
    private final Arena arena = Arena.ofConfined();
    private final long memory = arena.allocate(PAGES * 4096, 4096).address();
    private final Interpreter interpreter = new Interpreter(state, null, new Pages());
    private final Engine engine = TestEngine.make(interpreter);
    private int fault;

    private final class Pages implements GuestPhysical {
        @Override
        public long frameForRead(long gfn) {
            return gfn < PAGES ? memory + gfn * 4096 : 0;
        }

        @Override
        public long frameForWrite(long gfn) {
            return frameForRead(gfn);
        }
    }

    private final class FirstException implements CpuTracer {
        @Override
        public boolean instructions() {
            return false;
        }

        @Override
        public void instruction(VcpuState at, long linear, Insn insn) {}

        @Override
        public void exception(VcpuState at, int vector, int errorCode) {
            if (fault == NO_FAULT) {
                fault = vector;
            }
        }

        @Override
        public void interrupt(VcpuState at, int vector) {}
    }

    VectorMachine() {
        state.setLong(VcpuState.CR0, Cr0.PE | Cr0.NE | Cr0.ET);
        state.setLong(VcpuState.CR4, Cr4.PAE | Cr4.OSFXSR | Cr4.OSXMMEXCPT | Cr4.OSXSAVE);
        state.setLong(VcpuState.EFER, Efer.LMA | Efer.LME);
        state.setLong(VcpuState.XCR0, 3);
        state.setSegment(VcpuState.CS, 8, 0, -1, 0xA09B);
        state.setSegment(VcpuState.SS, 16, 0, -1, 0xC093);
        state.setInt(VcpuState.IDTR_LIMIT, 0);
        state.setGpr(VcpuState.RSI, DATA);
        interpreter.setTracer(new FirstException());
    }

    /** Turns the code segment into a 32-bit one. */
    void compatibilityMode() {
        state.setSegment(VcpuState.CS, 8, 0, -1, 0xC09B);
        for (int segment : new int[] {VcpuState.DS, VcpuState.ES}) {
            state.setSegment(segment, 16, 0, -1, 0xC093);
        }
    }

    /** Runs code bytes; the vector of the first exception, or {@link #NO_FAULT}. */
    int run(int... code) {
        for (int i = 0; i < code.length; i++) {
            Raw.putByte(memory + CODE + i, (byte) code[i]);
        }
        Raw.putByte(memory + CODE + code.length, (byte) 0xF4);
        engine.invalidateFrame(CODE >>> 12);
        state.setRip(CODE);
        state.setInt(VcpuState.ACTIVITY, VcpuState.ACTIVE);
        fault = NO_FAULT;
        VcpuExit exit = engine.run(100);
        if (fault == NO_FAULT && !(exit instanceof VcpuExit.Halt)) {
            throw new AssertionError("the code left with " + exit);
        }
        return fault;
    }

    /** Host address of a guest address. */
    long host(long guest) {
        return memory + guest;
    }

    void xmm(int n, long low, long high) {
        state.setLong(VcpuState.XMM + n * 16, low);
        state.setLong(VcpuState.XMM + n * 16 + 8, high);
    }

    void xmm(int n, double low, double high) {
        xmm(n, Double.doubleToRawLongBits(low), Double.doubleToRawLongBits(high));
    }

    long low(int n) {
        return state.getLong(VcpuState.XMM + n * 16);
    }

    long high(int n) {
        return state.getLong(VcpuState.XMM + n * 16 + 8);
    }

    double lowDouble(int n) {
        return Double.longBitsToDouble(low(n));
    }

    void mxcsr(int value) {
        state.setInt(VcpuState.MXCSR, value);
    }

    int mxcsr() {
        return state.getInt(VcpuState.MXCSR);
    }

    @Override
    public void close() {
        TestEngine.close(engine);
        state.close();
        arena.close();
    }
}
