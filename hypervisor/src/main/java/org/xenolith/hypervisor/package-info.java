/**
 * Domains and their virtual CPUs: what Xen itself does, without device emulation, file formats or sockets.
 *
 * <p>Start reading at {@link org.xenolith.hypervisor.Domain}, then {@link org.xenolith.hypervisor.Vcpu}, whose run loop
 * turns an engine's exits into hypercalls, interrupts and sleep. Event channels, grant tables, time and hypercalls have
 * packages of their own. Devices reach a domain through {@link org.xenolith.hypervisor.PortBus},
 * {@link org.xenolith.hypervisor.MmioBus} and {@link org.xenolith.hypervisor.InterruptController}.
 *
 * <p>Lock order, outermost first: a domain's lifecycle, a grant table, event channels (lower domain id
 * first), a domain's memory, a virtual CPU's timers, an interrupt controller, the scheduler's (see its package), a runstate. Nobody calls into a guest's or a service's
 * code with one of them held, and nobody waits for one of the first four from inside an engine.
 */
package org.xenolith.hypervisor;
