package org.xenolith.services.xenstore;

import java.util.List;
import org.xenolith.services.xenstore.Permission.Access;

/**
 * In whose name a request is made.
 *
 * @param domain the client's domain
 * @param privileged true for domain 0: no permission stops it, and no quota
 * @param target a domain whose rights it has as well (a device model's guest), or -1
 */
record StoreClient(int domain, boolean privileged, int target) {
    /** The host itself. */
    static final StoreClient HOST = new StoreClient(0, true, -1);

    boolean owns(List<Permission> permissions) {
        int owner = permissions.getFirst().domain();
        return privileged || owner == domain || owner == target;
    }

    boolean mayRead(List<Permission> permissions) {
        return owns(permissions)
                || access(permissions, domain).reads()
                || target >= 0 && access(permissions, target).reads();
    }

    boolean mayWrite(List<Permission> permissions) {
        return owns(permissions)
                || access(permissions, domain).writes()
                || target >= 0 && access(permissions, target).writes();
    }

    private static Access access(List<Permission> permissions, int domain) {
        for (Permission permission : permissions.subList(1, permissions.size())) {
            if (permission.domain() == domain) {
                return permission.access();
            }
        }
        return permissions.getFirst().access();
    }
}
