package org.xenolith.hypervisor.hypercall;

import java.util.Arrays;
import java.util.List;
import org.xenolith.abi.Errno;
import org.xenolith.abi.MemoryOp;
import org.xenolith.hypervisor.Domain;
import org.xenolith.hypervisor.DomainMemory;
import org.xenolith.hypervisor.HypercallException;

/** memory_op. */
final class MemoryCalls {
    /** Frames that are dealt with before the virtual CPU looks at its events again. */
    private static final long STRETCH = 4096;
    /** Extents of one call: as many as a 32-bit command can count. */
    private static final long MOST_EXTENTS = (1L << 32 - MemoryOp.SHIFT) - 1;
    /** Largest extent that an unprivileged domain may ask for: 2 MiB. */
    private static final int LARGEST_ORDER = 9;
    /** Frames that are taken off together. */
    private static final int BATCH_FRAMES = 512;

    private MemoryCalls() {}

    static long memoryOp(Call call) {
        long command = call.argument(0);
        long pointer = call.argument(1);
        long start = command >>> MemoryOp.SHIFT;
        return switch ((int) (command & MemoryOp.MASK)) {
            case MemoryOp.POPULATE_PHYSMAP -> reservation(call, pointer, start, MemoryCalls::populate);
            case MemoryOp.DECREASE_RESERVATION -> decrease(call, pointer, start);
            // Frames without a place in the guest's memory are of no use to a translated guest: none is given.
            case MemoryOp.INCREASE_RESERVATION -> reservation(call, pointer, start, (memory, gfn, order) -> false);
            case MemoryOp.MAXIMUM_RAM_PAGE -> call.domain().machine().frames();
            case MemoryOp.CURRENT_RESERVATION -> named(call, pointer).memory().reservedFrames();
            case MemoryOp.MAXIMUM_RESERVATION -> named(call, pointer).memory().maxFrames();
            case MemoryOp.MAXIMUM_GPFN -> named(call, pointer).memory().highestGfn();
            case MemoryOp.ADD_TO_PHYSMAP -> addToPhysmap(call, pointer);
            case MemoryOp.ADD_TO_PHYSMAP_BATCH -> addToPhysmapBatch(call, pointer, start);
            case MemoryOp.REMOVE_FROM_PHYSMAP -> {
                int width = call.width();
                Struct in = call.read(pointer, 2 * width);
                Domain domain = call.ownDomain(in.u16(0));
                long gfn = in.word(width, width);
                if (!DomainMemory.isValid(gfn) || !domain.memory().remove(gfn)) {
                    yield -Errno.ENOENT;
                }
                yield 0;
            }
            case MemoryOp.MEMORY_MAP -> memoryMap(call, pointer);
            case MemoryOp.EXCHANGE, MemoryOp.MACHPHYS_MFN_LIST -> -Errno.EOPNOTSUPP;
            case MemoryOp.SET_MEMORY_MAP,
                    MemoryOp.SET_POD_TARGET,
                    MemoryOp.GET_POD_TARGET,
                    MemoryOp.CLAIM_PAGES,
                    MemoryOp.ACQUIRE_RESOURCE -> -Errno.EPERM;
            case MemoryOp.GET_VNUMAINFO -> -Errno.EOPNOTSUPP;
            case MemoryOp.GET_SHARING_FREED_PAGES, MemoryOp.GET_SHARING_SHARED_PAGES -> 0;
            default -> -Errno.ENOSYS;
        };
    }

    private static Domain named(Call call, long pointer) {
        return call.ownDomain(call.read(pointer, 2).u16(0));
    }

    /** Deals with one extent; false ends the call. */
    @FunctionalInterface
    private interface ExtentAction {
        boolean apply(DomainMemory memory, long gfn, int order);
    }

    private static long reservation(Call call, long pointer, long start, ExtentAction action) {
        int width = call.width();
        Struct in;
        DomainMemory memory;
        try {
            in = call.read(pointer, 2 * width + 12);
            memory = call.ownDomain(in.u16(2 * width + 8)).memory();
        } catch (HypercallException e) {
            // Not even this has an errno: the result is how many extents are done.
            return start;
        }
        long extents = in.word(0, width);
        long count = in.word(width, width);
        int order = in.i32(2 * width);
        if (isRefused(start, count, order)) {
            return start;
        }
        long done = start;
        while (done < count) {
            if (done - start << order >= STRETCH) {
                return call.again(call.argument(0) & MemoryOp.MASK | done << MemoryOp.SHIFT, pointer);
            }
            long gfn;
            try {
                gfn = call.read(extents + done * width, width).word(0, width);
            } catch (HypercallException e) {
                break;
            }
            if (!DomainMemory.isValid(gfn) || !action.apply(memory, gfn, order)) {
                break;
            }
            done++;
        }
        return done;
    }

    private static boolean isRefused(long start, long count, int order) {
        return Long.compareUnsigned(count, MOST_EXTENTS) > 0
                || Long.compareUnsigned(start, count) >= 0
                || order < 0
                || order > LARGEST_ORDER;
    }

    private static boolean populate(DomainMemory memory, long gfn, int order) {
        return memory.populate(gfn, 1L << order) == 1L << order;
    }

    /** Takes several extents off at a time: each time costs a TLB shootdown. */
    private static long decrease(Call call, long pointer, long start) {
        int width = call.width();
        Struct in;
        DomainMemory memory;
        try {
            in = call.read(pointer, 2 * width + 12);
            memory = call.ownDomain(in.u16(2 * width + 8)).memory();
        } catch (HypercallException e) {
            return start;
        }
        long extents = in.word(0, width);
        long count = in.word(width, width);
        int order = in.i32(2 * width);
        if (isRefused(start, count, order)) {
            return start;
        }
        long done = start;
        while (done < count) {
            if (done - start << order >= STRETCH) {
                return call.again(call.argument(0) & MemoryOp.MASK | done << MemoryOp.SHIFT, pointer);
            }
            int batch = (int) Math.min(Math.max(1, BATCH_FRAMES >> order), count - done);
            long[] frames = new long[batch << order];
            int read = 0;
            try {
                Struct list = call.read(extents + done * width, batch * width);
                for (; read < batch; read++) {
                    fill(frames, read, order, list.word(read * width, width));
                }
            } catch (HypercallException e) {
                // The list ends in memory that is not there: the extents before are done one by one.
                try {
                    fill(
                            frames,
                            0,
                            order,
                            call.read(extents + done * width, width).word(0, width));
                    read = 1;
                } catch (HypercallException end) {
                    return done;
                }
            }
            if (order > 0) {
                // All of an extent or nothing of it.
                for (int i = 0; i < read; i++) {
                    if (!owns(memory, frames, i << order, i + 1 << order)) {
                        read = i;
                    }
                }
            }
            int gone = memory.removeAll(Arrays.copyOf(frames, read << order)) >> order;
            done += gone;
            if (gone == 0 || gone < read) {
                break;
            }
        }
        return done;
    }

    private static void fill(long[] frames, int extent, int order, long gfn) {
        for (int i = 0; i < 1 << order; i++) {
            frames[(extent << order) + i] = gfn + i;
        }
    }

    private static boolean owns(DomainMemory memory, long[] frames, int from, int to) {
        for (int i = from; i < to; i++) {
            if (!DomainMemory.isValid(frames[i])
                    || !memory.isOwned(frames[i]) && !memory.map().isOnDemand(frames[i])) {
                return false;
            }
        }
        return true;
    }

    private static long addToPhysmap(Call call, long pointer) {
        int width = call.width();
        Struct in = call.read(pointer, 8 + 2 * width);
        Domain domain = call.ownDomain(in.u16(0));
        add(domain, in.i32(4), in.word(8, width), in.word(8 + width, width), in.u16(2));
        return 0;
    }

    private static long addToPhysmapBatch(Call call, long pointer, long start) {
        int width = call.width();
        Struct in = call.read(pointer, 8 + 3 * width);
        Domain domain = call.ownDomain(in.u16(0));
        int space = in.u16(2);
        int size = in.u16(4);
        if (start < 0 || start > size) {
            return -Errno.EILSEQ;
        }
        for (long i = start; i < size; i++) {
            if (i - start == STRETCH) {
                return call.again(call.argument(0) & MemoryOp.MASK | i << MemoryOp.SHIFT, pointer);
            }
            long index = call.read(in.word(8, width) + i * width, width).word(0, width);
            long gfn = call.read(in.word(8 + width, width) + i * width, width).word(0, width);
            Struct error = new Struct(4);
            try {
                add(domain, space, index, gfn, 1);
            } catch (HypercallException e) {
                error.putU32(0, -e.errno());
            }
            call.write(in.word(8 + 2 * width, width) + i * 4, error);
        }
        return 0;
    }

    private static void add(Domain domain, int space, long index, long gfn, int size) {
        if (!DomainMemory.isValid(gfn)) {
            throw Call.failure(Errno.EINVAL);
        }
        switch (space) {
            case MemoryOp.SPACE_SHARED_INFO -> {
                if (index != 0) {
                    throw Call.failure(Errno.EINVAL);
                }
                domain.mapSharedInfo(gfn);
            }
            case MemoryOp.SPACE_GRANT_TABLE -> domain.grantTable().mapFrame(index, gfn);
            case MemoryOp.SPACE_GMFN -> move(domain.memory(), index, gfn);
            case MemoryOp.SPACE_GMFN_RANGE -> {
                for (int i = 0; i < size; i++) {
                    move(domain.memory(), index + i, gfn + i);
                }
            }
            case MemoryOp.SPACE_GMFN_FOREIGN, MemoryOp.SPACE_DEV_MMIO -> throw Call.failure(Errno.EPERM);
            default -> throw Call.failure(Errno.EINVAL);
        }
    }

    private static void move(DomainMemory memory, long from, long to) {
        if (!DomainMemory.isValid(from) || !DomainMemory.isValid(to) || !memory.move(from, to)) {
            throw Call.failure(Errno.EINVAL);
        }
    }

    private static long memoryMap(Call call, long pointer) {
        int width = call.width();
        List<DomainMemory.Range> ranges = call.domain().memory().ranges();
        if (ranges.isEmpty()) {
            return -Errno.ENOSYS;
        }
        Struct in = call.read(pointer, 2 * width);
        int count = (int) Math.min(in.u32(0), ranges.size());
        Struct out = new Struct(count * MemoryOp.E820_ENTRY_SIZE);
        for (int i = 0; i < count; i++) {
            int at = i * MemoryOp.E820_ENTRY_SIZE;
            out.putU64(at, ranges.get(i).start());
            out.putU64(at + 8, ranges.get(i).size());
            out.putU32(at + 16, ranges.get(i).type());
        }
        call.write(in.word(width, width), out);
        in.putU32(0, count);
        call.write(pointer, in, 0, 4);
        return 0;
    }
}
