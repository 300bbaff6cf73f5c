package org.xenolith.toolstack;

import org.xenolith.memory.GuestPhysical;

/**
 * What a domain's sizes mean for its frames.
 *
 * @param limitFrames frames that the guest may own
 * @param claimFrames frames that are kept for it and for what the hypervisor needs because of it
 */
record MemoryPlan(long limitFrames, long claimFrames) {
    /**
     * Frames that a guest may have beyond its target: ACPI tables, special pages, and the odd page of its balloon driver. xl's
     * LIBXL_MAXMEM_CONSTANT is 1 MiB, too.
     */
    private static final long SLACK = (1 << 20) >>> GuestPhysical.FRAME_SHIFT;
    /** Shared info, grant table with status frames, vcpu_info of many virtual CPUs. */
    private static final long OVERHEAD = (1 << 20) >>> GuestPhysical.FRAME_SHIFT;

    static MemoryPlan of(long targetBytes, long maxBytes) {
        long target = targetBytes >>> GuestPhysical.FRAME_SHIFT;
        return new MemoryPlan((maxBytes >>> GuestPhysical.FRAME_SHIFT) + SLACK, target + SLACK + OVERHEAD);
    }

    /** Frames that a guest with this target may own. */
    static long limit(long bytes) {
        return (bytes >>> GuestPhysical.FRAME_SHIFT) + SLACK;
    }

    /** Frames that are kept for a guest with this target. */
    static long claim(long bytes) {
        return limit(bytes) + OVERHEAD;
    }

    /** Memory that a host must have for such a guest. */
    static long bytesFor(long bytes) {
        return claim(bytes) << GuestPhysical.FRAME_SHIFT;
    }
}
