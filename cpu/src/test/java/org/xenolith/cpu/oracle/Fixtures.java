package org.xenolith.cpu.oracle;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPInputStream;

/**
 * Results recorded from a real processor, in the notation of {@link CaseText}: a line {@code # key} starts a row's
 * cases, each a line {@code input -> outcome}. {@code fixtures-N.txt.gz} are made by {@link RecordMain};
 * {@code regressions.txt} is grown by hand, a case for each mismatch ever found.
 */
public final class Fixtures {
    static final String REGRESSIONS = "/oracle/regressions.txt";
    static final int FILES = 4;

    /** One recorded case. */
    public record Recorded(TestCase testCase, Outcome hardware, String line) {}

    private Fixtures() {}

    static String name(int file) {
        return "/oracle/fixtures-" + file + ".txt.gz";
    }

    /** All recorded cases by row key. */
    public static Map<String, List<Recorded>> all() {
        Map<String, List<Recorded>> rows = new LinkedHashMap<>();
        for (int i = 0; i < FILES; i++) {
            read(name(i), rows);
        }
        return rows;
    }

    /** The cases of mismatches that were found, by row key. */
    public static Map<String, List<Recorded>> regressions() {
        Map<String, List<Recorded>> rows = new LinkedHashMap<>();
        read(REGRESSIONS, rows);
        return rows;
    }

    private static void read(String file, Map<String, List<Recorded>> rows) {
        try (InputStream in = Fixtures.class.getResourceAsStream(file)) {
            if (in == null) {
                throw new IllegalStateException(file + " is missing: run " + RecordMain.class.getName());
            }
            InputStream plain = file.endsWith(".gz") ? new GZIPInputStream(in) : in;
            BufferedReader reader = new BufferedReader(new InputStreamReader(plain, StandardCharsets.US_ASCII));
            String key = "";
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                int arrow = line.indexOf(" -> ");
                if (line.startsWith("# ")) {
                    key = line.substring(2);
                } else if (arrow > 0) {
                    TestCase c = CaseText.parseCase(key, line.substring(0, arrow));
                    Outcome o = CaseText.parseOutcome(c, line.substring(arrow + 4));
                    rows.computeIfAbsent(key, k -> new ArrayList<>()).add(new Recorded(c, o, line));
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + file, e);
        }
    }
}
