package org.xenolith.toolstack;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;

/** What the operating system can give a host. */
final class HostResources {
    /** Memory that guests do not get by default: this JVM's own, and a little air for the rest. */
    private static final long KEPT_BACK = 256L << 20;

    private static final long LEAST = 64L << 20;

    private HostResources() {}

    /** Memory that guests can have without anybody swapping: what Linux estimates, within the limit of a container. */
    static long availableMemory() {
        java.lang.management.OperatingSystemMXBean bean =
                java.lang.management.ManagementFactory.getOperatingSystemMXBean();
        // Both look at the limits of a container.
        long total = bean instanceof com.sun.management.OperatingSystemMXBean os ? os.getTotalMemorySize() : 1L << 30;
        long free = bean instanceof com.sun.management.OperatingSystemMXBean os ? os.getFreeMemorySize() : 1L << 30;
        long available = Math.min(total, Math.max(free, memAvailable().orElse(0)));
        return Math.max(LEAST, available - KEPT_BACK);
    }

    /** {@code MemAvailable}: free memory and caches that can be dropped. */
    private static OptionalLong memAvailable() {
        try {
            return Files.readAllLines(Path.of("/proc/meminfo")).stream()
                    .filter(line -> line.startsWith("MemAvailable:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) << 10)
                    .findFirst();
        } catch (IOException | NumberFormatException e) {
            return OptionalLong.empty();
        }
    }

    /** Where this user's programs keep what should survive a restart (XDG base directories). */
    static Path stateDirectory() {
        String given = System.getenv("XDG_STATE_HOME");
        Path base = given == null || given.isEmpty()
                ? Path.of(System.getProperty("user.home"), ".local", "state")
                : Path.of(given);
        return base.resolve("xenolith");
    }
}
