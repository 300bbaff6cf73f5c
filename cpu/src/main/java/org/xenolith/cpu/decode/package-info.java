/**
 * The instruction table and what reads it: decoder and disassembler.
 *
 * <p>The table is text, in the resources {@code instructions/*.txt}; {@code integer.txt} begins with the legend. A line is
 * a {@link org.xenolith.cpu.decode.Row}; {@link org.xenolith.cpu.decode.InsnTable} indexes them by opcode;
 * {@link org.xenolith.cpu.decode.Decoder} turns bytes into an {@link org.xenolith.cpu.decode.Insn}. What an instruction
 * does is not here but in the semantics.
 */
package org.xenolith.cpu.decode;
