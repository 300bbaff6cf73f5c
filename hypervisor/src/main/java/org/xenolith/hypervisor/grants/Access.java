package org.xenolith.hypervisor.grants;

/**
 * One use of a grant reference.
 *
 * @param ref the reference, in the table that was asked
 * @param owner whose memory the frame is: the granter, or for a transitive grant the domain behind it
 * @param gfn the frame in the owner's memory
 * @param mfn the machine frame
 * @param offset first byte that is granted
 * @param length bytes that are granted
 * @param behind the use of the grant that a transitive one passes on, or null
 */
record Access(int ref, GrantTable owner, long gfn, int mfn, boolean writable, int offset, int length, Access behind) {}
