package org.xenolith.services.loader;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.xenolith.abi.ElfNoteType;

/**
 * An ELF kernel for x86: its loadable segments by physical address, its Xen notes and where its symbol table is.
 *
 * <p>Both classes are read: 64-bit files, and 32-bit ones for the machines i386 and x86-64 (a 32-bit container around
 * 64-bit code is how the Xen Test Framework builds its long-mode tests).
 */
public final class ElfImage {
    private static final int ET_EXEC = 2;
    private static final int ET_DYN = 3;
    private static final int EM_386 = 3;
    private static final int EM_X86_64 = 62;
    private static final int PT_LOAD = 1;
    private static final int PT_NOTE = 4;
    private static final int SHT_SYMTAB = 2;
    private static final int SHT_NOTE = 7;
    /** Far more than any kernel has, and little enough that checking each pair costs nothing. */
    private static final int MAX_SEGMENTS = 256;

    private static final int MAX_SECTIONS = 16_384;
    private static final int MAX_NOTES = 4096;
    private static final long FOUR_GIB = 1L << 32;

    private final ImageBytes bytes;
    private final boolean wide;
    private final long entry;
    private final List<ElfSegment> segments;
    private final XenNotes notes;
    private final SymbolSection symbols;

    private ElfImage(
            ImageBytes bytes,
            boolean wide,
            long entry,
            List<ElfSegment> segments,
            XenNotes notes,
            SymbolSection symbols) {
        this.bytes = bytes;
        this.wide = wide;
        this.entry = entry;
        this.segments = List.copyOf(segments);
        this.notes = notes;
        this.symbols = symbols;
    }

    /**
     * Where a symbol table lies in the file.
     *
     * @param offset position of the first entry
     * @param size bytes of all entries
     * @param entrySize bytes of one (24 in 64-bit files, 16 in 32-bit ones)
     * @param stringOffset position of the names
     * @param stringSize bytes of the names
     */
    public record SymbolSection(long offset, long size, int entrySize, long stringOffset, long stringSize) {}

    static boolean matches(ImageBytes file) {
        return file.startsWith(0, 0x7f, 'E', 'L', 'F');
    }

    /** Reads the headers of an ELF file and checks everything that loading depends on. */
    public static ElfImage parse(MemorySegment file) throws ImageFormatException {
        return parse(new ImageBytes(file, "the ELF kernel"));
    }

    static ElfImage parse(ImageBytes file) throws ImageFormatException {
        if (!matches(file)) {
            throw new ImageFormatException("not an ELF file; give a vmlinuz (bzImage) or a vmlinux (ELF)");
        }
        int elfClass = file.u8(4);
        if (file.u8(5) != 1) {
            throw new ImageFormatException("the ELF kernel is big-endian, so not for x86; use an x86-64 kernel");
        }
        if (elfClass != 1 && elfClass != 2) {
            throw new ImageFormatException("the ELF kernel is corrupt: class " + elfClass);
        }
        boolean wide = elfClass == 2;
        int machine = file.u16(18);
        if (machine != EM_X86_64 && !(machine == EM_386 && !wide)) {
            throw new ImageFormatException(
                    "the ELF kernel is for " + machineName(machine) + "; use an x86-64 kernel (Debian: amd64)");
        }
        int type = file.u16(16);
        if (type != ET_EXEC && type != ET_DYN) {
            throw new ImageFormatException("the ELF file is " + (type == 1 ? "an object file" : "of type " + type)
                    + ", not an executable; give a vmlinuz or a vmlinux");
        }
        long entry = wide ? file.u64(24) : file.u32(24);
        Sections sections = Sections.parse(file, wide);
        List<ElfSegment> segments = new ArrayList<>();
        Map<Integer, byte[]> notes = new HashMap<>();
        long table = wide ? file.u64(32) : file.u32(28);
        int entrySize = file.u16(wide ? 54 : 42);
        int count = file.u16(wide ? 56 : 44);
        if (count == 0 || count > MAX_SEGMENTS || entrySize < (wide ? 56 : 32)) {
            throw new ImageFormatException("the ELF file cannot be booted: it has " + count + " program headers of "
                    + entrySize + " bytes; give a vmlinuz or a vmlinux");
        }
        for (int i = 0; i < count; i++) {
            long at = table + (long) i * entrySize;
            int kind = (int) file.u32(at);
            if (kind == PT_LOAD) {
                ElfSegment segment = wide
                        ? new ElfSegment(
                                file.u64(at + 24),
                                file.u64(at + 16),
                                file.u64(at + 8),
                                file.u64(at + 32),
                                file.u64(at + 40))
                        : new ElfSegment(
                                file.u32(at + 12),
                                file.u32(at + 8),
                                file.u32(at + 4),
                                file.u32(at + 16),
                                file.u32(at + 20));
                check(segment, i, file.size());
                if (segment.memorySize() > 0) {
                    segments.add(segment);
                }
            } else if (kind == PT_NOTE) {
                long align = wide ? file.u64(at + 48) : file.u32(at + 28);
                readNotes(
                        file,
                        wide ? file.u64(at + 8) : file.u32(at + 4),
                        wide ? file.u64(at + 32) : file.u32(at + 16),
                        align == 8 ? 8 : 4,
                        notes);
            }
        }
        if (segments.isEmpty()) {
            throw new ImageFormatException("the ELF file has nothing to load; give a vmlinuz or a vmlinux");
        }
        checkOverlap(segments);
        if (notes.isEmpty()) {
            for (Sections.Note note : sections.notes) {
                readNotes(file, note.offset, note.size, 4, notes);
            }
        }
        return new ElfImage(file, wide, entry, segments, new XenNotes(notes), sections.symbols);
    }

    /** The file. */
    public MemorySegment bytes() {
        return bytes.segment();
    }

    /** True for the 64-bit ELF class. */
    public boolean is64Bit() {
        return wide;
    }

    /** The entry point of the ELF header. A PVH guest does not start there. */
    public long entry() {
        return entry;
    }

    /** The loadable segments in the order of the file. */
    public List<ElfSegment> segments() {
        return segments;
    }

    public XenNotes notes() {
        return notes;
    }

    /** The symbol table, or null when the file was stripped. */
    public SymbolSection symbols() {
        return symbols;
    }

    /** Lowest guest-physical address that the kernel occupies. */
    public long physicalStart() {
        return segments.stream().mapToLong(ElfSegment::physical).min().orElseThrow();
    }

    /** First guest-physical address after the kernel. */
    public long physicalEnd() {
        return segments.stream().mapToLong(ElfSegment::physicalEnd).max().orElseThrow();
    }

    /** The bytes of a segment that come from the file. */
    public MemorySegment content(ElfSegment segment) {
        return bytes.segment().asSlice(segment.offset(), segment.fileSize());
    }

    /** The guest-physical address at which a PVH guest starts, in 32-bit mode without paging. */
    public long pvhEntry() throws ImageFormatException {
        if (!notes.has(ElfNoteType.PHYS32_ENTRY)) {
            throw new ImageFormatException((wide ? "the kernel" : "the 32-bit kernel")
                    + " has no PVH entry point (ELF note XEN_ELFNOTE_PHYS32_ENTRY);"
                    + " use a kernel built with CONFIG_PVH, such as Debian's linux-image-amd64");
        }
        long address = notes.number(ElfNoteType.PHYS32_ENTRY)
                .orElseThrow(() -> new ImageFormatException("the kernel is corrupt: its PVH entry note has "
                        + notes.notes().get(ElfNoteType.PHYS32_ENTRY).length + " bytes instead of 4 or 8"));
        for (ElfSegment segment : segments) {
            if (address >= segment.physical() && address < segment.physicalEnd()) {
                return address;
            }
        }
        throw new ImageFormatException("the kernel is corrupt: its PVH entry point 0x" + Long.toHexString(address)
                + " is in none of its segments");
    }

    private static void check(ElfSegment segment, int index, long fileSize) throws ImageFormatException {
        String name = "the kernel is corrupt: segment " + index;
        if (segment.fileSize() < 0 || segment.memorySize() < 0 || segment.fileSize() > segment.memorySize()) {
            throw new ImageFormatException(name + " has " + Long.toUnsignedString(segment.fileSize())
                    + " bytes in the file and " + Long.toUnsignedString(segment.memorySize()) + " in memory");
        }
        if (segment.offset() < 0 || segment.offset() > fileSize - segment.fileSize()) {
            throw new ImageFormatException("the kernel is truncated or corrupt: segment " + index
                    + " ends at file offset 0x" + Long.toHexString(segment.offset() + segment.fileSize()) + " of 0x"
                    + Long.toHexString(fileSize));
        }
        if (segment.physical() < 0
                || segment.memorySize() > FOUR_GIB
                || segment.physical() > FOUR_GIB - segment.memorySize()) {
            throw new ImageFormatException(
                    name + " belongs at guest-physical 0x" + Long.toHexString(segment.physical()) + " with 0x"
                            + Long.toHexString(segment.memorySize()) + " bytes, and a kernel must lie below 4 GiB");
        }
    }

    private static void checkOverlap(List<ElfSegment> segments) throws ImageFormatException {
        List<ElfSegment> sorted = new ArrayList<>(segments);
        sorted.sort(Comparator.comparingLong(ElfSegment::physical));
        for (int i = 1; i < sorted.size(); i++) {
            if (sorted.get(i).physical() < sorted.get(i - 1).physicalEnd()) {
                throw new ImageFormatException("the kernel is corrupt: two of its segments overlap at guest-physical 0x"
                        + Long.toHexString(sorted.get(i).physical()));
            }
        }
    }

    /** Records: u32 name size, u32 description size, u32 type, name, description, each padded. */
    private static void readNotes(ImageBytes file, long offset, long size, int align, Map<Integer, byte[]> into)
            throws ImageFormatException {
        if (offset < 0 || size < 0 || offset > file.size() - size) {
            throw new ImageFormatException("the kernel is truncated or corrupt: its notes lie outside the file");
        }
        long at = offset;
        long end = offset + size;
        for (int i = 0; i < MAX_NOTES && at + 12 <= end; i++) {
            long nameSize = file.u32(at);
            long descriptionSize = file.u32(at + 4);
            int type = (int) file.u32(at + 8);
            long description = at + pad(12 + nameSize, align);
            if (description + descriptionSize > end) {
                throw new ImageFormatException("the kernel is corrupt: an ELF note is longer than its segment");
            }
            if (nameSize == 4 && file.startsWith(at + 12, 'X', 'e', 'n', 0)) {
                if (descriptionSize > 4096) {
                    throw new ImageFormatException(
                            "the kernel is corrupt: a Xen note of " + descriptionSize + " bytes");
                }
                into.put(type, file.bytes(description, descriptionSize));
            }
            at = description + pad(descriptionSize, align);
        }
    }

    private static long pad(long size, int align) {
        return size + align - 1 & -align;
    }

    private static String machineName(int machine) {
        return switch (machine) {
            case EM_386 -> "i386 in a 64-bit container";
            case 8 -> "MIPS";
            case 20, 21 -> "PowerPC";
            case 22 -> "S/390";
            case 40 -> "ARM";
            case 183 -> "ARM64";
            case 243 -> "RISC-V";
            case 258 -> "LoongArch";
            default -> "another machine (ELF number " + machine + ')';
        };
    }

    /** What the section headers add; they are optional, so damage here is only an absent table. */
    private record Sections(SymbolSection symbols, List<Note> notes) {
        private record Note(long offset, long size) {}

        static Sections parse(ImageBytes file, boolean wide) throws ImageFormatException {
            long table = wide ? file.u64(40) : file.u32(32);
            int entrySize = file.u16(wide ? 58 : 46);
            int count = file.u16(wide ? 60 : 48);
            List<Note> notes = new ArrayList<>();
            SymbolSection symbols = null;
            if (table <= 0
                    || entrySize < (wide ? 64 : 40)
                    || count > MAX_SECTIONS
                    || table > file.size() - (long) count * entrySize) {
                return new Sections(null, notes);
            }
            for (int i = 0; i < count; i++) {
                long at = table + (long) i * entrySize;
                int type = (int) file.u32(at + 4);
                long offset = offset(file, wide, at);
                long size = size(file, wide, at);
                if (offset < 0 || size < 0 || offset > file.size() - size) {
                    continue;
                }
                if (type == SHT_NOTE) {
                    notes.add(new Note(offset, size));
                } else if (type == SHT_SYMTAB) {
                    long link = table + file.u32(at + (wide ? 40 : 24)) * entrySize;
                    if (link < table || link >= table + (long) count * entrySize) {
                        continue;
                    }
                    long strings = offset(file, wide, link);
                    long stringSize = size(file, wide, link);
                    if (strings >= 0 && stringSize >= 0 && strings <= file.size() - stringSize) {
                        symbols = new SymbolSection(offset, size, wide ? 24 : 16, strings, stringSize);
                    }
                }
            }
            return new Sections(symbols, notes);
        }

        private static long offset(ImageBytes file, boolean wide, long at) throws ImageFormatException {
            return wide ? file.u64(at + 24) : file.u32(at + 16);
        }

        private static long size(ImageBytes file, boolean wide, long at) throws ImageFormatException {
            return wide ? file.u64(at + 32) : file.u32(at + 20);
        }
    }
}
