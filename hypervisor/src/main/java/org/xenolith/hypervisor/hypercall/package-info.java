/**
 * Hypercalls: one table of rows, and a class of handlers for each family.
 *
 * <p>Start reading at {@link org.xenolith.hypervisor.hypercall.Hypercalls}, then the rows in
 * {@link org.xenolith.hypervisor.hypercall.HypercallTable}. A handler gets a
 * {@link org.xenolith.hypervisor.hypercall.Call}: arguments, and guest memory by the guest's own addresses. It copies a
 * structure in once, checks the copy and uses the copy.
 */
package org.xenolith.hypervisor.hypercall;
