package org.xenolith.cpu.oracle;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.zip.GZIPOutputStream;
import org.xenolith.cpu.decode.InsnTable;
import org.xenolith.cpu.decode.Row;

/**
 * Records fixtures from the host's processor.
 *
 * <p>Arguments: the directory to write to (cpu/src/test/resources/oracle), and optionally how many cases a row
 * (default 6) and which files (default all). With a single argument {@code -} it reads cases (left sides, with their {@code # key} lines) from
 * standard input and prints them with outcomes: for regressions.
 */
public final class RecordMain {
    private static final int DEFAULT_CASES = 6;

    private RecordMain() {}

    /** Records. */
    public static void main(String[] arguments) throws IOException {
        if (!OracleProcess.available()) {
            System.err.println("fixtures are recorded on Linux on x86-64 only");
            System.exit(1);
        }
        try (OracleProcess oracle = new OracleProcess()) {
            if (arguments[0].equals("-")) {
                replay(oracle);
                return;
            }
            int perRow = arguments.length > 1 ? Integer.parseInt(arguments[1]) : DEFAULT_CASES;
            List<Integer> files = new ArrayList<>();
            for (int i = 2; i < arguments.length; i++) {
                files.add(Integer.parseInt(arguments[i]));
            }
            record(oracle, Path.of(arguments[0]), perRow, files);
        }
    }

    private static void replay(OracleProcess oracle) throws IOException {
        String key = "";
        for (String line : new String(System.in.readAllBytes(), StandardCharsets.US_ASCII)
                .lines()
                .toList()) {
            if (line.startsWith("# ")) {
                key = line.substring(2);
                System.out.println(line);
            } else if (!line.isBlank()) {
                int arrow = line.indexOf(" -> ");
                TestCase c = CaseText.parseCase(key, arrow > 0 ? line.substring(0, arrow) : line);
                oracle.put(List.of(c));
                oracle.start(1);
                oracle.finish(1);
                System.out.println(CaseText.format(c) + " -> " + CaseText.format(c, oracle.outcome(0)));
            }
        }
    }

    private static void record(OracleProcess oracle, Path directory, int perRow, List<Integer> files)
            throws IOException {
        HostFeatures host = new HostFeatures();
        List<Row> rows = new ArrayList<>();
        for (Row row : InsnTable.get().rows()) {
            if (Exclusions.reason(row) == null && host.has(row)) {
                rows.add(row);
            }
        }
        SplittableRandom random = new SplittableRandom(Long.getLong("xenolith.seed", 20260101));
        List<StringBuilder> texts = new ArrayList<>();
        for (int i = 0; i < Fixtures.FILES; i++) {
            texts.add(new StringBuilder());
        }
        boolean runs32BitCode = oracle.runs32BitCode();
        for (Row row : rows) {
            int file = Fixtures.file(row, rows);
            if (!files.isEmpty() && !files.contains(file)) {
                continue;
            }
            if (row.not64 && !runs32BitCode) {
                throw new IllegalStateException("the host has no 32-bit code segment for " + row);
            }
            List<TestCase> cases = new ArrayList<>();
            while (cases.size() < perRow) {
                TestCase c = CaseGenerator.next(row, cases.size(), random);
                if (c.mode != 2 || runs32BitCode) {
                    cases.add(c);
                }
            }
            oracle.put(cases);
            oracle.start(perRow);
            oracle.finish(perRow);
            StringBuilder text = texts.get(file);
            text.append("# ").append(CaseText.key(row)).append('\n');
            for (int i = 0; i < perRow; i++) {
                Outcome outcome = oracle.outcome(i);
                if (row.semantics.equals("Fxsave.fxsave")) {
                    outcome.hideMxcsrMask(cases.get(i));
                }
                text.append(CaseText.format(cases.get(i)))
                        .append(" -> ")
                        .append(CaseText.format(cases.get(i), outcome))
                        .append('\n');
            }
        }
        for (int i = 0; i < Fixtures.FILES; i++) {
            if (!files.isEmpty() && !files.contains(i)) {
                continue;
            }
            Path file = directory.resolve(Path.of(Fixtures.name(i)).getFileName());
            try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(file))) {
                out.write(texts.get(i).toString().getBytes(StandardCharsets.US_ASCII));
            }
            System.out.println(file + ": " + Files.size(file) + " bytes");
        }
    }
}
