package org.xenolith.bench;

import java.io.IOException;
import java.io.InputStream;
import java.lang.module.ModuleDescriptor.Version;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The guest programs: C sources in our resources, compiled statically for the baseline instruction set with the
 * machine's gcc, and kept by the hash of sources and flags.
 *
 * <p>The same binaries run in the guests and natively, so that a difference is the engine's.
 */
final class Programs {
    /** -ffp-contract=off: a fused multiply-add would not be the same number on an older processor. */
    static final List<String> FLAGS = List.of("-O2", "-static", "-march=x86-64", "-ffp-contract=off", "-pthread");

    private static final int COMPILER_TIMEOUT_SECONDS = 180;

    /**
     * A program.
     *
     * @param name file name
     * @param sources in the resources of this package, with headers of its own
     * @param flags after the common ones
     * @param libraries linker arguments
     * @param debianPackage that has the library, or empty when it is part of gcc's own C library
     * @param versions of the library, where its files carry one
     */
    record Recipe(
            String name,
            List<String> sources,
            List<String> flags,
            List<String> libraries,
            String debianPackage,
            Optional<Versions> versions) {
        /** Flags and libraries with those words for the newest version that is installed, or empty if none is. */
        Optional<Recipe> resolve(Path root) {
            if (versions.isEmpty()) {
                return Optional.of(this);
            }
            return versions.get()
                    .newest(root)
                    .map(found -> new Recipe(
                            name,
                            sources,
                            replace(flags, found),
                            replace(libraries, found),
                            debianPackage,
                            Optional.empty()));
        }

        private static List<String> replace(List<String> words, Path found) {
            return words.stream()
                    .map(w -> w.replace("{directory}", found.toString())
                            .replace("{version}", found.getFileName().toString()))
                    .toList();
        }
    }

    /**
     * Where the versions of a library are. In a recipe, {@code {directory}} stands for the newest one's directory and
     * {@code {version}} for the last part of its name.
     *
     * @param parent of a directory for each version, without a leading slash
     * @param prefix of those directories' names; a version number follows
     * @param header in such a directory
     */
    record Versions(String parent, String prefix, String header) {
        Optional<Path> newest(Path root) {
            Pattern name = Pattern.compile(Pattern.quote(prefix) + "\\d+(\\.\\d+)*");
            try (Stream<Path> entries = Files.list(root.resolve(parent))) {
                return entries.filter(
                                e -> name.matcher(e.getFileName().toString()).matches()
                                        && Files.isReadable(e.resolve(header)))
                        .max(Comparator.comparing(
                                e -> Version.parse(e.getFileName().toString().substring(prefix.length()))));
            } catch (IOException e) {
                return Optional.empty();
            }
        }

        @Override
        public String toString() {
            return "/" + parent + "/" + prefix + "*/" + header;
        }
    }

    static final List<Recipe> RECIPES = List.of(
            new Recipe(
                    "xbench",
                    List.of(
                            "main.c",
                            "integer.c",
                            "control.c",
                            "floating.c",
                            "bulk.c",
                            "sha256.c",
                            "crypto.c",
                            "system.c",
                            "code.c",
                            "stock.c",
                            "parallel.c"),
                    List.of(),
                    List.of("-lm"),
                    "",
                    Optional.empty()),
            withLibrary("xz", "liblzma-dev", Optional.empty(), List.of(), "-llzma"),
            withLibrary("sql", "libsqlite3-dev", Optional.empty(), List.of(), "-lsqlite3", "-lm", "-ldl"),
            withLibrary(
                    "perl",
                    "libperl-dev",
                    Optional.of(new Versions("usr/lib/x86_64-linux-gnu/perl", "", "CORE/perl.h")),
                    List.of("-I{directory}/CORE"),
                    "-lperl",
                    "-lm",
                    "-lcrypt",
                    "-ldl"),
            withLibrary(
                    "python",
                    "libpython3-dev",
                    Optional.of(new Versions("usr/include", "python", "Python.h")),
                    List.of("-I{directory}"),
                    "-l{version}",
                    "-lexpat",
                    "-lz",
                    "-lm",
                    "-ldl"),
            withLibrary("cc", "libtcc-dev", Optional.empty(), List.of(), "-ltcc", "-lm", "-ldl"),
            new Recipe(
                    "xstress",
                    List.of(
                            "stress.h",
                            "stress.c",
                            "stress_order.c",
                            "stress_memory.c",
                            "stress_tasks.c",
                            "stress_code.c"),
                    List.of("-mcx16"),
                    List.of(),
                    "",
                    Optional.empty()),
            new Recipe(
                    "xcheck", List.of("xcheck.c"), List.of("-frounding-math"), List.of("-lm"), "", Optional.empty()));

    /** A program of its own for the one workload that needs a library. Without symbols: every guest's image has it. */
    private static Recipe withLibrary(
            String workload,
            String debianPackage,
            Optional<Versions> versions,
            List<String> flags,
            String... libraries) {
        List<String> all = new ArrayList<>(List.of("-s", "-DXBENCH_TABLE=" + workload + "_workloads"));
        all.addAll(flags);
        return new Recipe(
                "xbench-" + workload,
                List.of("main.c", workload + ".c"),
                all,
                List.of(libraries),
                debianPackage,
                versions);
    }

    private static final String HEADER = "xbench.h";

    /**
     * What could be built.
     *
     * @param files program name to executable
     * @param missing program name to the reason why it is not there, for people
     */
    record Built(Map<String, Path> files, Map<String, String> missing) {}

    private final Path cache;
    private final String compiler;
    private final Path root;

    /**
     * @param cache directory that keeps executables
     * @param compiler the C compiler, a command or a path
     */
    Programs(Path cache, String compiler) {
        this(cache, compiler, Path.of("/"));
    }

    /**
     * As the other one.
     *
     * @param root under which libraries with versions are looked for
     */
    Programs(Path cache, String compiler, Path root) {
        this.cache = cache;
        this.compiler = compiler;
        this.root = root;
    }

    Built build() throws BenchException {
        return build(RECIPES);
    }

    /** Builds what is not built. A library that is not installed costs its workload only. */
    Built build(List<Recipe> recipes) throws BenchException {
        Map<String, Path> files = new LinkedHashMap<>();
        Map<String, String> missing = new LinkedHashMap<>();
        for (Recipe unresolved : recipes) {
            Recipe recipe = unresolved.resolve(root).orElse(null);
            if (recipe == null) {
                String versions = unresolved.versions().orElseThrow().toString();
                missing.put(unresolved.name(), reason(unresolved, "no " + versions));
                continue;
            }
            Path executable = cache.resolve(recipe.name() + "-" + hash(recipe));
            if (!Files.isExecutable(executable)) {
                String complaint = compile(recipe, executable);
                if (complaint != null && recipe.debianPackage().isEmpty()) {
                    throw new BenchException("cannot compile the guest programs: " + complaint);
                }
                if (complaint != null) {
                    missing.put(recipe.name(), reason(recipe, complaint));
                    continue;
                }
            }
            files.put(recipe.name(), executable);
        }
        return new Built(files, missing);
    }

    private static String reason(Recipe recipe, String complaint) {
        return "not built: needs " + recipe.debianPackage() + " (" + complaint + ")";
    }

    /** Null when it worked, otherwise the compiler's first complaint. */
    private String compile(Recipe recipe, Path executable) throws BenchException {
        Path directory = null;
        try {
            Files.createDirectories(cache);
            directory = Files.createTempDirectory(cache, "build");
            List<String> command = new ArrayList<>(List.of(compiler));
            command.addAll(FLAGS);
            command.addAll(recipe.flags());
            Path output = directory.resolve(recipe.name());
            command.addAll(List.of("-o", output.toString()));
            Files.write(directory.resolve(HEADER), resource(HEADER));
            for (String source : recipe.sources()) {
                Files.write(directory.resolve(source), resource(source));
                if (source.endsWith(".c")) {
                    command.add(source);
                }
            }
            command.addAll(recipe.libraries());
            Path log = directory.resolve("log");
            Process process = new ProcessBuilder(command)
                    .directory(directory.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(log.toFile())
                    .start();
            process.getOutputStream().close();
            if (!process.waitFor(COMPILER_TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                return compiler + " did not finish within " + COMPILER_TIMEOUT_SECONDS + " s";
            }
            if (process.exitValue() != 0) {
                return firstError(Files.readString(log));
            }
            Files.setPosixFilePermissions(output, PosixFilePermissions.fromString("rwxr-xr-x"));
            Files.move(output, executable, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            return null;
        } catch (IOException e) {
            if (e.getMessage() != null && e.getMessage().contains("Cannot run program")) {
                throw new BenchException(
                        "no C compiler '" + compiler + "'; install gcc and libc6-dev (apt-get install gcc libc6-dev)");
            }
            throw new BenchException("cannot write to " + cache + ": " + e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new BenchException("interrupted while compiling the guest programs");
        } finally {
            deleteTree(directory);
        }
    }

    /** The file itself where it may be run, otherwise a copy that may: the package cache keeps files, not programs. */
    Path runnable(Path program) throws BenchException {
        if (Files.isExecutable(program)) {
            return program;
        }
        try {
            Files.createDirectories(cache);
            Path copy = Files.createTempFile(cache, "copy", "");
            Files.copy(program, copy, StandardCopyOption.REPLACE_EXISTING);
            Files.setPosixFilePermissions(copy, PosixFilePermissions.fromString("rwxr-xr-x"));
            Path target = cache.resolve(program.getFileName());
            return Files.move(copy, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new BenchException("cannot copy " + program + " to " + cache + ": " + e.getMessage(), e);
        }
    }

    static String firstError(String log) {
        return log.lines()
                .filter(line ->
                        line.contains("error:") || line.contains("cannot find") || line.contains("undefined reference"))
                .findFirst()
                .or(() -> log.lines().findFirst())
                .orElse("no message")
                .strip();
    }

    private String hash(Recipe recipe) throws BenchException {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update((compiler + FLAGS + recipe).getBytes(StandardCharsets.UTF_8));
            digest.update(resource(HEADER));
            for (String source : recipe.sources()) {
                digest.update(resource(source));
            }
            return HexFormat.of().formatHex(digest.digest(), 0, 6);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    static byte[] resource(String name) throws BenchException {
        try (InputStream in = Programs.class.getResourceAsStream("programs/" + name)) {
            if (in == null) {
                throw new BenchException("this build lacks the source " + name + "; build again");
            }
            return in.readAllBytes();
        } catch (IOException e) {
            throw new BenchException("cannot read the source " + name + ": " + e.getMessage(), e);
        }
    }

    static void deleteTree(Path directory) {
        if (directory == null || !Files.exists(directory)) {
            return;
        }
        try (var paths = Files.walk(directory)) {
            for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(path);
            }
        } catch (IOException e) {
            System.err.println("xeno bench: left behind " + directory + ": " + e.getMessage());
        }
    }
}
