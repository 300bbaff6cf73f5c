package org.xenolith.services.builder;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.xenolith.memory.GuestPhysical;
import org.xenolith.memory.Raw;

/**
 * Copies files into fresh guest memory. Chunks of zeros are not written: fresh frames read as zeros already, and a
 * frame that nobody touched costs the host nothing.
 */
final class GuestWriter {
    private static final MemorySegment ZEROS = MemorySegment.ofArray(new byte[GuestPhysical.FRAME_SIZE]);

    private GuestWriter() {}

    static void copy(GuestPhysical memory, long gpa, MemorySegment from) {
        long size = from.byteSize();
        long done = 0;
        while (done < size) {
            int inFrame = (int) (gpa + done & GuestPhysical.FRAME_SIZE - 1);
            int chunk = (int) Math.min(size - done, GuestPhysical.FRAME_SIZE - inFrame);
            if (MemorySegment.mismatch(from, done, done + chunk, ZEROS, 0, chunk) >= 0) {
                long frame = memory.frameForWrite(gpa + done >>> GuestPhysical.FRAME_SHIFT);
                if (frame == 0) {
                    throw new IllegalStateException("no guest memory at 0x" + Long.toHexString(gpa + done));
                }
                store(from, done, frame + inFrame, chunk);
            }
            done += chunk;
        }
    }

    private static void store(MemorySegment from, long offset, long address, int bytes) {
        if (from.isNative()) {
            Raw.copy(from.address() + offset, address, bytes);
        } else {
            byte[] copy = new byte[bytes];
            MemorySegment.copy(from, ValueLayout.JAVA_BYTE, offset, copy, 0, bytes);
            Raw.copy(copy, 0, address, bytes);
        }
    }
}
