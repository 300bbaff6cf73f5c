package org.xenolith.services.builder;

/**
 * Where things are in the guest-physical address space of a PVH guest: the map that Xen 4.17's toolstack builds.
 *
 * <pre>
 *   0 .. low end          RAM, without the holes of a PC; kernel, boot data and initrd are here
 *   0xFC000000            ACPI information page, then the ACPI tables, then the RSDP on a page of its own
 *   0xFEE00000            local APIC
 *   0xFEFF8000            eight special pages: paging, access, sharing, buffered ioreq, xenstore, ioreq, identity page
 *                         table, console
 *   4 GiB ..              the rest of RAM
 * </pre>
 */
public final class GuestLayout {
    /** End of low RAM when there is more; start of the hole for devices and tables. */
    public static final long HOLE_START = 0xFC00_0000L;

    public static final long HOLE_END = 1L << 32;
    /** One page that libacpi keeps for HVM firmware; reads as zeros for a PVH guest. */
    public static final long ACPI_INFO = 0xFC00_0000L;

    public static final long ACPI_TABLES = 0xFC00_1000L;
    /** The most that the tables may take. */
    public static final int ACPI_TABLES_SIZE = 16 << 12;

    public static final long LOCAL_APIC = 0xFEE0_0000L;
    public static final long SPECIAL_PAGES = 0xFEFF_8000L;
    public static final int SPECIAL_PAGE_COUNT = 8;
    /** Frame of the ring between the guest and xenstore. */
    public static final long XENSTORE_GFN = 0xFEFFC;
    /** Frame of the ring of the guest's console. */
    public static final long CONSOLE_GFN = 0xFEFFF;

    private GuestLayout() {}
}
