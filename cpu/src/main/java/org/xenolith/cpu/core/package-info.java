/**
 * The processor as instruction semantics see it: registers, lazy flags, segments, linear memory, delivery of interrupts.
 *
 * <p>Start reading at {@link org.xenolith.cpu.core.Cpu}, then {@link org.xenolith.cpu.core.Tlb}, whose fill path is the only
 * place that makes host addresses out of a guest's, and {@link org.xenolith.cpu.core.Interrupts}. Faults are one preallocated
 * {@link org.xenolith.cpu.core.GuestFault}. Decoding and the engine's loop do not belong here: an engine owns decoded code
 * and hears of stores to it through {@link org.xenolith.cpu.core.CodeWatch}. What processors of one domain must know of each
 * other's code is in {@link org.xenolith.cpu.core.SharedCode}.
 */
package org.xenolith.cpu.core;
