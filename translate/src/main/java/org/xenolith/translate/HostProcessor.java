package org.xenolith.translate;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.HashSet;
import java.util.Set;
import org.xenolith.cpu.Feature;
import org.xenolith.memory.Raw;

/** What the host's processor can do, asked from itself by CPUID and XGETBV. */
final class HostProcessor {
    private static final int OSXSAVE_BIT = 27;
    private static final long XCR0_SSE_AVX = 6;
    private static final int RESULT_BYTES = 16;

    private HostProcessor() {}

    /**
     * Names, as {@link Feature} has them, of what emitted code may use.
     *
     * @param memory where a small function is put for the time of the question
     */
    static Set<String> features(CodeMemory memory, Assembler a) {
        long keep = memory.used();
        try (Arena arena = Arena.ofConfined()) {
            MethodHandle ask = Linker.nativeLinker()
                    .downcallHandle(
                            MemorySegment.ofAddress(function(memory, a)),
                            FunctionDescriptor.ofVoid(
                                    ValueLayout.JAVA_LONG,
                                    ValueLayout.JAVA_LONG,
                                    ValueLayout.JAVA_LONG,
                                    ValueLayout.JAVA_LONG));
            long result = arena.allocate(RESULT_BYTES, 16).address();
            Set<String> names = new HashSet<>();
            for (Feature feature : Feature.values()) {
                int extended = feature.leaf() & 0x80000000;
                ask.invokeExact(extended & 0xffffffffL, 0L, result, 0L);
                if (Integer.compareUnsigned(feature.leaf(), Raw.getInt(result)) > 0) {
                    continue;
                }
                ask.invokeExact(feature.leaf() & 0xffffffffL, (long) feature.subleaf(), result, 0L);
                if ((Raw.getInt(result + feature.register() * 4L) >>> feature.bit() & 1) != 0) {
                    names.add(feature.name());
                }
            }
            ask.invokeExact(1L, 0L, result, 0L);
            boolean avx = false;
            if ((Raw.getInt(result + 8) >>> OSXSAVE_BIT & 1) != 0) {
                ask.invokeExact(0L, 0L, result, 1L);
                avx = (Raw.getInt(result) & XCR0_SSE_AVX) == XCR0_SSE_AVX;
            }
            if (!avx) {
                names.removeAll(Set.of("AVX", "AVX2", "FMA", "F16C", "BMI1", "BMI2"));
            }
            return Set.copyOf(names);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException("cannot ask the host's processor", e);
        } finally {
            memory.reset(keep);
        }
    }

    /** void f(rdi = leaf, rsi = subleaf, rdx = u32[4] result, rcx = 0 for CPUID or 1 for XGETBV). */
    private static long function(CodeMemory memory, Assembler a) {
        a.start(memory.next());
        int xgetbv = a.label();
        int store = a.label();
        a.push(Assembler.RBX);
        a.mov(3, Assembler.R10, Assembler.RDX);
        a.mov(3, Assembler.R11, Assembler.RCX);
        a.mov(2, Assembler.RAX, Assembler.RDI);
        a.mov(2, Assembler.RCX, Assembler.RSI);
        a.aluImmediate(Assembler.CMP, 3, Assembler.R11, 0);
        a.jcc(Assembler.NE, xgetbv);
        a.byte1(0x0F);
        a.byte1(0xA2);
        a.jmp(store);
        a.bind(xgetbv);
        a.byte1(0x0F);
        a.byte1(0x01);
        a.byte1(0xD0);
        a.bind(store);
        a.store(2, Assembler.R10, 0, Assembler.RAX);
        a.store(2, Assembler.R10, 4, Assembler.RBX);
        a.store(2, Assembler.R10, 8, Assembler.RCX);
        a.store(2, Assembler.R10, 12, Assembler.RDX);
        a.pop(Assembler.RBX);
        a.ret();
        return memory.add(a.finish(), a.size());
    }
}
