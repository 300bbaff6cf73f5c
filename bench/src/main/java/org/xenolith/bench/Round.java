package org.xenolith.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/** One pass over the workloads on one contestant. */
final class Round {
    /** A guest that hangs in this many workloads is not started again. */
    private static final int MOST_RESTARTS = 6;

    private static final String NO_CHECKSUM = "-";

    /**
     * What is common to all rounds.
     *
     * @param kernel bzImage of the guests
     * @param busybox static busybox of guests and native runs
     * @param programs program name to executable
     * @param append more kernel arguments
     * @param seconds time for which a workload repeats its unit
     * @param processors of each guest, and for native runs
     * @param limits longest waits
     * @param work directory for images
     */
    record Setup(
            Path kernel,
            Path busybox,
            Map<String, Path> programs,
            String append,
            double seconds,
            int processors,
            PlanWatcher.Limits limits,
            Path work) {}

    private final Setup setup;
    private final Consumer<String> listener;

    Round(Setup setup, Consumer<String> listener) {
        this.setup = setup;
        this.listener = listener;
    }

    /** Boots a guest and runs the workloads in it; after a hang, boots again for those that are left. */
    Map<String, Outcome> guest(Machine machine, List<Workload> workloads) throws BenchException {
        Map<String, Outcome> all = new LinkedHashMap<>();
        List<Workload> left = new ArrayList<>(workloads);
        Path image = setup.work().resolve("initramfs-" + machine.contestant().label() + ".cpio");
        Map<String, Path> needed = new LinkedHashMap<>(setup.programs());
        needed.remove("xcheck");
        needed.remove("xstress");
        for (int start = 0; ; start++) {
            new GuestImage(setup.busybox(), needed).writePlan(image, left, setup.seconds(), setup.processors());
            PlanWatcher.Progress progress;
            try (Console console = machine.start(setup.kernel(), image, setup.append())) {
                progress = new PlanWatcher(setup.limits(), listener).watch(console, true);
                if (progress.finished()) {
                    console.exitStatus();
                }
            }
            boolean booted = progress.bootSeconds() >= 0;
            if (start == 0 && contains(workloads, "boot")) {
                all.put("boot", booted ? boot(progress.bootSeconds()) : new Outcome.Failure(progress.trouble()));
            }
            progress.outcomes().forEach(all::putIfAbsent);
            left.removeIf(w -> all.containsKey(w.name()));
            if (left.isEmpty() || left.stream().allMatch(Workload::isBoot)) {
                return all;
            }
            listener.accept(progress.finished() ? "the plan ended early" : progress.trouble());
            if (!booted || start == MOST_RESTARTS || progress.outcomes().isEmpty()) {
                String reason = booted
                        ? "not run: " + (progress.finished() ? "the guest skipped it" : progress.trouble())
                        : "the guest did not reach init: " + progress.trouble();
                left.forEach(w -> all.put(w.name(), new Outcome.Failure(reason)));
                return all;
            }
        }
    }

    /** Runs the same programs as processes of this machine. */
    Map<String, Outcome> onHost(List<Workload> workloads) throws BenchException {
        Map<String, Outcome> all = new LinkedHashMap<>();
        for (Workload workload : workloads) {
            if (workload.isBoot()) {
                continue;
            }
            listener.accept(workload.name());
            List<String> command = List.of(
                    setup.programs().get(workload.program()).toString(),
                    "--seconds",
                    Double.toString(setup.seconds()),
                    "--processors",
                    Integer.toString(setup.processors()),
                    workload.name());
            Map<String, String> environment =
                    Map.of("XBENCH_BUSYBOX", setup.busybox().toString());
            try (Console console = Console.start(command, environment, null)) {
                PlanWatcher.Progress progress = new PlanWatcher(setup.limits(), name -> {}).watch(console, false);
                all.put(
                        workload.name(),
                        Optional.ofNullable(progress.outcomes().get(workload.name()))
                                .orElse(new Outcome.Failure(progress.trouble())));
            }
        }
        return all;
    }

    private static boolean contains(List<Workload> workloads, String name) {
        return workloads.stream().anyMatch(w -> w.name().equals(name));
    }

    private static Outcome boot(double seconds) {
        return new Outcome.Measured(1, seconds, seconds, NO_CHECKSUM);
    }

    /** A private directory for the images of a run. */
    static Path workDirectory() throws BenchException {
        try {
            return Files.createTempDirectory("xeno-bench");
        } catch (IOException e) {
            throw new BenchException("cannot make a temporary directory: " + e.getMessage(), e);
        }
    }

    /** How long a workload may take: set-up and an untimed unit come before its time starts. */
    static Duration workloadLimit(double seconds, long timeoutSeconds) {
        return Duration.ofMillis((long) (seconds * 4000) + timeoutSeconds * 1000);
    }
}
