package org.xenolith.cpu.decode;

/** Where the decoder gets its bytes from. */
public interface CodeBytes {
    /** The byte {@code offset} bytes behind the start of the block, 0..255; may raise the fault of fetching it. */
    int at(int offset);
}
