/**
 * What instructions do: one static method an instruction, grouped by family, named by the instruction table.
 *
 * <p>The signature of a method says how it is called; the legend at the top of {@code instructions/integer.txt} explains the
 * three styles. Widths {@code w} are log2 of bytes. Everything is computed, and every fault raised, before the first
 * register or flag changes. Decoding, operand access and blocks do not belong here.
 */
package org.xenolith.cpu.semantics;
