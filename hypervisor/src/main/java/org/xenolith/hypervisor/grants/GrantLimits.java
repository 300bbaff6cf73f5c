package org.xenolith.hypervisor.grants;

/**
 * Limits of a domain's grant table.
 *
 * @param maxFrames pages of the table, at least 1
 * @param maxMaptrackFrames pages of 256 handles each for the grants of others that the domain maps; 0 for a domain that may
 *     map none
 * @param maxVersion highest version of the entries: 1 or 2
 */
public record GrantLimits(int maxFrames, int maxMaptrackFrames, int maxVersion) {
    /** What xl gives a domain that asks for nothing else. */
    public static final GrantLimits DEFAULT = new GrantLimits(64, 1024, 2);

    /** Pages that a table may have at most. */
    private static final int MOST_FRAMES = 4096;

    private static final int MOST_MAPTRACK_FRAMES = 1 << 16;

    public GrantLimits {
        if (maxFrames < 1 || maxFrames > MOST_FRAMES) {
            throw new IllegalArgumentException(maxFrames + " pages of grant table, not 1 to " + MOST_FRAMES);
        }
        if (maxMaptrackFrames < 0 || maxMaptrackFrames > MOST_MAPTRACK_FRAMES) {
            throw new IllegalArgumentException(
                    maxMaptrackFrames + " pages of grant handles, not 0 to " + MOST_MAPTRACK_FRAMES);
        }
        if (maxVersion < 1 || maxVersion > 2) {
            throw new IllegalArgumentException("version " + maxVersion + " of the grant table, not 1 or 2");
        }
    }
}
