package org.xenolith.toolstack.inspect;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.xenolith.memory.GuestPhysical;

/** A few frames of memory from address 0 on. */
final class FakeMemory implements GuestPhysical {
    private final MemorySegment frames;
    private final int count;

    FakeMemory(int count) {
        this.count = count;
        frames = Arena.ofAuto().allocate((long) count * FRAME_SIZE, FRAME_SIZE);
    }

    @Override
    public long frameForRead(long gfn) {
        return gfn >= 0 && gfn < count ? frames.address() + gfn * FRAME_SIZE : 0;
    }

    @Override
    public long frameForWrite(long gfn) {
        return frameForRead(gfn);
    }

    void put(long address, long value) {
        write(address, 8, value);
    }
}
