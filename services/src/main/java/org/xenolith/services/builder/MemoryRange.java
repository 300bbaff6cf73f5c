package org.xenolith.services.builder;

/**
 * An entry of a guest's memory map.
 *
 * @param start first guest-physical address
 * @param size in bytes
 * @param type one of {@link org.xenolith.abi.E820Type}
 */
public record MemoryRange(long start, long size, int type) {
    /** First address after the range. */
    public long end() {
        return start + size;
    }
}
