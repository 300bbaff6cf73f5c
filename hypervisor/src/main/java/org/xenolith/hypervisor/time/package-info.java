/**
 * A domain's time: the clock it runs by, and the form in which a guest reads it.
 *
 * <p>Start reading at {@link org.xenolith.hypervisor.time.DomainClock}. Nothing else in the hypervisor reads the host's
 * clock, so that a domain on virtual time is deterministic.
 */
package org.xenolith.hypervisor.time;
