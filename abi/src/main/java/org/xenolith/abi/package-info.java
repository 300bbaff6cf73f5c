/**
 * Xen's public interface, and nothing else: numbers and layouts as constants, the protocol told in the Javadoc.
 *
 * <p>Start reading at {@link org.xenolith.abi.HypercallNumber} for calls, {@link org.xenolith.abi.SharedInfo} for memory
 * that guest and hypervisor share, and {@link org.xenolith.abi.HvmStartInfo} for how a PVH kernel is started.
 * Layouts are those of the 64-bit ABI, little endian; offsets are in bytes. No behaviour belongs here, and this room uses
 * no other.
 */
package org.xenolith.abi;
