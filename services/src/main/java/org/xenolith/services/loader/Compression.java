package org.xenolith.services.loader;

import io.airlift.compress.v3.MalformedInputException;
import io.airlift.compress.v3.zstd.ZstdJavaDecompressor;
import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.util.zip.GZIPInputStream;
import net.jpountz.lz4.LZ4Exception;
import net.jpountz.lz4.LZ4Factory;
import net.jpountz.lz4.LZ4SafeDecompressor;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorInputStream;
import org.tukaani.xz.LZMAInputStream;
import org.tukaani.xz.SingleXZInputStream;

/**
 * The compressions that Linux offers for a kernel payload (its {@code CONFIG_KERNEL_*} choices), by magic number.
 *
 * <p>Except for gzip, whose format has it already, the build appends the unpacked size to the stream as a 32-bit
 * number; it is not part of what the codec may read.
 */
enum Compression {
    GZIP("gzip", true, (source, target) -> fill(new GZIPInputStream(source.stream(), 1 << 16), target), 0x1f, 0x8b),
    BZIP2(
            "bzip2",
            false,
            (source, target) -> fill(new BZip2CompressorInputStream(source.stream(), true), target),
            'B',
            'Z',
            'h'),
    XZ(
            "xz",
            false,
            (source, target) -> fill(new SingleXZInputStream(source.stream(), Compression.CODEC_MEMORY_KIB), target),
            0xfd,
            '7',
            'z',
            'X',
            'Z',
            0),
    LZMA(
            "lzma",
            false,
            (source, target) -> fill(new LZMAInputStream(source.stream(), Compression.CODEC_MEMORY_KIB), target),
            0x5d,
            0,
            0),
    LZO(
            "lzo",
            false,
            (source, target) -> Lzop.unpack(source.file, source.offset, source.length, target),
            0x89,
            'L',
            'Z',
            'O'),
    LZ4("lz4", false, Compression::lz4, 0x02, 0x21, 0x4c, 0x18),
    ZSTD("zstd", false, Compression::zstd, 0x28, 0xb5, 0x2f, 0xfd);

    /** What a codec may use for its dictionary. The kernel's build uses 32 MiB at most. */
    private static final int CODEC_MEMORY_KIB = 160 << 10;

    /** Every block of a legacy LZ4 frame but the last unpacks to this. */
    private static final int LZ4_BLOCK = 8 << 20;

    private final String label;
    private final boolean sizeInsideStream;
    private final Codec codec;
    private final int[] magic;

    Compression(String label, boolean sizeInsideStream, Codec codec, int... magic) {
        this.label = label;
        this.sizeInsideStream = sizeInsideStream;
        this.codec = codec;
        this.magic = magic;
    }

    /** The compression whose magic number stands at {@code at}, or null. */
    static Compression detect(ImageBytes bytes, long at) {
        for (Compression compression : values()) {
            if (bytes.startsWith(at, compression.magic)) {
                return compression;
            }
        }
        return null;
    }

    /** Name for people. */
    String label() {
        return label;
    }

    /**
     * Unpacks a payload that ends with its unpacked size.
     *
     * @param limit the most that the result may have, in bytes
     */
    byte[] unpack(byte[] file, int offset, int length, long limit) throws ImageFormatException {
        if (length < magic.length + 4) {
            throw new ImageFormatException(
                    "the kernel is truncated: its compressed payload has only " + length + " bytes");
        }
        long size = new ImageBytes(MemorySegment.ofArray(file), "the kernel").u32(offset + length - 4);
        if (size == 0 || size > limit) {
            throw new ImageFormatException("the kernel is corrupt: it claims to unpack to " + size
                    + " bytes, and at most " + limit + " can be right; get the file again");
        }
        byte[] target;
        try {
            target = new byte[(int) size];
        } catch (OutOfMemoryError e) {
            throw new ImageFormatException(
                    "no room to unpack the kernel: it needs " + (size >> 20)
                            + " MiB of Java heap; start Java with a larger -Xmx",
                    e);
        }
        long unpacked;
        try {
            unpacked = codec.unpack(new Source(file, offset, sizeInsideStream ? length : length - 4), target);
        } catch (IOException | RuntimeException e) {
            // Codecs meet hostile bytes here, and not all of them keep to IOException when a table index is wrong.
            throw new ImageFormatException(
                    "the kernel's " + label + " payload is corrupt or truncated"
                            + (e.getMessage() == null ? "" : " (" + oneLine(e.getMessage()) + ")")
                            + "; get the file again",
                    e);
        }
        if (unpacked != size) {
            throw new ImageFormatException("the kernel's " + label + " payload is corrupt: it should unpack to " + size
                    + " bytes and has " + (unpacked > size ? "more" : "only " + unpacked) + "; get the file again");
        }
        return target;
    }

    private static String oneLine(String message) {
        return message.lines().findFirst().orElse("").strip();
    }

    /** Fills the array from the stream; returns the count, one more than the array when the stream goes on. */
    private static long fill(InputStream stream, byte[] target) throws IOException {
        try (stream) {
            int count = stream.readNBytes(target, 0, target.length);
            return count == target.length && stream.read() >= 0 ? count + 1L : count;
        }
    }

    private static long zstd(Source source, byte[] target) throws IOException {
        try {
            return new ZstdJavaDecompressor()
                    .decompress(source.file, source.offset, source.length, target, 0, target.length);
        } catch (MalformedInputException e) {
            throw new IOException("at offset " + e.getOffset(), e);
        }
    }

    /** The legacy frame: magic, then blocks of {u32 compressed size, LZ4 block} up to the end, without checksums. */
    private static long lz4(Source source, byte[] target) throws IOException {
        LZ4SafeDecompressor blocks = LZ4Factory.safeInstance().safeDecompressor();
        ImageBytes bytes =
                new ImageBytes(MemorySegment.ofArray(source.file).asSlice(source.offset, source.length), "the frame");
        int at = 4;
        int done = 0;
        while (at < source.length) {
            long size = bytes.u32(at);
            at += 4;
            if (bytes.startsWith(at - 4, LZ4.magic)) {
                continue;
            }
            if (size == 0 || size > source.length - at) {
                throw new EOFException("block of " + size + " bytes where " + (source.length - at) + " are left");
            }
            try {
                int room = Math.min(LZ4_BLOCK, target.length - done);
                done += blocks.decompress(source.file, source.offset + at, (int) size, target, done, room);
            } catch (LZ4Exception e) {
                throw new IOException(e.getMessage(), e);
            }
            at += (int) size;
        }
        return done;
    }

    private interface Codec {
        long unpack(Source source, byte[] target) throws IOException;
    }

    private record Source(byte[] file, int offset, int length) {
        InputStream stream() {
            return new ByteArrayInputStream(file, offset, length);
        }
    }
}
