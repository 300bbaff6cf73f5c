package org.xenolith.hypervisor.viridian;

import java.util.EnumSet;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/** Groups of enlightenments, with the names that {@code viridian=} of an {@code xl.cfg} gives them. */
public enum ViridianFeature {
    /** Identity, hypercall page, virtual processor index, APIC registers. */
    BASE,
    /** Frequencies of the time-stamp counter and the APIC timer. */
    FREQ,
    /** A counter of 100 ns. */
    TIME_REF_COUNT,
    /** A page by which the guest makes that counter from its time-stamp counter. */
    REFERENCE_TSC,
    /** TLB flushes by hypercall. */
    HCALL_REMOTE_TLB_FLUSH,
    /** A page by which the hypervisor may spare the guest an end of interrupt. */
    APIC_ASSIST,
    /** Registers by which the guest tells of its crash. */
    CRASH_CTL,
    /** Synthetic interrupts. */
    SYNIC,
    /** Synthetic timers. */
    STIMER,
    /** Says that there is no limit of virtual processors. */
    NO_VP_LIMIT,
    /** Says that processors may be added. */
    CPU_HOTPLUG;

    /** What {@code viridian=1} stands for. */
    public static final Set<ViridianFeature> DEFAULTS =
            Set.copyOf(EnumSet.of(BASE, FREQ, TIME_REF_COUNT, APIC_ASSIST, CRASH_CTL));

    /** The feature of a name in {@code xl.cfg}. */
    public static Optional<ViridianFeature> named(String name) {
        for (ViridianFeature feature : values()) {
            if (feature.toString().equals(name)) {
                return Optional.of(feature);
            }
        }
        return Optional.empty();
    }

    /** The features, and those that they need. */
    static Set<ViridianFeature> complete(Set<ViridianFeature> features) {
        EnumSet<ViridianFeature> result = EnumSet.noneOf(ViridianFeature.class);
        result.addAll(features);
        if (result.contains(STIMER)) {
            result.add(SYNIC);
            result.add(TIME_REF_COUNT);
        }
        return result;
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
