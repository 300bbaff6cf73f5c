package org.xenolith.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.xenolith.image.ConsoleInput;
import org.xenolith.image.DebianPackages;
import org.xenolith.image.GuestReport;
import org.xenolith.image.GuestSession;
import org.xenolith.image.ImageException;
import org.xenolith.image.Progress;
import org.xenolith.toolstack.Domain;
import org.xenolith.toolstack.DomainConfig;
import org.xenolith.toolstack.DomainOutcome;
import org.xenolith.toolstack.EngineKind;
import org.xenolith.toolstack.Monitor;

/** Boots Debian's stock kernels the way a person does, through the command line, and looks at output and exit status. */
class BootIT {
    private static final int BOOT_SECONDS = 180;
    private static final int VERIFY_SECONDS = 1200;
    /** Of {@code seq 1 20000}. */
    private static final String SEQUENCE_SUM = "f6351f5ead9a700e34275480b3856ea738122a7c57bdeb744a631251c069587a";

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
    void aCommandsOutputAndStatusComeBack() throws Exception {
        try (Guest guest = Guest.start("run", "--", "sh", "-c", "uname -sr; echo \"$0 $1\"; exit 42", "é 'x'", "*")) {
            guest.endInput().ends(42, BOOT_SECONDS);
            assertThat(guest.text()).isEqualTo("Linux " + cloud.release() + "\né 'x' *\n");
            assertThat(guest.errors()).isEmpty();
        }
    }

    @Test
    void anyBytesPassThroughACommandUnchanged() throws Exception {
        long seed = System.nanoTime();
        byte[] data = new byte[64 << 10];
        new SplittableRandom(seed).nextBytes(data);
        try (Guest guest = Guest.start("run", "--", "sh", "-c", "tee /tmp/copy; sha256sum < /tmp/copy")) {
            guest.type(data).endInput().ends(0, BOOT_SECONDS + 60);
            byte[] out = guest.output();
            String sum = HexFormat.of()
                    .formatHex(MessageDigest.getInstance("SHA-256").digest(data));
            byte[] tail = (sum + "  -\n").getBytes(StandardCharsets.US_ASCII);
            assertThat(out)
                    .as("seed %d", seed)
                    .hasSize(data.length + tail.length)
                    .startsWith(data)
                    .endsWith(tail);
        }
    }

    @Test
    void theShellAnswersAndPoweroffEndsWithZero() throws Exception {
        try (Guest guest = Guest.start("run")) {
            guest.expect("~ # ", BOOT_SECONDS);
            guest.type("echo $((6 * 7)) $(whoami) $(tty)\n").expect("42 root /dev/hvc0", 30);
            guest.type("poweroff\n").ends(ExitStatus.OK.code(), 60);
        }
    }

    @Test
    void controlCInterruptsAProgramOfTheGuest() throws Exception {
        try (Guest guest = Guest.start("run")) {
            guest.expect("~ # ", BOOT_SECONDS)
                    .type("sleep 1000; echo status $?\n")
                    .expect("sleep 1000", 30);
            Thread.sleep(2000);
            guest.type("\u0003").type("echo alive $((1 + 1))\n").expect("alive 2", 30);
            // End of input is Ctrl-D to the shell.
            guest.endInput().ends(ExitStatus.OK.code(), 60);
        }
    }

    @Test
    void rebootAndPanicHaveStatusesOfTheirOwn() throws Exception {
        try (Guest guest = Guest.start("run")) {
            guest.expect("~ # ", BOOT_SECONDS).type("reboot\n").ends(ExitStatus.REBOOT.code(), 60);
            assertThat(guest.errors()).contains("rebooted");
        }
        try (Guest guest = Guest.start("run")) {
            guest.expect("~ # ", BOOT_SECONDS).type("echo c > /proc/sysrq-trigger\n");
            guest.ends(ExitStatus.PANIC.code(), 60);
            assertThat(guest.text()).contains("Kernel panic");
        }
    }

    @Test
    void aGuestThatDoesNotComeUpIsGivenUpWithOneLine() throws Exception {
        Path kernel = cloud.image();
        try (Guest guest = Guest.start("run", "--kernel", kernel.toString(), "--boot-timeout", "1", "--", "true")) {
            guest.endInput().ends(ExitStatus.HUNG.code(), BOOT_SECONDS);
            assertThat(guest.errors()).contains("did not start within 1 s").doesNotContain("\tat ");
        }
    }

    @Test
    void theTranslatingEngineRunsACommandAndTellsWhatItDid() throws Exception {
        assumeTranslator();
        String command = "seq 1 1000 | sha256sum; exit 9";
        try (Guest guest = Guest.start("run", "--engine", "translate", "--stats", "--", "sh", "-c", command)) {
            guest.endInput().ends(9, BOOT_SECONDS);
            assertThat(guest.text()).isEqualTo("67d4ff71d43921d5739f387da09746f405e425b07d727e4c69d029461d1f051f  -\n");
            assertThat(guest.errors())
                    .contains(
                            "on processor 0 (translate)",
                            "instructions retired by translated code",
                            "% translated code",
                            "handed to the interpreter most often");
        }
    }

    @Test
    void theEngineChangesUnderLoadAndTheResultsStayRight() throws Exception {
        assumeTranslator();
        GuestSession session = GuestSession.pipe(List.of(
                "sh",
                "-c",
                "seq 1 20000 > /n; for i in $(seq 20); do gzip -c /n | gunzip | sha256sum; done | uniq -c; exit 7"));
        DomainConfig config = DomainConfig.of(cloud.image())
                .engine(EngineKind.INTERPRET)
                .commandLine(session.kernelParameters() + " panic=-1")
                .ramdisk(session.system(packages.busybox()).build())
                .build();
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (Domain domain = Domain.create(config)) {
            CountDownLatch ready = new CountDownLatch(1);
            GuestReport report = new GuestReport(ready::countDown, () -> {});
            domain.onDebugPort(report::accept);
            domain.console().connect((bytes, offset, length) -> {
                out.write(bytes, offset, length);
                return length;
            });
            domain.start();
            Monitor monitor = domain.monitor();
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(BOOT_SECONDS);
            DomainOutcome outcome = null;
            int changes = 0;
            boolean ended = false;
            while (outcome == null && System.nanoTime() < end) {
                outcome = domain.await(1);
                if (!ended && ready.getCount() == 0) {
                    domain.console().inputFully(new ConsoleInput(report.sysrqKey()).end());
                    ended = true;
                }
                String name = changes++ % 2 == 0 ? "translate" : "interpret";
                assertThat(monitor.execute("engine " + name)).contains(name);
            }
            assertThat(outcome)
                    .as(() -> out.toString(StandardCharsets.UTF_8))
                    .isInstanceOf(DomainOutcome.PowerOff.class);
            assertThat(report.exitStatus()).hasValue(7);
            assertThat(out.toString(StandardCharsets.UTF_8)).contains("20 " + SEQUENCE_SUM);
            assertThat(changes).as("changes of engine").isGreaterThan(4);
        }
    }

    /** Slow: a boot under both engines takes minutes. */
    @Test
    @Tag("slow")
    void aBootUnderBothEnginesShowsNoDifference() throws Exception {
        assumeTranslator();
        String command = "seq 1 1000 | sha256sum; echo 7 | awk '{ print $1 / 2 }'; exit 9";
        String[] run = {"run", "--engine", "verify", "--boot-timeout", "0", "--stats", "--", "sh", "-c", command};
        try (Guest guest = Guest.start(run)) {
            guest.endInput().ends(9, VERIFY_SECONDS);
            assertThat(guest.text())
                    .isEqualTo("67d4ff71d43921d5739f387da09746f405e425b07d727e4c69d029461d1f051f  -\n3.5\n");
            assertThat(guest.errors()).contains("on processor 0 (verify)", "blocks run by both engines");
        }
    }

    private static void assumeTranslator() {
        Assumptions.assumeTrue(
                EngineKind.AUTO.here() == EngineKind.TRANSLATE,
                "skipped: the translating engine needs Linux on x86-64 and executable memory");
    }

    @Test
    void theGenericKernelRunsACommand() throws Exception {
        try (Guest guest = Guest.start("run", "--kernel", "debian:generic", "--", "uname", "-r")) {
            guest.endInput().ends(0, BOOT_SECONDS * 2);
            assertThat(guest.text()).endsWith("-amd64\n").doesNotContain("cloud");
        }
    }
}
