package org.xenolith.cpu.core;

/**
 * Atomic operations that the host's processor has and Java has not: on operands of any alignment, and on 16 bytes. They are
 * atomic against all others of the host, the ones in translated code too, and full fences.
 */
public interface HostAtomics {
    /**
     * Compares {@code 1 << w} bytes at a host address of any alignment with {@code expected}, and replaces them if equal.
     *
     * @return what was there, zero-extended
     */
    long compareExchange(int w, long address, long expected, long value);

    /**
     * Compares 16 bytes at an aligned host address with the 16 bytes at {@code operands}. If equal, the next 16 bytes
     * there replace them; if not, what was found replaces the first 16 bytes at {@code operands}.
     *
     * @return whether they were equal
     */
    boolean compareExchange16(long address, long operands);
}
