/**
 * Names for addresses in a guest's kernel: from the kernel's own kallsyms, from an ELF symbol table, or from a
 * {@code System.map}.
 *
 * <p>Start reading at {@link org.xenolith.services.symbols.SymbolTable}. Debian ships no usable {@code System.map} and
 * no symbol table, so {@code Kallsyms} finds the compressed table inside the kernel image by its shape.
 */
package org.xenolith.services.symbols;
