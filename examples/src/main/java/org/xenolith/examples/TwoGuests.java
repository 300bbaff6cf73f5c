package org.xenolith.examples;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import org.xenolith.image.DebianPackages;
import org.xenolith.image.GuestReport;
import org.xenolith.image.GuestSession;
import org.xenolith.image.Progress;
import org.xenolith.toolstack.Domain;
import org.xenolith.toolstack.DomainConfig;
import org.xenolith.toolstack.DomainInfo;
import org.xenolith.toolstack.Host;

/**
 * Starts two guests on one host, runs a command in each, and prints what they wrote and how they ended.
 *
 * <p>Arguments: the command; {@code uname -a} without any.
 */
public final class TwoGuests {
    private static final long MEMORY = 128L << 20;

    /** A guest whose one command is running, and what it has written so far. */
    private record Running(Domain domain, ByteArrayOutputStream output, GuestReport report) {}

    private TwoGuests() {}

    public static void main(String[] arguments) throws Exception {
        run(arguments.length == 0 ? List.of("uname", "-a") : List.of(arguments), System.out);
    }

    static void run(List<String> command, PrintStream out) throws Exception {
        DebianPackages packages = new DebianPackages(DebianPackages.Options.of(System::getenv), Progress.SILENT);
        Path kernel = packages.kernel(DebianPackages.CLOUD_KERNEL).image();
        Path busybox = packages.busybox();
        try (Host host = Host.create()) {
            host.addListener(event -> out.println(event.getClass().getSimpleName() + ": " + event.name()));
            List<Running> guests = new ArrayList<>();
            for (String name : List.of("first", "second")) {
                guests.add(start(host, name, kernel, busybox, command));
            }
            for (Domain domain : host.domains()) {
                DomainInfo info = domain.info();
                out.printf("%3d %-10s %5d MiB  %s%n", info.id(), info.name(), info.memoryBytes() >> 20, info.flags());
            }
            for (Running guest : guests) {
                guest.domain.await();
                OptionalInt status = guest.report.exitStatus();
                out.println(guest.domain.name() + " (status " + status.orElse(-1) + "): "
                        + guest.output.toString(StandardCharsets.UTF_8).strip());
            }
        }
    }

    private static Running start(Host host, String name, Path kernel, Path busybox, List<String> command)
            throws Exception {
        GuestSession session = GuestSession.pipe(command);
        Domain domain = host.create(DomainConfig.of(kernel)
                .name(name)
                .memoryBytes(MEMORY)
                .commandLine(session.kernelParameters() + " panic=-1")
                .ramdisk(session.system(busybox).build())
                .build());
        ByteArrayOutputStream output = new ByteArrayOutputStream();
        domain.console().connect((bytes, offset, length) -> {
            output.write(bytes, offset, length);
            return length;
        });
        GuestReport report = new GuestReport(() -> {}, () -> {});
        domain.onDebugPort(report::accept);
        domain.start();
        return new Running(domain, output, report);
    }
}
