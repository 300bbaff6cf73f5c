package org.xenolith.cli.host;

import org.xenolith.daemon.HostClient;
import org.xenolith.daemon.HostConnection;
import org.xenolith.daemon.HostException;
import org.xenolith.daemon.RuntimeDirectory;

/** How a verb comes to its host. */
@FunctionalInterface
public interface HostAccess {
    /** The host process of this user, started if need be. */
    HostAccess OF_USER = () -> HostClient.connect(RuntimeDirectory.of(System::getenv));

    HostConnection open() throws HostException;
}
