package org.xenolith.cpu;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * What the host's processor offers to user programs, as its Linux kernel tells in {@code /proc/cpuinfo}; nothing on other
 * hosts.
 */
public final class HostFeatures {
    private static final Path FILE = Path.of("/proc/cpuinfo");

    /** The kernel's name where it is not the feature's in lower case. */
    private static final Map<String, String> KERNEL_NAMES = Map.of(
            "SSE3", "pni",
            "SSE41", "sse4_1",
            "SSE42", "sse4_2",
            "CLFSH", "clflush",
            "SHA", "sha_ni",
            "LZCNT", "abm",
            "PREFETCHW", "3dnowprefetch");

    private HostFeatures() {}

    /** Names of {@link Feature} values. */
    public static Set<String> names() {
        Set<String> flags = flags();
        Set<String> names = new HashSet<>();
        for (Feature feature : Feature.values()) {
            String name = feature.name();
            if (flags.contains(KERNEL_NAMES.getOrDefault(name, name.toLowerCase(Locale.ROOT)))) {
                names.add(name);
            }
        }
        return names;
    }

    private static Set<String> flags() {
        if (!Files.isReadable(FILE)) {
            return Set.of();
        }
        try {
            for (String line : Files.readAllLines(FILE)) {
                if (line.startsWith("flags")) {
                    return new HashSet<>(List.of(
                            line.substring(line.indexOf(':') + 1).strip().split(" ")));
                }
            }
            return Set.of();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + FILE, e);
        }
    }
}
