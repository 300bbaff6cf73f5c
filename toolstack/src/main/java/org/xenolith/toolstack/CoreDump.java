package org.xenolith.toolstack;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.xenolith.abi.DumpCore;
import org.xenolith.abi.VcpuGuestContext;
import org.xenolith.cpu.VcpuState;
import org.xenolith.hypervisor.Domain;
import org.xenolith.hypervisor.HypervisorVersion;
import org.xenolith.hypervisor.Vcpu;
import org.xenolith.memory.GuestPhysical;
import org.xenolith.memory.PhysicalToMachine;
import org.xenolith.memory.Raw;

/**
 * Writes a domain's memory and processors as {@link DumpCore} describes. Pages of zeros become holes of the file, so that it takes
 * the room of what the guest has used. The file is for its owner only: it holds all secrets of the guest.
 */
final class CoreDump {
    private static final int PAGE = GuestPhysical.FRAME_SIZE;
    private static final int ELF_HEADER = 64;
    private static final int SECTION_HEADER = 64;
    private static final int SHT_PROGBITS = 1;
    private static final int SHT_STRTAB = 3;
    private static final int SHT_NOTE = 7;
    private static final int ET_CORE = 4;
    private static final int EM_X86_64 = 62;

    /** Order of the registers in {@link VcpuGuestContext#REGISTERS}. */
    private static final int[] REGISTERS = {
        15,
        14,
        13,
        12,
        VcpuState.RBP,
        VcpuState.RBX,
        11,
        10,
        9,
        8,
        VcpuState.RAX,
        VcpuState.RCX,
        VcpuState.RDX,
        VcpuState.RSI,
        VcpuState.RDI
    };

    private record Section(String name, int type, long size, long entrySize) {}

    private CoreDump() {}

    /** Writes the file. The domain's processors stand still. On failure there is no file. */
    static void write(Domain domain, Path file) throws IOException {
        Path parent = file.toAbsolutePath().getParent();
        Files.createDirectories(parent);
        // Where the operating system knows of such things, only its owner may read a temporary file.
        Path part = Files.createTempFile(parent, file.getFileName().toString(), ".part");
        try {
            try (FileChannel out =
                    FileChannel.open(part, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
                write(domain, out);
            }
            Files.move(part, file, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(part);
        }
    }

    private static void write(Domain domain, FileChannel out) throws IOException {
        PhysicalToMachine map = domain.memory().map();
        long[] frames = frames(domain);
        List<Vcpu> vcpus =
                domain.vcpus().stream().filter(vcpu -> !vcpu.isDown()).toList();
        byte[] notes = notes(vcpus.size(), frames.length);
        List<Section> sections = new ArrayList<>();
        sections.add(new Section("", 0, 0, 0));
        sections.add(new Section(".shstrtab", SHT_STRTAB, 0, 0));
        sections.add(new Section(DumpCore.NOTES, SHT_NOTE, notes.length, 0));
        sections.add(new Section(
                DumpCore.PRSTATUS, SHT_PROGBITS, (long) vcpus.size() * VcpuGuestContext.SIZE, VcpuGuestContext.SIZE));
        sections.add(new Section(DumpCore.SHARED_INFO, SHT_PROGBITS, PAGE, PAGE));
        sections.add(new Section(DumpCore.PFN, SHT_PROGBITS, frames.length * 8L, 8));
        sections.add(new Section(DumpCore.PAGES, SHT_PROGBITS, (long) frames.length * PAGE, PAGE));
        StringBuilder names = new StringBuilder();
        sections.forEach(section -> names.append(section.name()).append('\0'));
        byte[] strings = names.toString().getBytes(StandardCharsets.US_ASCII);

        ByteBuffer head = ByteBuffer.allocate(ELF_HEADER + sections.size() * SECTION_HEADER)
                .order(ByteOrder.LITTLE_ENDIAN);
        head.put(new byte[] {0x7f, 'E', 'L', 'F', 2, 1, 1, 0}).position(16);
        head.putShort((short) ET_CORE).putShort((short) EM_X86_64).putInt(1);
        head.putLong(0).putLong(0).putLong(ELF_HEADER).putInt(0);
        head.putShort((short) ELF_HEADER).putShort((short) 0).putShort((short) 0);
        head.putShort((short) SECTION_HEADER).putShort((short) sections.size()).putShort((short) 1);
        long at = head.capacity();
        int nameAt = 0;
        long[] offsets = new long[sections.size()];
        for (int i = 0; i < sections.size(); i++) {
            Section section = sections.get(i);
            long size = section.type() == SHT_STRTAB ? strings.length : section.size();
            int alignment = section.name().equals(DumpCore.PAGES) ? PAGE : 8;
            at = i == 0 ? at : at + alignment - 1 & -alignment;
            offsets[i] = i == 0 ? 0 : at;
            head.putInt(nameAt).putInt(section.type()).putLong(0).putLong(0);
            head.putLong(offsets[i]).putLong(size).putInt(0).putInt(0);
            head.putLong(i == 0 ? 0 : alignment).putLong(section.entrySize());
            nameAt += section.name().length() + 1;
            at += size;
        }
        put(out, 0, head.array());
        put(out, offsets[1], strings);
        put(out, offsets[2], notes);
        for (int i = 0; i < vcpus.size(); i++) {
            put(
                    out,
                    offsets[3] + (long) i * VcpuGuestContext.SIZE,
                    context(vcpus.get(i).state()));
        }
        put(out, offsets[4], page(domain.sharedInfo()));
        ByteBuffer numbers = ByteBuffer.allocate(frames.length * 8).order(ByteOrder.LITTLE_ENDIAN);
        Arrays.stream(frames).forEach(numbers::putLong);
        put(out, offsets[5], numbers.array());
        byte[] zeros = new byte[PAGE];
        for (int i = 0; i < frames.length; i++) {
            byte[] content = page(map.frameForRead(frames[i]));
            // The last one gives the file its length.
            if (i + 1 == frames.length || !Arrays.equals(content, zeros)) {
                put(out, offsets[6] + (long) i * PAGE, content);
            }
        }
    }

    private static long[] frames(Domain domain) {
        PhysicalToMachine map = domain.memory().map();
        long[] result = new long[1024];
        int count = 0;
        for (long gfn = map.nextMapped(0); gfn >= 0; gfn = map.nextMapped(gfn + 1)) {
            if (count == result.length) {
                result = Arrays.copyOf(result, 2 * count);
            }
            result[count++] = gfn;
        }
        return Arrays.copyOf(result, count);
    }

    private static byte[] page(long address) {
        byte[] content = new byte[PAGE];
        if (address != 0) {
            Raw.copy(address, content, 0, PAGE);
        }
        return content;
    }

    private static byte[] notes(int vcpus, long pages) {
        ByteBuffer notes = ByteBuffer.allocate(4096).order(ByteOrder.LITTLE_ENDIAN);
        note(notes, DumpCore.NOTE_NONE, new byte[0]);
        note(
                notes,
                DumpCore.NOTE_HEADER,
                longs(DumpCore.MAGIC_HVM, vcpus, pages, PAGE).array());
        ByteBuffer version = ByteBuffer.allocate(16 + 16 + 144 + 1024 + 64 + 16).order(ByteOrder.LITTLE_ENDIAN);
        version.putLong(HypervisorVersion.MAJOR).putLong(HypervisorVersion.MINOR);
        text(version, HypervisorVersion.EXTRA, 16);
        text(version, HypervisorVersion.COMPILER, 64);
        text(version, HypervisorVersion.COMPILED_BY, 16);
        text(version, HypervisorVersion.COMPILE_DOMAIN, 32);
        text(version, HypervisorVersion.COMPILE_DATE, 32);
        text(version, HypervisorVersion.CAPABILITIES, 1024);
        text(version, HypervisorVersion.CHANGESET, 64);
        version.putLong(0).putLong(PAGE);
        note(notes, DumpCore.NOTE_XEN_VERSION, version.array());
        note(notes, DumpCore.NOTE_FORMAT_VERSION, longs(DumpCore.FORMAT_VERSION).array());
        return Arrays.copyOf(notes.array(), notes.position());
    }

    private static void note(ByteBuffer to, int type, byte[] content) {
        to.putInt(4).putInt(content.length).putInt(type);
        to.put("Xen\0".getBytes(StandardCharsets.US_ASCII)).put(content);
    }

    private static ByteBuffer longs(long... values) {
        ByteBuffer result = ByteBuffer.allocate(8 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        Arrays.stream(values).forEach(result::putLong);
        return result;
    }

    private static void text(ByteBuffer to, String text, int size) {
        byte[] bytes = Arrays.copyOf(text.getBytes(StandardCharsets.US_ASCII), size);
        bytes[size - 1] = 0;
        to.put(bytes);
    }

    private static byte[] context(VcpuState state) {
        ByteBuffer out = ByteBuffer.allocate(VcpuGuestContext.SIZE).order(ByteOrder.LITTLE_ENDIAN);
        fpu(state, out.array());
        boolean kernel = (state.selector(VcpuState.CS) & 3) == 0;
        out.putLong(
                VcpuGuestContext.FLAGS,
                VcpuGuestContext.I387_VALID | VcpuGuestContext.ONLINE | (kernel ? VcpuGuestContext.IN_KERNEL : 0));
        for (int i = 0; i < REGISTERS.length; i++) {
            out.putLong(VcpuGuestContext.REGISTERS + 8 * i, state.gpr(REGISTERS[i]));
        }
        out.putLong(VcpuGuestContext.RIP, state.rip());
        out.putLong(VcpuGuestContext.RFLAGS, state.rflags());
        out.putLong(VcpuGuestContext.RSP, state.gpr(VcpuState.RSP));
        int[][] selectors = {
            {VcpuGuestContext.CS, VcpuState.CS},
            {VcpuGuestContext.SS, VcpuState.SS},
            {VcpuGuestContext.ES, VcpuState.ES},
            {VcpuGuestContext.DS, VcpuState.DS},
            {VcpuGuestContext.FS, VcpuState.FS},
            {VcpuGuestContext.GS, VcpuState.GS}
        };
        for (int[] selector : selectors) {
            out.putShort(selector[0], (short) state.selector(selector[1]));
        }
        out.putLong(VcpuGuestContext.CTRLREG, state.getLong(VcpuState.CR0));
        out.putLong(VcpuGuestContext.CTRLREG + 16, state.getLong(VcpuState.CR2));
        out.putLong(VcpuGuestContext.CTRLREG + 24, state.getLong(VcpuState.CR3));
        out.putLong(VcpuGuestContext.CTRLREG + 32, state.getLong(VcpuState.CR4));
        for (int i = 0; i < 8; i++) {
            out.putLong(VcpuGuestContext.DEBUGREG + 8 * i, state.getLong(VcpuState.DR + 8 * i));
        }
        out.putLong(VcpuGuestContext.FS_BASE, state.segmentBase(VcpuState.FS));
        long gs = state.segmentBase(VcpuState.GS);
        long other = state.getLong(VcpuState.KERNEL_GS_BASE);
        out.putLong(VcpuGuestContext.GS_BASE_KERNEL, kernel ? gs : other);
        out.putLong(VcpuGuestContext.GS_BASE_USER, kernel ? other : gs);
        return out.array();
    }

    /** As FXSAVE writes it: ST(0) comes first, and the state block has physical order. */
    private static void fpu(VcpuState state, byte[] to) {
        Raw.copy(state.address() + VcpuState.FXSAVE, to, 0, VcpuGuestContext.FPU_SIZE);
        int top = to[VcpuState.FSW - VcpuState.FXSAVE + 1] >>> 3 & 7;
        for (int i = 0; i < 8; i++) {
            Raw.copy(
                    state.address() + VcpuState.ST + (top + i & 7) * 16L,
                    to,
                    VcpuState.ST - VcpuState.FXSAVE + i * 16,
                    16);
        }
    }

    private static void put(FileChannel out, long position, byte[] bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        while (buffer.hasRemaining()) {
            position += out.write(buffer, position);
        }
    }
}
