package org.xenolith.toolstack.inspect;

import java.util.ArrayList;
import java.util.List;
import org.xenolith.cpu.Efer;
import org.xenolith.cpu.VcpuState;
import org.xenolith.memory.GuestPhysical;

/**
 * A walk through the page tables of the moment that keeps every step (Intel SDM vol. 3, chapter 4). Sets no accessed
 * bits and raises no faults.
 *
 * @param mode what kind of paging is on
 * @param levels the entries on the way, from the root
 * @param physical the guest-physical address, or -1
 * @param problem why there is none; empty when there is one
 */
public record PageWalk(String mode, List<Level> levels, long physical, String problem) {
    private static final long ADDRESS = 0x000f_ffff_ffff_f000L;
    private static final long CR0_PG = 1L << 31;
    private static final long CR4_PSE = 1L << 4;
    private static final long CR4_PAE = 1L << 5;
    private static final long CR4_LA57 = 1L << 12;
    private static final String[] NAMES_64 = {"PTE", "PDE", "PDPTE", "PML4E", "PML5E"};

    /**
     * One entry.
     *
     * @param name as the manuals call it
     * @param index its number in its table
     * @param at guest-physical address of the entry
     * @param entry its value
     * @param leaf it maps a page
     * @param pageShift log2 of the size of what one such entry maps
     */
    public record Level(String name, int index, long at, long entry, boolean leaf, int pageShift) {
        /** {@code PML4E[511] @ 0x2a1fff8 = 0x2a10067 -> 0x2a10000  P W U A D}. */
        @Override
        public String toString() {
            if ((entry & 1) == 0) {
                return String.format("%-5s[%3d] @ 0x%x = 0x%x  not present", name, index, at, entry);
            }
            long next = entry & ADDRESS & (leaf ? -(1L << pageShift) : -1L);
            return String.format(
                    "%-5s[%3d] @ 0x%x = 0x%x -> 0x%x  %s", name, index, at, entry, next, flags(entry, leaf, pageShift));
        }

        private static String flags(long entry, boolean leaf, int shift) {
            StringBuilder s = new StringBuilder("P");
            s.append((entry & 2) != 0 ? " W" : " RO").append((entry & 4) != 0 ? " U" : " S");
            s.append((entry & 8) != 0 ? " PWT" : "").append((entry & 0x10) != 0 ? " PCD" : "");
            s.append((entry & 0x20) != 0 ? " A" : "");
            if (leaf) {
                s.append((entry & 0x40) != 0 ? " D" : "").append((entry & 0x100) != 0 ? " G" : "");
                s.append(shift > 12 ? " PS" : (entry & 0x80) != 0 ? " PAT" : "");
            }
            return s.append(entry < 0 ? " NX" : "").toString();
        }
    }

    /** Whether the address is mapped. */
    public boolean isMapped() {
        return physical >= 0;
    }

    /** Walks for a linear address in the state that a processor is in. */
    public static PageWalk of(VcpuState state, GuestPhysical memory, long linear) {
        long cr4 = state.getLong(VcpuState.CR4);
        if ((state.getLong(VcpuState.CR0) & CR0_PG) == 0) {
            return new PageWalk("no paging", List.of(), linear & 0xffffffffL, "");
        }
        long cr3 = state.getLong(VcpuState.CR3);
        if ((state.getLong(VcpuState.EFER) & Efer.LMA) != 0) {
            return longMode(memory, cr3, linear, (cr4 & CR4_LA57) != 0 ? 5 : 4);
        }
        return (cr4 & CR4_PAE) != 0 ? pae(memory, cr3, linear) : legacy(memory, cr3, linear, (cr4 & CR4_PSE) != 0);
    }

    /** Walks the tables of 4-level or 5-level paging. */
    public static PageWalk longMode(GuestPhysical memory, long cr3, long linear, int depth) {
        String mode = depth + "-level paging";
        int bits = 12 + 9 * depth;
        if (linear << 64 - bits >> 64 - bits != linear) {
            return new PageWalk(mode, List.of(), -1, "not canonical");
        }
        List<Level> levels = new ArrayList<>();
        return descend(memory, mode, levels, cr3 & ADDRESS, linear, depth);
    }

    private static PageWalk descend(
            GuestPhysical memory, String mode, List<Level> levels, long root, long linear, int depth) {
        long table = root;
        for (int level = depth - 1; level >= 0; level--) {
            int shift = 12 + 9 * level;
            int index = (int) (linear >>> shift) & 511;
            long at = table + index * 8L;
            if (memory.frameForRead(at >>> GuestPhysical.FRAME_SHIFT) == 0) {
                return new PageWalk(mode, levels, -1, "no memory at 0x" + Long.toHexString(at) + " for a page table");
            }
            long entry = memory.read(at, 8);
            boolean leaf = level == 0 || level <= 2 && (entry & 0x80) != 0;
            levels.add(new Level(NAMES_64[level], index, at, entry, leaf, shift));
            if ((entry & 1) == 0) {
                return new PageWalk(mode, levels, -1, NAMES_64[level] + " not present");
            }
            if (leaf) {
                long mask = (1L << shift) - 1;
                return new PageWalk(mode, levels, entry & ADDRESS & ~mask | linear & mask, "");
            }
            table = entry & ADDRESS;
        }
        throw new IllegalStateException("a page walk ends at level 0");
    }

    private static PageWalk pae(GuestPhysical memory, long cr3, long linear) {
        String mode = "PAE paging";
        long address = linear & 0xffffffffL;
        int index = (int) (address >>> 30);
        long at = (cr3 & 0xffffffe0L) + index * 8L;
        long entry = memory.read(at, 8);
        List<Level> levels = new ArrayList<>();
        levels.add(new Level("PDPTE", index, at, entry, false, 30));
        if ((entry & 1) == 0) {
            return new PageWalk(mode, levels, -1, "PDPTE not present");
        }
        return descend(memory, mode, levels, entry & ADDRESS, address & (1L << 30) - 1, 2);
    }

    private static PageWalk legacy(GuestPhysical memory, long cr3, long linear, boolean bigPages) {
        String mode = "32-bit paging";
        long address = linear & 0xffffffffL;
        List<Level> levels = new ArrayList<>();
        int index = (int) (address >>> 22);
        long at = (cr3 & 0xfffff000L) + index * 4L;
        long entry = memory.read(at, 4);
        boolean big = bigPages && (entry & 0x80) != 0;
        levels.add(new Level("PDE", index, at, entry, big, 22));
        if ((entry & 1) == 0) {
            return new PageWalk(mode, levels, -1, "PDE not present");
        }
        if (big) {
            long high = (entry >>> 13 & 0xff) << 32;
            return new PageWalk(mode, levels, high | entry & 0xffc00000L | address & 0x3fffff, "");
        }
        index = (int) (address >>> 12) & 1023;
        at = (entry & 0xfffff000L) + index * 4L;
        entry = memory.read(at, 4);
        levels.add(new Level("PTE", index, at, entry, true, 12));
        if ((entry & 1) == 0) {
            return new PageWalk(mode, levels, -1, "PTE not present");
        }
        return new PageWalk(mode, levels, entry & 0xfffff000L | address & 0xfff, "");
    }

    /** The walk, a line an entry, and where it ends. */
    public String format(long linear) {
        StringBuilder s = new StringBuilder();
        s.append(String.format("0x%x, %s%n", linear, mode));
        for (Level level : levels) {
            s.append("  ").append(level).append('\n');
        }
        if (!isMapped()) {
            return s.append("  not mapped: ").append(problem).append('\n').toString();
        }
        s.append(String.format("  guest-physical 0x%x", physical));
        if (!levels.isEmpty()) {
            s.append(", ").append(rights());
        }
        return s.append('\n').toString();
    }

    /** What all entries together allow. */
    private String rights() {
        boolean writable = true;
        boolean user = true;
        boolean executable = true;
        for (Level level : levels) {
            // PAE's root entries carry no rights.
            if (mode.startsWith("PAE") && level.name().equals("PDPTE")) {
                continue;
            }
            writable &= (level.entry() & 2) != 0;
            user &= (level.entry() & 4) != 0;
            executable &= level.entry() >= 0;
        }
        int shift = levels.getLast().pageShift();
        String size = shift >= 30 ? (1 << shift - 30) + " GiB" : shift >= 20 ? (1 << shift - 20) + " MiB" : "4 KiB";
        return size + " page, r" + (writable ? "w" : "-") + (executable ? "x" : "-")
                + (user ? ", user" : ", kernel only");
    }
}
