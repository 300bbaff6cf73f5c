package org.xenolith.cpu.decode;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.oracle.RowEncoder;

/** The instruction table is consistent with itself, with the semantics and with the decoder. */
class InstructionTableTest {
    private static final List<Row> ROWS = InsnTable.get().rows();

    @Test
    void everySemanticsNameResolvesToAMethod() {
        List<String> missing = new ArrayList<>();
        for (Row row : ROWS) {
            String name = row.semantics.replaceFirst("#.*", "");
            int dot = name.indexOf('.');
            try {
                boolean found = false;
                for (Method method : Class.forName("org.xenolith.cpu.semantics." + name.substring(0, dot))
                        .getDeclaredMethods()) {
                    Class<?>[] types = method.getParameterTypes();
                    found |= method.getName().equals(name.substring(dot + 1))
                            && Modifier.isPublic(method.getModifiers())
                            && Modifier.isStatic(method.getModifiers())
                            && types.length > 1
                            && types[0] == Cpu.class
                            && (types[1] == int.class || types[1] == long.class || types[1] == Insn.class)
                            && (types[types.length - 1] == int.class && types.length > 2
                                    || !row.semantics.contains("#"));
                }
                if (!found) {
                    missing.add(row.text);
                }
            } catch (ClassNotFoundException e) {
                missing.add(row.text + ": no such family");
            }
        }
        assertThat(missing).isEmpty();
    }

    @Test
    void noEncodingIsTwiceInTheTable() {
        Map<String, Row> seen = new HashMap<>();
        List<String> twice = new ArrayList<>();
        for (Row row : ROWS) {
            String encoding = row.vex + " " + row.map + " " + row.opcode + " " + row.prefix + " " + row.digit + " "
                    + row.modrm + " " + row.mod + " " + row.rexW + " " + row.vexL + " " + row.only64 + " " + row.not64;
            Row other = seen.putIfAbsent(encoding, row);
            if (other != null) {
                twice.add(other.text + "  and  " + row.text);
            }
        }
        assertThat(twice).isEmpty();
    }

    @Test
    void encodingARowAndDecodingItGivesTheRow() {
        long seed = Long.getLong("xenolith.seed", System.nanoTime());
        SplittableRandom random = new SplittableRandom(seed);
        Decoder decoder = new Decoder();
        List<String> wrong = new ArrayList<>();
        for (Row row : ROWS) {
            for (int i = 0; i < 30; i++) {
                RowEncoder.Encoded encoded = RowEncoder.encode(row, random);
                byte[] code = encoded.code();
                Insn insn = decoder.decode(at -> at < code.length ? code[at] & 0xff : 0xCC, 0, encoded.mode());
                if (insn == null || insn.row != row || insn.length() != code.length) {
                    wrong.add(row.text + ": " + java.util.HexFormat.of().formatHex(code) + " in mode " + encoded.mode()
                            + " gives "
                            + (insn == null ? decoder.result() : insn.row.text + ", length " + insn.length()));
                    break;
                }
            }
        }
        assertThat(wrong).as("seed %d", seed).isEmpty();
    }

    @Test
    void everyAttributeIsKnown() {
        for (Row row : ROWS) {
            assertThat(row.attributes)
                    .as(row.text)
                    .isSubsetOf(
                            "lock",
                            "end",
                            "d64",
                            "f64",
                            "o64",
                            "i64",
                            "creg",
                            "modrm",
                            "sys",
                            "nonoracle",
                            "align",
                            "st",
                            "ulp",
                            "begin");
        }
    }
}
