package org.xenolith.abi;

/**
 * The file that {@code xl dump-core} writes, format 0.1 (Xen's {@code docs/misc/dump-core-format.txt}): a 64-bit ELF core file
 * without program headers, whose sections are
 *
 * <pre>
 *   .note.Xen         notes, below
 *   .xen_prstatus     a {@link VcpuGuestContext} for each virtual CPU
 *   .xen_shared_info  the shared info page; optional
 *   .xen_pfn          u64 guest frame number for each page of .xen_pages, in any order; of PVH and HVM guests
 *   .xen_pages        the pages
 * </pre>
 */
public final class DumpCore {
    public static final String NOTES = ".note.Xen";
    public static final String PRSTATUS = ".xen_prstatus";
    public static final String SHARED_INFO = ".xen_shared_info";
    public static final String PFN = ".xen_pfn";
    public static final String PAGES = ".xen_pages";

    /** No content: this is such a file. */
    public static final int NOTE_NONE = 0x2000000;
    /** {@code u64 magic, virtual CPUs, pages, page size}. */
    public static final int NOTE_HEADER = 0x2000001;
    /**
     * {@code u64 major, minor; char extra[16]; compile_info 144; char capabilities[1024]; char changeset[64]; u64 virt_start; u64
     * page size}, as {@link XenVersionOp} tells.
     */
    public static final int NOTE_XEN_VERSION = 0x2000002;
    /** {@code u64 major << 32 | minor}. */
    public static final int NOTE_FORMAT_VERSION = 0x2000003;

    /** Of a guest whose physical addresses are translated: PVH and HVM. */
    public static final long MAGIC_HVM = 0xF00FEBEEL;

    public static final long FORMAT_VERSION = 1;

    private DumpCore() {}
}
