/**
 * The x86-64 processor: state block, instruction table, decoder, paging and TLB, faults, CPUID policy, and the
 * interpreter engine.
 *
 * <p>Start reading at {@link org.xenolith.cpu.Engine} and {@link org.xenolith.cpu.VcpuState}; then the instruction table in
 * the resources ({@code instructions/integer.txt} begins with its legend), and
 * {@link org.xenolith.cpu.interpret.Interpreter}. The world outside the processor is one interface,
 * {@link org.xenolith.cpu.World}. Hypercalls, devices and domains do not belong here.
 */
package org.xenolith.cpu;
