package org.xenolith.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.xenolith.daemon.HostException;
import org.xenolith.daemon.LocalHost;
import org.xenolith.daemon.RuntimeDirectory;
import org.xenolith.toolstack.Host;
import org.xenolith.toolstack.HostConfig;

/**
 * What {@code ./xeno} lets a JVM do to learn what to archive: verbs to a host in the same process, which is both sides of what a
 * verb does, and then whatever is given, a boot as a rule. Not for people.
 */
final class AotTraining {
    static final String VERB = "aot-training";

    private static final long MEMORY = 64L << 20;

    private AotTraining() {}

    /** Runs the verbs, and then {@code rest} as {@link Main} would. */
    static int run(String... rest) {
        try {
            Path directory = Files.createTempDirectory("xeno-training");
            try (Host machine =
                            Host.create(HostConfig.DEFAULT.withMemory(MEMORY).withDumpDirectory(directory));
                    LocalHost host = new LocalHost(new RuntimeDirectory(directory), machine, line -> {})) {
                for (List<String> verb : List.of(
                        List.of("list"),
                        List.of("list", "-o", "json"),
                        List.of("info"),
                        List.of("vcpu-list"),
                        List.of("uptime"),
                        List.of("dmesg"),
                        List.of("domid", "nosuch"),
                        List.of("create", "--help"),
                        List.of("xenstore-ls"))) {
                    Main.run(host::connect, verb.toArray(String[]::new));
                }
            } finally {
                try (Stream<Path> files = Files.walk(directory)) {
                    for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                        Files.delete(file);
                    }
                }
            }
        } catch (IOException | HostException e) {
            System.err.println("xeno: training failed: " + e.getMessage());
            return ExitStatus.HOST.code();
        }
        return rest.length == 0 ? ExitStatus.OK.code() : Main.run(Arrays.copyOf(rest, rest.length));
    }
}
