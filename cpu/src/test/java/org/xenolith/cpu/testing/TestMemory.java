package org.xenolith.cpu.testing;

import org.xenolith.memory.GuestPhysical;
import org.xenolith.memory.MachineMemory;

/** Guest-physical memory with holes: frames exist where a test put them. */
public final class TestMemory implements GuestPhysical, AutoCloseable {
    private final MachineMemory machine;
    private final long[] frames;
    private final boolean[] readOnly;

    /**
     * Makes an empty address space.
     *
     * @param limit number of guest frames that may exist
     * @param backing number of frames that can be backed
     */
    public TestMemory(int limit, int backing) {
        machine = new MachineMemory((long) backing << FRAME_SHIFT);
        frames = new long[limit];
        readOnly = new boolean[limit];
    }

    /** Backs a range of guest-physical memory with zeros. */
    public TestMemory back(long gpa, long bytes) {
        for (long gfn = gpa >>> FRAME_SHIFT; gfn <= gpa + bytes - 1 >>> FRAME_SHIFT; gfn++) {
            if (frames[(int) gfn] == 0) {
                int mfn = machine.allocateFrame();
                if (mfn < 0) {
                    throw new IllegalStateException("test memory is exhausted");
                }
                frames[(int) gfn] = machine.address(mfn);
            }
        }
        return this;
    }

    /** Makes a frame read-only for the processor (ROM). */
    public void protect(long gfn) {
        readOnly[(int) gfn] = true;
    }

    /** Makes a guest frame a hole. */
    public void remove(long gfn) {
        frames[(int) gfn] = 0;
    }

    @Override
    public long frameForRead(long gfn) {
        return gfn >= 0 && gfn < frames.length ? frames[(int) gfn] : 0;
    }

    @Override
    public long frameForWrite(long gfn) {
        return gfn >= 0 && gfn < frames.length && !readOnly[(int) gfn] ? frames[(int) gfn] : 0;
    }

    /** Host address of a byte of backed memory. */
    public long host(long gpa) {
        long frame = frameForRead(gpa >>> FRAME_SHIFT);
        if (frame == 0) {
            throw new IllegalArgumentException("no memory at 0x" + Long.toHexString(gpa));
        }
        return frame + (gpa & FRAME_SIZE - 1);
    }

    /** Writes bytes. */
    public void put(long gpa, byte[] bytes) {
        if (!write(gpa, bytes, 0, bytes.length)) {
            throw new IllegalArgumentException("no memory at 0x" + Long.toHexString(gpa));
        }
    }

    public void put64(long gpa, long value) {
        write(gpa, 8, value);
    }

    public long get64(long gpa) {
        return read(gpa, 8);
    }

    public int get32(long gpa) {
        return (int) read(gpa, 4);
    }

    @Override
    public void close() {
        machine.close();
    }
}
