package org.xenolith.memory;

/**
 * Guest-physical memory of one domain, as its processors see it.
 *
 * <p>A processor asks once per page, when it fills its TLB, and keeps the host address until it is told to forget it. So
 * these two methods are the isolation boundary of the software engines: they answer only for frames that the domain owns
 * or was granted.
 */
public interface GuestPhysical {
    /** Size of a frame, and its log2. */
    int FRAME_SIZE = 4096;

    int FRAME_SHIFT = 12;

    /** Host address of the frame that backs {@code gfn} for reading, or 0 where the domain has no readable memory. */
    long frameForRead(long gfn);

    /**
     * Host address of the frame that backs {@code gfn} for writing, or 0 where the domain has no writable memory. Breaks
     * sharing and marks the frame dirty where those features are on.
     */
    long frameForWrite(long gfn);

    /** Reads an 8-, 16-, 32- or 64-bit value at a guest-physical address; all ones where there is no memory. */
    default long read(long gpa, int bytes) {
        if ((gpa & FRAME_SIZE - 1) > FRAME_SIZE - bytes) {
            // The next host address is not the next frame's: it may be another domain's.
            long value = 0;
            for (int i = bytes - 1; i >= 0; i--) {
                value = value << 8 | read(gpa + i, 1);
            }
            return value;
        }
        long frame = frameForRead(gpa >>> FRAME_SHIFT);
        if (frame == 0) {
            return bytes == 8 ? -1L : (1L << bytes * 8) - 1;
        }
        long at = frame + (gpa & FRAME_SIZE - 1);
        return switch (bytes) {
            case 1 -> Raw.getByte(at) & 0xffL;
            case 2 -> Raw.getShort(at) & 0xffffL;
            case 4 -> Raw.getInt(at) & 0xffffffffL;
            case 8 -> Raw.getLong(at);
            default -> throw new IllegalArgumentException("access of " + bytes + " bytes");
        };
    }

    /** Writes a value; dropped where there is no writable memory. */
    default void write(long gpa, int bytes, long value) {
        if ((gpa & FRAME_SIZE - 1) > FRAME_SIZE - bytes) {
            for (int i = 0; i < bytes; i++) {
                write(gpa + i, 1, value >>> 8 * i);
            }
            return;
        }
        long frame = frameForWrite(gpa >>> FRAME_SHIFT);
        if (frame == 0) {
            return;
        }
        long at = frame + (gpa & FRAME_SIZE - 1);
        switch (bytes) {
            case 1 -> Raw.putByte(at, (byte) value);
            case 2 -> Raw.putShort(at, (short) value);
            case 4 -> Raw.putInt(at, (int) value);
            case 8 -> Raw.putLong(at, value);
            default -> throw new IllegalArgumentException("access of " + bytes + " bytes");
        }
    }

    /** Copies guest memory into an array; false (array undefined) when some of it is not there. */
    default boolean read(long gpa, byte[] to, int offset, int length) {
        while (length > 0) {
            int chunk = (int) Math.min(length, FRAME_SIZE - (gpa & FRAME_SIZE - 1));
            long frame = frameForRead(gpa >>> FRAME_SHIFT);
            if (frame == 0) {
                return false;
            }
            Raw.copy(frame + (gpa & FRAME_SIZE - 1), to, offset, chunk);
            gpa += chunk;
            offset += chunk;
            length -= chunk;
        }
        return true;
    }

    /** Copies an array into guest memory; false (partly done) when some of it is not there. */
    default boolean write(long gpa, byte[] from, int offset, int length) {
        while (length > 0) {
            int chunk = (int) Math.min(length, FRAME_SIZE - (gpa & FRAME_SIZE - 1));
            long frame = frameForWrite(gpa >>> FRAME_SHIFT);
            if (frame == 0) {
                return false;
            }
            Raw.copy(from, offset, frame + (gpa & FRAME_SIZE - 1), chunk);
            gpa += chunk;
            offset += chunk;
            length -= chunk;
        }
        return true;
    }
}
