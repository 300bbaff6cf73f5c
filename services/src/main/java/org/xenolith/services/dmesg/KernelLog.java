package org.xenolith.services.dmesg;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.xenolith.services.symbols.SymbolTable;

/**
 * The messages in a guest's printk ring buffer, as 64-bit Linux keeps them since 5.10 ({@code
 * kernel/printk/printk_ringbuffer.h}).
 *
 * <p>The symbol {@code prb} points at the ring buffer:
 *
 * <pre>
 *    0 u32 count_bits, u64 descs @8, infos @16, head_id @24, tail_id @32, last_finalized_id @40
 *   48 u32 size_bits, u64 data @56, head_lpos @64, tail_lpos @72        (the text; 8 bytes earlier before 5.12)
 *
 *   descriptor, 24 bytes: u64 state (top 2 bits: 0 reserved, 1 committed, 2 finalized, 3 reusable) and id,
 *                         u64 begin, u64 next: logical positions of its block of text
 *   info, 88 bytes:       u64 sequence, u64 nanoseconds, u16 text length, u8 facility, u8 flags (5 bits) and level (3),
 *                         u32 caller, 64 bytes of device
 *   block of text:        u64 id, text; one that would cross the end of the ring starts at its beginning instead
 * </pre>
 *
 * <p>The guest may be running, or hostile: every value is checked, and a message that makes no sense is left out.
 */
public final class KernelLog {
    private static final int RING_SIZE = 88;
    private static final int DESCRIPTOR_SIZE = 24;
    private static final int INFO_SIZE = 88;
    private static final long ID_MASK = -1L >>> 2;
    private static final int COMMITTED = 1;
    private static final int FINALIZED = 2;
    /** An odd position means a message without text. */
    private static final long NO_DATA = 1;

    private static final int MAX_BITS = 25;

    private final KernelMemory memory;

    private KernelLog(KernelMemory memory) {
        this.memory = memory;
    }

    /** Why there is no log, or its messages, oldest first. */
    public sealed interface Result {
        record Messages(List<LogRecord> records) implements Result {
            public Messages {
                records = List.copyOf(records);
            }

            /** All lines of all messages as dmesg(1) prints them. */
            public List<String> lines() {
                return records.stream().flatMap(entry -> entry.format().lines()).toList();
            }
        }

        /** One line that says what was missing. */
        record Unavailable(String reason) implements Result {}
    }

    /** Reads the log of a guest whose kernel has these symbols. */
    public static Result read(KernelMemory memory, SymbolTable symbols) {
        OptionalLong pointer = symbols.address("prb");
        if (pointer.isEmpty()) {
            return new Result.Unavailable(
                    "the kernel's symbols do not have \"prb\" (Linux 5.10 or later with KALLSYMS_ALL)");
        }
        return new KernelLog(memory).read(pointer.getAsLong());
    }

    private Result read(long pointer) {
        ByteBuffer target = bytes(pointer, 8);
        ByteBuffer ring = target == null ? null : bytes(target.getLong(0), RING_SIZE);
        if (ring == null) {
            return new Result.Unavailable("the kernel log is not mapped: the kernel has not set up its memory yet");
        }
        int countBits = ring.getInt(0);
        // Before 5.12 there was no last_finalized_id, which is a huge number or a counter and never looks like a size.
        int text = plausibleRing(ring, 48) ? 48 : 40;
        if (countBits < 1 || countBits > MAX_BITS || !plausibleRing(ring, text)) {
            return new Result.Unavailable("the kernel log has a layout that this version does not know");
        }
        long descriptors = ring.getLong(8);
        long infos = ring.getLong(16);
        long head = ring.getLong(24) & ID_MASK;
        long tail = ring.getLong(32) & ID_MASK;
        int sizeBits = ring.getInt(text);
        long data = ring.getLong(text + 8);
        List<LogRecord> records = new ArrayList<>();
        long count = Math.min((head - tail & ID_MASK) + 1, 1L << countBits);
        for (long i = 0; i < count; i++) {
            long id = tail + i & ID_MASK;
            long slot = id & (1L << countBits) - 1;
            LogRecord record =
                    record(id, descriptors + slot * DESCRIPTOR_SIZE, infos + slot * INFO_SIZE, data, sizeBits);
            if (record != null) {
                records.add(record);
            }
        }
        return new Result.Messages(records);
    }

    private static boolean plausibleRing(ByteBuffer ring, int at) {
        long bits = ring.getLong(at) & 0xffffffffL;
        return bits >= 8 && bits <= MAX_BITS && ring.getLong(at + 8) < 0;
    }

    /** A message, or null when it is not complete. */
    private LogRecord record(long id, long descriptorAt, long infoAt, long data, int sizeBits) {
        ByteBuffer descriptor = bytes(descriptorAt, DESCRIPTOR_SIZE);
        ByteBuffer info = bytes(infoAt, INFO_SIZE);
        if (descriptor == null || info == null) {
            return null;
        }
        long state = descriptor.getLong(0);
        int kind = (int) (state >>> 62);
        if ((state & ID_MASK) != id || kind != COMMITTED && kind != FINALIZED) {
            return null;
        }
        String text =
                text(descriptor.getLong(8), descriptor.getLong(16), data, sizeBits, info.getShort(16) & 0xffff, id);
        return text == null ? null : new LogRecord(info.getLong(0), info.getLong(8), info.get(19) >>> 5 & 7, text);
    }

    private String text(long begin, long next, long data, int sizeBits, int length, long id) {
        if ((begin & NO_DATA) != 0) {
            return (next & NO_DATA) != 0 ? "" : null;
        }
        long mask = (1L << sizeBits) - 1;
        long start = begin & mask;
        long end = next & mask;
        boolean wraps = begin >>> sizeBits != next >>> sizeBits && end != 0;
        if (wraps) {
            start = 0;
        } else if (end == 0) {
            end = mask + 1;
        }
        if (end < start + 8) {
            return null;
        }
        int size = (int) Math.min(length, end - start - 8);
        ByteBuffer block = bytes(data + start, 8 + size);
        if (block == null || (block.getLong(0) & ID_MASK) != id) {
            return null;
        }
        return new String(block.array(), 8, size, StandardCharsets.UTF_8);
    }

    private ByteBuffer bytes(long linear, int length) {
        byte[] bytes = new byte[length];
        return memory.read(linear, bytes, 0, length) ? ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN) : null;
    }
}
