package org.xenolith.bench;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.json.JsonMapper;

/** {@code xeno bench --check}: the accuracy script on the host and in a guest of each engine. */
final class CheckRun {
    /** The script takes seconds natively; a slow interpreter needs minutes for the 100 MiB sum. */
    private static final Duration LIMIT = Duration.ofMinutes(15);

    private final Round.Setup setup;
    private final Map<Contestant, Machine> machines;
    private final PrintStream out;
    private final PrintStream err;
    private final boolean json;

    CheckRun(Round.Setup setup, Map<Contestant, Machine> machines, PrintStream out, PrintStream err, boolean json) {
        this.setup = setup;
        this.machines = machines;
        this.out = out;
        this.err = err;
        this.json = json;
    }

    /** Exit status: 0 when every promise is kept. */
    int run() throws BenchException {
        if (machines.isEmpty()) {
            throw new BenchException("--check needs a guest: --engine xenolith or tcg");
        }
        Path script = setup.work().resolve("check.sh");
        try {
            Files.write(script, Programs.resource("check.sh"));
        } catch (IOException e) {
            throw new BenchException("cannot write " + script + ": " + e.getMessage(), e);
        }
        Path xcheck = setup.programs().get("xcheck");
        err.println("xeno bench: check on the host");
        AccuracyCheck.Transcript host;
        List<String> command = List.of(
                setup.busybox().toString(),
                "sh",
                script.toString(),
                xcheck.toString(),
                setup.busybox().toString());
        try (Console console = Console.start(command, Map.of(), setup.work())) {
            host = AccuracyCheck.read(console, setup.limits().boot(), LIMIT);
        }
        if (!host.trouble().isEmpty()) {
            throw new BenchException("the check failed on the host: " + host.trouble());
        }
        Path image = setup.work().resolve("initramfs-check.cpio");
        new GuestImage(setup.busybox(), Map.of("xcheck", xcheck)).writeChecks(image);
        Map<String, Object> all = new LinkedHashMap<>();
        boolean ok = true;
        for (Map.Entry<Contestant, Machine> entry : machines.entrySet()) {
            String label = entry.getKey().label();
            err.println("xeno bench: check under " + label);
            List<AccuracyCheck.Finding> findings;
            Machine machine = entry.getValue();
            try (Console console = machine.start(setup.kernel(), image, setup.append())) {
                AccuracyCheck.Transcript guest =
                        AccuracyCheck.read(console, setup.limits().boot(), LIMIT);
                findings = AccuracyCheck.judge(guest, host);
                if (machine.contestant() == Contestant.XENOLITH) {
                    findings.add(AccuracyCheck.memory(guest, machine.memoryBytes()));
                }
            }
            ok &= findings.stream().allMatch(AccuracyCheck.Finding::ok);
            all.put(label, findings);
            if (!json) {
                findings.forEach(f ->
                        out.println((f.ok() ? "ok     " : "WRONG  ") + label + " " + f.name() + ": " + f.detail()));
            }
        }
        if (json) {
            out.println(JsonMapper.builder()
                    .build()
                    .writerWithDefaultPrettyPrinter()
                    .writeValueAsString(all));
        }
        out.flush();
        return ok ? BenchCommand.OK : BenchCommand.PROBLEMS;
    }
}
