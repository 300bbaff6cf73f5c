package org.xenolith.bench;

import java.io.IOException;
import java.io.InputStream;
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
import java.util.concurrent.TimeUnit;

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
     */
    record Recipe(
            String name, List<String> sources, List<String> flags, List<String> libraries, String debianPackage) {}

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
                    ""),
            new Recipe(
                    "xbench-xz", List.of("main.c", "xz.c"), List.of("-DXBENCH_XZ"), List.of("-llzma"), "liblzma-dev"),
            new Recipe(
                    "xbench-sql",
                    List.of("main.c", "sql.c"),
                    List.of("-DXBENCH_SQL"),
                    List.of("-lsqlite3", "-lm", "-ldl"),
                    "libsqlite3-dev"),
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
                    ""),
            new Recipe("xcheck", List.of("xcheck.c"), List.of("-frounding-math"), List.of("-lm"), ""));

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

    /**
     * @param cache directory that keeps executables
     * @param compiler the C compiler, a command or a path
     */
    Programs(Path cache, String compiler) {
        this.cache = cache;
        this.compiler = compiler;
    }

    /** Builds what is not built. A library that is not installed costs its workload only. */
    Built build() throws BenchException {
        Map<String, Path> files = new LinkedHashMap<>();
        Map<String, String> missing = new LinkedHashMap<>();
        for (Recipe recipe : RECIPES) {
            Path executable = cache.resolve(recipe.name() + "-" + hash(recipe));
            if (!Files.isExecutable(executable)) {
                String complaint = compile(recipe, executable);
                if (complaint != null && recipe.debianPackage().isEmpty()) {
                    throw new BenchException("cannot compile the guest programs: " + complaint);
                }
                if (complaint != null) {
                    missing.put(
                            recipe.name(),
                            "not built: " + recipe.debianPackage() + " is not installed (" + complaint + ")");
                    continue;
                }
            }
            files.put(recipe.name(), executable);
        }
        return new Built(files, missing);
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
                .filter(line -> line.contains("error:") || line.contains("cannot find"))
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
