/**
 * Machine memory: one reserved off-heap region cut into 4 KiB frames, the allocator that hands the frames out, and the
 * physical-to-machine map that gives each domain its own view of them.
 *
 * <p>Start reading at {@link org.xenolith.memory.MachineMemory}, then {@link org.xenolith.memory.PhysicalToMachine}. The
 * narrow view that a processor gets of a domain's memory is {@link org.xenolith.memory.GuestPhysical}. Raw loads and
 * stores at host addresses live in {@link org.xenolith.memory.Raw} and nowhere else.
 *
 * <p>Nothing here knows about x86, hypercalls or devices.
 */
package org.xenolith.memory;
