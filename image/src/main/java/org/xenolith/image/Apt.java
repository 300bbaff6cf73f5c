package org.xenolith.image;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The machine's own {@code apt}, used as an ordinary user: nothing is installed, and no directory of the system is written.
 *
 * <p>First the package lists that the system has are used. When they do not know the package, or name a file that the
 * archive has replaced since, lists are fetched into a private directory ({@code apt-get update} with its state there).
 */
final class Apt {
    /** One package of one version, as the package lists describe it. */
    record Candidate(String name, String version, long size, String sha256, List<String> dependencies) {}

    /** What a finished program said. */
    private record Result(int status, String out, String err) {
        /** The line that tells most: apt's first {@code E:} line. */
        String complaint() {
            String first = err.lines()
                    .filter(l -> l.startsWith("E: "))
                    .map(l -> l.substring(3).strip())
                    .findFirst()
                    .orElseGet(() -> err.lines().reduce((_, last) -> last).orElse("status " + status));
            return first.length() > 200 ? first.substring(0, 200) + "…" : first;
        }
    }

    private static final Pattern DEPENDENCY = Pattern.compile("\\s*([a-z0-9][a-z0-9+.-]+)");
    private static final long QUICK_SECONDS = 60;
    private static final long DOWNLOAD_SECONDS = 1800;

    private final Path privateState;
    private final Progress progress;
    private boolean usePrivateLists;

    /** @param privateState directory of ours for package lists; made when needed */
    Apt(Path privateState, Progress progress) {
        this.privateState = privateState;
        this.progress = progress;
    }

    static boolean available() {
        return Files.isExecutable(Path.of("/usr/bin/apt-get")) && Files.isExecutable(Path.of("/usr/bin/apt-cache"));
    }

    /** Whether lists were fetched by {@link #update} already, so that doing it again would not help. */
    boolean usesPrivateLists() {
        return usePrivateLists;
    }

    /** The newest version of a package that the lists know, or null. */
    Candidate candidate(String packageName) throws IOException {
        Result shown =
                run(QUICK_SECONDS, null, command("/usr/bin/apt-cache", "--no-all-versions", "show", packageName));
        if (shown.status() != 0) {
            return null;
        }
        String name = null;
        String version = null;
        long size = 0;
        String sha256 = null;
        List<String> dependencies = new ArrayList<>();
        for (String line : shown.out().lines().toList()) {
            if (line.isEmpty() && name != null) {
                break;
            }
            int colon = line.indexOf(':');
            if (colon < 0 || line.startsWith(" ")) {
                continue;
            }
            String value = line.substring(colon + 1).strip();
            switch (line.substring(0, colon)) {
                case "Package" -> name = value;
                case "Version" -> version = value;
                case "Size" -> size = Long.parseLong(value);
                case "SHA256" -> sha256 = value;
                case "Depends" -> {
                    for (String one : value.split(",")) {
                        Matcher matcher = DEPENDENCY.matcher(one);
                        if (matcher.lookingAt()) {
                            dependencies.add(matcher.group(1));
                        }
                    }
                }
                default -> {
                    // the other fields do not matter here
                }
            }
        }
        // An installed package that no list offers has neither size nor sum: it cannot be fetched.
        return name == null || version == null || sha256 == null
                ? null
                : new Candidate(name, version, size, sha256, dependencies);
    }

    /**
     * Downloads a package into a directory that holds nothing else.
     *
     * @return null when it went well, else apt's complaint
     */
    String download(Candidate candidate, Path directory) throws IOException {
        String what = "downloading " + candidate.name() + " " + candidate.version();
        progress.update(what, 0, candidate.size());
        Runnable look = () -> {
            try (Stream<Path> files = Files.walk(directory)) {
                long size = files.filter(Files::isRegularFile)
                        .mapToLong(f -> f.toFile().length())
                        .sum();
                progress.update(what, Math.min(size, candidate.size()), candidate.size());
            } catch (IOException | java.io.UncheckedIOException e) {
                // apt renames files while we look; the next look comes in a moment
                progress.update(what, 0, candidate.size());
            }
        };
        Result result = run(
                DOWNLOAD_SECONDS,
                look,
                directory,
                command("/usr/bin/apt-get", "-q", "download", candidate.name() + "=" + candidate.version()));
        return result.status() == 0 ? null : result.complaint();
    }

    /**
     * Fetches package lists into our private directory and uses them from now on.
     *
     * @return null when it went well, else apt's complaint
     */
    String update() throws IOException {
        Files.createDirectories(privateState.resolve("state/lists/partial"));
        Files.createDirectories(privateState.resolve("cache/archives/partial"));
        usePrivateLists = true;
        String what = "fetching package lists";
        progress.update(what, 0, 0);
        Result result = run(
                DOWNLOAD_SECONDS,
                () -> progress.update(what, 0, 0),
                command("/usr/bin/apt-get", "-q", "-o", "APT::Update::Error-Mode=any", "update"));
        if (result.status() != 0) {
            return result.complaint();
        }
        progress.done("package lists fetched");
        return null;
    }

    private List<String> command(String program, String... arguments) {
        List<String> words = new ArrayList<>();
        words.add(program);
        option(words, "Acquire::Retries=2");
        option(words, "Acquire::http::Timeout=20");
        option(words, "Acquire::https::Timeout=20");
        if (isRoot()) {
            // The unprivileged user _apt cannot write into our directories.
            option(words, "APT::Sandbox::User=root");
        }
        if (usePrivateLists) {
            option(words, "Dir::State=" + privateState.resolve("state"));
            option(words, "Dir::State::status=/var/lib/dpkg/status");
            option(words, "Dir::Cache=" + privateState.resolve("cache"));
        }
        words.addAll(List.of(arguments));
        return words;
    }

    private static void option(List<String> words, String option) {
        words.add("-o");
        words.add(option);
    }

    private static boolean isRoot() {
        return "root".equals(System.getProperty("user.name"));
    }

    private Result run(long seconds, Runnable look, List<String> command) throws IOException {
        return run(seconds, look, null, command);
    }

    private Result run(long seconds, Runnable look, Path directory, List<String> command) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().put("LC_ALL", "C.UTF-8");
        builder.environment().put("DEBIAN_FRONTEND", "noninteractive");
        if (directory != null) {
            builder.directory(directory.toFile());
        }
        Process process = builder.start();
        // apt must not outlive us when the user presses Ctrl-C.
        Thread reaper = new Thread(process::destroy, "apt-reaper");
        Runtime.getRuntime().addShutdownHook(reaper);
        try {
            process.getOutputStream().close();
            Drain out = new Drain(process.getInputStream());
            Drain err = new Drain(process.getErrorStream());
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
            while (!process.waitFor(100, TimeUnit.MILLISECONDS)) {
                if (look != null) {
                    look.run();
                }
                if (System.nanoTime() - deadline > 0) {
                    process.destroyForcibly();
                    return new Result(124, "", "E: no answer within " + seconds + " seconds");
                }
            }
            return new Result(process.exitValue(), out.text(), err.text());
        } catch (InterruptedException e) {
            process.destroy();
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while waiting for " + command.getFirst(), e);
        } finally {
            try {
                Runtime.getRuntime().removeShutdownHook(reaper);
            } catch (IllegalStateException e) {
                // The JVM is going down and has run the hook.
                process.destroy();
            }
        }
    }

    /** Reads a stream to its end beside the waiting thread, so that a full pipe never stops the program. */
    private static final class Drain {
        private final Thread thread;
        private volatile String text = "";

        Drain(InputStream in) {
            thread = Thread.ofVirtual().start(() -> {
                try (in) {
                    text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
                } catch (IOException e) {
                    text = "E: " + e.getMessage();
                }
            });
        }

        String text() throws InterruptedException {
            thread.join();
            return text;
        }
    }
}
