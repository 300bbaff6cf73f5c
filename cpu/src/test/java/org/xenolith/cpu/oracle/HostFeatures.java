package org.xenolith.cpu.oracle;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.xenolith.cpu.decode.Row;

/** What the host's processor offers to user programs, by the names that the instruction table uses. */
public final class HostFeatures {
    /** The kernel's name where it is not the table's in lower case. */
    private static final Map<String, String> KERNEL_NAMES = Map.of(
            "CX16", "cx16",
            "SSE3", "pni",
            "SSE41", "sse4_1",
            "SSE42", "sse4_2",
            "CLFSH", "clflush",
            "SHA", "sha_ni",
            "FXSR", "fxsr",
            "PCLMULQDQ", "pclmulqdq",
            "CMOV", "cmov");

    private final Set<String> flags = new HashSet<>();

    /** Of this host. */
    public HostFeatures() {
        Path file = Path.of("/proc/cpuinfo");
        try {
            if (Files.isReadable(file)) {
                for (String line : Files.readAllLines(file)) {
                    if (line.startsWith("flags")) {
                        flags.addAll(Arrays.asList(
                                line.substring(line.indexOf(':') + 1).strip().split(" ")));
                        return;
                    }
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + file, e);
        }
    }

    /** Whether the host has what a row needs. */
    public boolean has(Row row) {
        return row.feature == null
                || flags.contains(KERNEL_NAMES.getOrDefault(row.feature, row.feature.toLowerCase(Locale.ROOT)));
    }
}
