package org.xenolith.services.symbols;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Finds and reads the symbol table that Linux carries in its read-only data (CONFIG_KALLSYMS).
 *
 * <p>Names are compressed with 256 tokens: a name is a length (one byte, or two with the top bit of the first set) and
 * that many token numbers; a token is a short string. The first character of a name is the symbol's type. Each part
 * starts at a multiple of 8:
 *
 * <pre>
 *   offsets        s32 each       before num_syms up to Linux 6.3, after token_index since 6.4
 *   relative_base  u64            follows the offsets
 *   num_syms       u32
 *   names          length and tokens of each name
 *   markers        u32: where every 256th name starts
 *   (seqs_of_names 3 bytes each   only here in Linux 6.2 and 6.3)
 *   token_table    256 strings, each with a NUL
 *   token_index    256 x u16: where each token starts
 * </pre>
 *
 * <p>With CONFIG_KALLSYMS_ABSOLUTE_PERCPU, which x86-64 kernels for several processors had until 6.14, an offset that
 * is not negative is an absolute value (a per-CPU offset), and a negative one means {@code relative_base - 1 - offset}.
 * Otherwise the address is {@code relative_base} plus the unsigned offset.
 *
 * <p>Nothing points at these tables from outside, so they are found by their shape, which is hard to mistake: the token
 * index grows in small steps and agrees with the NULs of the token table before it, and the markers agree with the
 * names.
 */
final class Kallsyms {
    private static final int TOKENS = 256;
    private static final int TOKEN_INDEX_SIZE = TOKENS * 2;
    /** The longest token that the build makes is far shorter. */
    private static final int MAX_TOKEN = 64;

    private static final int GROUP = 256;
    private static final int MIN_SYMBOLS = 2 * GROUP;
    /** A guest that fakes token indexes must not make the search expensive. */
    private static final int MAX_CANDIDATES = 32;

    private static final int MAX_SYMBOLS = 1 << 22;
    private static final int MAX_NAME = 1024;
    /** Room for Linux 6.2's table between markers and tokens. */
    private static final long MAX_GAP = 4L << 20;

    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MemorySegment image;
    private long tokenTable;
    private long tokenIndex;
    private long markers;
    private long names;
    private int count;

    private Kallsyms(MemorySegment image) {
        this.image = image;
    }

    /** The table in a piece of a kernel, or {@link SymbolTable#EMPTY}. */
    static SymbolTable find(MemorySegment image) {
        Kallsyms search = new Kallsyms(image);
        long last = image.byteSize() - TOKEN_INDEX_SIZE;
        int candidates = 0;
        for (long at = 8; at <= last && candidates < MAX_CANDIDATES; at += 8) {
            // token 0 is at 0; token 1 follows at least one character and its NUL
            long head = image.get(LONG, at);
            if ((head & 0xffff) == 0
                    && (head >>> 16 & 0xffff) - 2 < MAX_TOKEN
                    && (head >>> 16 & 0xffff) >= 2
                    && search.isTokenIndex(at)) {
                candidates++;
                SymbolTable table = search.findNames() ? search.read() : null;
                if (table != null) {
                    return table;
                }
            }
        }
        return SymbolTable.EMPTY;
    }

    private boolean isTokenIndex(long at) {
        int previous = 0;
        for (int token = 1; token < TOKENS; token++) {
            int start = image.get(SHORT, at + token * 2L) & 0xffff;
            if (start - previous < 2 || start - previous > MAX_TOKEN) {
                return false;
            }
            previous = start;
        }
        // The table ends with the last token and up to 7 bytes of padding before the index.
        for (long table = at - (previous + 2L + 7 & -8L);
                table >= 0 && table > at - previous - MAX_TOKEN - 8;
                table -= 8) {
            if (isTokenTable(table, at)) {
                tokenTable = table;
                tokenIndex = at;
                return true;
            }
        }
        return false;
    }

    private boolean isTokenTable(long table, long index) {
        for (int token = 0; token < TOKENS; token++) {
            int start = image.get(SHORT, index + token * 2L) & 0xffff;
            int end = token + 1 < TOKENS ? image.get(SHORT, index + token * 2L + 2) & 0xffff : start + 2;
            if (token > 0 && image.get(ValueLayout.JAVA_BYTE, table + start - 1) != 0) {
                return false;
            }
            if (image.get(ValueLayout.JAVA_BYTE, table + start) == 0
                    || token + 1 < TOKENS && image.get(ValueLayout.JAVA_BYTE, table + end - 2) == 0) {
                return false;
            }
        }
        return true;
    }

    /** Looks backwards from the tokens for markers that fit the names before them. */
    private boolean findNames() {
        long lowest = Math.max(8, tokenTable - MAX_GAP);
        for (long at = tokenTable - 8; at >= lowest; at -= 8) {
            if (image.get(INT, at) == 0 && grow(at) >= 2 && namesBefore(at)) {
                return true;
            }
        }
        return false;
    }

    /** How many values from {@code at} on look like markers. */
    private int grow(long at) {
        int length = 1;
        long previous = 0;
        while (at + length * 4L < tokenTable) {
            long value = image.get(INT, at + length * 4L) & 0xffffffffL;
            if (value - previous < 2 * GROUP || value - previous > (long) GROUP * MAX_NAME) {
                break;
            }
            previous = value;
            length++;
        }
        return length;
    }

    private boolean namesBefore(long at) {
        int groups = grow(at);
        long last = image.get(INT, at + (groups - 1) * 4L) & 0xffffffffL;
        long earliest = Math.max(8, at - last - (long) GROUP * MAX_NAME);
        for (long start = at - last & -8L; start >= earliest; start -= 8) {
            int number = image.get(INT, start - 8);
            if (number >= MIN_SYMBOLS
                    && number <= MAX_SYMBOLS
                    && (number + GROUP - 1) / GROUP == groups
                    && namesFit(start, number, at)) {
                markers = at;
                names = start;
                count = number;
                return true;
            }
        }
        return false;
    }

    private boolean namesFit(long start, int number, long end) {
        long at = start;
        for (int i = 0; i < number; i++) {
            if (at >= end - 1 || i % GROUP == 0 && at - start != (image.get(INT, end + i / GROUP * 4L) & 0xffffffffL)) {
                return false;
            }
            int length = nameLength(at);
            if (length == 0 || length > MAX_NAME) {
                return false;
            }
            at += (length < 0x80 ? 1 : 2) + length;
        }
        return at <= end && end - at < 8;
    }

    private int nameLength(long at) {
        int length = image.get(ValueLayout.JAVA_BYTE, at) & 0xff;
        return length < 0x80 ? length : length & 0x7f | (image.get(ValueLayout.JAVA_BYTE, at + 1) & 0xff) << 7;
    }

    /** The symbols, or null when no offsets fit. */
    private SymbolTable read() {
        long size = count * 4L + 7 & -8L;
        // num_syms is in the 8 bytes before the names, relative_base before that, and the offsets before that
        long old = names - 16 - size;
        long recent = tokenIndex + TOKEN_INDEX_SIZE;
        for (long offsets : new long[] {old, recent}) {
            if (offsets >= 0 && offsets + size + 8 <= image.byteSize()) {
                long base = image.get(LONG, offsets + size);
                // The top 2 GiB of the address space hold the kernel.
                if (base >= -(1L << 31) && base < 0 && sorted(offsets, base)) {
                    return expand(offsets, base);
                }
            }
        }
        return null;
    }

    private boolean sorted(long offsets, long base) {
        boolean percpu = hasNegative(offsets);
        long previous = 0;
        for (int i = 0; i < count; i++) {
            long address = address(offsets, base, i, percpu);
            if (Long.compareUnsigned(address, previous) < 0) {
                return false;
            }
            previous = address;
        }
        return true;
    }

    private boolean hasNegative(long offsets) {
        for (int i = 0; i < count; i++) {
            if (image.get(INT, offsets + i * 4L) < 0) {
                return true;
            }
        }
        return false;
    }

    private long address(long offsets, long base, int i, boolean percpu) {
        int offset = image.get(INT, offsets + i * 4L);
        if (!percpu) {
            return base + (offset & 0xffffffffL);
        }
        return offset >= 0 ? offset : base - 1 - offset;
    }

    private SymbolTable expand(long offsets, long base) {
        byte[][] tokens = new byte[TOKENS][];
        for (int token = 0; token < TOKENS; token++) {
            long start = tokenTable + (image.get(SHORT, tokenIndex + token * 2L) & 0xffff);
            int length = 0;
            while (length < MAX_TOKEN && image.get(ValueLayout.JAVA_BYTE, start + length) != 0) {
                length++;
            }
            tokens[token] = image.asSlice(start, length).toArray(ValueLayout.JAVA_BYTE);
        }
        boolean percpu = hasNegative(offsets);
        SymbolTable.Builder builder = new SymbolTable.Builder();
        byte[] name = new byte[MAX_NAME * MAX_TOKEN];
        long at = names;
        for (int i = 0; i < count; i++) {
            int length = nameLength(at);
            at += length < 0x80 ? 1 : 2;
            int size = 0;
            for (int j = 0; j < length; j++) {
                byte[] token = tokens[image.get(ValueLayout.JAVA_BYTE, at + j) & 0xff];
                System.arraycopy(token, 0, name, size, token.length);
                size += token.length;
            }
            at += length;
            builder.add(address(offsets, base, i, percpu), (char) name[0], name, 1, size - 1);
        }
        return builder.build();
    }
}
