package org.xenolith.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.Timeout;
import org.xenolith.image.ConsoleInput;
import org.xenolith.image.DebianPackages;
import org.xenolith.image.GuestReport;
import org.xenolith.image.GuestSession;
import org.xenolith.image.ImageException;
import org.xenolith.image.Progress;
import org.xenolith.memory.MachineMemoryException;
import org.xenolith.toolstack.Domain;
import org.xenolith.toolstack.DomainConfig;
import org.xenolith.toolstack.DomainEvent;
import org.xenolith.toolstack.DomainOutcome;
import org.xenolith.toolstack.DomainState;
import org.xenolith.toolstack.Host;
import org.xenolith.toolstack.HostConfig;
import org.xenolith.toolstack.ShutdownRequest;

/**
 * Two stock kernels on one host: what the toolstack and the guests' own drivers do together. The tests share two guests and
 * follow each other; each boot costs seconds.
 */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
@Timeout(180)
class HostIT {
    private static final long MIB = 1 << 20;
    /** What a guest may own beyond its target. */
    private static final long SLACK = 2 * MIB;

    private static final long HOST_MEMORY = 512 * MIB;

    private static Host host;
    private static final List<DomainEvent> EVENTS = Collections.synchronizedList(new ArrayList<>());
    private static ShellGuest ballooned;
    private static ShellGuest plain;

    /** A guest that runs a shell without a terminal; the test types commands and reads what they print. */
    private static final class ShellGuest {
        final Domain domain;
        private final ByteArrayOutputStream output = new ByteArrayOutputStream();
        private CountDownLatch ready = new CountDownLatch(1);
        private GuestReport report;
        private int commands;

        ShellGuest(DebianPackages packages, String name, long memory, long maxMemory) throws Exception {
            GuestSession session = GuestSession.pipe(List.of("sh"));
            domain = host.create(DomainConfig.of(
                            packages.kernel(DebianPackages.CLOUD_KERNEL).image())
                    .kernelCache(
                            DebianPackages.Options.of(System::getenv).cache().resolve("kernels"))
                    .name(name)
                    .memoryBytes(memory)
                    .maxMemoryBytes(maxMemory)
                    .commandLine(session.kernelParameters() + " panic=-1")
                    .ramdisk(session.system(packages.busybox()).build())
                    .build());
            domain.console().connect((bytes, offset, length) -> {
                synchronized (output) {
                    output.write(bytes, offset, length);
                }
                return length;
            });
            report = new GuestReport(() -> ready.countDown(), () -> {});
            domain.onDebugPort(value -> report.accept(value));
        }

        /** Before the guest starts again. */
        void expectBoot() {
            ready = new CountDownLatch(1);
            report = new GuestReport(() -> ready.countDown(), () -> {});
        }

        void awaitBoot() throws InterruptedException {
            assertThat(ready.await(120, TimeUnit.SECONDS)).as(text()).isTrue();
        }

        String text() {
            synchronized (output) {
                return output.toString(StandardCharsets.UTF_8);
            }
        }

        /** Runs a command and returns what it printed. */
        String run(String command) throws InterruptedException {
            String end = "end" + ++commands;
            int before = text().length();
            byte[] line = (command + "; echo " + end + "\n").getBytes(StandardCharsets.UTF_8);
            domain.console().inputFully(new ConsoleInput(report.sysrqKey()).encode(line, 0, line.length));
            await(() -> text().substring(before).contains(end + "\n"), () -> command + ": " + text());
            return text().substring(before, text().lastIndexOf(end)).strip();
        }
    }

    private static void await(BooleanSupplier condition, java.util.function.Supplier<String> what)
            throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(120);
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as(what).isLessThan(end);
            Thread.sleep(10);
        }
    }

    @BeforeAll
    static void twoGuestsBootAtOnce() throws Exception {
        DebianPackages packages = new DebianPackages(DebianPackages.Options.of(System::getenv), Progress.SILENT);
        try {
            packages.kernel(DebianPackages.CLOUD_KERNEL);
            packages.busybox();
        } catch (ImageException e) {
            Assumptions.abort("skipped: " + e.getMessage());
        }
        host = Host.create(HostConfig.DEFAULT.withMemory(HOST_MEMORY));
        host.addListener(EVENTS::add);
        ballooned = new ShellGuest(packages, "ballooned", 160 * MIB, 256 * MIB);
        plain = new ShellGuest(packages, "plain", 128 * MIB, 0);
        ballooned.domain.start();
        plain.domain.start();
        ballooned.awaitBoot();
        plain.awaitBoot();
    }

    @AfterAll
    static void close() {
        if (host != null) {
            host.close();
        }
    }

    @Test
    @Order(1)
    void eachGuestHasItsOwnIdentityAndRunsItsOwnCommands() throws Exception {
        assertThat(host.domains()).containsExactly(ballooned.domain, plain.domain);
        assertThat(List.of(ballooned.domain.id(), plain.domain.id())).containsExactly(1, 2);
        for (ShellGuest guest : List.of(ballooned, plain)) {
            assertThat(guest.run("cat /sys/hypervisor/uuid"))
                    .isEqualTo(guest.domain.uuid().toString());
        }
        assertThat(host.find("plain")).contains(plain.domain);
        assertThat(host.find("1")).contains(ballooned.domain);
    }

    @Test
    @Order(2)
    void aGuestWhoseMaximumIsAboveItsMemoryBootsWithItsMemory() throws Exception {
        await(() -> ballooned.domain.info().memoryBytes() <= 160 * MIB + SLACK, () -> memory(ballooned));
        // The kernel counts what it ballooned away as gone.
        long total = Long.parseLong(ballooned.run("awk '/MemTotal/ { print $2 }' /proc/meminfo"));
        assertThat(total << 10).isBetween(80 * MIB, 165 * MIB);
    }

    private static String memory(ShellGuest guest) {
        return guest.domain.info() + "\n" + guest.text();
    }

    @Test
    @Order(3)
    void memoryTargetsTakeMemoryFromTheGuestAndGiveItBack() throws Exception {
        long before = host.info().availableBytes();
        ballooned.domain.setMemoryTarget(112 * MIB);
        await(() -> ballooned.domain.info().memoryBytes() <= 112 * MIB + SLACK, () -> memory(ballooned));
        assertThat(host.info().availableBytes() - before).isBetween(44 * MIB, 50 * MIB);
        ballooned.domain.setMemoryTarget(224 * MIB);
        await(() -> ballooned.domain.info().memoryBytes() >= 222 * MIB, () -> memory(ballooned));
        assertThat(host.info().availableBytes() - before).isBetween(-68 * MIB, -60 * MIB);
        // Fill it, so that all of it is really there.
        assertThat(ballooned.run("dd if=/dev/zero of=/tmp/fill bs=1M count=60 2>/dev/null; wc -c < /tmp/fill"))
                .isEqualTo(Long.toString(60 * MIB));
        assertThatThrownBy(() -> ballooned.domain.setMemoryTarget(300 * MIB))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("4 MiB to 256 MiB");
    }

    @Test
    @Order(4)
    void aGuestThatDoesNotFitIsRefusedWithNumbers() {
        assertThatThrownBy(() -> host.create(plain.domain.config().toBuilder()
                        .name("third")
                        .uuid(UUID.randomUUID())
                        .memoryBytes(256 * MIB)
                        .maxMemoryBytes(0)
                        .build()))
                .isInstanceOf(MachineMemoryException.class)
                .hasMessageMatching("domain third needs 258 MiB, \\d+ MiB free of 512 MiB.*");
        assertThat(host.domain("third")).isEmpty();
    }

    @Test
    @Order(5)
    void aRebootMakesANewDomainOfTheSameNameAndIdentity() throws Exception {
        UUID uuid = plain.domain.uuid();
        plain.run("echo old > /tmp/here");
        plain.expectBoot();
        plain.domain.reboot();
        plain.awaitBoot();
        // 3 was used up by the guest that did not fit.
        assertThat(plain.domain.id()).isEqualTo(4);
        assertThat(plain.domain.uuid()).isEqualTo(uuid);
        assertThat(host.domain("plain")).contains(plain.domain);
        assertThat(plain.run("cat /tmp/here 2>&1")).contains("No such file");
        assertThat(plain.run("cat /sys/hypervisor/uuid")).isEqualTo(uuid.toString());
        assertThat(host.store().exists("/local/domain/2")).isFalse();
        assertThat(EVENTS)
                .anyMatch(event -> event instanceof DomainEvent.Restarted restarted
                        && restarted.oldId() == 2
                        && restarted.id() == 4);
    }

    @Test
    @Order(6)
    void aPausedGuestStandsStill() throws Exception {
        plain.domain.pause();
        long before = plain.domain.retiredInstructions().getFirst();
        assertThat(plain.domain.info().flags()).isEqualTo("--p---");
        Thread.sleep(100);
        assertThat(plain.domain.retiredInstructions().getFirst()).isEqualTo(before);
        plain.domain.unpause();
        assertThat(plain.run("echo alive")).isEqualTo("alive");
    }

    @Test
    @Order(7)
    void aGuestThatIsAskedToShutDownPowersOffAndIsGone() throws Exception {
        assertThat(plain.domain.understandsShutdown()).isTrue();
        plain.domain.requestShutdown(ShutdownRequest.POWEROFF);
        assertThat(plain.domain.await(60)).isInstanceOf(DomainOutcome.PowerOff.class);
        assertThat(plain.domain.state()).isEqualTo(DomainState.DESTROYED);
        assertThat(host.domains()).containsExactly(ballooned.domain);
        assertThat(host.store().exists("/local/domain/4")).isFalse();
    }

    @Test
    @Order(8)
    void aGuestThatIsDestroyedWhileItRunsGivesEverythingBack() throws IOException {
        ballooned.domain.destroy();
        assertThat(host.domains()).isEmpty();
        assertThat(host.info().freeBytes()).isEqualTo(HOST_MEMORY);
        assertThat(host.info().claimedBytes()).isZero();
        assertThat(host.store().list("/local/domain")).containsExactly("0");
    }
}
