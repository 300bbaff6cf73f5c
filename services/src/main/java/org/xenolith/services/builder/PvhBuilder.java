package org.xenolith.services.builder;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.xenolith.abi.E820Type;
import org.xenolith.abi.HvmStartInfo;
import org.xenolith.memory.FrameAccount;
import org.xenolith.memory.GuestPhysical;
import org.xenolith.memory.MachineMemory;
import org.xenolith.memory.PhysicalToMachine;
import org.xenolith.services.loader.ElfImage;
import org.xenolith.services.loader.ElfSegment;
import org.xenolith.services.loader.ImageFormatException;
import org.xenolith.services.loader.KernelImage;

/**
 * Builds a PVH guest in an empty physical-to-machine map.
 *
 * <p>The kernel goes where it was linked to be. The page after it holds what the kernel reads first (start info, module
 * list, memory map, command line): Linux reads it through its first page tables, which map 1 GiB. The initrd goes to
 * the top of low RAM. The rest is as {@link GuestLayout} says.
 *
 * <p>RAM comes in 2 MiB extents, and only what is written here is touched: a guest of 4 GiB costs the host its kernel
 * and initrd until it runs.
 */
public final class PvhBuilder {
    /** The longest command line that Linux takes, without the NUL. */
    public static final int MAX_COMMAND_LINE = 2047;

    public static final int MAX_VCPUS = 512;
    public static final long MIN_MEMORY = 4L << 20;
    public static final long MAX_MEMORY = 1L << 40;

    private static final int FRAME = GuestPhysical.FRAME_SIZE;
    private static final int FRAME_SHIFT = GuestPhysical.FRAME_SHIFT;
    private static final int EXTENT = MachineMemory.EXTENT_FRAMES;

    /** Offsets in the boot data page. */
    private static final int MODULE_LIST = 64;

    private static final int MEMORY_MAP = 128;
    private static final int COMMAND_LINE = 1024;

    private final KernelImage kernel;
    private final PvhConfig config;
    private final PhysicalToMachine memory;
    private final long lowEnd;
    private final long highEnd;

    private PvhBuilder(KernelImage kernel, PvhConfig config, PhysicalToMachine memory) {
        this.kernel = kernel;
        this.config = config;
        this.memory = memory;
        long bytes = config.memoryBytes() & -FRAME;
        lowEnd = Math.min(bytes, GuestLayout.HOLE_START);
        highEnd = GuestLayout.HOLE_END + bytes - lowEnd;
    }

    /**
     * Fills {@code memory}, which must be empty. After an exception it is empty again.
     *
     * @throws ImageFormatException when the kernel has no PVH entry point
     * @throws DomainBuildException when something does not fit; the message says what to do
     */
    public static BuiltGuest build(KernelImage kernel, PvhConfig config, PhysicalToMachine memory)
            throws ImageFormatException, DomainBuildException {
        return new PvhBuilder(kernel, config, memory).build();
    }

    private BuiltGuest build() throws ImageFormatException, DomainBuildException {
        byte[] commandLine = checkedCommandLine();
        long entry = kernel.elf().pvhEntry();
        ElfImage elf = kernel.elf();
        long bootData = roundUp(elf.physicalEnd());
        long initrdSize = initrdSize();
        checkFits(elf, bootData, initrdSize);
        long initrd = initrdSize == 0 ? 0 : lowEnd - initrdSize & -FRAME;

        List<Range> populated = new ArrayList<>();
        try {
            ram(populated, 0, lowEnd >>> FRAME_SHIFT);
            ram(populated, GuestLayout.HOLE_END >>> FRAME_SHIFT, highEnd >>> FRAME_SHIFT);
            AcpiTables acpi = AcpiTables.build(config.vcpus(), GuestLayout.ACPI_TABLES);
            long acpiEnd = acpi.rsdpAddress() + FRAME;
            populate(populated, GuestLayout.ACPI_INFO >>> FRAME_SHIFT, acpiEnd >>> FRAME_SHIFT);
            long special = GuestLayout.SPECIAL_PAGES >>> FRAME_SHIFT;
            populate(populated, special, special + GuestLayout.SPECIAL_PAGE_COUNT);

            for (ElfSegment segment : elf.segments()) {
                GuestWriter.copy(memory, segment.physical(), elf.content(segment));
            }
            long at = initrd;
            for (MemorySegment piece : config.initrd()) {
                GuestWriter.copy(memory, at, piece);
                at += pieceSize(piece);
            }
            GuestWriter.copy(memory, GuestLayout.ACPI_TABLES, MemorySegment.ofArray(acpi.tables()));
            GuestWriter.copy(memory, acpi.rsdpAddress(), MemorySegment.ofArray(acpi.rsdp()));
            List<MemoryRange> map = memoryMap(acpiEnd);
            byte[] page = bootData(bootData, commandLine, initrd, initrdSize, acpi.rsdpAddress(), map);
            GuestWriter.copy(memory, bootData, MemorySegment.ofArray(page));
            return new BuiltGuest(
                    entry,
                    bootData,
                    GuestLayout.CONSOLE_GFN,
                    GuestLayout.XENSTORE_GFN,
                    elf.physicalStart(),
                    elf.physicalEnd(),
                    initrd,
                    initrdSize,
                    acpi.rsdpAddress(),
                    map,
                    lowEnd + highEnd - GuestLayout.HOLE_END >>> FRAME_SHIFT);
        } catch (DomainBuildException | RuntimeException e) {
            populated.forEach(this::depopulate);
            throw e;
        }
    }

    private byte[] checkedCommandLine() throws DomainBuildException {
        if (config.memoryBytes() < MIN_MEMORY || config.memoryBytes() > MAX_MEMORY) {
            throw new DomainBuildException("memory of " + size(config.memoryBytes()) + " is not possible; give "
                    + size(MIN_MEMORY) + " to " + size(MAX_MEMORY) + " (Debian's kernels want 256 MiB)");
        }
        if (config.vcpus() < 1 || config.vcpus() > MAX_VCPUS) {
            throw new DomainBuildException(
                    config.vcpus() + " virtual processors are not possible; give 1 to " + MAX_VCPUS);
        }
        byte[] commandLine = config.commandLine().getBytes(StandardCharsets.UTF_8);
        if (commandLine.length > MAX_COMMAND_LINE) {
            throw new DomainBuildException("the kernel's command line has " + commandLine.length
                    + " bytes, and Linux takes " + MAX_COMMAND_LINE + "; shorten it");
        }
        if (config.commandLine().indexOf(0) >= 0) {
            throw new DomainBuildException("the kernel's command line has a NUL character in it; remove it");
        }
        return commandLine;
    }

    private long initrdSize() throws DomainBuildException {
        long size = 0;
        for (int i = 0; i < config.initrd().size(); i++) {
            MemorySegment piece = config.initrd().get(i);
            size += i + 1 < config.initrd().size() ? pieceSize(piece) : piece.byteSize();
            if (size > lowEnd) {
                throw initrdTooBig(size, kernel.elf().physicalEnd() + FRAME);
            }
        }
        return size;
    }

    /** An archive in a chain of archives starts at a multiple of 4; the gap is zeros. */
    private static long pieceSize(MemorySegment piece) {
        return piece.byteSize() + 3 & -4;
    }

    private void checkFits(ElfImage elf, long bootData, long initrdSize) throws DomainBuildException {
        if (bootData + FRAME > lowEnd) {
            throw new DomainBuildException(
                    "the kernel does not fit: it occupies memory up to " + size(elf.physicalEnd())
                            + ", and the guest has " + size(lowEnd)
                            + (lowEnd < GuestLayout.HOLE_START
                                    ? "; give it more memory"
                                    : " below the device hole; use another kernel"));
        }
        if (initrdSize > 0 && bootData + FRAME > (lowEnd - initrdSize & -FRAME)) {
            throw initrdTooBig(initrdSize, bootData + FRAME);
        }
    }

    private DomainBuildException initrdTooBig(long initrdSize, long kernelEnd) {
        long needed = initrdSize + kernelEnd;
        return new DomainBuildException("the initrd does not fit: it has " + size(initrdSize) + " and the kernel takes "
                + size(kernelEnd) + " of the guest's " + size(lowEnd + highEnd - GuestLayout.HOLE_END)
                + (needed < GuestLayout.HOLE_START
                        ? "; give the guest more than " + size(roundUpMiB(needed + initrdSize))
                                + " or use a smaller initrd"
                        : "; it must lie below 4 GiB, so use a smaller initrd"));
    }

    private List<MemoryRange> memoryMap(long acpiEnd) {
        List<MemoryRange> map = new ArrayList<>();
        map.add(new MemoryRange(0, lowEnd, E820Type.RAM));
        map.add(new MemoryRange(GuestLayout.ACPI_INFO, acpiEnd - GuestLayout.ACPI_INFO, E820Type.ACPI));
        map.add(new MemoryRange(
                GuestLayout.SPECIAL_PAGES, (long) GuestLayout.SPECIAL_PAGE_COUNT << FRAME_SHIFT, E820Type.RESERVED));
        if (highEnd > GuestLayout.HOLE_END) {
            map.add(new MemoryRange(GuestLayout.HOLE_END, highEnd - GuestLayout.HOLE_END, E820Type.RAM));
        }
        return map;
    }

    private byte[] bootData(
            long at, byte[] commandLine, long initrd, long initrdSize, long rsdp, List<MemoryRange> map) {
        ByteBuffer page = ByteBuffer.allocate(FRAME).order(ByteOrder.LITTLE_ENDIAN);
        page.putInt(HvmStartInfo.MAGIC, HvmStartInfo.MAGIC_VALUE);
        page.putInt(HvmStartInfo.VERSION, 1);
        page.putInt(HvmStartInfo.FLAGS, config.startFlags());
        if (initrdSize > 0) {
            page.putInt(HvmStartInfo.NR_MODULES, 1);
            page.putLong(HvmStartInfo.MODLIST, at + MODULE_LIST);
            page.putLong(MODULE_LIST + HvmStartInfo.MODULE_PADDR, initrd);
            page.putLong(MODULE_LIST + HvmStartInfo.MODULE_BYTES, initrdSize);
        }
        page.putLong(HvmStartInfo.CMDLINE, at + COMMAND_LINE);
        page.putLong(HvmStartInfo.RSDP, rsdp);
        page.putLong(HvmStartInfo.MEMMAP, at + MEMORY_MAP);
        page.putInt(HvmStartInfo.MEMMAP_ENTRIES, map.size());
        int entry = MEMORY_MAP;
        for (MemoryRange range : map) {
            page.putLong(entry + HvmStartInfo.MEMMAP_ADDR, range.start());
            page.putLong(entry + HvmStartInfo.MEMMAP_BYTES, range.size());
            page.putInt(entry + HvmStartInfo.MEMMAP_TYPE, range.type());
            entry += HvmStartInfo.MEMMAP_SIZE;
        }
        page.put(COMMAND_LINE, commandLine);
        return page.array();
    }

    private record Range(long gfn, long end) {}

    private void ram(List<Range> populated, long gfn, long end) throws DomainBuildException {
        if (config.onDemand()) {
            memory.mapOnDemand(gfn, end - gfn);
            populated.add(new Range(gfn, end));
        } else {
            populate(populated, gfn, end);
        }
    }

    /** Backs frames {@code gfn} up to {@code end}, in whole extents where both sides are aligned. */
    private void populate(List<Range> populated, long gfn, long end) throws DomainBuildException {
        MachineMemory machine = memory.machine();
        FrameAccount account = memory.account();
        long at = gfn;
        while (at < end) {
            int mfn = (at & EXTENT - 1) == 0 && end - at >= EXTENT ? account.allocateExtent() : -1;
            int count = EXTENT;
            if (mfn < 0) {
                mfn = account.allocateFrame();
                count = 1;
            }
            if (mfn < 0) {
                populated.add(new Range(gfn, at));
                throw new DomainBuildException("the host has no memory for this guest: it wants "
                        + size(config.memoryBytes()) + ", and the machine memory of "
                        + size((long) machine.frames() << FRAME_SHIFT)
                        + " is used up; give the guest less memory or the host more");
            }
            for (int i = 0; i < count; i++) {
                memory.map(at + i, mfn + i, true);
            }
            at += count;
        }
        populated.add(new Range(gfn, end));
    }

    private void depopulate(Range range) {
        for (long gfn = range.gfn; gfn < range.end; ) {
            int first = memory.unmap(gfn++);
            if (first < 0) {
                memory.unmapOnDemand(gfn - 1);
                continue;
            }
            int count = 1;
            while (gfn < range.end && memory.mfn(gfn) == first + count) {
                memory.unmap(gfn++);
                count++;
            }
            memory.account().release(first, count);
        }
    }

    private static long roundUp(long address) {
        return address + FRAME - 1 & -FRAME;
    }

    private static long roundUpMiB(long bytes) {
        return bytes + (1 << 20) - 1 & -(1 << 20);
    }

    private static String size(long bytes) {
        if (bytes < 0) {
            return bytes + " bytes";
        }
        if (bytes >= 1L << 40 && bytes % (1L << 40) == 0) {
            return (bytes >> 40) + " TiB";
        }
        return bytes < 1 << 20 ? (bytes + 1023 >> 10) + " KiB" : (bytes + (1 << 20) - 1 >> 20) + " MiB";
    }
}
