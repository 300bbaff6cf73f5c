package org.xenolith.translate;

import java.util.ArrayList;
import java.util.List;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.TrialMemory;
import org.xenolith.cpu.decode.Disassembler;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.memory.Raw;

/** What two engines made of one block, side by side, as text. */
final class Difference {
    private static final String[] REGISTERS = {
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
        "rip", "rflags"
    };

    /** A part of the state block; its value is a little-endian number. */
    private record Field(String name, int offset, int bytes) {}

    private static final List<Field> FIELDS = fields();
    /** Names in the first line. */
    private static final int MOST_NAMES = 4;

    private static final String ROW = "  %-12s %-34s %-34s %s%n";

    private final TranslatedBlock block;
    private final Disassembler.Symbols symbols;
    private final long before;
    private final long expected;
    private final long actual;
    private final TrialMemory memory;

    /**
     * @param before address of the state before the block
     * @param expected address of the state that the interpreter made
     * @param actual address of the state that translated code made
     * @param memory what the interpreter made of memory; guest memory is what translated code made of it
     */
    Difference(
            TranslatedBlock block,
            Disassembler.Symbols symbols,
            long before,
            long expected,
            long actual,
            TrialMemory memory) {
        this.block = block;
        this.symbols = symbols;
        this.before = before;
        this.expected = expected;
        this.actual = actual;
        this.memory = memory;
    }

    private static List<Field> fields() {
        List<Field> fields = new ArrayList<>();
        for (int i = 0; i < REGISTERS.length; i++) {
            fields.add(new Field(REGISTERS[i], VcpuState.GPR + i * Long.BYTES, Long.BYTES));
        }
        fields.add(new Field(
                "gs base",
                VcpuState.SEGMENTS + VcpuState.GS * VcpuState.SEGMENT_SIZE + VcpuState.SEG_BASE,
                Long.BYTES));
        fields.add(new Field("other gs", VcpuState.KERNEL_GS_BASE, Long.BYTES));
        fields.add(new Field("fcw", VcpuState.FCW, 2));
        fields.add(new Field("fsw", VcpuState.FSW, 2));
        fields.add(new Field("ftw", VcpuState.FTW, 1));
        fields.add(new Field("fop", VcpuState.FOP, 2));
        fields.add(new Field("fip", VcpuState.FIP, 8));
        fields.add(new Field("fdp", VcpuState.FDP, 8));
        fields.add(new Field("mxcsr", VcpuState.MXCSR, 4));
        for (int i = 0; i < 8; i++) {
            fields.add(new Field("x87 r" + i, VcpuState.ST + i * 16, 16));
        }
        for (int i = 0; i < 16; i++) {
            fields.add(new Field("xmm" + i, VcpuState.XMM + i * 16, 16));
            fields.add(new Field("ymm" + i + " high", VcpuState.YMM_HIGH + i * 16, 16));
        }
        return fields;
    }

    /** The bits that count of the quadword at an offset of the state block. */
    static long compared(int offset, long undefinedFlags) {
        return switch (offset) {
            case VcpuState.RFLAGS -> ~undefinedFlags;
            // Others raise events at any time; the interrupt shadow is the upper half.
            case VcpuState.EVENTS -> -1L << 32;
            default -> -1;
        };
    }

    /**
     * Writes it down: a line, the block, and each value that is not the same.
     *
     * @param done instructions that the interpreter executed
     * @param executed instructions that translated code executed
     * @param undefinedFlags flags that may differ
     */
    String report(int done, int executed, long undefinedFlags) {
        long rip = Raw.getLong(before + VcpuState.RIP);
        List<String> names = new ArrayList<>();
        StringBuilder rows = new StringBuilder();
        if (done == executed) {
            state(undefinedFlags, names, rows);
            memory(names, rows);
        }
        String symbol = symbols.at(rip);
        StringBuilder s = new StringBuilder("interpreter and translator disagree about ")
                .append(String.format("the block at 0x%x", rip))
                .append(symbol == null ? "" : " <" + symbol + ">")
                .append(": ");
        if (done == executed) {
            s.append(String.join(", ", names.subList(0, Math.min(names.size(), MOST_NAMES))));
            if (names.size() > MOST_NAMES) {
                s.append(String.format(" and %d more", names.size() - MOST_NAMES));
            }
            s.append(String.format(", behind %d instructions%n", executed));
        } else {
            s.append(String.format(
                    "the interpreter refuses instruction %d, translated code executed %d%n", done + 1, executed));
        }
        code(rip, executed, s);
        if (!names.isEmpty()) {
            s.append(String.format(ROW, "", "before", "interpreter", "translator"))
                    .append(rows);
        }
        return s.toString();
    }

    private void code(long rip, int executed, StringBuilder s) {
        Disassembler disassembler = new Disassembler(symbols);
        int n = 0;
        for (Insn insn : Undefined.decode(block, block.instructions)) {
            StringBuilder bytes = new StringBuilder();
            for (int i = insn.offset; i < insn.next; i++) {
                bytes.append(String.format("%02x ", block.at(i)));
            }
            long address = rip + insn.offset;
            s.append(String.format(
                    "%s 0x%x: %-30s %s%n",
                    n++ < executed ? "  " : " -", address, bytes, disassembler.text(insn, address)));
        }
    }

    private void state(long undefined, List<String> names, StringBuilder rows) {
        boolean[] known = new boolean[VcpuState.SCRATCH];
        for (Field field : FIELDS) {
            long mask = field.bytes == Long.BYTES ? compared(field.offset, undefined) : -1;
            boolean differs = false;
            for (int i = 0; i < field.bytes; i++) {
                known[field.offset + i] = true;
                int difference = Raw.getByte(expected + field.offset + i) ^ Raw.getByte(actual + field.offset + i);
                differs |= (difference & (i < Long.BYTES ? mask >>> i * 8 : -1) & 0xff) != 0;
            }
            if (differs) {
                names.add(field.name);
                rows.append(String.format(
                        ROW,
                        field.name,
                        number(before + field.offset, field.bytes),
                        number(expected + field.offset, field.bytes),
                        number(actual + field.offset, field.bytes)));
            }
        }
        for (int offset = 0; offset < VcpuState.SCRATCH; offset += Long.BYTES) {
            long difference = Raw.getLong(expected + offset) ^ Raw.getLong(actual + offset);
            if (!known[offset] && (difference & compared(offset, undefined)) != 0) {
                String name = String.format("state+0x%x", offset);
                names.add(name);
                rows.append(String.format(
                        ROW,
                        name,
                        number(before + offset, Long.BYTES),
                        number(expected + offset, Long.BYTES),
                        number(actual + offset, Long.BYTES)));
            }
        }
    }

    private void memory(List<String> names, StringBuilder rows) {
        memory.forEach((linear, host, was, wanted) -> {
            long now = Raw.getLong(host);
            if (now != wanted) {
                names.add(String.format("memory at 0x%x", linear));
                rows.append(String.format(
                        "  memory at 0x%x: before %016x, interpreter %016x, translator %016x%n",
                        linear, was, wanted, now));
            }
        });
    }

    private static String number(long at, int bytes) {
        StringBuilder s = new StringBuilder();
        for (int i = bytes - 1; i >= 0; i--) {
            s.append(String.format("%02x", Raw.getByte(at + i)));
        }
        return s.toString();
    }
}
