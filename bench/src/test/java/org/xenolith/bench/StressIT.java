package org.xenolith.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.xenolith.image.DebianPackages;
import org.xenolith.image.ImageException;
import org.xenolith.image.Progress;
import org.xenolith.toolstack.EngineKind;

/** The stress tests, for some seconds. {@code xeno bench --stress --seconds 3600} is for hours. */
class StressIT {
    private static final double SECONDS = 12;

    @TempDir
    private Path directory;

    @Test
    void severalProcessorsSurviveAShortStress() throws Exception {
        DebianPackages.Options options = DebianPackages.Options.of(System::getenv);
        DebianPackages packages = new DebianPackages(options, Progress.SILENT);
        Programs programs = new Programs(options.cache().resolve("bench"), "gcc");
        Round.Setup setup = null;
        try {
            setup = new Round.Setup(
                    packages.kernel(DebianPackages.CLOUD_KERNEL).image().toAbsolutePath(),
                    programs.runnable(packages.busybox().toAbsolutePath()),
                    programs.build().files(),
                    "",
                    SECONDS,
                    3,
                    new PlanWatcher.Limits(Duration.ofMinutes(5), Duration.ofMinutes(5)),
                    directory);
        } catch (ImageException | BenchException e) {
            Assumptions.abort("skipped: " + e.getMessage());
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        PrintStream print = new PrintStream(out, true, StandardCharsets.UTF_8);
        List<String> engine = List.of("--engine", EngineKind.AUTO.here().toString());
        StressRun run = new StressRun(setup, launcher(), "512M", engine, print, print);
        assertThat(run.run()).as(() -> out.toString(StandardCharsets.UTF_8)).isEqualTo(BenchCommand.OK);
    }

    /** A program that does what {@code ./xeno} does, with the classes under test. */
    private Path launcher() throws Exception {
        Path script = directory.resolve("xeno");
        Files.writeString(
                script,
                "#!/bin/sh\nexec '" + ProcessHandle.current().info().command().orElseThrow()
                        + "' -XX:+UseSerialGC --enable-native-access=ALL-UNNAMED"
                        + " --sun-misc-unsafe-memory-access=allow -cp '" + System.getProperty("java.class.path")
                        + "' org.xenolith.cli.Main \"$@\"\n");
        return Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwx------"));
    }
}
