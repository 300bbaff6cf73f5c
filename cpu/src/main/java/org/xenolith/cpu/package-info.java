/**
 * The x86-64 processor: state block, instruction table, decoder, paging and TLB, faults, CPUID policy, and the
 * interpreter engine.
 *
 * <p>Start reading at {@link org.xenolith.cpu.Engine} and {@link org.xenolith.cpu.VcpuState}; then
 * {@code instructions.txt}, the instruction table, and {@link org.xenolith.cpu.Interpreter}. The world outside the
 * processor is one interface, {@link org.xenolith.cpu.World}. Hypercalls, devices and domains do not belong here.
 */
package org.xenolith.cpu;
