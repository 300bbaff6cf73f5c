package org.xenolith.translate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class CodeMemoryTest {
    private static final byte[] RETURN_42 = {(byte) 0xB8, 42, 0, 0, 0, (byte) 0xC3};

    private static int call(long at) throws Throwable {
        return (int) Linker.nativeLinker()
                .downcallHandle(MemorySegment.ofAddress(at), FunctionDescriptor.of(ValueLayout.JAVA_INT))
                .invokeExact();
    }

    @Test
    void whatIsAddedCanBeCalledAndRewritten() throws Throwable {
        for (boolean tryDouble : new boolean[] {true, false}) {
            try (CodeMemory memory = new CodeMemory(8192, tryDouble)) {
                assertThat(memory.doubleMapped()).isEqualTo(tryDouble);
                long expected = memory.next();
                long at = memory.add(RETURN_42, RETURN_42.length);
                assertThat(at).isEqualTo(expected);
                assertThat(call(at)).isEqualTo(42);
                memory.write(at + 1, new byte[] {43}, 1);
                assertThat(call(at)).isEqualTo(43);
            }
        }
    }

    @Test
    void noMappingIsWritableAndExecutable() throws IOException {
        try (CodeMemory memory = new CodeMemory(8192)) {
            memory.add(RETURN_42, RETURN_42.length);
            List<String> ours = Files.readAllLines(Path.of("/proc/self/maps")).stream()
                    .filter(line -> line.contains("xenolith-code"))
                    .toList();
            assertThat(ours).hasSizeGreaterThanOrEqualTo(2).noneMatch(line -> line.contains("wx"));
        }
    }

    @Test
    void aFullMemorySaysSoAndIsEmptyAfterReset() {
        try (CodeMemory memory = new CodeMemory(4096)) {
            byte[] big = new byte[3000];
            long first = memory.add(big, big.length);
            assertThatIllegalStateException().isThrownBy(() -> memory.add(big, big.length));
            memory.reset(0);
            assertThat(memory.add(big, big.length)).isEqualTo(first);
        }
    }

    @Test
    void nothingIsWrittenOutside() {
        try (CodeMemory memory = new CodeMemory(4096)) {
            long end = memory.next() + 4096;
            assertThat(memory.contains(end)).isFalse();
            assertThatIllegalArgumentException().isThrownBy(() -> memory.write(end - 1, RETURN_42, 2));
            assertThatIllegalArgumentException().isThrownBy(() -> memory.write(end - 4097, RETURN_42, 2));
        }
    }

    @Test
    void theSizeIsWholePages() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new CodeMemory(100))
                .withMessageContaining("100");
    }
}
