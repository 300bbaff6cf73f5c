package org.xenolith.cpu.decode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/**
 * Our disassembly of a real program next to objdump's. {@code -Dxenolith.objdump.file=FILE} names another program, such
 * as an unpacked kernel, and {@code -Dxenolith.objdump.instructions=N} how much of it.
 */
class DisassemblerObjdumpTest {
    private static final Path OBJDUMP = Path.of("/usr/bin/objdump");
    private static final List<String> PROGRAMS =
            List.of("/usr/bin/busybox", "/usr/bin/bash", "/usr/bin/objdump", "/bin/sh");
    /** What the table does not have: AVX and later, virtualization. objdump knows them. */
    private static final String UNKNOWN_HERE = "(v[a-z0-9]+|monitor.*|mwait.*|xbegin|xend|xtest|xabort|k[a-z]+[bwdq]|"
            + "encl.|xsaves.*|xrstors.*|invept|wbnoinvd|clzero|rdpru|serialize|incssp.|rstorssp|setssbsy|"
            + "saveprevssp|tpause|umwait|umonitor|movdir.*|skinit|clgi|stgi|cldemote|ptwrite|rdpkru|wrpkru)";

    @Test
    void moreThan99PercentOfARealProgramReadsAsObjdumpReadsIt() throws IOException, InterruptedException {
        assumeTrue(Files.isExecutable(OBJDUMP), "skipped: no objdump");
        assumeTrue(System.getProperty("os.arch").equals("amd64"), "skipped: programs here are not x86");
        String named = System.getProperty("xenolith.objdump.file");
        String file = named != null
                ? named
                : PROGRAMS.stream()
                        .filter(p -> Files.exists(Path.of(p)))
                        .findFirst()
                        .orElseThrow();
        int wanted = Integer.getInteger("xenolith.objdump.instructions", 60_000);
        Process process = new ProcessBuilder(OBJDUMP.toString(), "-d", "-w", "-M", "intel", file)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        Disassembler disassembler = new Disassembler(Disassembler.Symbols.NONE);
        int compared = 0;
        int wrong = 0;
        Map<String, String> samples = new TreeMap<>();
        Map<String, Integer> counts = new TreeMap<>();
        try (BufferedReader lines =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.ISO_8859_1))) {
            for (String line = lines.readLine(); line != null && compared < wanted; line = lines.readLine()) {
                String[] fields = line.split("\t");
                if (fields.length < 3 || !fields[0].endsWith(":")) {
                    continue;
                }
                String theirs = ObjdumpText.normalise(fields[2]);
                if (theirs == null || theirs.split(" ")[0].matches(UNKNOWN_HERE)) {
                    continue;
                }
                byte[] code = HexFormat.of().parseHex(fields[1].replace(" ", ""));
                long address = Long.parseUnsignedLong(fields[0].replace(":", "").strip(), 16);
                Disassembler.Line decoded = disassembler.line(code, 0, code.length, address, 3);
                String ours = ObjdumpText.normalise(decoded.text());
                compared++;
                if (!theirs.equals(ours) || decoded.length() != code.length) {
                    wrong++;
                    String name = theirs.split(" ")[0];
                    counts.merge(name, 1, Integer::sum);
                    samples.put(name, fields[1].strip() + ": objdump " + theirs + ", we " + ours);
                }
            }
        } finally {
            process.destroy();
            process.waitFor();
        }
        System.out.printf("%s: %d instructions, %d differ%n", file, compared, wrong);
        counts.forEach((name, count) -> System.out.println("  " + count + " " + samples.get(name)));
        assertThat(compared).isGreaterThan(10_000);
        assertThat(wrong).as("differing instructions of %d", compared).isLessThan(compared / 100);
    }
}
