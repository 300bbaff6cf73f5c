package org.xenolith.cpu.oracle;

import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.xenolith.cpu.decode.Row;

/**
 * Cases and outcomes as lines of text.
 *
 * <pre>
 *   at=SLOT bits=64 code=HEX seed=HEX [steps=HEX] [undefined=HEX] [rax=HEX ..] [flags=HEX] [fcw= fsw= ftw= mxcsr=]
 *   [st0=HEX ..] [xmm0=HEX ..] [ymm0=HEX ..] [@OFFSET=BYTES ..]
 *     -&gt; next|back|forward|fault VECTOR [error= rip= cr2=] [what changed, in the same notation]
 * </pre>
 *
 * Numbers are hexadecimal; a ymm register is its upper half. The left side lists what differs from {@link BaseState}, the right side what differs from
 * the left.
 */
final class CaseText {
    private CaseText() {}

    /** The part of a row that names its form: encoding, mnemonic and operands. */
    static String key(Row row) {
        String[] columns = row.text.split("\\|");
        return columns[0].strip().replaceAll("\\s+", " ") + " | " + columns[1].strip() + " | " + columns[2].strip();
    }

    static String format(TestCase c) {
        StringBuilder t = new StringBuilder("at=" + Integer.toHexString(c.slot) + " bits=" + (c.mode == 3 ? 64 : 32)
                + " code=" + HexFormat.of().formatHex(c.code) + " seed=" + Long.toHexString(c.seed));
        if (c.steps != 1) {
            t.append(" steps=").append(Integer.toHexString(c.steps));
        }
        if (c.undefined != 0) {
            t.append(" undefined=").append(Long.toHexString(c.undefined));
        }
        state(t, BaseState.of(c.seed), c.in);
        patches(t, c.patches);
        return t.toString();
    }

    static String format(TestCase c, Outcome o) {
        StringBuilder t = new StringBuilder();
        if (o.isFault()) {
            t.append("fault=").append(Integer.toHexString(o.exit - Layout.FAULT));
            t.append(" error=").append(Integer.toHexString(o.error));
            t.append(" rip=").append(Long.toHexString(o.rip));
            if (o.exit == Layout.FAULT + 14) {
                t.append(" cr2=").append(Long.toHexString(o.cr2));
            }
        } else {
            t.append("exit=").append(Integer.toHexString(o.exit));
        }
        state(t, c.in, o.out);
        patches(t, o.changes);
        if (o.changesLost) {
            t.append(" lost");
        }
        return t.toString();
    }

    private static void state(StringBuilder t, MachineState from, MachineState to) {
        for (int i = 0; i < 16; i++) {
            number(t, MachineState.NAMES[i], from.gpr[i], to.gpr[i]);
        }
        number(t, "flags", from.rflags, to.rflags);
        number(t, "fs", from.fsBase, to.fsBase);
        number(t, "gs", from.gsBase, to.gsBase);
        number(t, "fcw", from.fxShort(MachineState.FCW), to.fxShort(MachineState.FCW));
        number(t, "fsw", from.fxShort(MachineState.FSW), to.fxShort(MachineState.FSW));
        number(t, "ftw", from.fx[MachineState.FTW] & 0xff, to.fx[MachineState.FTW] & 0xff);
        number(t, "mxcsr", from.mxcsr(), to.mxcsr());
        for (int i = 0; i < 8; i++) {
            bytes(t, "st" + i, from, to, MachineState.ST + i * 16, 10);
        }
        for (int i = 0; i < 16; i++) {
            bytes(t, "xmm" + i, from, to, MachineState.XMM + i * 16, 16);
        }
        for (int i = 0; i < 16; i++) {
            if (!from.ymmEquals(to, i)) {
                t.append(" ymm").append(i).append('=').append(Comparison.reversed(to.ymm, i * 16, 16));
            }
        }
    }

    private static void patches(StringBuilder t, List<TestCase.Patch> patches) {
        for (TestCase.Patch p : patches) {
            t.append(" @")
                    .append(Integer.toHexString(p.offset()))
                    .append('=')
                    .append(HexFormat.of().formatHex(p.bytes()));
        }
    }

    private static void number(StringBuilder t, String name, long from, long to) {
        if (from != to) {
            t.append(' ').append(name).append('=').append(Long.toHexString(to));
        }
    }

    private static void bytes(StringBuilder t, String name, MachineState from, MachineState to, int at, int n) {
        if (!from.fxEquals(to, at, n)) {
            t.append(' ').append(name).append('=').append(Comparison.reversed(to.fx, at, n));
        }
    }

    /** Reads the left side. */
    static TestCase parseCase(String row, String text) {
        TestCase c = new TestCase(row);
        for (String word : text.strip().split(" +")) {
            int eq = word.indexOf('=');
            String name = word.substring(0, eq);
            String value = word.substring(eq + 1);
            switch (name) {
                case "at" -> c.slot = Integer.parseInt(value, 16);
                case "bits" -> c.mode = value.equals("64") ? 3 : 2;
                case "code" -> c.code = HexFormat.of().parseHex(value);
                case "steps" -> c.steps = Integer.parseInt(value, 16);
                case "undefined" -> c.undefined = Long.parseLong(value, 16);
                case "seed" -> {
                    c.seed = Long.parseUnsignedLong(value, 16);
                    c.in = BaseState.of(c.seed);
                }
                default -> {
                    if (name.startsWith("@")) {
                        c.patches.add(patch(name, value));
                    } else {
                        set(c.in, name, value);
                    }
                }
            }
        }
        return c;
    }

    /** Reads the right side. */
    static Outcome parseOutcome(TestCase c, String text) {
        Outcome o = new Outcome();
        o.out = c.in.copy();
        o.changes = new ArrayList<>();
        for (String word : text.strip().split(" +")) {
            int eq = word.indexOf('=');
            if (eq < 0) {
                o.changesLost = true;
                continue;
            }
            String name = word.substring(0, eq);
            String value = word.substring(eq + 1);
            switch (name) {
                case "exit" -> o.exit = Integer.parseInt(value, 16);
                case "fault" -> o.exit = Layout.FAULT + Integer.parseInt(value, 16);
                case "error" -> o.error = Integer.parseUnsignedInt(value, 16);
                case "rip" -> o.rip = Long.parseUnsignedLong(value, 16);
                case "cr2" -> o.cr2 = Long.parseUnsignedLong(value, 16);
                default -> {
                    if (name.startsWith("@")) {
                        o.changes.add(patch(name, value));
                    } else {
                        set(o.out, name, value);
                    }
                }
            }
        }
        return o;
    }

    private static TestCase.Patch patch(String name, String value) {
        return new TestCase.Patch(
                Integer.parseInt(name.substring(1), 16), HexFormat.of().parseHex(value));
    }

    private static void set(MachineState s, String name, String value) {
        if (name.startsWith("xmm")) {
            reverse(s.fx, MachineState.XMM + Integer.parseInt(name.substring(3)) * 16, value);
            return;
        }
        if (name.startsWith("ymm")) {
            reverse(s.ymm, Integer.parseInt(name.substring(3)) * 16, value);
            return;
        }
        if (name.startsWith("st")) {
            reverse(s.fx, MachineState.ST + Integer.parseInt(name.substring(2)) * 16, value);
            return;
        }
        long number = Long.parseUnsignedLong(value, 16);
        switch (name) {
            case "flags" -> s.rflags = number;
            case "fs" -> s.fsBase = number;
            case "gs" -> s.gsBase = number;
            case "fcw" -> s.setFxShort(MachineState.FCW, (int) number);
            case "fsw" -> s.setFxShort(MachineState.FSW, (int) number);
            case "ftw" -> s.fx[MachineState.FTW] = (byte) number;
            case "mxcsr" -> s.setMxcsr((int) number);
            default -> {
                int n = List.of(MachineState.NAMES).indexOf(name);
                if (n < 0) {
                    throw new IllegalArgumentException("unknown field " + name);
                }
                s.gpr[n] = number;
            }
        }
    }

    private static void reverse(byte[] to, int at, String value) {
        byte[] b = HexFormat.of().parseHex(value);
        for (int i = 0; i < b.length; i++) {
            to[at + i] = b[b.length - 1 - i];
        }
    }
}
