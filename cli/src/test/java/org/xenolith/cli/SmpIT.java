package org.xenolith.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.xenolith.image.DebianPackages;
import org.xenolith.image.GuestReport;
import org.xenolith.image.GuestSession;
import org.xenolith.image.ImageException;
import org.xenolith.image.Progress;
import org.xenolith.toolstack.Domain;
import org.xenolith.toolstack.DomainConfig;
import org.xenolith.toolstack.EngineKind;

/** Boots the stock kernel with several virtual CPUs. What they may do to each other is in the stress tests of {@code bench}. */
class SmpIT {
    private static final int SECONDS = 300;

    private static DebianPackages packages;
    private static DebianPackages.Kernel cloud;

    @BeforeAll
    static void getTheKernel() {
        packages = new DebianPackages(DebianPackages.Options.of(System::getenv), Progress.SILENT);
        try {
            cloud = packages.kernel(DebianPackages.CLOUD_KERNEL);
            packages.busybox();
        } catch (ImageException e) {
            Assumptions.abort("skipped: " + e.getMessage());
        }
    }

    @Test
    void aGuestWithSeveralProcessorsSeesThemAllInOnePackage() throws Exception {
        String command = "nproc; cat /sys/devices/system/cpu/cpu2/topology/package_cpus_list;"
                + " dmesg | grep -cE 'soft lockup|detected stall'";
        try (Guest guest = Guest.start("run", "--vcpus", "3", "--", "sh", "-c", command)) {
            guest.endInput().ends(1, SECONDS);
            assertThat(guest.text()).isEqualTo("3\n0-2\n0\n");
        }
    }

    @Test
    void processorsComeAndGoThroughXenstoreUnderBothEngines() throws Exception {
        GuestSession session =
                GuestSession.pipe(List.of("sh", "-c", "while :; do echo there are $(nproc); sleep 0.1; done"));
        DomainConfig config = DomainConfig.of(cloud.image())
                .vcpus(2)
                .maxVcpus(4)
                .commandLine(session.kernelParameters() + " panic=-1")
                .ramdisk(session.system(packages.busybox()).build())
                .build();
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (Domain domain = Domain.create(config)) {
            GuestReport report = new GuestReport(() -> {}, () -> {});
            domain.onDebugPort(report::accept);
            domain.console().connect((bytes, offset, length) -> {
                out.write(bytes, offset, length);
                return length;
            });
            domain.start();
            await(domain, out, 2);
            for (EngineKind engine : new EngineKind[] {EngineKind.INTERPRET, EngineKind.AUTO}) {
                domain.changeEngine(engine);
                for (int count : new int[] {4, 1, 3, 2}) {
                    domain.setVcpus(count);
                    await(domain, out, count);
                }
            }
            assertThat(domain.monitor().execute("vcpus").lines().filter(line -> line.contains(": offline at ")))
                    .hasSize(2);
        }
    }

    private static void await(Domain domain, ByteArrayOutputStream out, int count) throws InterruptedException {
        out.reset();
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
        while (!out.toString(StandardCharsets.UTF_8).contains("there are " + count)) {
            assertThat(System.nanoTime())
                    .as(() -> "no " + count + " processors: " + out.toString(StandardCharsets.UTF_8))
                    .isLessThan(end);
            assertThat(domain.await(0)).isNull();
            Thread.sleep(20);
        }
    }
}
