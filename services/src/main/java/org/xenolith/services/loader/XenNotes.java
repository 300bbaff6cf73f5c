package org.xenolith.services.loader;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.OptionalLong;

/**
 * The ELF notes with the name "Xen" ({@code xen/include/public/elfnote.h}): how a kernel says what it needs.
 *
 * @param notes description bytes by note type
 */
public record XenNotes(Map<Integer, byte[]> notes) {
    /** Virtual address of the PV entry point. */
    public static final int ENTRY = 1;
    /** Page-aligned virtual address of the hypercall page; absent in kernels that call inline. */
    public static final int HYPERCALL_PAGE = 2;

    public static final int VIRT_BASE = 3;
    public static final int PADDR_OFFSET = 4;
    public static final int XEN_VERSION = 5;
    public static final int GUEST_OS = 6;
    public static final int GUEST_VERSION = 7;
    public static final int LOADER = 8;
    public static final int PAE_MODE = 9;
    /** Feature names separated by '|'; Linux does not terminate the string. */
    public static final int FEATURES = 10;

    public static final int BSD_SYMTAB = 11;
    public static final int HV_START_LOW = 12;
    public static final int L1_MFN_VALID = 13;
    public static final int SUSPEND_CANCEL = 14;
    public static final int INIT_P2M = 15;
    public static final int MOD_START_PFN = 16;
    public static final int SUPPORTED_FEATURES = 17;
    /** Physical address of the 32-bit PVH entry point: 8 bytes in Linux, 4 in XTF. */
    public static final int PHYS32_ENTRY = 18;
    /** The kernel can run elsewhere in memory: alignment, lowest and highest address. */
    public static final int PHYS32_RELOC = 19;

    public XenNotes {
        notes = Map.copyOf(notes);
    }

    public boolean has(int type) {
        return notes.containsKey(type);
    }

    /** A note of 1, 2, 4 or 8 bytes as a number; empty when it is absent or of another size. */
    public OptionalLong number(int type) {
        byte[] bytes = notes.get(type);
        if (bytes == null || bytes.length == 0 || bytes.length > 8 || Integer.bitCount(bytes.length) != 1) {
            return OptionalLong.empty();
        }
        long value = 0;
        for (int i = bytes.length - 1; i >= 0; i--) {
            value = value << 8 | bytes[i] & 0xff;
        }
        return OptionalLong.of(value);
    }

    /** A note as text, up to a NUL if there is one; empty when it is absent. */
    public String text(int type) {
        byte[] bytes = notes.get(type);
        if (bytes == null) {
            return "";
        }
        String text = new String(bytes, StandardCharsets.ISO_8859_1);
        int end = text.indexOf(0);
        return end < 0 ? text : text.substring(0, end);
    }
}
