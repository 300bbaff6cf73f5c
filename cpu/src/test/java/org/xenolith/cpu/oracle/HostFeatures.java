package org.xenolith.cpu.oracle;

import java.util.Set;
import org.xenolith.cpu.decode.Row;

/** What the host's processor offers to user programs, asked for a row of the instruction table. */
public final class HostFeatures {
    private final Set<String> names = org.xenolith.cpu.HostFeatures.names();

    /** Whether the host has what all forms of a row need. */
    public boolean has(Row row) {
        return row.allowed(names::contains, 1);
    }
}
