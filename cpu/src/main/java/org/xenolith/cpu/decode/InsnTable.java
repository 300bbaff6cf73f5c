package org.xenolith.cpu.decode;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;

/** The instruction table, read once from the resources and indexed by opcode. */
public final class InsnTable {
    private static final List<String> FILES =
            List.of("integer", "system", "x87", "mmx", "sse", "sse4", "crypto", "avx", "fma");

    private static final InsnTable INSTANCE = new InsnTable();

    private final List<Row> rows = new ArrayList<>();
    /** {@code [vex ? 4 + map : map][opcode]}: candidates, most specific first. */
    private final Row[][][] index = new Row[8][256][];

    private InsnTable() {
        for (String file : FILES) {
            read(file);
        }
        List<List<Row>> lists = new ArrayList<>();
        for (int i = 0; i < 8 * 256; i++) {
            lists.add(null);
        }
        for (Row row : rows) {
            int map = row.vex ? 4 + row.map : row.map;
            for (int i = 0; i < (row.plusR ? 8 : 1); i++) {
                int at = map * 256 + row.opcode + i;
                if (lists.get(at) == null) {
                    lists.set(at, new ArrayList<>());
                }
                lists.get(at).add(row);
            }
        }
        Comparator<Row> bySpecificity =
                Comparator.comparingInt(Row::specificity).reversed();
        for (int i = 0; i < lists.size(); i++) {
            if (lists.get(i) != null) {
                lists.get(i).sort(bySpecificity);
                index[i >> 8][i & 255] = lists.get(i).toArray(new Row[0]);
            }
        }
    }

    /** The table. */
    public static InsnTable get() {
        return INSTANCE;
    }

    /** All rows in the order of the files. */
    public List<Row> rows() {
        return Collections.unmodifiableList(rows);
    }

    /** Candidate rows of an opcode, most specific first; null when there are none. */
    Row[] candidates(boolean vex, int map, int opcode) {
        return index[vex ? 4 + map : map][opcode];
    }

    private void read(String name) {
        String file = "/org/xenolith/cpu/instructions/" + name + ".txt";
        try (InputStream in = InsnTable.class.getResourceAsStream(file)) {
            if (in == null) {
                throw new IllegalStateException("the instruction table " + file + " is missing from the jar");
            }
            BufferedReader reader = new BufferedReader(new InputStreamReader(in, StandardCharsets.US_ASCII));
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                if (!line.isBlank() && !line.startsWith("#")) {
                    rows.add(new Row(line));
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + file, e);
        }
    }
}
