/**
 * The Java library that drives guests: what the command line, tests and other programs use.
 *
 * <p>Start at {@link org.xenolith.toolstack.DomainConfig} and {@link org.xenolith.toolstack.Domain}. This room wires the
 * others together (machine memory, engine, hypervisor, platform, services) and holds lifecycle and policy; CPU and ring
 * details do not belong here.
 */
package org.xenolith.toolstack;
