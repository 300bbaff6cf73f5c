package org.xenolith.translate;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import org.xenolith.cpu.VcpuState;

/**
 * The code at the beginning of code memory: the way in from Java, the way out, and the search of the jump cache.
 *
 * <p>Guest registers are in host registers of the same name between entry and exit, but for rsp, which is in r15, and r10,
 * r11, r14, r15, which are in the state block: r10 and r11 are scratch, r14 points at the {@link Context}. The host's rsp
 * is untouched, so that signal handlers find a stack. Emitted code uses no SSE and x87 registers yet, so MXCSR and the x87
 * control word are the host's throughout; DF is never set.
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
    /** Address to jump to with a linear address in r10. */
    final long dispatch;
    /** Code memory that must survive a flush. */
    final long size;

    Trampolines(CodeMemory memory, Assembler a) {
        enter = MemorySegment.ofAddress(enter(memory, a));
        exit = exit(memory, a);
        dispatch = dispatch(memory, a);
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

    private static long exit(CodeMemory memory, Assembler a) {
        a.start(memory.next());
        a.popMemory(Assembler.R14, Context.RESUME);
        for (int n = 0; n < 16; n++) {
            if (Context.host(n) >= 0) {
                a.store(3, Assembler.R14, (int) gpr(n), Context.host(n));
            }
        }
        a.pop(Assembler.R15);
        a.pop(Assembler.R14);
        a.pop(Assembler.R13);
        a.pop(Assembler.R12);
        a.pop(Assembler.RBP);
        a.pop(Assembler.RBX);
        a.ret();
        return add(memory, a);
    }

    private long dispatch(CodeMemory memory, Assembler a) {
        a.start(memory.next());
        int miss = a.label();
        a.mov(3, Assembler.R11, Assembler.R10);
        a.shift(Assembler.SHR, 3, Assembler.R11, 12);
        a.alu(Assembler.XOR, 2, Assembler.R11, Assembler.R10);
        a.aluImmediate(Assembler.AND, 2, Assembler.R11, Context.JUMP_ENTRIES - 1);
        a.shift(Assembler.SHL, 2, Assembler.R11, 4);
        a.aluMemory(Assembler.ADD, 3, Assembler.R11, Assembler.R14, Context.JUMPS);
        a.aluMemory(Assembler.CMP, 3, Assembler.R10, Assembler.R11, 0);
        a.jcc(Assembler.NE, miss);
        a.aluImmediate(Assembler.AND, 3, Assembler.R10, -4096);
        a.store(3, Assembler.R14, Context.PAGE, Assembler.R10);
        a.jmpMemory(Assembler.R11, 8);
        a.bind(miss);
        a.store(3, Assembler.R14, VcpuState.RIP - Context.BIAS, Assembler.R10);
        a.storeImmediate(2, Assembler.R14, Context.EXIT, Context.LOOKUP);
        a.callTo(exit);
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
