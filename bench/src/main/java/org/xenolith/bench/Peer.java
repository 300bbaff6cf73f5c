package org.xenolith.bench;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** QEMU on this machine: found on the path, installed from the distribution only when asked. */
final class Peer {
    static final String PROGRAM = "qemu-system-x86_64";
    static final String HOW_TO_GET_IT = PROGRAM + " is not installed;"
            + " --install-peer installs it from Debian (package qemu-system-x86), --no-peer does without";

    private static final String PACKAGE = "qemu-system-x86";
    private static final int INSTALL_TIMEOUT_MINUTES = 15;

    private Peer() {}

    /** The program's path, if it is installed. */
    static Optional<Path> find(String searchPath, String program) {
        if (searchPath == null) {
            return Optional.empty();
        }
        for (String directory : searchPath.split(File.pathSeparator)) {
            if (!directory.isEmpty() && Files.isExecutable(Path.of(directory, program))) {
                return Optional.of(Path.of(directory, program));
            }
        }
        return Optional.empty();
    }

    /** Installs QEMU with apt; its messages go to standard error. */
    static void install() throws BenchException {
        boolean root = "root".equals(System.getProperty("user.name"));
        List<String> apt = List.of("apt-get", "install", "-y", "--no-install-recommends", PACKAGE);
        List<String> command =
                root ? apt : List.of("sudo", "apt-get", "install", "-y", "--no-install-recommends", PACKAGE);
        try {
            Process process = new ProcessBuilder(command)
                    .redirectOutput(ProcessBuilder.Redirect.to(new File("/dev/stderr")))
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            if (!process.waitFor(INSTALL_TIMEOUT_MINUTES, TimeUnit.MINUTES)) {
                process.destroyForcibly();
                throw new BenchException(
                        String.join(" ", command) + " did not finish within " + INSTALL_TIMEOUT_MINUTES + " minutes");
            }
            if (process.exitValue() != 0) {
                throw new BenchException(String.join(" ", command) + " failed with status " + process.exitValue());
            }
        } catch (IOException e) {
            throw new BenchException("cannot run " + command.getFirst() + "; install " + PACKAGE + " yourself", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new BenchException("interrupted while installing " + PACKAGE);
        }
    }

    /** The first line of {@code --version}. */
    static String version(Path qemu) {
        try {
            Process process = new ProcessBuilder(qemu.toString(), "--version").start();
            String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            return text.lines().findFirst().orElse("unknown");
        } catch (IOException e) {
            return "unknown: " + e.getMessage();
        }
    }
}
