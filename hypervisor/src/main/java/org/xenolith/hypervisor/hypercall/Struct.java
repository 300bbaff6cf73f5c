package org.xenolith.hypervisor.hypercall;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** A private copy of a structure of the guest's. Offsets in bytes. */
final class Struct {
    private final byte[] bytes;
    private final ByteBuffer buffer;

    Struct(int size) {
        bytes = new byte[size];
        buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    byte[] bytes() {
        return bytes;
    }

    int size() {
        return bytes.length;
    }

    int u8(int at) {
        return buffer.get(at) & 0xff;
    }

    int u16(int at) {
        return buffer.getShort(at) & 0xffff;
    }

    int i32(int at) {
        return buffer.getInt(at);
    }

    long u32(int at) {
        return buffer.getInt(at) & 0xffffffffL;
    }

    long u64(int at) {
        return buffer.getLong(at);
    }

    /** A pointer or an unsigned long of the guest: {@code width} is 4 or 8. */
    long word(int at, int width) {
        return width == 8 ? u64(at) : u32(at);
    }

    void putU8(int at, int value) {
        buffer.put(at, (byte) value);
    }

    void putU16(int at, int value) {
        buffer.putShort(at, (short) value);
    }

    void putU32(int at, int value) {
        buffer.putInt(at, value);
    }

    void putU64(int at, long value) {
        buffer.putLong(at, value);
    }

    void putWord(int at, int width, long value) {
        if (width == 8) {
            putU64(at, value);
        } else {
            putU32(at, (int) value);
        }
    }
}
