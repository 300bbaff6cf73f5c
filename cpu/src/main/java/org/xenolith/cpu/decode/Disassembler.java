package org.xenolith.cpu.decode;

import java.util.ArrayList;
import java.util.List;
import org.xenolith.cpu.VcpuState;

/**
 * Writes instructions as people read them: Intel syntax, from the same table that the processor executes. Not
 * thread-safe.
 *
 * <p>{@code mov rax, qword ptr [rip+0x1234]  # jiffies}. Mnemonics and operands follow the manuals (SDM vol. 2); what
 * an address means is asked of {@link Symbols} and written behind a {@code #}, or in place of a branch target.
 */
public final class Disassembler {
    /** Longest instruction, in bytes. */
    public static final int MAX_LENGTH = 15;

    /** Names addresses. */
    @FunctionalInterface
    public interface Symbols {
        /** No address has a name. */
        Symbols NONE = address -> null;

        /** "name+0x12", or null when the address lies in no symbol. */
        String at(long address);
    }

    /**
     * One instruction.
     *
     * @param address linear address of its first byte
     * @param length bytes; 1 where no instruction begins
     * @param text mnemonic, operands, and what is known about addresses
     * @param insn the instruction, or null where none begins
     */
    public record Line(long address, int length, String text, Insn insn) {}

    private static final class OutOfBytes extends RuntimeException {
        private static final long serialVersionUID = 1L;

        OutOfBytes() {
            super(null, null, false, false);
        }
    }

    private static final OutOfBytes OUT_OF_BYTES = new OutOfBytes();

    private final Decoder decoder = new Decoder();
    private final OperandText operands;

    public Disassembler(Symbols symbols) {
        operands = new OperandText(symbols);
    }

    /**
     * Disassembles the instruction at {@code code[at]}.
     *
     * @param end index of the first byte that is not known
     * @param address linear address of {@code code[at]}
     * @param mode 1, 2 or 3 for 16-, 32- and 64-bit code
     */
    public Line line(byte[] code, int at, int end, long address, int mode) {
        Insn insn;
        try {
            insn = decoder.decode(
                    offset -> {
                        if (at + offset >= end) {
                            throw OUT_OF_BYTES;
                        }
                        return code[at + offset] & 0xff;
                    },
                    0,
                    mode);
        } catch (OutOfBytes e) {
            return new Line(address, Math.max(end - at, 1), "(more bytes follow in memory that cannot be read)", null);
        }
        if (insn == null) {
            return new Line(address, 1, String.format("(bad 0x%02x)", code[at]), null);
        }
        return new Line(address, insn.length(), text(insn, address), insn);
    }

    /** Disassembles up to {@code count} instructions, as many as the bytes hold. */
    public List<Line> lines(byte[] code, int at, int end, long address, int mode, int count) {
        List<Line> lines = new ArrayList<>();
        int position = at;
        while (position < end && lines.size() < count) {
            Line line = line(code, position, end, address + position - at, mode);
            lines.add(line);
            position += line.length;
        }
        return lines;
    }

    /** The text of a decoded instruction at a linear address. */
    public String text(Insn insn, long address) {
        return operands.text(insn, address);
    }

    /** Mode of the code that a processor executes now: 1, 2 or 3 for 16, 32 and 64 bits. */
    public static int mode(VcpuState state) {
        return state.in64BitMode() ? 3 : (state.access(VcpuState.CS) & 0x4000) != 0 ? 2 : 1;
    }
}
