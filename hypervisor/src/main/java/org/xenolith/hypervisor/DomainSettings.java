package org.xenolith.hypervisor;

import java.util.Set;
import java.util.UUID;
import org.xenolith.hypervisor.grants.GrantLimits;
import org.xenolith.hypervisor.viridian.ViridianFeature;

/**
 * What a domain is to be.
 *
 * @param id domain identifier, 0..0x7FEF
 * @param name for people
 * @param uuid identity
 * @param kind how the guest relates to the machine
 * @param vcpus virtual CPUs, at least 1
 * @param maxFrames 4 KiB frames that the domain may own
 * @param maxEventChannels the highest port number that the domain may use; port 0 is none
 * @param grants limits of the grant table
 * @param viridian what the domain has of the Viridian interface; empty for a domain that does not see it
 */
public record DomainSettings(
        int id,
        String name,
        UUID uuid,
        GuestKind kind,
        int vcpus,
        long maxFrames,
        int maxEventChannels,
        GrantLimits grants,
        Set<ViridianFeature> viridian) {
    /** What xl gives a domain that asks for nothing else. */
    public static final int DEFAULT_EVENT_CHANNELS = 1023;

    public DomainSettings {
        viridian = Set.copyOf(viridian);
        if (id < 0 || id >= 0x7FF0) {
            throw new IllegalArgumentException("domain identifier " + id);
        }
        if (vcpus < 1 || vcpus > 128) {
            throw new IllegalArgumentException(vcpus + " virtual CPUs");
        }
    }

    /** A PVH domain with default limits and an identity of its own. */
    public static DomainSettings pvh(int id, String name, int vcpus, long maxFrames) {
        return pvh(id, name, UUID.randomUUID(), vcpus, maxFrames);
    }

    /** A PVH domain with default limits. */
    public static DomainSettings pvh(int id, String name, UUID uuid, int vcpus, long maxFrames) {
        return new DomainSettings(
                id, name, uuid, GuestKind.PVH, vcpus, maxFrames, DEFAULT_EVENT_CHANNELS, GrantLimits.DEFAULT, Set.of());
    }

    /** The same with another highest port. */
    public DomainSettings withEventChannels(int maxPort) {
        return new DomainSettings(id, name, uuid, kind, vcpus, maxFrames, maxPort, grants, viridian);
    }

    /** The same with other limits of the grant table. */
    public DomainSettings withGrants(GrantLimits limits) {
        return new DomainSettings(id, name, uuid, kind, vcpus, maxFrames, maxEventChannels, limits, viridian);
    }

    /** The same with the Viridian interface; without it when {@code features} is empty. */
    public DomainSettings withViridian(Set<ViridianFeature> features) {
        return new DomainSettings(id, name, uuid, kind, vcpus, maxFrames, maxEventChannels, grants, features);
    }
}
