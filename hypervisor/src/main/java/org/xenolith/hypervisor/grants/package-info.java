/**
 * Grant tables: how a domain lets another one, or a service in this JVM, use single frames of its memory.
 *
 * <p>Start reading at {@link org.xenolith.hypervisor.grants.GrantTable}. The entries live in pages that the guest writes;
 * what the hypervisor believes is in its own records.
 */
package org.xenolith.hypervisor.grants;
