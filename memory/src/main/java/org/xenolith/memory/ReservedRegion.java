package org.xenolith.memory;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * A range of host address space that the operating system backs with zeroed pages on first touch.
 *
 * <p>On Linux an anonymous private mapping without swap reservation; elsewhere a sparse temporary file, mapped, which
 * behaves the same but for {@link #discard}, which then writes zeros.
 */
final class ReservedRegion implements AutoCloseable {
    private static final int PROT_READ = 1;
    private static final int PROT_WRITE = 2;
    private static final int MAP_PRIVATE = 0x02;
    private static final int MAP_ANONYMOUS = 0x20;
    private static final int MAP_NORESERVE = 0x4000;
    private static final int MADV_DONTNEED = 4;
    private static final long MAP_FAILED = -1L;

    private final long address;
    private final long size;
    /** Null when the region is an anonymous mapping of Linux. */
    private final Arena fileArena;

    private ReservedRegion(long address, long size, Arena fileArena) {
        this.address = address;
        this.size = size;
        this.fileArena = fileArena;
    }

    static ReservedRegion reserve(long size) {
        return Linux.AVAILABLE ? anonymous(size) : file(size);
    }

    private static ReservedRegion anonymous(long size) {
        long address;
        try {
            address = (long) Linux.MMAP.invokeExact(
                    0L, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0L);
        } catch (Throwable e) {
            throw new MachineMemoryException("cannot call mmap", e);
        }
        if (address == MAP_FAILED) {
            throw new MachineMemoryException(
                    "the host refused to reserve " + (size >> 20) + " MiB of address space: ask for less memory");
        }
        return new ReservedRegion(address, size, null);
    }

    private static ReservedRegion file(long size) {
        Arena arena = Arena.ofShared();
        try {
            Path path = Files.createTempFile("xenolith-memory", ".bin");
            try (FileChannel channel = FileChannel.open(
                    path,
                    StandardOpenOption.READ,
                    StandardOpenOption.WRITE,
                    StandardOpenOption.SPARSE,
                    StandardOpenOption.DELETE_ON_CLOSE)) {
                MemorySegment segment = channel.map(FileChannel.MapMode.READ_WRITE, 0, size, arena);
                return new ReservedRegion(segment.address(), size, arena);
            }
        } catch (IOException e) {
            arena.close();
            throw new MachineMemoryException("cannot map " + (size >> 20) + " MiB of a sparse file", e);
        }
    }

    long address() {
        return address;
    }

    /** Drops the content of whole pages; they read as zeros afterwards. */
    void discard(long offset, long bytes) {
        if (fileArena != null) {
            Raw.fill(address + offset, bytes, (byte) 0);
            return;
        }
        int result;
        try {
            result = (int) Linux.MADVISE.invokeExact(address + offset, bytes, MADV_DONTNEED);
        } catch (Throwable e) {
            throw new MachineMemoryException("cannot call madvise", e);
        }
        if (result != 0) {
            Raw.fill(address + offset, bytes, (byte) 0);
        }
    }

    @Override
    public void close() {
        if (fileArena != null) {
            fileArena.close();
            return;
        }
        try {
            int ignored = (int) Linux.MUNMAP.invokeExact(address, size);
        } catch (Throwable e) {
            throw new MachineMemoryException("cannot call munmap", e);
        }
    }

    /** The three calls of Linux that this class needs; initialised on first use only. */
    private static final class Linux {
        static final boolean AVAILABLE = System.getProperty("os.name").equals("Linux");
        static final MethodHandle MMAP = AVAILABLE
                ? call(
                        "mmap",
                        FunctionDescriptor.of(
                                ValueLayout.JAVA_LONG,
                                ValueLayout.JAVA_LONG,
                                ValueLayout.JAVA_LONG,
                                ValueLayout.JAVA_INT,
                                ValueLayout.JAVA_INT,
                                ValueLayout.JAVA_INT,
                                ValueLayout.JAVA_LONG))
                : null;
        static final MethodHandle MUNMAP = AVAILABLE
                ? call(
                        "munmap",
                        FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG))
                : null;
        static final MethodHandle MADVISE = AVAILABLE
                ? call(
                        "madvise",
                        FunctionDescriptor.of(
                                ValueLayout.JAVA_INT,
                                ValueLayout.JAVA_LONG,
                                ValueLayout.JAVA_LONG,
                                ValueLayout.JAVA_INT))
                : null;

        private Linux() {}

        private static MethodHandle call(String name, FunctionDescriptor type) {
            Linker linker = Linker.nativeLinker();
            return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), type);
        }
    }
}
