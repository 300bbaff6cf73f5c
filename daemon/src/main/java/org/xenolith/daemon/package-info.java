/**
 * The host process: one a user, with all of the user's guests in it. {@link org.xenolith.daemon.HostDaemon} is its main class,
 * {@link org.xenolith.daemon.HostService} does what commands ask for through the toolstack's API, {@link
 * org.xenolith.daemon.HostClient} finds or starts the process and talks to it over a Unix socket that only its user can open.
 *
 * <p>The commands are in {@link org.xenolith.daemon.protocol}. No terminal and no printing for people here: that is the {@code cli}
 * room's.
 */
package org.xenolith.daemon;
