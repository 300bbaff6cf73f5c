package org.xenolith.toolstack;

import java.util.Locale;

/** How a guest relates to the machine: {@code type} of xl.cfg. */
public enum GuestType {
    /** The kernel's own page tables, Xen's interfaces, no emulated hardware. */
    PVH,
    /** Firmware and emulated hardware; not implemented. */
    HVM,
    /** Paravirtual page tables; not implemented. */
    PV;

    /** As xl.cfg writes it. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
