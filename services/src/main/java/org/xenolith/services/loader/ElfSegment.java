package org.xenolith.services.loader;

/**
 * A loadable part of an ELF file.
 *
 * @param physical where it belongs in guest-physical memory; the virtual address says nothing about it (Linux's per-CPU
 *     segment is linked at 0)
 * @param virtual its linked address
 * @param offset position of its bytes in the file
 * @param fileSize how many bytes the file has of it
 * @param memorySize how many bytes of memory it takes; the rest is zeros
 */
public record ElfSegment(long physical, long virtual, long offset, long fileSize, long memorySize) {
    /** First byte after the segment in guest-physical memory. */
    public long physicalEnd() {
        return physical + memorySize;
    }
}
