package org.xenolith.abi;

/**
 * Entries of a grant table, which live in pages that guest and hypervisor share.
 *
 * <pre>
 *   version 1   8 bytes  u16 flags, u16 domid, u32 frame
 *   version 2  16 bytes  u16 flags, u16 domid, then
 *                        full page   u32 reserved, u64 frame @8
 *                        sub-page    u16 offset @4, u16 length @6, u64 frame @8
 *                        transitive  u16 domid @4, u32 reference @8
 *              and a separate array of u16 status words with the READING and WRITING bits
 * </pre>
 *
 * <p>The granting domain writes frame and domid, then flags. It takes a grant back by setting flags to 0, which it may do
 * only while neither READING nor WRITING is set; the hypervisor sets those with a compare-and-set on flags and domid
 * together, for as long as the frame is mapped or copied.
 */
public final class GrantEntry {
    public static final int V1_SIZE = 8;
    public static final int V1_DOMID = 2;
    public static final int V1_FRAME = 4;
    public static final int V1_PER_PAGE = 512;

    public static final int V2_SIZE = 16;
    public static final int V2_SUB_PAGE_OFFSET = 4;
    public static final int V2_SUB_PAGE_LENGTH = 6;
    public static final int V2_FRAME = 8;
    public static final int V2_TRANSITIVE_DOMID = 4;
    public static final int V2_TRANSITIVE_REF = 8;
    public static final int V2_PER_PAGE = 256;
    /** Status words of version 2 in one page. */
    public static final int STATUS_PER_PAGE = 2048;

    /** Types of an entry: the low two bits of flags. */
    public static final int TYPE_MASK = 3;

    public static final int INVALID = 0;
    public static final int PERMIT_ACCESS = 1;
    public static final int ACCEPT_TRANSFER = 2;
    public static final int TRANSITIVE = 3;

    public static final int READONLY = 1 << 2;
    public static final int READING = 1 << 3;
    public static final int WRITING = 1 << 4;
    /** Version 2: only part of the page is granted, and only for copying. */
    public static final int SUB_PAGE = 1 << 8;

    /** References that the domain builder uses. */
    public static final int REF_CONSOLE = 0;

    public static final int REF_XENSTORE = 1;
    public static final int RESERVED_REFS = 8;

    private GrantEntry() {}
}
