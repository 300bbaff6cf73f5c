package org.xenolith.translate;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import org.xenolith.cpu.core.HostAtomics;

/**
 * The host's own LOCK CMPXCHG and LOCK CMPXCHG16B, for the interpreter: a guest's locked instructions must be atomic
 * against those that translated code of another virtual CPU executes as themselves.
 *
 * <p>One page of code for the process, made at first use and kept.
 */
public final class NativeAtomics implements HostAtomics {
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final MethodHandle COMPARE_EXCHANGE = Linker.nativeLinker()
            .downcallHandle(FunctionDescriptor.of(LONG, LONG, LONG, LONG), Linker.Option.critical(false));
    private static final MethodHandle COMPARE_EXCHANGE_16 = Linker.nativeLinker()
            .downcallHandle(FunctionDescriptor.of(LONG, LONG, LONG), Linker.Option.critical(false));
    private static final int CODE_BYTES = 4096;
    private static final int GROUP_9 = 0xC7;

    private static NativeAtomics instance;

    private final MemorySegment[] byWidth = new MemorySegment[4];
    private final MemorySegment wide;

    private NativeAtomics() {
        CodeMemory memory = new CodeMemory(CODE_BYTES);
        Assembler a = new Assembler();
        for (int w = 0; w < byWidth.length; w++) {
            byWidth[w] = MemorySegment.ofAddress(compareExchange(memory, a, w));
        }
        wide = MemorySegment.ofAddress(compareExchange16(memory, a));
    }

    /**
     * The one instance, on x86-64 hosts.
     *
     * @throws IllegalStateException when the host gives no executable memory
     */
    public static synchronized NativeAtomics instance() {
        if (instance == null) {
            instance = new NativeAtomics();
        }
        return instance;
    }

    /** f(rdi = address, rsi = expected, rdx = value): what was there, in the low bytes of rax. */
    private static long compareExchange(CodeMemory memory, Assembler a, int w) {
        a.start(memory.next());
        a.mov(3, Assembler.RAX, Assembler.RSI);
        a.rm(
                Assembler.LOCK,
                w,
                Assembler.MAP_0F,
                w == 0 ? 0xB0 : 0xB1,
                Assembler.RDX,
                Assembler.RDI,
                Assembler.NONE,
                0,
                0);
        a.ret();
        return memory.add(a.finish(), a.size());
    }

    /** f(rdi = address, rsi = operands): 1 when they were equal. */
    private static long compareExchange16(CodeMemory memory, Assembler a) {
        a.start(memory.next());
        a.push(Assembler.RBX);
        a.load(3, Assembler.RAX, Assembler.RSI, 0);
        a.load(3, Assembler.RDX, Assembler.RSI, 8);
        a.load(3, Assembler.RBX, Assembler.RSI, 16);
        a.load(3, Assembler.RCX, Assembler.RSI, 24);
        a.rm(Assembler.LOCK, 3, Assembler.MAP_0F, GROUP_9, 1, Assembler.RDI, Assembler.NONE, 0, 0);
        a.store(3, Assembler.RSI, 0, Assembler.RAX);
        a.store(3, Assembler.RSI, 8, Assembler.RDX);
        a.setcc(Assembler.E, Assembler.RAX);
        a.rr(0, 2, Assembler.MAP_0F, 0xB6, Assembler.RAX, Assembler.RAX);
        a.pop(Assembler.RBX);
        a.ret();
        return memory.add(a.finish(), a.size());
    }

    @Override
    public long compareExchange(int w, long address, long expected, long value) {
        try {
            long old = (long) COMPARE_EXCHANGE.invokeExact(byWidth[w], address, expected, value);
            return w == 3 ? old : old & (1L << (8 << w)) - 1;
        } catch (Throwable e) {
            throw new IllegalStateException("cannot call LOCK CMPXCHG", e);
        }
    }

    @Override
    public boolean compareExchange16(long address, long operands) {
        try {
            return (long) COMPARE_EXCHANGE_16.invokeExact(wide, address, operands) != 0;
        } catch (Throwable e) {
            throw new IllegalStateException("cannot call LOCK CMPXCHG16B", e);
        }
    }
}
