package org.xenolith.cpu;

import org.xenolith.memory.GuestPhysical;

/** Makes the engine of one virtual CPU. */
@FunctionalInterface
public interface EngineFactory {
    /**
     * Makes an engine.
     *
     * @param state the state block that the engine runs on
     * @param world everything that the processor's instructions can reach, but for memory
     * @param memory the domain's guest-physical memory
     */
    Engine create(VcpuState state, World world, GuestPhysical memory);
}
