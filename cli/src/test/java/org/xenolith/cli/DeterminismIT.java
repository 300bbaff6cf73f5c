package org.xenolith.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.xenolith.image.ConsoleInput;
import org.xenolith.image.DebianPackages;
import org.xenolith.image.GuestReport;
import org.xenolith.image.GuestSession;
import org.xenolith.image.ImageException;
import org.xenolith.image.Progress;
import org.xenolith.toolstack.Domain;
import org.xenolith.toolstack.DomainConfig;
import org.xenolith.toolstack.EngineKind;
import org.xenolith.toolstack.TraceConfig;

/** Boots Debian's stock kernel in virtual time, several times, and compares its state every million instructions. */
class DeterminismIT {
    private static final long MEMORY = 128L << 20;
    /** A boot with a few programs is about a thousand million instructions. */
    private static final int FEWEST_HASHES = 300;

    private static final String PROGRAMS =
            "cat /proc/interrupts /proc/meminfo | md5sum; seq 1 500 | sort -r | sha256sum; date; sleep 2; date; exit 7";

    private static DebianPackages packages;

    @BeforeAll
    static void getTheKernel() {
        packages = new DebianPackages(DebianPackages.Options.of(System::getenv), Progress.SILENT);
        try {
            packages.kernel(DebianPackages.CLOUD_KERNEL);
            packages.busybox();
        } catch (ImageException e) {
            Assumptions.abort("skipped: " + e.getMessage());
        }
    }

    /** What a run was like: hashes with their instruction counts and times, console output, exit status. */
    private record Run(List<String> hashes, String output, int status) {}

    private static Run run(EngineKind engine) {
        try {
            GuestSession session = GuestSession.pipe(List.of("sh", "-c", PROGRAMS));
            List<String> hashes = new ArrayList<>();
            ByteArrayOutputStream output = new ByteArrayOutputStream();
            DomainConfig config = DomainConfig.of(
                            packages.kernel(DebianPackages.CLOUD_KERNEL).image())
                    .kernelCache(
                            DebianPackages.Options.of(System::getenv).cache().resolve("kernels"))
                    .memoryBytes(MEMORY)
                    .engine(engine)
                    .deterministic(true)
                    .commandLine(session.kernelParameters() + " panic=-1")
                    .ramdisk(session.system(packages.busybox()).build())
                    .trace(new TraceConfig(EnumSet.of(TraceConfig.Kind.HASH), hashes::add))
                    .build();
            try (Domain domain = Domain.create(config)) {
                GuestReport[] report = new GuestReport[1];
                report[0] = new GuestReport(() -> endInput(domain, report[0].sysrqKey()), () -> {});
                domain.onDebugPort(report[0]::accept);
                domain.console().connect((bytes, offset, length) -> {
                    output.write(bytes, offset, length);
                    return length;
                });
                domain.start();
                domain.await();
                return new Run(
                        hashes,
                        output.toString(StandardCharsets.UTF_8),
                        report[0].exitStatus().orElse(-1));
            }
        } catch (Exception e) {
            throw new IllegalStateException("the run under " + engine + " failed", e);
        }
    }

    /** Input that ends at once, on the guest's own thread: at the same instruction in every run. */
    private static void endInput(Domain domain, boolean sysrqKey) {
        Iterator<byte[]> pieces = List.of(new ConsoleInput(sysrqKey).end()).iterator();
        domain.console().connectInput(() -> pieces.hasNext() ? pieces.next() : new byte[0]);
    }

    /** Two runs at once: they share nothing but the host, whose timing differs between them all the more. */
    private static List<Run> twice(EngineKind engine) {
        CompletableFuture<Run> other = CompletableFuture.supplyAsync(() -> run(engine));
        return List.of(run(engine), other.join());
    }

    @Test
    @Timeout(600)
    void aBootWithProgramsIsTheSameEveryTimeAndUnderBothEngines() {
        List<Run> runs = new ArrayList<>(twice(EngineKind.INTERPRET));
        boolean translates = System.getProperty("os.name").equals("Linux")
                && System.getProperty("os.arch").equals("amd64");
        if (translates) {
            runs.addAll(twice(EngineKind.TRANSLATE));
        }
        Run first = runs.getFirst();
        assertThat(first.status).isEqualTo(7);
        assertThat(first.hashes).hasSizeGreaterThan(FEWEST_HASHES).doesNotHaveDuplicates();
        assertThat(first.output).contains("  -\n");
        for (Run run : runs) {
            for (int i = 0; i < Math.min(first.hashes.size(), run.hashes.size()); i++) {
                assertThat(run.hashes.get(i)).isEqualTo(first.hashes.get(i));
            }
            assertThat(run).isEqualTo(first);
        }
    }
}
