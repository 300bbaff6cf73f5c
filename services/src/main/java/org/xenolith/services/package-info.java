/**
 * What domain 0 does for other domains: kernel loaders, the domain builder, console and xenstore, and the tools that
 * read a guest's own tables.
 *
 * <p>Start reading at {@link org.xenolith.services.builder.PvhBuilder} for how a guest comes to be, and at
 * {@link org.xenolith.services.xenstore.XenStore} for what it talks to afterwards. Nothing here uses internals of the
 * hypervisor: a service sees guest memory through {@link org.xenolith.memory.GuestPhysical} and signals its guest
 * through a {@link Runnable}, as a driver domain would through a mapping and an event channel.
 */
package org.xenolith.services;
