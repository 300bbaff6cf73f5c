/**
 * Event channels: one-bit messages between domains, from the hypervisor's virtual interrupts, and between virtual CPUs.
 *
 * <p>Start reading at {@link org.xenolith.hypervisor.events.EventChannels}, which knows ports and who may do what with
 * them. How a raised port shows in guest memory is behind {@link org.xenolith.hypervisor.events.EventAbi}, with a
 * two-level and a FIFO implementation. Services in this JVM hold the other end of a channel as a
 * {@link org.xenolith.hypervisor.events.HostPort}.
 */
package org.xenolith.hypervisor.events;
