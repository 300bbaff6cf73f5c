package org.xenolith.services;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import net.jpountz.lz4.LZ4Factory;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorOutputStream;
import org.tukaani.xz.FilterOptions;
import org.tukaani.xz.LZMA2Options;
import org.tukaani.xz.LZMAOutputStream;
import org.tukaani.xz.X86Options;
import org.tukaani.xz.XZ;
import org.tukaani.xz.XZOutputStream;

/** Makes small kernels for tests: ELF files, and bzImages around them. */
public final class TestKernel {
    public static final int X86_64 = 62;
    public static final int I386 = 3;

    private boolean wide = true;
    private int machine = X86_64;
    private byte[] note = note(18, le(8, 0x100000));
    private final List<Part> parts = new ArrayList<>();

    private record Part(long physical, long memorySize, byte[] content) {}

    /** A kernel with a PVH entry note for 0x100000 and no segments yet. */
    public static TestKernel kernel() {
        return new TestKernel();
    }

    /** A kernel of 20,000 bytes at 1 MiB, with another 12,480 of zeros. */
    public static TestKernel ordinary() {
        byte[] code = new byte[20_000];
        for (int i = 0; i < code.length; i++) {
            code[i] = (byte) (i * 7 + (i >> 8));
        }
        return kernel().segment(0x100000, 32_480, code);
    }

    public TestKernel segment(long physical, long memorySize, byte[] content) {
        parts.add(new Part(physical, memorySize, content));
        return this;
    }

    public TestKernel narrow(int machineNumber) {
        wide = false;
        machine = machineNumber;
        return this;
    }

    public TestKernel machine(int number) {
        machine = number;
        return this;
    }

    /** Replaces the notes; null for none. */
    public TestKernel notes(byte[] bytes) {
        note = bytes;
        return this;
    }

    public static byte[] note(int type, byte[] description) {
        ByteBuffer out = ByteBuffer.allocate(16 + (description.length + 3 & -4)).order(ByteOrder.LITTLE_ENDIAN);
        out.putInt(4)
                .putInt(description.length)
                .putInt(type)
                .put("Xen\0".getBytes(StandardCharsets.US_ASCII))
                .put(description);
        return out.array();
    }

    public static byte[] le(int bytes, long value) {
        return Arrays.copyOf(
                ByteBuffer.allocate(8)
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .putLong(value)
                        .array(),
                bytes);
    }

    /** The ELF file. */
    public byte[] elf() {
        int headers = parts.size() + (note == null ? 0 : 1);
        int headerSize = wide ? 64 : 52;
        int entrySize = wide ? 56 : 32;
        int size = headerSize + headers * entrySize + (note == null ? 0 : note.length);
        for (Part part : parts) {
            size += part.content.length;
        }
        ByteBuffer out = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        out.put(new byte[] {0x7f, 'E', 'L', 'F', (byte) (wide ? 2 : 1), 1, 1, 0})
                .position(16);
        out.putShort((short) 2).putShort((short) machine).putInt(1);
        word(out, 0x100000);
        word(out, headerSize);
        word(out, 0);
        out.putInt(0).putShort((short) headerSize).putShort((short) entrySize).putShort((short) headers);
        int at = headerSize + headers * entrySize;
        out.position(headerSize);
        if (note != null) {
            header(out, 4, at, 0, note.length, note.length);
            out.put(at, note);
            at += note.length;
        }
        for (Part part : parts) {
            header(out, 1, at, part.physical, part.content.length, part.memorySize);
            out.put(at, part.content);
            at += part.content.length;
        }
        return out.array();
    }

    private void header(ByteBuffer out, int type, int offset, long physical, long fileSize, long memorySize) {
        out.putInt(type);
        if (wide) {
            out.putInt(7).putLong(offset).putLong(physical).putLong(physical);
            out.putLong(fileSize).putLong(memorySize).putLong(4);
        } else {
            out.putInt(offset).putInt((int) physical).putInt((int) physical);
            out.putInt((int) fileSize).putInt((int) memorySize).putInt(7).putInt(4);
        }
    }

    private void word(ByteBuffer out, long value) {
        if (wide) {
            out.putLong(value);
        } else {
            out.putInt((int) value);
        }
    }

    /** The ELF file with a symbol table behind it. A name that starts with '*' is of a section. */
    public byte[] elfWithSymbols(Map<String, Long> symbols) {
        byte[] elf = elf();
        ByteArrayOutputStream names = new ByteArrayOutputStream();
        names.write(0);
        int entrySize = wide ? 24 : 16;
        ByteBuffer table = ByteBuffer.allocate((symbols.size() + 1) * entrySize).order(ByteOrder.LITTLE_ENDIAN);
        table.position(entrySize);
        symbols.forEach((name, address) -> {
            int info = name.startsWith("*") ? 3 : 0x12;
            table.putInt(names.size());
            if (wide) {
                table.put((byte) info)
                        .put((byte) 0)
                        .putShort((short) 1)
                        .putLong(address)
                        .putLong(1);
            } else {
                table.putInt(address.intValue())
                        .putInt(1)
                        .put((byte) info)
                        .put((byte) 0)
                        .putShort((short) 1);
            }
            names.writeBytes((name + '\0').getBytes(StandardCharsets.US_ASCII));
        });
        int headerSize = wide ? 64 : 40;
        int sections = elf.length + table.capacity() + names.size();
        ByteBuffer out = ByteBuffer.allocate(sections + 3 * headerSize).order(ByteOrder.LITTLE_ENDIAN);
        out.put(elf).put(table.array()).put(names.toByteArray());
        section(out, sections + headerSize, 2, elf.length, table.capacity(), entrySize);
        section(out, sections + 2 * headerSize, 3, elf.length + table.capacity(), names.size(), 0);
        if (wide) {
            out.putLong(40, sections).putShort(58, (short) headerSize).putShort(60, (short) 3);
        } else {
            out.putInt(32, sections).putShort(46, (short) headerSize).putShort(48, (short) 3);
        }
        return out.array();
    }

    private void section(ByteBuffer out, int at, int type, int offset, int size, int entrySize) {
        out.putInt(at + 4, type);
        if (wide) {
            out.putLong(at + 24, offset)
                    .putLong(at + 32, size)
                    .putInt(at + 40, 2)
                    .putLong(at + 56, entrySize);
        } else {
            out.putInt(at + 16, offset).putInt(at + 20, size).putInt(at + 24, 2).putInt(at + 36, entrySize);
        }
    }

    /** A bzImage with the ELF file in it; compression by Linux's name, or "none". */
    public byte[] bzImage(String compression) {
        byte[] elf = elf();
        return bzImage(pack(compression, elf), Math.max(elf.length, 4096), true);
    }

    /** A bzImage around a payload that has its size appended already. */
    public static byte[] bzImage(byte[] payload, int initSize, boolean has64BitEntry) {
        int sectors = 3;
        int offset = 0x100;
        ByteBuffer out = ByteBuffer.allocate((sectors + 1) * 512 + offset + payload.length + 32)
                .order(ByteOrder.LITTLE_ENDIAN);
        out.put(0x1f1, (byte) sectors);
        out.putShort(0x1fe, (short) 0xaa55);
        out.put(0x202, "HdrS".getBytes(StandardCharsets.US_ASCII));
        out.putShort(0x206, (short) 0x20f);
        out.put(0x211, (byte) 1);
        out.putShort(0x236, (short) (has64BitEntry ? 1 : 0));
        out.putInt(0x248, offset);
        out.putInt(0x24c, payload.length);
        out.putInt(0x260, initSize);
        out.put((sectors + 1) * 512 + offset, payload);
        return out.array();
    }

    /** Compresses as the kernel's build does, with the size at the end. */
    public static byte[] pack(String compression, byte[] elf) {
        try {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            switch (compression) {
                case "none" -> out.write(elf);
                case "gzip" -> pipe(new GZIPOutputStream(out), elf);
                case "bzip2" -> pipe(new BZip2CompressorOutputStream(out), elf);
                case "xz" ->
                    pipe(
                            new XZOutputStream(
                                    out, new FilterOptions[] {new X86Options(), new LZMA2Options(6)}, XZ.CHECK_CRC32),
                            elf);
                case "lzma" -> pipe(new LZMAOutputStream(out, new LZMA2Options(6), -1), elf);
                case "lzo" -> pipe(new io.airlift.compress.v3.lzo.LzopHadoopStreams().createOutputStream(out), elf);
                case "zstd" -> {
                    var codec = new io.airlift.compress.v3.zstd.ZstdJavaCompressor();
                    byte[] packed = new byte[codec.maxCompressedLength(elf.length)];
                    out.write(packed, 0, codec.compress(elf, 0, elf.length, packed, 0, packed.length));
                }
                case "lz4" -> {
                    out.write(new byte[] {0x02, 0x21, 0x4c, 0x18});
                    for (int at = 0; at < elf.length; at += 8 << 20) {
                        byte[] block = LZ4Factory.safeInstance()
                                .highCompressor()
                                .compress(elf, at, Math.min(8 << 20, elf.length - at));
                        out.write(le(4, block.length));
                        out.write(block);
                    }
                }
                default -> throw new IllegalArgumentException(compression);
            }
            if (!compression.equals("gzip") && !compression.equals("none")) {
                out.write(le(4, elf.length));
            }
            return out.toByteArray();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void pipe(OutputStream stream, byte[] bytes) throws IOException {
        try (stream) {
            stream.write(bytes);
        }
    }

    /**
     * Stock kernels to test with: the files named vmlinuz-* in the directory that {@code -Dxenolith.test.kernels} or
     * the variable XENOLITH_TEST_KERNELS names, else in /boot.
     */
    public static List<Path> stockKernels() {
        String configured = System.getProperty("xenolith.test.kernels", System.getenv("XENOLITH_TEST_KERNELS"));
        Path directory = Path.of(configured == null ? "/boot" : configured);
        if (!Files.isDirectory(directory)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(directory)) {
            return files.filter(file -> file.getFileName().toString().startsWith("vmlinuz-") && Files.isReadable(file))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
