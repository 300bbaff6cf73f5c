package org.xenolith.abi;

/**
 * What a PVH kernel finds at the guest-physical address in ebx ({@value #SIZE} bytes, version 1).
 *
 * <pre>
 *    0 u32 magic             0x336EC578
 *    4 u32 version           1
 *    8 u32 flags             see {@link StartInfoFlags}
 *   12 u32 nr_modules
 *   16 u64 modlist_paddr     entries of {@value #MODULE_SIZE} bytes: u64 paddr, u64 size, u64 cmdline_paddr, u64 0
 *   24 u64 cmdline_paddr     NUL-terminated
 *   32 u64 rsdp_paddr        0 = no ACPI
 *   40 u64 memmap_paddr      entries of {@value #MEMMAP_SIZE} bytes: u64 address, u64 size, u32 type, u32 0
 *   48 u32 memmap_entries, u32 reserved
 * </pre>
 *
 * <p>The processor enters at the address of ELF note {@link ElfNoteType#PHYS32_ENTRY} in 32-bit protected mode without
 * paging, with flat segments and interrupts off. Linux takes module 0 as its initrd.
 */
public final class HvmStartInfo {
    public static final int MAGIC_VALUE = 0x336EC578;

    public static final int MAGIC = 0;
    public static final int VERSION = 4;
    public static final int FLAGS = 8;
    public static final int NR_MODULES = 12;
    public static final int MODLIST = 16;
    public static final int CMDLINE = 24;
    public static final int RSDP = 32;
    public static final int MEMMAP = 40;
    public static final int MEMMAP_ENTRIES = 48;
    public static final int SIZE = 56;

    public static final int MODULE_PADDR = 0;
    public static final int MODULE_BYTES = 8;
    public static final int MODULE_CMDLINE = 16;
    public static final int MODULE_SIZE = 32;

    public static final int MEMMAP_ADDR = 0;
    public static final int MEMMAP_BYTES = 8;
    public static final int MEMMAP_TYPE = 16;
    public static final int MEMMAP_SIZE = 24;

    private HvmStartInfo() {}
}
