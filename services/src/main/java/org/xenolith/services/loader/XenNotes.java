package org.xenolith.services.loader;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.OptionalLong;

/**
 * The ELF notes with the name "Xen" ({@code xen/include/public/elfnote.h}): how a kernel says what it needs.
 *
 * @param notes description bytes by {@link org.xenolith.abi.ElfNoteType}
 */
public record XenNotes(Map<Integer, byte[]> notes) {
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
