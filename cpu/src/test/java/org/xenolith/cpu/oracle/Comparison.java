package org.xenolith.cpu.oracle;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.xenolith.cpu.decode.Row;

/** Compares what the hardware and the interpreter made of a case; differences as text, one a field. */
final class Comparison {
    private static final int PAGE_FAULT = 14;
    private static final long RESUME = 0x10000;

    private Comparison() {}

    static List<String> differences(Row row, TestCase c, Outcome hardware, Outcome ours) {
        List<String> list = new ArrayList<>();
        if (row.semantics.startsWith("Fxsave.xsave") || row.semantics.equals("Fxsave.xrstor")) {
            // The size of the area depends on what the host's kernel enabled: even faults differ.
            return list;
        }
        if (row.semantics.startsWith("SseMoves.maskmov") && (hardware.isFault() || ours.isFault())) {
            // Whether bytes that are masked out can fault is up to the processor.
            return list;
        }
        if (hardware.exit != ours.exit) {
            list.add("exit " + exit(hardware) + " / " + exit(ours));
            return list;
        }
        boolean fault = hardware.isFault();
        if (fault) {
            // What is present in the kernel's half of the host's address space is its own affair.
            int known = hardware.exit == Layout.FAULT + PAGE_FAULT && hardware.cr2 < 0 ? ~1 : -1;
            field(list, "error", hardware.error & known, ours.error & known);
            field(list, "rip", hardware.rip, ours.rip);
            // The order of CMPS's two loads differs between processors, and how the end of a save area is found.
            if (hardware.exit == Layout.FAULT + PAGE_FAULT
                    && !row.semantics.startsWith("Strings.cmps")
                    && !row.semantics.startsWith("Fxsave")) {
                // Which byte of a large operand is touched first is the processor's secret.
                boolean large = row.semantics.startsWith("X87Control") || row.semantics.startsWith("FarControl");
                long page = large ? -4096 : -1;
                field(list, "cr2", hardware.cr2 & page, ours.cr2 & page);
            }
        }
        boolean machineDependent = !fault
                && row.has("nonoracle")
                && !row.semantics.startsWith("SystemRegs")
                && !row.semantics.startsWith("Fxsave.fx");
        MachineState a = hardware.out;
        MachineState b = ours.out;
        if (fault && UndefinedFlags.partial(row)) {
            return list;
        }
        boolean destination = fault || !UndefinedFlags.destination(row, c);
        if (!machineDependent && destination) {
            for (int i = 0; i < (c.mode == 3 ? 16 : 8); i++) {
                field(list, MachineState.NAMES[i], a.gpr[i], b.gpr[i]);
            }
        }
        long mask = ~(RESUME | c.undefined | (fault ? 0 : UndefinedFlags.mask(row, c)));
        if (!machineDependent) {
            if (((a.rflags ^ b.rflags) & mask) != 0) {
                list.add("flags " + flags(a.rflags) + " / " + flags(b.rflags) + " of mask "
                        + Long.toHexString(mask & 0xffff));
            }
        }
        field(list, "fs", a.fsBase, b.fsBase);
        field(list, "gs", a.gsBase, b.gsBase);
        field(list, "fcw", a.fxShort(MachineState.FCW), b.fxShort(MachineState.FCW));
        // Transcendental x87 results may be neighbours, and then C1, the direction of rounding, tells nothing; nor does
        // the underflow flag of a tiny result that happens to be exact.
        boolean neighbours = row.has("ulp");
        int status = neighbours ? ~0x210 : -1;
        field(list, "fsw", a.fxShort(MachineState.FSW) & status, b.fxShort(MachineState.FSW) & status);
        field(list, "ftw", a.fx[MachineState.FTW] & 0xff, b.fx[MachineState.FTW] & 0xff);
        field(list, "mxcsr", a.mxcsr(), b.mxcsr());
        if (!machineDependent) {
            for (int i = 0; i < 8; i++) {
                int at = MachineState.ST + i * 16;
                if (!neighbours || !oneUnitApart(a.fx, b.fx, at)) {
                    bytes(list, "st" + i, a, b, at, 10);
                }
            }
            for (int i = 0; i < (c.mode == 3 ? 16 : 8); i++) {
                bytes(list, "xmm" + i, a, b, MachineState.XMM + i * 16, 16);
            }
            for (int i = 0; i < (c.mode == 3 ? 16 : 8); i++) {
                if (!a.ymmEquals(b, i)) {
                    list.add("ymm" + i + " " + reversed(a.ymm, i * 16, 16) + " / " + reversed(b.ymm, i * 16, 16));
                }
            }
            if (destination) {
                memory(list, hardware, ours);
            }
        }
        return list;
    }

    private static boolean oneUnitApart(byte[] a, byte[] b, int at) {
        ByteBuffer x = ByteBuffer.wrap(a).order(ByteOrder.LITTLE_ENDIAN);
        ByteBuffer y = ByteBuffer.wrap(b).order(ByteOrder.LITTLE_ENDIAN);
        long units = x.getLong(at) - y.getLong(at);
        int exponents = x.getShort(at + 8) - y.getShort(at + 8);
        return exponents == 0 && Math.abs(units) <= 1 || Math.abs(exponents) == 1 && Math.abs(units) == Long.MAX_VALUE;
    }

    /** True for extended-precision numbers with nothing between them. */
    private static boolean neighbours(MachineState a, MachineState b, int at) {
        long exponents = (long) a.fxShort(at + 8) - b.fxShort(at + 8);
        long x = significand(a, at);
        long y = significand(b, at);
        if (exponents == 0) {
            return Math.abs(x - y) <= 1;
        }
        return exponents == 1 && x == Long.MIN_VALUE && y == -1 || exponents == -1 && y == Long.MIN_VALUE && x == -1;
    }

    private static long significand(MachineState s, int at) {
        long value = 0;
        for (int i = 7; i >= 0; i--) {
            value = value << 8 | s.fx[at + i] & 0xff;
        }
        return value;
    }

    private static void memory(List<String> list, Outcome hardware, Outcome ours) {
        if (hardware.changesLost != ours.changesLost) {
            list.add("memory: one changed too much");
            return;
        }
        boolean same = hardware.changes.size() == ours.changes.size();
        for (int i = 0; same && i < hardware.changes.size(); i++) {
            TestCase.Patch x = hardware.changes.get(i);
            TestCase.Patch y = ours.changes.get(i);
            same = x.offset() == y.offset() && Arrays.equals(x.bytes(), y.bytes());
        }
        if (!same) {
            list.add("memory " + changes(hardware.changes) + " / " + changes(ours.changes));
        }
    }

    static String changes(List<TestCase.Patch> changes) {
        StringBuilder text = new StringBuilder();
        for (TestCase.Patch p : changes) {
            text.append('@')
                    .append(Integer.toHexString(p.offset()))
                    .append('=')
                    .append(HexFormat.of().formatHex(p.bytes()))
                    .append(' ');
        }
        return text.isEmpty() ? "unchanged" : text.toString().strip();
    }

    private static void field(List<String> list, String name, long a, long b) {
        if (a != b) {
            list.add(name + " " + Long.toHexString(a) + " / " + Long.toHexString(b));
        }
    }

    private static void bytes(List<String> list, String name, MachineState a, MachineState b, int at, int n) {
        if (!a.fxEquals(b, at, n)) {
            list.add(name + " " + reversed(a.fx, at, n) + " / " + reversed(b.fx, at, n));
        }
    }

    /** Little-endian bytes as one hexadecimal number. */
    static String reversed(byte[] bytes, int at, int n) {
        StringBuilder text = new StringBuilder();
        for (int i = n - 1; i >= 0; i--) {
            text.append(HexFormat.of().toHexDigits(bytes[at + i]));
        }
        return text.toString();
    }

    static String exit(Outcome o) {
        return switch (o.exit) {
            case Layout.EXIT_NEXT -> "next";
            case Layout.EXIT_BACK -> "back";
            case Layout.EXIT_FORWARD -> "forward";
            case Layout.CRASH -> "crash";
            case Layout.ASTRAY -> "rip=" + Long.toHexString(o.rip);
            default ->
                "fault " + (o.exit - Layout.FAULT) + " error " + Integer.toHexString(o.error) + " rip "
                        + Long.toHexString(o.rip) + " cr2 " + Long.toHexString(o.cr2);
        };
    }

    static String flags(long flags) {
        StringBuilder text = new StringBuilder();
        String letters = "C.P.A.ZSTIDO";
        for (int i = 11; i >= 0; i--) {
            if (letters.charAt(i) != '.') {
                text.append((flags >>> i & 1) != 0 ? letters.charAt(i) : '-');
            }
        }
        long rest = flags & ~0xFFFL;
        return rest == 0 ? text.toString() : text + "+" + Long.toHexString(rest);
    }
}
