package org.xenolith.hypervisor.hypercall;

import org.xenolith.abi.DomainId;
import org.xenolith.abi.Errno;
import org.xenolith.abi.GrantStatus;
import org.xenolith.abi.GrantTableOp;
import org.xenolith.hypervisor.grants.GrantException;
import org.xenolith.hypervisor.grants.GrantTable;
import org.xenolith.hypervisor.grants.GrantTable.CopyEnd;

/** grant_table_op. The structures are the same in 32- and 64-bit mode, but for pointers. */
final class GrantCalls {
    /** Elements of one call. */
    private static final long LIMIT = 1 << 16;

    private GrantCalls() {}

    static long grantTableOp(Call call) {
        long pointer = call.argument(1);
        long count = call.argument(2) & 0xffffffffL;
        if (count > LIMIT) {
            return -Errno.EINVAL;
        }
        return switch (call.intArgument(0)) {
            case GrantTableOp.MAP_GRANT_REF ->
                each(call, pointer, count, GrantTableOp.MAP_SIZE, 18, 10, GrantCalls::map);
            case GrantTableOp.UNMAP_GRANT_REF ->
                each(call, pointer, count, GrantTableOp.UNMAP_SIZE, 20, 2, GrantCalls::unmap);
            case GrantTableOp.COPY -> each(call, pointer, count, GrantTableOp.COPY_SIZE, 36, 2, GrantCalls::copy);
            case GrantTableOp.SWAP_GRANT_REF ->
                each(call, pointer, count, GrantTableOp.SWAP_SIZE, 8, 2, GrantCalls::swap);
            case GrantTableOp.QUERY_SIZE -> single(call, pointer, count, GrantCalls::querySize);
            case GrantTableOp.SETUP_TABLE -> single(call, pointer, count, GrantCalls::setupTable);
            case GrantTableOp.GET_STATUS_FRAMES -> single(call, pointer, count, GrantCalls::statusFrames);
            case GrantTableOp.SET_VERSION -> single(call, pointer, count, GrantCalls::setVersion);
            case GrantTableOp.GET_VERSION -> single(call, pointer, count, GrantCalls::getVersion);
            default -> -Errno.ENOSYS;
        };
    }

    /** Deals with one element; what it writes into the structure goes back to the guest. */
    @FunctionalInterface
    private interface Element {
        void apply(Call call, Struct element);
    }

    /**
     * Deals with an array.
     *
     * @param statusAt where an element has its 16-bit status
     * @param outSize bytes from there that go back
     */
    private static long each(Call call, long pointer, long count, int size, int statusAt, int outSize, Element action) {
        for (long i = 0; i < count; i++) {
            Struct element = call.read(pointer + i * size, size);
            try {
                element.putU16(statusAt, GrantStatus.OKAY);
                action.apply(call, element);
            } catch (GrantException e) {
                element.putU16(statusAt, e.status());
            }
            call.write(pointer + i * size, element, statusAt, outSize);
        }
        return 0;
    }

    private static void map(Call call, Struct element) {
        int handle = call.domain().grantTable().map(element.u16(16), element.i32(12), element.i32(8), element.u64(0));
        element.putU32(20, handle);
        element.putU64(24, 0);
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

    private static long single(Call call, long pointer, long count, TableAction action) {
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
        Struct out = call.read(pointer, 12 + call.width());
        int width = call.width();
        GrantTable table = call.domain().grantTable();
        int count = out.i32(4);
        int status = statusFor(call, out.u16(0));
        if (count < 0 || count > table.maxFrames()) {
            return -Errno.EINVAL;
        }
        if (status == GrantStatus.OKAY && !table.grow(count)) {
            status = GrantStatus.GENERAL_ERROR;
        }
        out.putU16(8, status);
        if (status == GrantStatus.OKAY) {
            long list = call.read(pointer, width == 8 ? 24 : 16).word(width == 8 ? 16 : 12, width);
            writeFrames(call, list, table.frameNumbers(false, count), width);
        }
        call.write(pointer, out, 8, 2);
        return 0;
    }

    private static void writeFrames(Call call, long list, long[] frames, int width) {
        Struct numbers = new Struct(frames.length * width);
        for (int i = 0; i < frames.length; i++) {
            numbers.putWord(i * width, width, frames[i]);
        }
        call.write(list, numbers);
    }

    private static long statusFrames(Call call, long pointer) {
        int width = call.width();
        Struct out = call.read(pointer, 8 + width);
        GrantTable table = call.domain().grantTable();
        int count = out.i32(0);
        int status = statusFor(call, out.u16(4));
        if (status == GrantStatus.OKAY && (count < 0 || count > table.statusFrames())) {
            status = GrantStatus.GENERAL_ERROR;
        }
        out.putU16(6, status);
        if (status == GrantStatus.OKAY) {
            writeFrames(call, out.word(8, width), table.frameNumbers(true, count), 8);
        }
        call.write(pointer, out, 6, 2);
        return 0;
    }

    private static long setVersion(Call call, long pointer) {
        Struct inOut = call.read(pointer, 4);
        GrantTable table = call.domain().grantTable();
        table.setVersion(inOut.i32(0));
        inOut.putU32(0, table.version());
        call.write(pointer, inOut);
        return 0;
    }

    private static long getVersion(Call call, long pointer) {
        Struct out = call.read(pointer, 8);
        call.ownDomain(out.u16(0));
        out.putU32(4, call.domain().grantTable().version());
        call.write(pointer, out, 4, 4);
        return 0;
    }
}
