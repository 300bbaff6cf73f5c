package org.xenolith.toolstack;

import org.xenolith.memory.GuestPhysical;

/** What the memory target of a domain means for its frames. */
final class MemoryPlan {
    /**
     * Frames that a guest may have beyond its target: ACPI tables, special pages, and the odd page of its balloon driver. As much
     * as xl's LIBXL_MAXMEM_CONSTANT, 1 MiB.
     */
    private static final long SLACK = (1 << 20) >>> GuestPhysical.FRAME_SHIFT;

    /** Shared info, grant table with status frames, vcpu_info of many virtual CPUs. */
    private static final long OVERHEAD = (1 << 20) >>> GuestPhysical.FRAME_SHIFT;

    private MemoryPlan() {}

    /** Frames that a guest with this target may own. */
    static long limit(long targetBytes) {
        return (targetBytes >>> GuestPhysical.FRAME_SHIFT) + SLACK;
    }

    /** Frames that are kept for it, and for what the hypervisor needs because of it. */
    static long claim(long targetBytes) {
        return limit(targetBytes) + OVERHEAD;
    }
}
