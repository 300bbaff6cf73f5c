package org.xenolith.hypervisor;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.xenolith.abi.Errno;
import org.xenolith.cpu.LinearMemory;
import org.xenolith.memory.GuestPhysical;
import org.xenolith.memory.Raw;

/**
 * Guest memory that the hypervisor keeps writing to: registered by linear address, translated once, and pinned. It may cross
 * a page boundary.
 *
 * <p>Writers of one area must exclude each other.
 */
final class GuestArea {
    private final DomainMemory memory;
    private final int size;
    private final int firstMfn;
    private final long first;
    /** Bytes before the page boundary. */
    private final int split;

    private final int secondMfn;
    private final long second;

    private GuestArea(DomainMemory memory, int size, int firstMfn, long first, int split, int secondMfn, long second) {
        this.memory = memory;
        this.size = size;
        this.firstMfn = firstMfn;
        this.first = first;
        this.split = split;
        this.secondMfn = secondMfn;
        this.second = second;
    }

    /** Pins {@code size} bytes at a linear address; EFAULT when they are not writable memory of the domain. */
    static GuestArea pin(DomainMemory memory, LinearMemory linear, long address, int size) {
        int split = (int) Math.min(size, GuestPhysical.FRAME_SIZE - (address & GuestPhysical.FRAME_SIZE - 1));
        int firstMfn = pinPage(memory, linear, address);
        int secondMfn = -1;
        if (split < size) {
            try {
                secondMfn = pinPage(memory, linear, address + split);
            } catch (HypercallException e) {
                memory.unpin(firstMfn);
                throw e;
            }
        }
        long first = memory.address(firstMfn) + (address & GuestPhysical.FRAME_SIZE - 1);
        return new GuestArea(
                memory, size, firstMfn, first, split, secondMfn, secondMfn < 0 ? 0 : memory.address(secondMfn));
    }

    private static int pinPage(DomainMemory memory, LinearMemory linear, long address) {
        long gpa = linear.translate(address, true);
        int mfn = gpa == -1 ? -1 : memory.pin(gpa >>> GuestPhysical.FRAME_SHIFT);
        if (mfn < 0) {
            throw new HypercallException(Errno.EFAULT);
        }
        return mfn;
    }

    /** Host address of an aligned field that is in one page, or 0. */
    private long at(int offset, int bytes) {
        long address = offset + bytes <= split ? first + offset : offset >= split ? second + offset - split : 0;
        return (address & bytes - 1) == 0 ? address : 0;
    }

    int getInt(int offset) {
        long address = at(offset, Integer.BYTES);
        if (address != 0) {
            return Raw.getIntVolatile(address);
        }
        int value = 0;
        for (int i = 0; i < Integer.BYTES; i++) {
            value |= (Raw.getByte(byteAt(offset + i)) & 0xff) << i * 8;
        }
        return value;
    }

    void putInt(int offset, int value) {
        long address = at(offset, Integer.BYTES);
        if (address != 0) {
            Raw.putIntVolatile(address, value);
        } else {
            putBytes(offset, value, Integer.BYTES);
        }
    }

    void putLong(int offset, long value) {
        long address = at(offset, Long.BYTES);
        if (address != 0) {
            Raw.putLongVolatile(address, value);
        } else {
            putBytes(offset, value, Long.BYTES);
        }
    }

    private long byteAt(int offset) {
        return offset < split ? first + offset : second + offset - split;
    }

    private void putBytes(int offset, long value, int bytes) {
        ByteBuffer buffer =
                ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(0, value);
        for (int i = 0; i < bytes; i++) {
            Raw.putByte(byteAt(offset + i), buffer.get(i));
        }
    }

    int size() {
        return size;
    }

    void unpin() {
        memory.unpin(firstMfn);
        if (secondMfn >= 0) {
            memory.unpin(secondMfn);
        }
    }
}
