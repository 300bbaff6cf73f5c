package org.xenolith.toolstack.inspect;

import java.util.ArrayList;
import java.util.List;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.decode.Disassembler;
import org.xenolith.services.symbols.SymbolTable;

/** Code in a guest's memory, as bytes and as instructions. */
public final class CodeText {
    /** Instructions have no start that can be found backwards; a function's first one is a start that is known. */
    private static final int LONGEST_PROLOGUE = 1 << 14;

    private static final int BYTES_BEFORE = 20;
    private static final int BYTES_AFTER = 16;

    private CodeText() {}

    /** A listing from a linear address on. */
    public static String listing(VcpuState state, GuestView view, long linear, int count) {
        byte[] code = new byte[count * Disassembler.MAX_LENGTH];
        int known = view.readKernel(state, linear, code, code.length);
        if (known == 0) {
            return "0x" + Long.toHexString(linear) + " is not mapped\n";
        }
        Disassembler disassembler = new Disassembler(view.names());
        StringBuilder s = new StringBuilder();
        SymbolTable.Place before = null;
        for (Disassembler.Line line : disassembler.lines(code, 0, known, linear, Disassembler.mode(state), count)) {
            SymbolTable.Place place = line.address() < 0 ? view.symbols().lookup(line.address()) : null;
            if (place != null && (before == null || !before.symbol().equals(place.symbol()))) {
                s.append(place).append(":\n");
            }
            before = place;
            s.append(line(line, code, (int) (line.address() - linear), line.address() == Registers.linearRip(state)));
        }
        return s.toString();
    }

    private static String line(Disassembler.Line line, byte[] code, int at, boolean current) {
        return String.format(
                "%s 0x%x: %-30s %s%n",
                current ? "=>" : "  ", line.address(), hex(code, at, line.length()), line.text());
    }

    private static String hex(byte[] code, int at, int length) {
        StringBuilder s = new StringBuilder();
        for (int i = at; i < Math.min(at + length, code.length); i++) {
            s.append(i > at ? " " : "").append(String.format("%02x", code[i]));
        }
        return s.toString();
    }

    /** Bytes around rip, the one there in angle brackets, and the instructions around it. */
    public static String around(VcpuState state, GuestView view) {
        long rip = Registers.linearRip(state);
        byte[] after = new byte[Disassembler.MAX_LENGTH * 4];
        int known = view.readKernel(state, rip, after, after.length);
        if (known == 0) {
            return "code: rip 0x" + Long.toHexString(rip) + " is not mapped\n";
        }
        StringBuilder s = new StringBuilder("code:");
        byte[] before = new byte[BYTES_BEFORE];
        if (view.readKernel(state, rip - BYTES_BEFORE, before, BYTES_BEFORE) == BYTES_BEFORE) {
            s.append(' ').append(hex(before, 0, BYTES_BEFORE));
        }
        s.append(String.format(" <%02x>", after[0]));
        if (known > 1) {
            s.append(' ').append(hex(after, 1, Math.min(known, BYTES_AFTER) - 1));
        }
        s.append('\n');
        for (String line : preceding(state, view, rip, 3)) {
            s.append(line);
        }
        Disassembler disassembler = new Disassembler(view.names());
        for (Disassembler.Line line : disassembler.lines(after, 0, known, rip, Disassembler.mode(state), 3)) {
            s.append(line(line, after, (int) (line.address() - rip), line.address() == rip));
        }
        return s.toString();
    }

    private static List<String> preceding(VcpuState state, GuestView view, long rip, int count) {
        SymbolTable.Place place = rip < 0 ? view.symbols().lookup(rip) : null;
        List<String> lines = new ArrayList<>();
        if (place == null || place.offset() == 0 || place.offset() > LONGEST_PROLOGUE) {
            return lines;
        }
        long start = rip - place.offset();
        byte[] code = new byte[(int) place.offset()];
        if (view.readKernel(state, start, code, code.length) < code.length) {
            return lines;
        }
        List<Disassembler.Line> all = new Disassembler(view.names())
                .lines(code, 0, code.length, start, Disassembler.mode(state), Integer.MAX_VALUE);
        Disassembler.Line last = all.getLast();
        // A walk that does not arrive exactly at rip went through data.
        if (last.insn() == null || last.address() + last.length() != rip) {
            return lines;
        }
        for (Disassembler.Line line : all.subList(Math.max(0, all.size() - count), all.size())) {
            lines.add(line(line, code, (int) (line.address() - start), false));
        }
        return lines;
    }
}
