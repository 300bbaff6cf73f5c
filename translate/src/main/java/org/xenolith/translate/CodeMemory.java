package org.xenolith.translate;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import org.xenolith.memory.Raw;

/**
 * Memory for emitted code, of a fixed size: the same pages mapped twice, once writable and once executable, so that no
 * address is ever both. Where the host has no memfd, one mapping whose rights are toggled around each write.
 *
 * <p>Allocation is by bumping a pointer; there is no freeing but {@link #reset}. One thread uses an instance.
 */
public final class CodeMemory implements AutoCloseable {
    private static final int PROT_READ = 1;
    private static final int PROT_WRITE = 2;
    private static final int PROT_EXEC = 4;
    private static final int MAP_SHARED = 1;
    private static final int MAP_PRIVATE = 2;
    private static final int MAP_ANONYMOUS = 0x20;
    private static final int MFD_CLOEXEC = 1;
    private static final int ALIGNMENT = 16;

    private final long size;
    private final long executable;
    private final long writable;
    private final boolean doubleMapped;
    private long used;

    /**
     * Maps code memory.
     *
     * @param size bytes, a multiple of the page size
     * @throws IllegalStateException when the host refuses
     */
    public CodeMemory(long size) {
        this(size, true);
    }

    CodeMemory(long size, boolean tryDouble) {
        if (size <= 0 || (size & 4095) != 0) {
            throw new IllegalArgumentException("code memory of " + size + " bytes is not whole pages");
        }
        this.size = size;
        long rx = -1;
        long rw = -1;
        try {
            int fd = tryDouble ? memfd() : -1;
            if (fd >= 0) {
                if ((int) Calls.FTRUNCATE.invokeExact(fd, size) == 0) {
                    rw = (long) Calls.MMAP.invokeExact(0L, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0L);
                    rx = (long) Calls.MMAP.invokeExact(0L, size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0L);
                }
                int ignored = (int) Calls.CLOSE.invokeExact(fd);
                if ((rw == -1) != (rx == -1)) {
                    ignored = (int) Calls.MUNMAP.invokeExact(rw == -1 ? rx : rw, size);
                    rw = -1;
                    rx = -1;
                }
            }
            doubleMapped = rx != -1;
            if (!doubleMapped) {
                rx = (long)
                        Calls.MMAP.invokeExact(0L, size, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
                rw = rx;
            }
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException("cannot map code memory", e);
        }
        if (rx == -1) {
            throw new IllegalStateException("the host refused " + (size >> 20) + " MiB of executable memory");
        }
        executable = rx;
        writable = rw;
    }

    private static int memfd() throws Throwable {
        if (Calls.MEMFD_CREATE == null) {
            return -1;
        }
        try (Arena arena = Arena.ofConfined()) {
            return (int) Calls.MEMFD_CREATE.invokeExact(arena.allocateFrom("xenolith-code"), MFD_CLOEXEC);
        }
    }

    /** True when written and executed through different mappings. */
    public boolean doubleMapped() {
        return doubleMapped;
    }

    /** Address that the next {@link #add} will return, which is where code must be assembled for. */
    public long next() {
        return executable + used;
    }

    /** Bytes left. */
    public long room() {
        return size - used;
    }

    public long used() {
        return used;
    }

    /** True for an address inside. */
    public boolean contains(long address) {
        return address >= executable && address < executable + size;
    }

    /**
     * Copies code in.
     *
     * @return the address to execute it at
     * @throws IllegalStateException when there is no room
     */
    public long add(byte[] code, int length) {
        if (length > room()) {
            throw new IllegalStateException("code memory is full");
        }
        long at = next();
        write(at, code, length);
        used = Math.min(size, used + length + ALIGNMENT - 1 & -ALIGNMENT);
        return at;
    }

    /** Overwrites code at an executable address. Nothing may be executing in it. */
    public void write(long at, byte[] code, int length) {
        if (at < executable || at + length > executable + size) {
            throw new IllegalArgumentException("0x" + Long.toHexString(at) + " is not in code memory");
        }
        protect(PROT_READ | PROT_WRITE);
        Raw.copy(code, 0, at - executable + writable, length);
        protect(PROT_READ | PROT_EXEC);
    }

    private void protect(int rights) {
        if (doubleMapped) {
            return;
        }
        int result;
        try {
            result = (int) Calls.MPROTECT.invokeExact(executable, size, rights);
        } catch (Throwable e) {
            throw new IllegalStateException("cannot call mprotect", e);
        }
        if (result != 0) {
            throw new IllegalStateException("the host refused to change the rights of code memory");
        }
    }

    /** Forgets everything added since {@link #used} was {@code keep}. */
    public void reset(long keep) {
        used = keep;
    }

    @Override
    public void close() {
        try {
            int ignored = (int) Calls.MUNMAP.invokeExact(executable, size);
            if (doubleMapped) {
                ignored = (int) Calls.MUNMAP.invokeExact(writable, size);
            }
        } catch (Throwable e) {
            throw new IllegalStateException("cannot call munmap", e);
        }
    }

    /** The system calls of this class. */
    private static final class Calls {
        private static final Linker LINKER = Linker.nativeLinker();
        private static final SymbolLookup C = LINKER.defaultLookup();
        private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
        private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;

        static final MethodHandle MMAP = call("mmap", FunctionDescriptor.of(LONG, LONG, LONG, INT, INT, INT, LONG));
        static final MethodHandle MUNMAP = call("munmap", FunctionDescriptor.of(INT, LONG, LONG));
        static final MethodHandle MPROTECT = call("mprotect", FunctionDescriptor.of(INT, LONG, LONG, INT));
        static final MethodHandle FTRUNCATE = call("ftruncate", FunctionDescriptor.of(INT, INT, LONG));
        static final MethodHandle CLOSE = call("close", FunctionDescriptor.of(INT, INT));
        /** Null where the C library has none. */
        static final MethodHandle MEMFD_CREATE = C.find("memfd_create")
                .map(f -> LINKER.downcallHandle(f, FunctionDescriptor.of(INT, ValueLayout.ADDRESS, INT)))
                .orElse(null);

        private Calls() {}

        private static MethodHandle call(String name, FunctionDescriptor type) {
            MemorySegment f = C.findOrThrow(name);
            return LINKER.downcallHandle(f, type);
        }
    }
}
