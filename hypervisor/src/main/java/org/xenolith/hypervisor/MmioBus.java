package org.xenolith.hypervisor;

import java.util.concurrent.CopyOnWriteArrayList;

/** Memory-mapped devices of a domain. Unclaimed addresses read as all ones and drop what is written. */
public final class MmioBus {
    private final CopyOnWriteArrayList<Region> regions = new CopyOnWriteArrayList<>();

    /** A device that sees offsets into its own region. */
    public interface MmioDevice {
        long read(long offset, int bytes);

        void write(long offset, int bytes, long value);
    }

    private record Region(long start, long size, MmioDevice device) {}

    /** Gives a range of guest-physical addresses to a device. */
    public void attach(long start, long size, MmioDevice device) {
        for (Region region : regions) {
            if (start < region.start + region.size && region.start < start + size) {
                throw new IllegalArgumentException("0x" + Long.toHexString(start) + " is taken");
            }
        }
        regions.add(new Region(start, size, device));
    }

    /** A load. */
    public long read(long gpa, int bytes) {
        for (Region region : regions) {
            if (gpa >= region.start && gpa - region.start <= region.size - bytes) {
                return region.device.read(gpa - region.start, bytes);
            }
        }
        return bytes == 8 ? -1L : (1L << bytes * 8) - 1;
    }

    /** A store. */
    public void write(long gpa, int bytes, long value) {
        for (Region region : regions) {
            if (gpa >= region.start && gpa - region.start <= region.size - bytes) {
                region.device.write(gpa - region.start, bytes, value);
                return;
            }
        }
    }
}
