package org.xenolith.services.symbols;

import java.io.BufferedReader;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;
import java.util.stream.IntStream;
import org.xenolith.memory.GuestPhysical;
import org.xenolith.services.loader.ElfImage;
import org.xenolith.services.loader.ElfSegment;

/**
 * The symbols of a kernel, by address and by name. Never changes, so any thread may use it.
 *
 * <p>A kernel has 150,000 symbols, so names stay bytes until somebody asks.
 */
public final class SymbolTable {
    /** A table without symbols. */
    public static final SymbolTable EMPTY = new Builder().build();

    /** The last symbol of a kernel has no end; farther away than this, an address is not in it. */
    private static final long LAST_SYMBOL_SIZE = 1 << 20;

    private static final int SYMBOL_NAME = 0;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Unsigned ascending. */
    private final long[] addresses;

    private final byte[] types;
    /** Start of each name in {@link #names}; one more entry than symbols. */
    private final int[] nameStarts;

    private final byte[] names;
    /** Built when the first name is looked up. */
    private volatile Map<String, Integer> byName;

    private SymbolTable(long[] addresses, byte[] types, int[] nameStarts, byte[] names) {
        this.addresses = addresses;
        this.types = types;
        this.nameStarts = nameStarts;
        this.names = names;
    }

    /** An address as a place in a symbol. */
    public record Place(Symbol symbol, long offset) {
        /** "schedule+0x1f", or only the name at its start. */
        @Override
        public String toString() {
            return offset == 0 ? symbol.name() : symbol.name() + "+0x" + Long.toHexString(offset);
        }
    }

    /** The best table that a kernel file has: its ELF symbol table, or its kallsyms, or {@link #EMPTY}. */
    public static SymbolTable of(ElfImage kernel) {
        SymbolTable table = kernel.symbols() == null ? EMPTY : elfSymbols(kernel);
        for (ElfSegment segment : kernel.segments()) {
            if (table.size() == 0) {
                table = Kallsyms.find(kernel.content(segment));
            }
        }
        return table;
    }

    /**
     * The kallsyms of a kernel in guest memory, or {@link #EMPTY}.
     *
     * @param start guest-physical address of the kernel
     * @param end first address after it
     */
    public static SymbolTable of(GuestPhysical memory, long start, long end) {
        long size = Math.min(end - start, 1 << 30);
        if (size <= 0) {
            return EMPTY;
        }
        byte[] image = new byte[(int) size];
        for (int at = 0; at < image.length; ) {
            int chunk = (int)
                    Math.min(image.length - at, GuestPhysical.FRAME_SIZE - (start + at & GuestPhysical.FRAME_SIZE - 1));
            // A page that the guest gave back reads as zeros.
            memory.read(start + at, image, at, chunk);
            at += chunk;
        }
        return Kallsyms.find(MemorySegment.ofArray(image));
    }

    /** Reads a {@code System.map}: lines of address, type letter and name. */
    public static SymbolTable systemMap(Path path) throws IOException {
        Builder builder = new Builder();
        try (BufferedReader lines = Files.newBufferedReader(path, StandardCharsets.ISO_8859_1)) {
            int number = 0;
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                number++;
                String[] fields = line.strip().split("\\s+");
                if (fields.length != 3 || fields[1].length() != 1 || fields[0].length() > 16) {
                    throw new IOException(path + " is not a System.map: line " + number
                            + " is not an address, a letter and a name"
                            + (line.contains("real System.map")
                                    ? " (Debian keeps the real one in the -dbg package)"
                                    : ""));
                }
                try {
                    builder.add(Long.parseUnsignedLong(fields[0], 16), fields[1].charAt(0), fields[2]);
                } catch (NumberFormatException e) {
                    throw new IOException(path + " is not a System.map: line " + number + " has no address", e);
                }
            }
        }
        return builder.build();
    }

    private static SymbolTable elfSymbols(ElfImage kernel) {
        ElfImage.SymbolSection section = kernel.symbols();
        MemorySegment file = kernel.bytes();
        boolean wide = kernel.is64Bit();
        Builder builder = new Builder();
        for (long at = section.offset();
                at <= section.offset() + section.size() - section.entrySize();
                at += section.entrySize()) {
            int name = file.get(INT, at + SYMBOL_NAME);
            int info = file.get(ValueLayout.JAVA_BYTE, at + (wide ? 4 : 12));
            int home = file.get(ValueLayout.JAVA_BYTE, at + (wide ? 6 : 14)) & 0xff
                    | (file.get(ValueLayout.JAVA_BYTE, at + (wide ? 7 : 15)) & 0xff) << 8;
            long address = wide ? file.get(LONG, at + 8) : file.get(INT, at + 4) & 0xffffffffL;
            int kind = info & 15;
            // Sections, files and undefined symbols name no place.
            if (name <= 0 || name >= section.stringSize() || home == 0 || kind > 2) {
                continue;
            }
            int length = 0;
            while (name + length < section.stringSize()
                    && file.get(ValueLayout.JAVA_BYTE, section.stringOffset() + name + length) != 0) {
                length++;
            }
            byte[] text = new byte[length];
            MemorySegment.copy(file, ValueLayout.JAVA_BYTE, section.stringOffset() + name, text, 0, length);
            char letter = kind == 2 ? 't' : 'd';
            builder.add(address, info >>> 4 == 1 ? Character.toUpperCase(letter) : letter, text, 0, length);
        }
        return builder.build();
    }

    /** How many symbols there are. */
    public int size() {
        return addresses.length;
    }

    /** The symbols in the order of their addresses. */
    public Symbol get(int index) {
        return new Symbol(name(index), addresses[index], (char) types[index]);
    }

    /** The symbol that an address lies in, or null when it lies in none. */
    public Place lookup(long address) {
        int low = 0;
        int high = addresses.length;
        while (low < high) {
            int middle = low + high >>> 1;
            if (Long.compareUnsigned(addresses[middle], address) <= 0) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        int index = low - 1;
        if (index < 0) {
            return null;
        }
        long start = addresses[index];
        // Per-CPU offsets are small numbers; no kernel runs there, and what follows the last one is not part of it.
        if (start >= 0 && address < 0 || index == addresses.length - 1 && address - start >= LAST_SYMBOL_SIZE) {
            return null;
        }
        while (index > 0 && addresses[index - 1] == start) {
            index--;
        }
        return new Place(get(index), address - start);
    }

    /** "name+0x12" for an address in a symbol, else the address in hexadecimal. */
    public String describe(long address) {
        Place place = lookup(address);
        return place == null ? "0x" + Long.toHexString(address) : place.toString();
    }

    /** The address of a symbol; of the first one where there are several of a name. */
    public OptionalLong address(String name) {
        Map<String, Integer> index = byName;
        if (index == null) {
            index = new HashMap<>(addresses.length * 2);
            for (int i = 0; i < addresses.length; i++) {
                index.putIfAbsent(name(i), i);
            }
            byName = index;
        }
        Integer at = index.get(name);
        return at == null ? OptionalLong.empty() : OptionalLong.of(addresses[at]);
    }

    private String name(int index) {
        return new String(
                names, nameStarts[index], nameStarts[index + 1] - nameStarts[index], StandardCharsets.ISO_8859_1);
    }

    /** Collects symbols in any order. */
    static final class Builder {
        private long[] addresses = new long[1024];
        private byte[] types = new byte[1024];
        private int[] starts = new int[1025];
        private byte[] names = new byte[32 << 10];
        private int count;

        void add(long address, char type, String name) {
            byte[] bytes = name.getBytes(StandardCharsets.ISO_8859_1);
            add(address, type, bytes, 0, bytes.length);
        }

        void add(long address, char type, byte[] name, int offset, int length) {
            if (count == addresses.length) {
                addresses = Arrays.copyOf(addresses, count * 2);
                types = Arrays.copyOf(types, count * 2);
                starts = Arrays.copyOf(starts, count * 2 + 1);
            }
            int start = starts[count];
            if (start + length > names.length) {
                names = Arrays.copyOf(names, Math.max(names.length * 2, start + length));
            }
            System.arraycopy(name, offset, names, start, length);
            addresses[count] = address;
            types[count] = (byte) type;
            starts[++count] = start + length;
        }

        SymbolTable build() {
            boolean sorted = true;
            for (int i = 1; i < count && sorted; i++) {
                sorted = Long.compareUnsigned(addresses[i - 1], addresses[i]) <= 0;
            }
            if (!sorted) {
                return sorted();
            }
            return new SymbolTable(
                    Arrays.copyOf(addresses, count),
                    Arrays.copyOf(types, count),
                    Arrays.copyOf(starts, count + 1),
                    Arrays.copyOf(names, starts[count]));
        }

        private SymbolTable sorted() {
            int[] order = IntStream.range(0, count)
                    .boxed()
                    .sorted((a, b) -> Long.compareUnsigned(addresses[a], addresses[b]))
                    .mapToInt(Integer::intValue)
                    .toArray();
            Builder builder = new Builder();
            for (int i : order) {
                builder.add(addresses[i], (char) types[i], names, starts[i], starts[i + 1] - starts[i]);
            }
            return builder.build();
        }
    }
}
