package org.xenolith.services.dmesg;

import org.xenolith.memory.GuestPhysical;

/**
 * A guest's memory by linear address, as its kernel sees it, for an onlooker: any thread may read, the guest may run,
 * and reading leaves no trace in page tables.
 */
@FunctionalInterface
public interface KernelMemory {
    /** Copies memory into an array; false when some of it is not mapped. */
    boolean read(long linear, byte[] to, int offset, int length);

    /**
     * Walks the page tables of long mode, with 4 levels, for every page it touches. Changes nothing: no accessed bits,
     * no TLB.
     *
     * @param cr3 the guest's CR3
     */
    static KernelMemory longMode(GuestPhysical memory, long cr3) {
        return (linear, to, offset, length) -> {
            int done = 0;
            while (done < length) {
                long at = linear + done;
                int chunk =
                        (int) Math.min(length - done, GuestPhysical.FRAME_SIZE - (at & GuestPhysical.FRAME_SIZE - 1));
                long physical = translate(memory, cr3, at);
                if (physical < 0 || !memory.read(physical, to, offset + done, chunk)) {
                    return false;
                }
                done += chunk;
            }
            return true;
        };
    }

    /** The guest-physical address behind a linear one, or -1. */
    private static long translate(GuestPhysical memory, long cr3, long linear) {
        long table = cr3 & 0x000f_ffff_ffff_f000L;
        for (int shift = 39; shift >= 12; shift -= 9) {
            long slot = table + (linear >>> shift & 511) * 8;
            if (memory.frameForRead(slot >>> GuestPhysical.FRAME_SHIFT) == 0) {
                return -1;
            }
            long entry = memory.read(slot, 8);
            if ((entry & 1) == 0) {
                return -1;
            }
            boolean large = (entry & 0x80) != 0 && shift <= 30;
            if (shift == 12 || large) {
                long mask = (1L << shift) - 1;
                return entry & 0x000f_ffff_ffff_f000L & ~mask | linear & mask;
            }
            table = entry & 0x000f_ffff_ffff_f000L;
        }
        return -1;
    }
}
