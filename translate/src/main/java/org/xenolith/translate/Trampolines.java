package org.xenolith.translate;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Tlb;

/**
 * The code at the beginning of code memory: the way in from Java, the way out, the search of the jump cache, and the
 * loads of vector and x87 registers.
 *
 * <p>Guest registers are in host registers of the same name between entry and exit, but for rsp, which is in r15, and r10,
 * r11, r14, r15, which are in the state block: r10 and r11 are scratch, r14 points at the {@link Context}. The host's rsp
 * is untouched, so that signal handlers find a stack. Vector and x87 registers are the guest's from the first block that
 * wants them to the next exit, which stores them and gives the host its MXCSR and x87 control word back. DF is never set.
 */
final class Trampolines {
    /**
     * A critical downcall keeps the thread in its Java state, which saves two fences, and holds back a safepoint until it
     * returns: the engine bounds the instructions of an entry for that.
     */
    private static final MethodHandle ENTER = Linker.nativeLinker()
            .downcallHandle(
                    FunctionDescriptor.ofVoid(ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG),
                    Linker.Option.critical(false));

    private final MemorySegment enter;
    /** Address to call for leaving: the return address goes to {@link Context#RESUME}. */
    final long exit;
    /** Address to jump to with a linear address in r10 that the jump cache does not know. */
    final long dispatch;
    /** Addresses to call at a block's head for registers that are not in the host yet: see {@link Context#HELD}. */
    final long loadSse;

    final long loadAvx;
    final long loadX87;
    /** Code that loads again what the last exit stored, and goes on behind that exit. */
    final long resume;
    /** Code memory that must survive a flush. */
    final long size;

    /**
     * @param avx the host has AVX, so that upper halves can be held
     */
    Trampolines(CodeMemory memory, Assembler a, boolean avx) {
        enter = MemorySegment.ofAddress(enter(memory, a));
        exit = exit(memory, a, avx);
        dispatch = dispatch(memory, a);
        loadSse = loadSse(memory, a);
        loadAvx = avx ? loadAvx(memory, a) : 0;
        loadX87 = loadX87(memory, a);
        resume = resume(memory, a);
        size = memory.used();
    }

    private static long gpr(int n) {
        return VcpuState.GPR + n * 8L - Context.BIAS;
    }

    private static long add(CodeMemory memory, Assembler a) {
        return memory.add(a.finish(), a.size());
    }

    /** enter(rdi = state block, rsi = code): saves what the host's callers expect back, loads guest registers, jumps. */
    private static long enter(CodeMemory memory, Assembler a) {
        a.start(memory.next());
        a.push(Assembler.RBX);
        a.push(Assembler.RBP);
        a.push(Assembler.R12);
        a.push(Assembler.R13);
        a.push(Assembler.R14);
        a.push(Assembler.R15);
        a.lea(Assembler.R14, Assembler.RDI, Assembler.NONE, 0, Context.BIAS);
        a.store(3, Assembler.R14, Context.TARGET, Assembler.RSI);
        for (int n = 0; n < 16; n++) {
            if (Context.host(n) >= 0) {
                a.load(3, Context.host(n), Assembler.R14, (int) gpr(n));
            }
        }
        a.jmpMemory(Assembler.R14, Context.TARGET);
        return add(memory, a);
    }

    private static long exit(CodeMemory memory, Assembler a, boolean avx) {
        a.start(memory.next());
        int held = a.label();
        int out = a.label();
        a.popMemory(Assembler.R14, Context.RESUME);
        for (int n = 0; n < 16; n++) {
            if (Context.host(n) >= 0) {
                a.store(3, Assembler.R14, (int) gpr(n), Context.host(n));
            }
        }
        a.aluMemoryImmediate(Assembler.CMP, 0, Assembler.R14, Context.HELD, 0);
        a.jcc(Assembler.NE, held);
        a.bind(out);
        a.pop(Assembler.R15);
        a.pop(Assembler.R14);
        a.pop(Assembler.R13);
        a.pop(Assembler.R12);
        a.pop(Assembler.RBP);
        a.pop(Assembler.RBX);
        a.ret();
        a.bind(held);
        storeHeld(a, avx);
        a.jmp(out);
        return add(memory, a);
    }

    /** Stores the FPU registers that the host holds, and makes MXCSR and the x87 the host's. */
    private static void storeHeld(Assembler a, boolean avx) {
        if (avx) {
            int lower = a.label();
            test(a, Context.HELD, Context.AVX);
            a.jcc(Assembler.E, lower);
            for (int n = 0; n < 16; n++) {
                // vextractf128 [upper half], ymm, 1
                a.vexRm(
                        Assembler.DATA,
                        false,
                        1,
                        Assembler.MAP_0F3A,
                        0x19,
                        n,
                        0,
                        Assembler.R14,
                        Assembler.NONE,
                        0,
                        VcpuState.YMM_HIGH + n * 16 - Context.BIAS);
                a.byte1(1);
            }
            a.vzeroupper();
            a.bind(lower);
        }
        int sse = a.label();
        int end = a.label();
        test(a, Context.HELD, Context.X87);
        a.jcc(Assembler.E, sse);
        a.load(3, Assembler.R11, Assembler.R14, Context.IMAGE);
        // fxsave64 [r11]; fninit
        a.rm(0, 3, Assembler.MAP_0F, 0xAE, 0, Assembler.R11, Assembler.NONE, 0, 0);
        a.byte1(0xDB);
        a.byte1(0xE3);
        a.jmp(end);
        a.bind(sse);
        moveXmm(a, 0x11);
        mxcsr(a, 3, VcpuState.MXCSR - Context.BIAS);
        a.bind(end);
        mxcsr(a, 2, Context.HOST_MXCSR);
        a.rm(0, 0, Assembler.MAP_1, 0x8A, Assembler.RAX, Assembler.R14, Assembler.NONE, 0, Context.HELD);
        a.rm(0, 0, Assembler.MAP_1, 0x88, Assembler.RAX, Assembler.R14, Assembler.NONE, 0, Context.STORED);
        a.storeByte(Assembler.R14, Context.HELD, 0);
    }

    /** MOVUPS of all registers from (0F 10) or to (0F 11) the state block. */
    private static void moveXmm(Assembler a, int opcode) {
        for (int n = 0; n < 16; n++) {
            a.rm(
                    0,
                    2,
                    Assembler.MAP_0F,
                    opcode,
                    n,
                    Assembler.R14,
                    Assembler.NONE,
                    0,
                    VcpuState.XMM + n * 16 - Context.BIAS);
        }
    }

    /** LDMXCSR (2) or STMXCSR (3). */
    private static void mxcsr(Assembler a, int digit, int displacement) {
        a.rm(0, 2, Assembler.MAP_0F, 0xAE, digit, Assembler.R14, Assembler.NONE, 0, displacement);
    }

    private static void test(Assembler a, int slot, int bits) {
        a.rm(0, 0, Assembler.MAP_1, 0xF6, 0, Assembler.R14, Assembler.NONE, 0, slot);
        a.byte1(bits);
    }

    private static long loadSse(CodeMemory memory, Assembler a) {
        a.start(memory.next());
        mxcsr(a, 3, Context.HOST_MXCSR);
        mxcsr(a, 2, VcpuState.MXCSR - Context.BIAS);
        moveXmm(a, 0x10);
        a.storeByte(Assembler.R14, Context.HELD, Context.SSE);
        a.ret();
        return add(memory, a);
    }

    /** Adds the upper halves to XMM registers that are there. */
    private static long loadAvx(CodeMemory memory, Assembler a) {
        a.start(memory.next());
        for (int n = 0; n < 16; n++) {
            // vinsertf128 ymm, ymm, [upper half], 1
            a.vexRm(
                    Assembler.DATA,
                    false,
                    1,
                    Assembler.MAP_0F3A,
                    0x18,
                    n,
                    n,
                    Assembler.R14,
                    Assembler.NONE,
                    0,
                    VcpuState.YMM_HIGH + n * 16 - Context.BIAS);
            a.byte1(1);
        }
        a.aluMemoryImmediate(Assembler.OR, 0, Assembler.R14, Context.HELD, Context.AVX);
        a.ret();
        return add(memory, a);
    }

    /** Everything of the image that Java made: nothing is held before. */
    private static long loadX87(CodeMemory memory, Assembler a) {
        a.start(memory.next());
        mxcsr(a, 3, Context.HOST_MXCSR);
        a.load(3, Assembler.R11, Assembler.R14, Context.IMAGE);
        a.rm(0, 3, Assembler.MAP_0F, 0xAE, 1, Assembler.R11, Assembler.NONE, 0, 0);
        a.storeByte(Assembler.R14, Context.HELD, Context.SSE | Context.X87);
        a.ret();
        return add(memory, a);
    }

    /** {@code entry} = entry of the jump cache for the linear address in {@code address}; destroys flags. */
    static void jumpEntry(Assembler a, int entry, int address) {
        a.mov(2, entry, address);
        a.aluImmediate(Assembler.AND, 2, entry, JumpCache.ENTRIES - 1);
        a.shift(Assembler.SHL, 2, entry, JumpCache.ENTRY_SHIFT);
        a.aluMemory(Assembler.ADD, 3, entry, Assembler.R14, Context.JUMPS);
    }

    /** Goes to the code of the entry in r11, for the linear address in r10. */
    static void jumpThrough(Assembler a) {
        a.aluImmediate(Assembler.AND, 3, Assembler.R10, -4096);
        a.store(3, Assembler.R14, Context.PAGE, Assembler.R10);
        a.jmpMemory(Assembler.R11, 8);
    }

    /** Asks the TLB for the host address, the block table for the code, and tells the jump cache. */
    private long dispatch(CodeMemory memory, Assembler a) {
        a.start(memory.next());
        int unknown = a.label();
        int journaled = a.label();
        a.store(3, Assembler.R14, Context.TARGET, Assembler.R10);
        fetchEntry(a, Assembler.R11, Assembler.R10);
        a.aluImmediate(Assembler.AND, 3, Assembler.R10, -4096);
        a.aluMemory(Assembler.CMP, 3, Assembler.R10, Assembler.R11, Tlb.EXEC);
        a.jcc(Assembler.NE, unknown);
        a.load(3, Assembler.R10, Assembler.R14, Context.TARGET);
        a.aluMemory(Assembler.ADD, 3, Assembler.R10, Assembler.R11, Tlb.ADDEND);
        a.mov(3, Assembler.R11, Assembler.R10);
        a.shift(Assembler.SHR, 3, Assembler.R11, 12);
        a.alu(Assembler.XOR, 2, Assembler.R11, Assembler.R10);
        a.aluImmediate(Assembler.AND, 2, Assembler.R11, BlockTable.ENTRIES - 1);
        a.shift(Assembler.SHL, 2, Assembler.R11, BlockTable.ENTRY_SHIFT);
        a.aluMemory(Assembler.ADD, 3, Assembler.R11, Assembler.R14, Context.BLOCKS);
        a.aluMemory(Assembler.CMP, 3, Assembler.R10, Assembler.R11, 0);
        a.jcc(Assembler.NE, unknown);
        a.load(3, Assembler.R11, Assembler.R11, 8);
        a.store(3, Assembler.R14, Context.TEMP, Assembler.R11);
        a.load(3, Assembler.R10, Assembler.R14, Context.TARGET);
        jumpEntry(a, Assembler.R11, Assembler.R10);
        a.aluMemoryImmediate(Assembler.CMP, 3, Assembler.R11, 0, 0);
        a.jcc(Assembler.NE, journaled);
        a.load(3, Assembler.R10, Assembler.R14, Context.JOURNAL);
        a.aluMemoryImmediate(Assembler.ADD, 3, Assembler.R10, JumpCache.NEXT, 8);
        a.load(3, Assembler.R10, Assembler.R10, JumpCache.NEXT);
        a.store(3, Assembler.R10, -8, Assembler.R11);
        a.load(3, Assembler.R10, Assembler.R14, Context.TARGET);
        a.bind(journaled);
        a.store(3, Assembler.R11, 0, Assembler.R10);
        a.load(3, Assembler.R10, Assembler.R14, Context.TEMP);
        a.store(3, Assembler.R11, 8, Assembler.R10);
        a.load(3, Assembler.R10, Assembler.R14, Context.TARGET);
        jumpThrough(a);
        a.bind(unknown);
        a.load(3, Assembler.R10, Assembler.R14, Context.TARGET);
        a.store(3, Assembler.R14, VcpuState.RIP - Context.BIAS, Assembler.R10);
        a.storeImmediate(2, Assembler.R14, Context.EXIT, Context.LOOKUP);
        a.callTo(exit);
        return add(memory, a);
    }

    /** {@code entry} = entry of the TLB for instruction fetches at the linear address in {@code address}. */
    static void fetchEntry(Assembler a, int entry, int address) {
        a.mov(3, entry, address);
        a.shift(Assembler.SHR, 3, entry, 12 - Tlb.ENTRY_SHIFT);
        a.aluImmediate(Assembler.AND, 2, entry, Tlb.INDEX_MASK << Tlb.ENTRY_SHIFT);
        a.aluMemory(Assembler.ADD, 3, entry, Assembler.R14, Context.FETCH_TABLE);
    }

    private long resume(CodeMemory memory, Assembler a) {
        a.start(memory.next());
        int sse = a.label();
        int upper = a.label();
        int out = a.label();
        test(a, Context.STORED, Context.X87);
        a.jcc(Assembler.E, sse);
        a.callTo(loadX87);
        a.jmp(upper);
        a.bind(sse);
        a.callTo(loadSse);
        a.bind(upper);
        if (loadAvx != 0) {
            test(a, Context.STORED, Context.AVX);
            a.jcc(Assembler.E, out);
            a.callTo(loadAvx);
            a.bind(out);
        }
        a.jmpMemory(Assembler.R14, Context.RESUME);
        return add(memory, a);
    }

    /** Runs emitted code until it exits. */
    void run(long state, long code) {
        try {
            ENTER.invokeExact(enter, state, code);
        } catch (Throwable e) {
            throw new IllegalStateException("cannot enter translated code", e);
        }
    }
}
