package org.xenolith.cpu.oracle;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import org.xenolith.cpu.decode.Row;

/**
 * Rows that the oracle does not run, each with its reason: {@code oracle/exclusions.txt}
 * ({@code semantics : reason}). Rows with attribute {@code sys} run too, when what they do in a user program is a
 * fault, or stays inside it.
 */
public final class Exclusions {
    private static final String FILE = "/oracle/exclusions.txt";
    private static final Map<String, String> REASONS = read();

    private Exclusions() {}

    /** Why a row is not run, or null when it is. */
    public static String reason(Row row) {
        return REASONS.get(row.semantics);
    }

    static Map<String, String> all() {
        return REASONS;
    }

    private static Map<String, String> read() {
        Map<String, String> reasons = new LinkedHashMap<>();
        try (InputStream in = Exclusions.class.getResourceAsStream(FILE)) {
            if (in == null) {
                throw new IllegalStateException(FILE + " is missing");
            }
            BufferedReader reader = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                int colon = line.indexOf(':');
                if (!line.startsWith("#") && colon > 0) {
                    reasons.put(
                            line.substring(0, colon).strip(),
                            line.substring(colon + 1).strip());
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + FILE, e);
        }
        return reasons;
    }
}
