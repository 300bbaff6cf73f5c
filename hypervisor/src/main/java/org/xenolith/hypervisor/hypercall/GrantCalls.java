package org.xenolith.hypervisor.hypercall;

import org.xenolith.abi.DomainId;
import org.xenolith.abi.Errno;
import org.xenolith.abi.GrantStatus;
import org.xenolith.abi.GrantTableOp;
import org.xenolith.hypervisor.GuestKind;
import org.xenolith.hypervisor.HypercallException;
import org.xenolith.hypervisor.grants.GrantException;
import org.xenolith.hypervisor.grants.GrantTable;
import org.xenolith.hypervisor.grants.GrantTable.CopyEnd;
import org.xenolith.memory.GuestPhysical;

/** grant_table_op. The structures are the same in 32- and 64-bit mode, but for pointers. */
final class GrantCalls {
    /** Elements that are dealt with before the virtual CPU looks at its events again. */
    private static final int STRETCH = 1024;

    private GrantCalls() {}

    /** What Xen lets a guest of translated memory do; all else is ENOSYS for it. */
    private static boolean isForTranslated(int operation) {
        return switch (operation) {
            case GrantTableOp.MAP_GRANT_REF,
                    GrantTableOp.UNMAP_GRANT_REF,
                    GrantTableOp.COPY,
                    GrantTableOp.SWAP_GRANT_REF,
                    GrantTableOp.QUERY_SIZE,
                    GrantTableOp.SETUP_TABLE,
                    GrantTableOp.SET_VERSION,
                    GrantTableOp.GET_VERSION -> true;
            default -> false;
        };
    }

    static long grantTableOp(Call call) {
        int operation = call.intArgument(0);
        long pointer = call.argument(1);
        int count = call.intArgument(2);
        if (call.domain().settings().kind() != GuestKind.PV && !isForTranslated(operation)) {
            return -Errno.ENOSYS;
        }
        if (count < 0) {
            return -Errno.EINVAL;
        }
        return switch (operation) {
            case GrantTableOp.MAP_GRANT_REF ->
                each(call, pointer, count, GrantTableOp.MAP_SIZE, 18, 14, GrantCalls::map);
            case GrantTableOp.UNMAP_GRANT_REF ->
                each(call, pointer, count, GrantTableOp.UNMAP_SIZE, 20, 2, GrantCalls::unmap);
            case GrantTableOp.COPY -> each(call, pointer, count, GrantTableOp.COPY_SIZE, 36, 2, GrantCalls::copy);
            case GrantTableOp.SWAP_GRANT_REF ->
                each(call, pointer, count, GrantTableOp.SWAP_SIZE, 8, 2, GrantCalls::swap);
            case GrantTableOp.QUERY_SIZE -> single(call, pointer, count, GrantCalls::querySize);
            case GrantTableOp.SETUP_TABLE -> single(call, pointer, count, GrantCalls::setupTable);
            case GrantTableOp.GET_STATUS_FRAMES -> single(call, pointer, count, GrantCalls::statusFrames);
            case GrantTableOp.SET_VERSION -> setVersion(call, pointer);
            case GrantTableOp.GET_VERSION -> getVersion(call, pointer);
            default -> -Errno.ENOSYS;
        };
    }

    /** Deals with one element; what it writes into the structure goes back to the guest. */
    @FunctionalInterface
    private interface Element {
        void apply(Call call, Struct element);
    }

    /**
     * Deals with an array. An element that cannot be read or written ends it with EFAULT; those before it are done.
     *
     * @param statusAt where an element has its 16-bit status
     * @param outSize bytes from there that go back
     */
    private static long each(Call call, long pointer, int count, int size, int statusAt, int outSize, Element action) {
        int now = Math.min(count, STRETCH);
        for (int i = 0; i < now; i++) {
            long at = pointer + (long) i * size;
            Struct element = call.read(at, size);
            try {
                element.putU16(statusAt, GrantStatus.OKAY);
                action.apply(call, element);
            } catch (GrantException e) {
                element.putU16(statusAt, e.status());
            }
            call.write(at, element, statusAt, outSize);
        }
        return now == count ? 0 : call.again(call.argument(0), pointer + (long) now * size, count - now);
    }

    private static void map(Call call, Struct element) {
        GrantTable.Mapped mapped =
                call.domain().grantTable().map(element.u16(16), element.i32(12), element.i32(8), element.u64(0));
        element.putU32(20, mapped.handle());
        element.putU64(24, (long) mapped.mfn() << GuestPhysical.FRAME_SHIFT);
    }

    private static void unmap(Call call, Struct element) {
        call.domain().grantTable().unmap(element.i32(16), element.u64(0));
    }

    private static void copy(Call call, Struct element) {
        int flags = element.u16(34);
        call.domain()
                .grantTable()
                .copy(
                        copyEnd(element, 0, (flags & GrantTableOp.COPY_SOURCE_REF) != 0),
                        copyEnd(element, 16, (flags & GrantTableOp.COPY_DEST_REF) != 0),
                        element.u16(32));
    }

    private static CopyEnd copyEnd(Struct element, int at, boolean isRef) {
        return new CopyEnd(isRef, isRef ? element.u32(at) : element.u64(at), element.u16(at + 8), element.u16(at + 10));
    }

    private static void swap(Call call, Struct element) {
        call.domain().grantTable().swap(element.i32(0), element.i32(4));
    }

    /** An operation on a whole table: takes exactly one element. */
    @FunctionalInterface
    private interface TableAction {
        long apply(Call call, long pointer);
    }

    private static long single(Call call, long pointer, int count, TableAction action) {
        return count == 1 ? action.apply(call, pointer) : -Errno.EINVAL;
    }

    /** The status for a table that is not the caller's. */
    private static int statusFor(Call call, int domid) {
        if (domid == DomainId.SELF || domid == call.domain().id()) {
            return GrantStatus.OKAY;
        }
        return call.domain().domains().get(domid) == null ? GrantStatus.BAD_DOMAIN : GrantStatus.PERMISSION_DENIED;
    }

    private static long querySize(Call call, long pointer) {
        Struct out = call.read(pointer, GrantTableOp.QUERY_SIZE_SIZE);
        int status = statusFor(call, out.u16(0));
        if (status == GrantStatus.OKAY) {
            GrantTable table = call.domain().grantTable();
            out.putU32(4, table.frames());
            out.putU32(8, table.maxFrames());
        }
        out.putU16(12, status);
        call.write(pointer, out);
        return 0;
    }

    private static long setupTable(Call call, long pointer) {
        int width = call.width();
        Struct in = call.read(pointer, width == 8 ? 24 : 16);
        GrantTable table = call.domain().grantTable();
        int count = in.i32(4);
        int status = statusFor(call, in.u16(0));
        if (status == GrantStatus.OKAY) {
            status = count < 0 || !table.grow(count)
                    ? GrantStatus.GENERAL_ERROR
                    : writeFrames(call, in.word(width == 8 ? 16 : 12, width), table.frameNumbers(false, count), width);
        }
        in.putU16(8, status);
        call.write(pointer, in, 8, 2);
        return 0;
    }

    /** Tells frame numbers; returns the status. */
    private static int writeFrames(Call call, long list, long[] frames, int width) {
        Struct numbers = new Struct(frames.length * width);
        for (int i = 0; i < frames.length; i++) {
            numbers.putWord(i * width, width, frames[i]);
        }
        try {
            call.write(list, numbers);
            return GrantStatus.OKAY;
        } catch (HypercallException e) {
            return GrantStatus.BAD_VIRTUAL_ADDRESS;
        }
    }

    private static long statusFrames(Call call, long pointer) {
        int width = call.width();
        Struct in = call.read(pointer, 8 + width);
        GrantTable table = call.domain().grantTable();
        int count = in.i32(0);
        int status = statusFor(call, in.u16(4));
        if (status == GrantStatus.OKAY) {
            status = count < 0 || count > table.statusFrames()
                    ? GrantStatus.GENERAL_ERROR
                    : writeFrames(call, in.word(8, width), table.frameNumbers(true, count), 8);
        }
        in.putU16(6, status);
        call.write(pointer, in, 6, 2);
        return 0;
    }

    /** The version that is in force goes back whatever comes of it. */
    private static long setVersion(Call call, long pointer) {
        Struct inOut = call.read(pointer, 4);
        GrantTable table = call.domain().grantTable();
        long result = 0;
        try {
            table.setVersion(inOut.i32(0));
        } catch (HypercallException e) {
            result = -e.errno();
        }
        inOut.putU32(0, table.version());
        call.write(pointer, inOut);
        return result;
    }

    private static long getVersion(Call call, long pointer) {
        Struct out = call.read(pointer, 8);
        call.ownDomain(out.u16(0));
        out.putU32(4, call.domain().grantTable().version());
        call.write(pointer, out, 4, 4);
        return 0;
    }
}
