package org.xenolith.hypervisor;

/** How a guest relates to the machine. */
public enum GuestKind {
    /** Hardware container without legacy hardware: the kernel is entered directly and uses Xen's interfaces. */
    PVH,
    /** Hardware container with firmware and emulated hardware. */
    HVM,
    /** Deprivileged kernel on machine page tables. */
    PV
}
