package org.xenolith.hypervisor;

import java.util.function.LongSupplier;
import org.xenolith.cpu.EngineFactory;
import org.xenolith.hypervisor.time.DomainClock;
import org.xenolith.memory.MachineMemory;

/**
 * What a domain is made of: everything that comes from other rooms or from the host.
 *
 * @param machine machine memory, shared by all domains of a host
 * @param domains where other domains are found
 * @param engines makes the engine of each virtual CPU
 * @param controllers makes the interrupt controller of each virtual CPU
 * @param cpuid CPUID policy
 * @param clock the domain's time
 * @param random 64 random bits a call, for RDRAND and RDSEED
 * @param console takes console_io output
 * @param trace sees what happens, or null
 */
public record DomainParts(
        MachineMemory machine,
        Domains domains,
        EngineFactory engines,
        InterruptController.Factory controllers,
        CpuidSource cpuid,
        DomainClock clock,
        LongSupplier random,
        DebugConsole console,
        Trace trace) {}
