package org.xenolith.toolstack;

import java.nio.file.Path;
import java.util.OptionalLong;
import java.util.function.Consumer;

/**
 * What a host is to be made of.
 *
 * @param memoryBytes memory for guests; empty for what the operating system has available when the host is made
 * @param dumpDirectory where {@link LifecycleAction#COREDUMP_DESTROY} and its like write
 * @param log hears each line that goes to {@link Host#log}, from any thread
 */
public record HostConfig(OptionalLong memoryBytes, Path dumpDirectory, Consumer<String> log) {
    /** All the host's memory, dumps below the user's state directory, nobody listens to the log. */
    public static final HostConfig DEFAULT =
            new HostConfig(OptionalLong.empty(), HostResources.stateDirectory().resolve("dump"), line -> {});

    public HostConfig withMemory(long bytes) {
        return new HostConfig(OptionalLong.of(bytes), dumpDirectory, log);
    }

    public HostConfig withDumpDirectory(Path directory) {
        return new HostConfig(memoryBytes, directory, log);
    }

    public HostConfig withLog(Consumer<String> listener) {
        return new HostConfig(memoryBytes, dumpDirectory, listener);
    }
}
