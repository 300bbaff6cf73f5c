/**
 * Verbs over the host process: what {@code xl} and the {@code xenstore-} tools do. {@link org.xenolith.cli.host.HostVerbs} is the
 * list of them; {@link org.xenolith.cli.host.HostVerb} what they share. Output has the columns of Xen's tools, because scripts
 * read them.
 *
 * <p>Asks through {@link org.xenolith.daemon.HostConnection} and prints; knows no domain and no toolstack.
 */
package org.xenolith.cli.host;
