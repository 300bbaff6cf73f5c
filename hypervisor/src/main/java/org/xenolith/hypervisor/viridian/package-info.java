/**
 * The Viridian interface: what Microsoft's systems, and test programs, expect of a hypervisor, beside Xen's own. A domain that
 * is given it finds it at CPUID leaf 0x40000000, and Xen at 0x40000100.
 *
 * <p>Start reading at {@link org.xenolith.hypervisor.viridian.Viridian}; each virtual CPU has a
 * {@link org.xenolith.hypervisor.viridian.ViridianVcpu}. As far as Xen 4.17 goes, without the hypercalls for
 * interprocessor interrupts. Source of numbers: Hypervisor Top Level Functional Specification.
 */
package org.xenolith.hypervisor.viridian;
