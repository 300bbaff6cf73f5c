package org.xenolith.cpu;

/**
 * A virtual CPU's memory as its own instructions would see it: linear addresses, translated with the page tables and the
 * paging mode of the moment, at supervisor privilege.
 *
 * <p>Hypercall arguments are such addresses. Nothing here raises a fault in the guest: an address that its instructions
 * could not access is answered with {@code false} or -1. Accessed and dirty bits are set as by an instruction. Only the
 * thread that runs the virtual CPU may call these methods, and only while {@link Engine#run} is not on its stack.
 */
public interface LinearMemory {
    /** Copies guest memory at a linear address into an array; false (array undefined) when some of it is not readable. */
    boolean read(long linear, byte[] to, int offset, int length);

    /** Copies an array to guest memory at a linear address; false (partly done) when some of it is not writable. */
    boolean write(long linear, byte[] from, int offset, int length);

    /**
     * The guest-physical address behind a linear address.
     *
     * @param write whether the page must be writable
     * @return the guest-physical address, or -1 when the page is not mapped that way
     */
    long translate(long linear, boolean write);
}
