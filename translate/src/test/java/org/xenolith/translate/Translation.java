package org.xenolith.translate;

import java.lang.foreign.Arena;
import java.util.HashSet;
import java.util.Set;
import java.util.SplittableRandom;
import org.xenolith.memory.Raw;

/** Translates guest code without a guest: what comes out is looked at, not run. */
final class Translation implements AutoCloseable {
    private static final int PAGES = 2;

    final CodeMemory memory = new CodeMemory(4 << 20);
    final Trampolines trampolines;
    final BlockTranslator translator;
    private final Arena arena = Arena.ofConfined();
    /** Two pages of guest code. */
    private final long frames = arena.allocate(PAGES * 4096, 4096).address();

    Translation(boolean exact) {
        Assembler assembler = new Assembler();
        Set<String> features = new HashSet<>(HostProcessor.features(memory, assembler));
        trampolines = new Trampolines(memory, assembler, features.contains("AVX"));
        features.add("RDTSCP");
        translator = new BlockTranslator(memory, trampolines, assembler, features, exact, false);
    }

    /** Guest code from an offset of the first page on, where nothing else is. */
    Translation load(int offset, byte[] code, int length) {
        Raw.fill(frames, PAGES * 4096, (byte) 0xCC);
        Raw.copy(code, 0, frames + offset, Math.min(length, PAGES * 4096 - offset));
        return this;
    }

    /** The block at an offset of the first page. Nothing that was made before can be used any more. */
    TranslatedBlock block(int offset) {
        memory.reset(trampolines.size);
        return translator.translate(frames, offset, () -> frames + 4096);
    }

    /** The same as a trace, whose branches go any way; null when there is none to follow. Nothing before can be used any more. */
    TranslatedBlock trace(int offset, SplittableRandom random) {
        TranslatedBlock block = block(offset);
        memory.reset(trampolines.size);
        return translator.trace(block, ways -> ways[random.nextInt(ways.length)]);
    }

    @Override
    public void close() {
        arena.close();
        memory.close();
    }
}
