package org.xenolith.cpu;

import java.util.Locale;

/** The processor that a guest sees, as one chooses it. */
public enum CpuLevel {
    /** x86-64-v2: any host; see {@link CpuidPolicy#v2}. */
    V2,
    /** x86-64-v3, with AVX2: any host too, see {@link CpuidPolicy#v3}. */
    V3,
    /** As much of v3 as the host has: see {@link CpuidPolicy#host}. */
    HOST;

    /** The policy for a guest of this level on this host. */
    public CpuidPolicy policy() {
        return switch (this) {
            case V2 -> CpuidPolicy.v2();
            case V3 -> CpuidPolicy.v3();
            case HOST -> CpuidPolicy.host(HostFeatures.names());
        };
    }

    /** As options write it. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
