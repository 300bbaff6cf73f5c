/**
 * Builds a domain: fills guest memory with a kernel, its initrd and what a PVH guest is told about its machine.
 *
 * <p>Start reading at {@link org.xenolith.services.builder.PvhBuilder}; the addresses are in
 * {@link org.xenolith.services.builder.GuestLayout}. The builder takes machine memory and returns a value; creating the
 * domain, its event channels and its processors is the hypervisor's and the toolstack's business.
 */
package org.xenolith.services.builder;
