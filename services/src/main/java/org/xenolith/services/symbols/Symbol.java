package org.xenolith.services.symbols;

/**
 * A named address.
 *
 * @param name as the linker knows it
 * @param address virtual address; for per-CPU variables the offset in the per-CPU area
 * @param type the letter of nm(1): 't' and 'T' for code, 'd' and 'D' for data, …
 */
public record Symbol(String name, long address, char type) {}
