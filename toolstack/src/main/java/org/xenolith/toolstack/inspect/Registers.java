package org.xenolith.toolstack.inspect;

import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.decode.Disassembler;

/** A processor's registers as text. */
public final class Registers {
    /** General registers in the order of their encodings. */
    static final String[] NAMES = {
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
        "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"
    };

    private static final String[] SEGMENTS = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};
    private static final String[] FLAGS = {
        "CF", "", "PF", "", "AF", "", "ZF", "SF", "TF", "IF", "DF", "OF", "", "", "NT", "", "RF", "VM", "AC", "VIF",
        "VIP", "ID"
    };
    private static final String[] CR0 = {
        "PE", "MP", "EM", "TS", "ET", "NE", "", "", "", "", "", "", "", "", "", "", "WP", "", "AM", "", "", "", "", "",
        "", "", "", "", "", "NW", "CD", "PG"
    };
    private static final String[] CR4 = {
        "VME",
        "PVI",
        "TSD",
        "DE",
        "PSE",
        "PAE",
        "MCE",
        "PGE",
        "PCE",
        "OSFXSR",
        "OSXMMEXCPT",
        "UMIP",
        "LA57",
        "VMXE",
        "SMXE",
        "",
        "FSGSBASE",
        "PCIDE",
        "OSXSAVE",
        "",
        "SMEP",
        "SMAP",
        "PKE",
        "CET",
        "PKS"
    };
    private static final String[] EFER = {
        "SCE", "", "", "", "", "", "", "", "LME", "", "LMA", "NXE", "SVME", "LMSLE", "FFXSR"
    };

    /** Order in which people look for them. */
    private static final int[] ORDER = {
        VcpuState.RAX,
        VcpuState.RBX,
        VcpuState.RCX,
        VcpuState.RDX,
        VcpuState.RSI,
        VcpuState.RDI,
        VcpuState.RBP,
        VcpuState.RSP,
        8,
        9,
        10,
        11,
        12,
        13,
        14,
        15
    };

    private Registers() {}

    /** All registers that explain a crash, in about a dozen lines. */
    public static String format(VcpuState state, GuestView view) {
        StringBuilder s = new StringBuilder();
        String bits = switch (Disassembler.mode(state)) {
            case 1 -> "16-bit";
            case 2 -> "32-bit";
            default -> "64-bit";
        };
        s.append("rip ").append(hex(state.rip()));
        String symbol = view.symbolAt(linearRip(state));
        if (symbol != null) {
            s.append(" <").append(symbol).append('>');
        }
        s.append("  ")
                .append(bits)
                .append(" code, privilege ")
                .append(state.cpl())
                .append('\n');
        s.append("rflags ").append(Long.toHexString(state.rflags())).append(bits(state.rflags(), FLAGS));
        s.append(
                switch (state.getInt(VcpuState.ACTIVITY)) {
                    case VcpuState.HALTED -> "  halted";
                    case VcpuState.SHUT_DOWN -> "  shut down";
                    case VcpuState.WAIT_FOR_SIPI -> "  waits to be started";
                    default -> "";
                });
        s.append(
                switch (state.getInt(VcpuState.SHADOW)) {
                    case 1 -> "  in the shadow of STI";
                    case 2 -> "  in the shadow of MOV SS";
                    default -> "";
                });
        s.append('\n');
        for (int i = 0; i < ORDER.length; i++) {
            s.append(String.format("%-3s %s%s", NAMES[ORDER[i]], hex(state.gpr(ORDER[i])), i % 4 == 3 ? "\n" : "  "));
        }
        for (int segment = VcpuState.ES; segment <= VcpuState.TR; segment++) {
            boolean usable = (state.access(segment) & VcpuState.UNUSABLE) == 0;
            s.append(String.format(
                    "%-4s %04x base %s limit %08x %-8s%s",
                    SEGMENTS[segment],
                    state.selector(segment),
                    hex(state.segmentBase(segment)),
                    state.segmentLimit(segment),
                    usable ? String.format("type %02x", state.access(segment) & 0xff) : "unusable",
                    segment % 2 == 1 ? "\n" : "   "));
        }
        s.append(String.format(
                "gdtr base %s limit %04x   idtr base %s limit %04x%n",
                hex(state.getLong(VcpuState.GDTR_BASE)),
                state.getInt(VcpuState.GDTR_LIMIT),
                hex(state.getLong(VcpuState.IDTR_BASE)),
                state.getInt(VcpuState.IDTR_LIMIT)));
        long cr0 = state.getLong(VcpuState.CR0);
        long cr4 = state.getLong(VcpuState.CR4);
        long efer = state.getLong(VcpuState.EFER);
        s.append(String.format(
                "cr2 %s  cr3 %s  cr0 %x%s%n",
                hex(state.getLong(VcpuState.CR2)), hex(state.getLong(VcpuState.CR3)), cr0, bits(cr0, CR0)));
        s.append(String.format("cr4 %x%s  efer %x%s%n", cr4, bits(cr4, CR4), efer, bits(efer, EFER)));
        return s.toString();
    }

    /** rip as a linear address. */
    static long linearRip(VcpuState state) {
        return state.in64BitMode() ? state.rip() : state.rip() + state.segmentBase(VcpuState.CS) & 0xffffffffL;
    }

    private static String hex(long value) {
        return String.format("%016x", value);
    }

    private static String bits(long value, String[] names) {
        StringBuilder s = new StringBuilder(" [");
        for (int i = names.length - 1; i >= 0; i--) {
            if ((value >>> i & 1) != 0 && !names[i].isEmpty()) {
                s.append(s.length() > 2 ? " " : "").append(names[i]);
            }
        }
        return s.append(']').toString();
    }
}
