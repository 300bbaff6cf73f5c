package org.xenolith.cpu.decode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.oracle.RowEncoder;

/**
 * Our disassembly of a real program next to objdump's. {@code -Dxenolith.objdump.file=FILE} names another program, such
 * as an unpacked kernel, and {@code -Dxenolith.objdump.instructions=N} how much of it.
 */
class DisassemblerObjdumpTest {
    private static final Path OBJDUMP = Path.of("/usr/bin/objdump");
    private static final List<String> PROGRAMS =
            List.of("/usr/bin/busybox", "/usr/bin/bash", "/usr/bin/objdump", "/bin/sh");
    /** What the table does not have: virtualization and whatever came after AVX2. objdump knows them. */
    private static final String UNKNOWN_HERE = "(vm[a-z0-9]+|monitor.*|mwait.*|xbegin|xend|xtest|xabort|k[a-z]+[bwdq]|"
            + "encl.|xsaves.*|xrstors.*|invept|wbnoinvd|clzero|rdpru|serialize|incssp.|rstorssp|setssbsy|"
            + "saveprevssp|tpause|umwait|umonitor|movdir.*|skinit|clgi|stgi|cldemote|ptwrite|rdpkru|wrpkru)";

    private static final int CODES_A_ROW = 20;
    /** Bytes from one instruction of the image to the next. */
    private static final int PLACE = 16;

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
                if (theirs == null
                        || theirs.split(" ")[0].matches(UNKNOWN_HERE)
                        || theirs.matches(".*(zmm|[xy]mm1[6-9]|[xy]mm[23][0-9]|k[0-7]|\\{).*")) {
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

    /** Spelled another way by objdump: predicates in the name, no operand size, 64-bit names of registers that take 32. */
    private static final String SPELLED_DIFFERENTLY =
            "vcmp.*|vpclmul.*|vpcmpestr.*|vlddqu .*|vmovmskp.*|vpmovmskb .*|vmovs[sd] .*ymm.*";

    @Test
    void everyVectorRowWithVexReadsAsObjdumpReadsIt() throws IOException, InterruptedException {
        assumeTrue(Files.isExecutable(OBJDUMP), "skipped: no objdump");
        long seed = Long.getLong("xenolith.seed", System.nanoTime());
        SplittableRandom random = new SplittableRandom(seed);
        List<byte[]> codes = new ArrayList<>();
        for (Row row : InsnTable.get().rows()) {
            for (int i = 0; row.isVexVector() && i < CODES_A_ROW; i++) {
                RowEncoder.Encoded encoded = RowEncoder.encode(row, random);
                // Other prefixes than a segment are written in ways of their own.
                if (encoded.mode() == 3 && encoded.code()[0] != 0x67 && encoded.code()[1] != 0x67) {
                    codes.add(encoded.code());
                }
            }
        }
        byte[] image = new byte[codes.size() * PLACE];
        Arrays.fill(image, (byte) 0x90);
        for (int i = 0; i < codes.size(); i++) {
            System.arraycopy(codes.get(i), 0, image, i * PLACE, codes.get(i).length);
        }
        Path file = Files.createTempFile("xenolith-vex", ".bin");
        List<String> wrong = new ArrayList<>();
        int compared = 0;
        try {
            Files.write(file, image);
            String options = "-D -w -b binary -m i386:x86-64 -M intel";
            List<String> command = new ArrayList<>(List.of(options.split(" ")));
            command.addFirst(OBJDUMP.toString());
            command.add(file.toString());
            Process process = new ProcessBuilder(command)
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            Disassembler disassembler = new Disassembler(Disassembler.Symbols.NONE);
            try (BufferedReader lines =
                    new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.ISO_8859_1))) {
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                    String[] fields = line.split("\t");
                    int at = fields.length < 3
                            ? 1
                            : Integer.parseInt(fields[0].strip().replace(":", ""), 16);
                    String theirs = at % PLACE == 0 ? ObjdumpText.normalise(fields[2]) : null;
                    if (theirs == null || theirs.matches(SPELLED_DIFFERENTLY) || theirs.contains("eiz")) {
                        continue;
                    }
                    byte[] code = codes.get(at / PLACE);
                    String ours = ObjdumpText.normalise(
                            disassembler.line(code, 0, code.length, at, 3).text());
                    compared++;
                    if (!theirs.equals(ours)) {
                        wrong.add(HexFormat.of().formatHex(code) + ": objdump " + theirs + ", we " + ours);
                    }
                }
            }
            process.waitFor();
        } finally {
            Files.delete(file);
        }
        assertThat(compared).isGreaterThan(codes.size() / 2);
        assertThat(wrong).as("seed %d", seed).isEmpty();
    }
}
