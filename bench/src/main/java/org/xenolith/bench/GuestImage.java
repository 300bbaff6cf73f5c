package org.xenolith.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.xenolith.image.Initramfs;

/** Makes the initramfs: busybox, our programs, our init and what it shall do. Every engine boots the same file. */
final class GuestImage {
    private final Path busybox;
    private final Map<String, Path> programs;

    /**
     * @param busybox a static busybox
     * @param programs program name to executable
     */
    GuestImage(Path busybox, Map<String, Path> programs) {
        this.busybox = busybox;
        this.programs = programs;
    }

    /**
     * An image that runs workloads.
     *
     * @param seconds for how long each repeats its unit
     * @param processors how many they may use
     */
    void writePlan(Path target, List<Workload> workloads, double seconds, int processors) throws BenchException {
        write(
                target,
                Map.of(
                        "bench/plan", plan(workloads).getBytes(StandardCharsets.UTF_8),
                        "bench/seconds", (seconds + "\n").getBytes(StandardCharsets.UTF_8),
                        "bench/processors", (processors + "\n").getBytes(StandardCharsets.UTF_8)));
    }

    /** An image that runs the accuracy checks. */
    void writeChecks(Path target) throws BenchException {
        write(target, Map.of("bench/check.sh", Programs.resource("check.sh")));
    }

    /**
     * An image that runs the stress tests.
     *
     * @param seconds for how long, in all
     */
    void writeStress(Path target, double seconds) throws BenchException {
        write(
                target,
                Map.of(
                        "bench/stress.sh",
                        Programs.resource("stress.sh"),
                        "bench/seconds",
                        (seconds + "\n").getBytes(StandardCharsets.UTF_8)));
    }

    /** A line for each workload: name and program. */
    static String plan(List<Workload> workloads) {
        StringBuilder plan = new StringBuilder();
        for (Workload workload : workloads) {
            if (!workload.isBoot()) {
                plan.append(workload.name())
                        .append(' ')
                        .append(workload.program())
                        .append('\n');
            }
        }
        return plan.toString();
    }

    private void write(Path target, Map<String, byte[]> data) throws BenchException {
        try {
            Initramfs.Builder tree = Initramfs.builder();
            for (String directory : List.of("dev", "proc", "sys", "tmp")) {
                tree.directory(directory, 0755);
            }
            /* Init's standard streams are opened before init can mount anything. */
            tree.characterDevice("dev/console", 0600, 5, 1);
            tree.file("init", Programs.resource("init.sh"), 0755);
            tree.file("bin/busybox", busybox, 0755);
            for (Map.Entry<String, Path> program : programs.entrySet()) {
                tree.file("bench/" + program.getKey(), program.getValue(), 0755);
            }
            data.forEach((path, bytes) -> tree.file(path, bytes, 0644));
            Files.write(target, tree.build());
        } catch (IOException e) {
            throw new BenchException("cannot make the initramfs " + target + ": " + e.getMessage(), e);
        }
    }
}
