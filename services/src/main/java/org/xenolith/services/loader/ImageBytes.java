package org.xenolith.services.loader;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Little-endian reads of an untrusted file; a read outside it is an {@link ImageFormatException}, not a crash. */
final class ImageBytes {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MemorySegment segment;
    private final String what;

    /** {@code what} names the thing in messages: "the ELF file". */
    ImageBytes(MemorySegment segment, String what) {
        this.segment = segment;
        this.what = what;
    }

    long size() {
        return segment.byteSize();
    }

    MemorySegment segment() {
        return segment;
    }

    int u8(long at) throws ImageFormatException {
        return segment.get(ValueLayout.JAVA_BYTE, check(at, 1)) & 0xff;
    }

    int u16(long at) throws ImageFormatException {
        return segment.get(SHORT, check(at, 2)) & 0xffff;
    }

    long u32(long at) throws ImageFormatException {
        return segment.get(INT, check(at, 4)) & 0xffffffffL;
    }

    long u64(long at) throws ImageFormatException {
        return segment.get(LONG, check(at, 8));
    }

    /** A part of the file, copied. */
    byte[] bytes(long at, long length) throws ImageFormatException {
        if (length < 0 || length > Integer.MAX_VALUE - 16) {
            throw new ImageFormatException(
                    what + " is corrupt: it asks for 0x" + Long.toHexString(length) + " bytes in one piece");
        }
        check(at, length);
        byte[] copy = new byte[(int) length];
        MemorySegment.copy(segment, ValueLayout.JAVA_BYTE, at, copy, 0, copy.length);
        return copy;
    }

    boolean startsWith(long at, int... magic) {
        if (at < 0 || at > size() - magic.length) {
            return false;
        }
        for (int i = 0; i < magic.length; i++) {
            if ((segment.get(ValueLayout.JAVA_BYTE, at + i) & 0xff) != magic[i]) {
                return false;
            }
        }
        return true;
    }

    /** A NUL-terminated ASCII string of at most {@code limit} bytes. */
    String string(long at, int limit) throws ImageFormatException {
        check(at, 0);
        int length = 0;
        while (length < limit && at + length < size() && segment.get(ValueLayout.JAVA_BYTE, at + length) != 0) {
            length++;
        }
        return new String(bytes(at, length), StandardCharsets.ISO_8859_1);
    }

    private long check(long at, long length) throws ImageFormatException {
        if (at < 0 || length < 0 || at > size() - length) {
            throw new ImageFormatException(what + " is truncated or corrupt: it points at offset 0x"
                    + Long.toHexString(at) + ", and there are only 0x" + Long.toHexString(size()) + " bytes");
        }
        return at;
    }
}
