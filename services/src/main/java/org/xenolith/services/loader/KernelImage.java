package org.xenolith.services.loader;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.xenolith.abi.ElfNoteType;

/**
 * A kernel, ready to be placed in guest memory: the ELF image, unpacked when it came in a bzImage.
 *
 * <p>A bzImage's own unpacking code is never run: the loader unpacks the payload, and the guest starts at the PVH entry
 * point of the ELF file inside. So physical addresses are those that the kernel was linked for.
 *
 * <p>Close it when the guest is built: it may hold a mapping of a file.
 */
public final class KernelImage implements AutoCloseable {
    /**
     * The largest file that is looked at, and the most that one may unpack to. Debian's kernels unpack to 53 and 66 MB.
     */
    static final long MAX_SIZE = 512L << 20;

    /** An ELF file with debug information is bigger, and is mapped instead of read. */
    private static final long MAX_ELF_SIZE = 8L << 30;

    private final ElfImage elf;
    private final String format;
    private final Arena arena;

    private KernelImage(ElfImage elf, String format, Arena arena) {
        this.elf = elf;
        this.format = format;
        this.arena = arena;
    }

    /** Loads a bzImage or an ELF kernel; messages of exceptions start with the path. */
    public static KernelImage load(Path path) throws IOException {
        return load(path, null);
    }

    /** Like {@link #load(Path)}, with the unpacked kernel kept in {@code cache}, and taken from there the next time. */
    public static KernelImage load(Path path, KernelCache cache) throws IOException {
        try {
            if (!Files.isRegularFile(path)) {
                if (Files.exists(path)) {
                    throw new ImageFormatException("not a file; give a vmlinuz (bzImage) or a vmlinux (ELF)");
                }
                throw new NoSuchFileException(
                        path.toString(), null, "no such file; give a vmlinuz (bzImage) or a vmlinux (ELF)");
            }
            return open(path, cache);
        } catch (ImageFormatException e) {
            throw new ImageFormatException(path + ": " + e.getMessage(), e);
        } catch (AccessDeniedException e) {
            throw new AccessDeniedException(path.toString(), null, "cannot be read; change its permissions or copy it");
        }
    }

    private static KernelImage open(Path path, KernelCache cache) throws IOException {
        long size = Files.size(path);
        boolean isElf;
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            ByteBuffer head = ByteBuffer.allocate(4);
            while (head.hasRemaining() && channel.read(head) >= 0) {}
            isElf = ElfImage.matches(new ImageBytes(MemorySegment.ofArray(head.array()), "the kernel"));
        }
        if (isElf) {
            if (size > MAX_ELF_SIZE) {
                throw new ImageFormatException("absurd size for a kernel: " + size + " bytes");
            }
            return map(path, size, "ELF");
        }
        if (size > MAX_SIZE) {
            throw new ImageFormatException("not a kernel: " + (size >> 20) + " MiB and no ELF header;"
                    + " give a vmlinuz (bzImage) or a vmlinux (ELF)");
        }
        if (cache == null) {
            return load(Files.readAllBytes(path));
        }
        String key = cache.key(path);
        KernelCache.Entry entry = cache.find(key);
        if (entry != null) {
            try {
                return new KernelImage(ElfImage.parse(entry.content()), entry.format(), entry.arena());
            } catch (ImageFormatException e) {
                entry.arena().close();
                cache.drop(key);
            }
        }
        KernelImage image = load(Files.readAllBytes(path));
        cache.store(key, image.format, image.bytes());
        return image;
    }

    /** Loads a bzImage or an ELF kernel that is already in memory. The array is not copied, so leave it alone. */
    public static KernelImage load(byte[] file) throws ImageFormatException {
        ImageBytes bytes = new ImageBytes(MemorySegment.ofArray(file), "the kernel");
        if (ElfImage.matches(bytes)) {
            return new KernelImage(ElfImage.parse(bytes.segment()), "ELF", null);
        }
        if (file.length == 0) {
            throw new ImageFormatException("the file is empty; give a vmlinuz (bzImage) or a vmlinux (ELF)");
        }
        if (!BzImage.matches(bytes)) {
            throw new ImageFormatException(
                    "not a kernel" + describe(bytes) + "; give a vmlinuz (bzImage) or a vmlinux (ELF)");
        }
        BzImage header = BzImage.parse(bytes);
        PeSignature.check(file, bytes);
        int offset = header.payloadOffset();
        int length = header.payloadLength();
        Compression compression = Compression.detect(bytes, offset);
        String format;
        MemorySegment unpacked;
        if (compression != null) {
            // The field exists since protocol 2.10; a kernel cannot unpack itself to more than this.
            long limit = bytes.u16(0x206) >= 0x20a ? Math.min(header.initSize(), MAX_SIZE) : MAX_SIZE;
            format = "bzImage, " + compression.label();
            unpacked = MemorySegment.ofArray(compression.unpack(file, offset, length, limit));
        } else if (bytes.startsWith(offset, 0x7f, 'E', 'L', 'F')) {
            format = "bzImage, not compressed";
            unpacked = bytes.segment().asSlice(offset, length);
        } else {
            throw new ImageFormatException(
                    "the kernel is corrupt or compressed in an unknown way: its payload starts with "
                            + String.format("%08x", Integer.reverseBytes((int) bytes.u32(offset)))
                            + "; get the file again");
        }
        if (!ElfImage.matches(new ImageBytes(unpacked, "the kernel"))) {
            throw new ImageFormatException(
                    "the kernel is corrupt: what it unpacks to is not an ELF file; get it again");
        }
        ElfImage elf = ElfImage.parse(unpacked);
        if (!header.has64BitEntry() && !elf.notes().has(ElfNoteType.PHYS32_ENTRY)) {
            throw new ImageFormatException(
                    "the kernel is 32-bit only and has no PVH entry point; use an x86-64 kernel such as linux-image-amd64");
        }
        return new KernelImage(elf, format, null);
    }

    private static KernelImage map(Path path, long size, String format) throws IOException {
        Arena arena = Arena.ofShared();
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            MemorySegment content = channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena);
            return new KernelImage(ElfImage.parse(content), format, arena);
        } catch (IOException | RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    /** What a file that is not a kernel looks like, for the common mistakes. */
    private static String describe(ImageBytes bytes) throws ImageFormatException {
        if (bytes.startsWith(56, 'A', 'R', 'M', 0x64)) {
            return " for x86 but for ARM64";
        }
        if (bytes.startsWith(0, 0x1f, 0x8b)
                || bytes.startsWith(0, 0xfd, '7', 'z', 'X', 'Z')
                || bytes.startsWith(0, 0x28, 0xb5, 0x2f, 0xfd)) {
            return " but a compressed file (an initrd?)";
        }
        if (bytes.startsWith(0, '0', '7', '0', '7')) {
            return " but a cpio archive (an initrd?)";
        }
        if (bytes.startsWith(0, '!', '<', 'a', 'r', 'c', 'h', '>')) {
            return " but a Debian package";
        }
        if (bytes.startsWith(0, 'Q', 'F', 'I', 0xfb) || bytes.startsWith(0x1fe, 0x55, 0xaa)) {
            return " but a disk image";
        }
        return bytes.size() < 0x264
                ? ": it has only " + bytes.size() + " bytes"
                : ": neither a bzImage nor an ELF header";
    }

    /** The ELF image. */
    public ElfImage elf() {
        return elf;
    }

    /** The bytes of the ELF image. */
    public MemorySegment bytes() {
        return elf.bytes();
    }

    /** The Xen notes of the ELF image. */
    public XenNotes notes() {
        return elf.notes();
    }

    /** Where the kernel came from, for people: "bzImage, lz4". */
    public String format() {
        return format;
    }

    @Override
    public void close() {
        if (arena != null && arena.scope().isAlive()) {
            arena.close();
        }
    }
}
