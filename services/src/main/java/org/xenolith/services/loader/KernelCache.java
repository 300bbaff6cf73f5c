package org.xenolith.services.loader;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import java.util.zip.CRC32C;

/**
 * Unpacked kernels in a directory, so that unpacking is paid for once (about 2 s for an XZ kernel).
 *
 * <p>An entry's name is a hash of the kernel's path, size, time of change and first 64 KiB, so a hit does not read the
 * rest of the kernel. An entry appears by an atomic rename, is never changed, and is checked when it is opened:
 *
 * <pre>
 *   0        the ELF file
 *   n        24 bytes: how it was packed, ASCII padded with zeros
 *   n + 24   u64 n
 *   n + 32   u32 CRC32C of the bytes 0 .. n + 32
 *   n + 36   "XENK"
 * </pre>
 *
 * <p>A cache that cannot be read or written is not an error: loading is only slower, and {@code warnings} hears of it.
 */
public final class KernelCache {
    private static final int LABEL = 24;
    private static final int TRAILER = LABEL + 16;
    private static final int MAGIC = 'X' | 'E' << 8 | 'N' << 16 | 'K' << 24;
    private static final String SUFFIX = ".kernel";
    private static final int KEPT = 6;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Path directory;
    private final Consumer<String> warnings;

    public KernelCache(Path directory, Consumer<String> warnings) {
        this.directory = directory;
        this.warnings = warnings;
    }

    record Entry(MemorySegment content, String format, Arena arena) {}

    String key(Path kernel) throws IOException {
        BasicFileAttributes attributes = Files.readAttributes(kernel, BasicFileAttributes.class);
        MessageDigest digest;
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
        digest.update(kernel.toRealPath().toString().getBytes(StandardCharsets.UTF_8));
        digest.update(
                ("\0" + attributes.size() + '\0' + attributes.lastModifiedTime().to(TimeUnit.NANOSECONDS))
                        .getBytes(StandardCharsets.UTF_8));
        try (var in = Files.newInputStream(kernel)) {
            digest.update(in.readNBytes(64 << 10));
        }
        return HexFormat.of().formatHex(digest.digest(), 0, 16);
    }

    /** The entry, or null when there is none that is whole. */
    Entry find(String key) {
        Path path = path(key);
        if (!Files.isRegularFile(path)) {
            return null;
        }
        Arena arena = Arena.ofShared();
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            long size = channel.size();
            if (size > TRAILER && size <= KernelImage.MAX_SIZE + TRAILER) {
                MemorySegment all = channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena);
                long n = size - TRAILER;
                if (all.get(INT, n + LABEL + 12) == MAGIC
                        && all.get(LONG, n + LABEL) == n
                        && all.get(INT, n + LABEL + 8) == checksum(all.asSlice(0, n + LABEL + 8))) {
                    touch(path);
                    return new Entry(all.asSlice(0, n), label(all.asSlice(n, LABEL)), arena);
                }
            }
            arena.close();
            drop(key);
            warnings.accept("dropped a damaged entry of the kernel cache: " + path);
            return null;
        } catch (IOException e) {
            arena.close();
            warnings.accept("cannot read the kernel cache: " + reason(e));
            return null;
        }
    }

    void store(String key, String format, MemorySegment content) {
        Path temporary = null;
        try {
            Files.createDirectories(directory);
            temporary = Files.createTempFile(directory, "new", ".tmp");
            byte[] trailer = new byte[TRAILER];
            byte[] label = format.getBytes(StandardCharsets.US_ASCII);
            System.arraycopy(label, 0, trailer, 0, Math.min(label.length, LABEL - 1));
            ByteBuffer end = ByteBuffer.wrap(trailer).order(ByteOrder.LITTLE_ENDIAN);
            end.putLong(LABEL, content.byteSize());
            CRC32C crc = new CRC32C();
            crc.update(content.asByteBuffer());
            crc.update(trailer, 0, LABEL + 8);
            end.putInt(LABEL + 8, (int) crc.getValue());
            end.putInt(LABEL + 12, MAGIC);
            try (FileChannel channel = FileChannel.open(temporary, StandardOpenOption.WRITE)) {
                write(channel, content.asByteBuffer());
                write(channel, end);
            }
            Files.move(temporary, path(key), StandardCopyOption.ATOMIC_MOVE);
            evict();
        } catch (IOException e) {
            warnings.accept("the unpacked kernel is not cached, so the next start is no faster: " + reason(e));
            if (temporary != null) {
                delete(temporary);
            }
        }
    }

    void drop(String key) {
        delete(path(key));
    }

    private Path path(String key) {
        return directory.resolve(key + SUFFIX);
    }

    private void delete(Path path) {
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            warnings.accept("cannot remove " + reason(e));
        }
    }

    /** The time of the last use decides who leaves; a read-only cache just keeps its times. */
    private static void touch(Path path) {
        if (Files.isWritable(path)) {
            path.toFile().setLastModified(Instant.now().toEpochMilli());
        }
    }

    /** Removes the entries that were used longest ago, and what an interrupted run left. */
    private void evict() throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            List<Path> all = files.toList();
            all.stream()
                    .filter(file -> file.toString().endsWith(SUFFIX))
                    .sorted(Comparator.comparing(KernelCache::lastUsed).reversed())
                    .skip(KEPT)
                    .forEach(this::delete);
            Instant hourAgo = Instant.now().minusSeconds(3600);
            all.stream()
                    .filter(file -> file.toString().endsWith(".tmp"))
                    .filter(file -> lastUsed(file).toInstant().isBefore(hourAgo))
                    .forEach(this::delete);
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    private static FileTime lastUsed(Path path) {
        try {
            return Files.getLastModifiedTime(path);
        } catch (IOException e) {
            // Another process removed it.
            return FileTime.fromMillis(0);
        }
    }

    private static void write(FileChannel channel, ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
    }

    private static int checksum(MemorySegment bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes.asByteBuffer());
        return (int) crc.getValue();
    }

    private static String label(MemorySegment bytes) {
        byte[] array = bytes.toArray(ValueLayout.JAVA_BYTE);
        int end = 0;
        while (end < array.length && array[end] != 0) {
            end++;
        }
        return new String(array, 0, end, StandardCharsets.US_ASCII);
    }

    private static String reason(IOException e) {
        return e.getClass().getSimpleName().replace("Exception", "") + ": " + e.getMessage();
    }
}
