package org.xenolith.toolstack.inspect;

import java.util.function.Supplier;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.decode.Disassembler;
import org.xenolith.memory.GuestPhysical;
import org.xenolith.services.dmesg.KernelMemory;
import org.xenolith.services.symbols.SymbolTable;

/**
 * A guest's memory and symbols for tools. The guest should be paused; nothing breaks when it is not.
 *
 * <p>Kernel addresses have two homes: the page tables of the moment, and, when a user program's tables hide the kernel
 * (page-table isolation) or paging is not on yet, the kernel's own root table and its load address.
 */
public final class GuestView {
    /** Where x86-64 Linux maps its image: address = this + guest-physical address, unless it moved itself. */
    private static final long KERNEL_MAP = 0xffffffff80000000L;

    private final GuestPhysical memory;
    private final long kernelStart;
    private final long kernelEnd;
    private final Supplier<SymbolTable> source;
    private SymbolTable symbols;

    /**
     * @param kernelStart lowest guest-physical address of the kernel's image
     * @param kernelEnd first address after it
     * @param symbols asked once, when somebody wants a symbol: finding them takes a second
     */
    public GuestView(GuestPhysical memory, long kernelStart, long kernelEnd, Supplier<SymbolTable> symbols) {
        this.memory = memory;
        this.kernelStart = kernelStart;
        this.kernelEnd = kernelEnd;
        source = symbols;
    }

    /** Guest-physical memory. */
    public GuestPhysical memory() {
        return memory;
    }

    /** The kernel's symbols, perhaps none. */
    public synchronized SymbolTable symbols() {
        if (symbols == null) {
            symbols = source.get();
        }
        return symbols;
    }

    /** "name+0x12", or null when an address lies in no symbol of the kernel. */
    public String symbolAt(long address) {
        SymbolTable table = symbols();
        if (address >= kernelStart && address < kernelEnd) {
            SymbolTable.Place place = table.lookup(address + KERNEL_MAP);
            return place == null ? null : place + " (physical)";
        }
        if (address >= 0) {
            return null;
        }
        SymbolTable.Place place = table.lookup(address);
        return place == null ? null : place.toString();
    }

    /** {@code 0xffffffff81000123 <name+0x12>}, or without the name. */
    public String describe(long address) {
        String name = symbolAt(address);
        return "0x" + Long.toHexString(address) + (name == null ? "" : " <" + name + ">");
    }

    /** Names for a disassembly. */
    public Disassembler.Symbols names() {
        return this::symbolAt;
    }

    /** Whether an address is in the kernel's code. */
    boolean isCode(long address) {
        SymbolTable.Place place = address < 0 ? symbols().lookup(address) : null;
        return place != null && (place.symbol().type() | 0x20) == 't';
    }

    /** Memory as the processor sees it now: how many bytes from {@code linear} on could be read. */
    public int read(VcpuState state, long linear, byte[] to, int length) {
        return copy(address -> PageWalk.of(state, memory, address).physical(), linear, to, length);
    }

    /** Memory as the kernel sees it, whatever program runs now: how many bytes from {@code linear} on could be read. */
    public int readKernel(VcpuState state, long linear, byte[] to, int length) {
        return copy(address -> kernelAddress(state, address), linear, to, length);
    }

    /** Little-endian 64-bit value at a linear address as the kernel sees it, or {@code otherwise} when not mapped. */
    public long readLong(VcpuState state, long linear, long otherwise) {
        byte[] bytes = new byte[8];
        if (readKernel(state, linear, bytes, 8) < 8) {
            return otherwise;
        }
        long value = 0;
        for (int i = 7; i >= 0; i--) {
            value = value << 8 | bytes[i] & 0xff;
        }
        return value;
    }

    /** The kernel's memory for readers of its structures. */
    public KernelMemory kernelMemory(VcpuState state) {
        return (linear, to, offset, length) -> {
            byte[] bytes = new byte[length];
            if (readKernel(state, linear, bytes, length) < length) {
                return false;
            }
            System.arraycopy(bytes, 0, to, offset, length);
            return true;
        };
    }

    private long kernelAddress(VcpuState state, long address) {
        long physical = PageWalk.of(state, memory, address).physical();
        boolean paging = (state.getLong(VcpuState.CR0) & 1L << 31) != 0;
        if (address >= 0 || paging && physical >= 0) {
            return physical;
        }
        long image = address - KERNEL_MAP;
        if (image >= kernelStart && image < kernelEnd) {
            return image;
        }
        long root = symbols().address("init_top_pgt").orElse(0) - KERNEL_MAP;
        return root >= kernelStart && root < kernelEnd
                ? PageWalk.longMode(memory, root, address, 4).physical()
                : -1;
    }

    private interface Translation {
        long physical(long linear);
    }

    private int copy(Translation translation, long linear, byte[] to, int length) {
        int done = 0;
        while (done < length) {
            long at = linear + done;
            int chunk = (int) Math.min(length - done, GuestPhysical.FRAME_SIZE - (at & GuestPhysical.FRAME_SIZE - 1));
            long physical = translation.physical(at);
            if (physical < 0 || !memory.read(physical, to, done, chunk)) {
                break;
            }
            done += chunk;
        }
        return done;
    }
}
