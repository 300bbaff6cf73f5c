package org.xenolith.toolstack;

import java.time.Instant;

/**
 * What {@code xl info} tells of a host, at one moment.
 *
 * @param started when the host was made
 * @param processors processors of the operating system that this JVM may use
 * @param memoryBytes memory for guests
 * @param freeBytes memory that nobody owns; some of it may be claimed
 * @param claimedBytes memory that is kept free for domains that exist
 * @param domains how many domains there are
 */
public record HostInfo(
        Instant started, int processors, long memoryBytes, long freeBytes, long claimedBytes, int domains) {
    /** Memory that a new domain can get. */
    public long availableBytes() {
        return freeBytes - claimedBytes;
    }
}
