package org.xenolith.services.loader;

import io.airlift.compress.v3.lzo.LzoDecompressor;
import java.io.IOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.util.zip.Adler32;
import java.util.zip.CRC32;
import java.util.zip.Checksum;

/**
 * The container of lzop(1), in which kernels with LZO come; the blocks are a library's business. Big-endian:
 *
 * <pre>
 *   9 bytes magic, u16 version, u16 library version, [u16 needed version], u8 method, [u8 level], u32 flags,
 *   [u32 filter], u32 mode, u32 time, [u32 high time], u8 length and name, u32 checksum,
 *   [u32 length, extra field, u32 checksum]
 *   blocks: u32 size (0 ends the file), u32 packed size, [Adler32], [CRC32], [packed Adler32], [packed CRC32], data
 * </pre>
 *
 * <p>The bracketed fields of the header exist since version 0x0940, or by flag. A block whose two sizes are equal is
 * not compressed, and has no checksums of its packed form.
 */
final class Lzop {
    private static final int MAGIC_SIZE = 9;
    private static final int LONG_HEADER = 0x940;
    private static final int ADLER32 = 1;
    private static final int PACKED_ADLER32 = 2;
    private static final int EXTRA_FIELD = 0x40;
    private static final int CRC = 0x100;
    private static final int PACKED_CRC = 0x200;
    private static final int FILTER = 0x800;

    private final byte[] file;
    private final ByteBuffer in;
    private final byte[] target;
    private int flags;

    private Lzop(byte[] file, int offset, int length, byte[] target) {
        this.file = file;
        in = ByteBuffer.wrap(file, offset, length);
        this.target = target;
    }

    /** Unpacks into the array; returns the count, one more than the array when there is more. */
    static long unpack(byte[] file, int offset, int length, byte[] target) throws IOException {
        try {
            return new Lzop(file, offset, length, target).unpack();
        } catch (BufferUnderflowException e) {
            throw new IOException("it ends in the middle", e);
        }
    }

    private long unpack() throws IOException {
        skip(MAGIC_SIZE);
        boolean longHeader = (in.getShort() & 0xffff) >= LONG_HEADER;
        skip(longHeader ? 6 : 3);
        flags = in.getInt();
        skip((flags & FILTER) != 0 ? 4 : 0);
        skip(longHeader ? 12 : 8);
        skip(in.get() & 0xff);
        skip(4);
        if ((flags & EXTRA_FIELD) != 0) {
            skip(Integer.toUnsignedLong(in.getInt()));
            skip(4);
        }
        LzoDecompressor blocks = new LzoDecompressor();
        int done = 0;
        for (int size = in.getInt(); size != 0; size = in.getInt()) {
            int packed = in.getInt();
            if (size < 0 || size > target.length - done) {
                return target.length + 1L;
            }
            if (packed <= 0 || packed > size) {
                throw new IOException("a block of " + Integer.toUnsignedString(packed) + " bytes for " + size);
            }
            Integer adler = (flags & ADLER32) != 0 ? in.getInt() : null;
            Integer crc = (flags & CRC) != 0 ? in.getInt() : null;
            if (packed < size) {
                skip(((flags & PACKED_ADLER32) != 0 ? 4 : 0) + ((flags & PACKED_CRC) != 0 ? 4 : 0));
            }
            int at = in.position();
            skip(packed);
            if (packed == size) {
                System.arraycopy(file, at, target, done, size);
            } else if (blocks.decompress(file, at, packed, target, done, size) != size) {
                throw new IOException("a block unpacks to another size");
            }
            check(adler, new Adler32(), done, size);
            check(crc, new CRC32(), done, size);
            done += size;
        }
        return done;
    }

    private void check(Integer expected, Checksum checksum, int at, int size) throws IOException {
        if (expected != null) {
            checksum.update(target, at, size);
            if ((int) checksum.getValue() != expected) {
                throw new IOException("a block has a wrong checksum");
            }
        }
    }

    private void skip(long bytes) {
        if (bytes > in.remaining()) {
            throw new BufferUnderflowException();
        }
        in.position(in.position() + (int) bytes);
    }
}
