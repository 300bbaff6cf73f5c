package org.xenolith.image;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * Files fetched once and used for ever: one directory an entry, with a manifest of sizes, times and SHA-256 sums.
 *
 * <p>An entry appears in one step (a rename), so that an interrupted download leaves nothing that looks complete, and two
 * processes that fill the same entry at once both end with a good one. On each use sizes and times are compared with the
 * manifest, which costs microseconds; a file whose time changed, or every file when {@code verify} is set, has its sum
 * computed again. An entry that does not match is dropped and fetched anew.
 *
 * <p>{@code manifest} is text, UTF-8: the line {@code source TAB words}, then a line a file
 * {@code file TAB name TAB size TAB mtimeMillis TAB sha256}.
 */
final class ImageCache {
    private static final String MANIFEST = "manifest";

    /** Fills a fresh directory with the files of an entry and returns a line that says where they came from. */
    interface Filler {
        String fill(Path directory) throws IOException, ImageException;
    }

    /** A complete entry. */
    record Entry(Path directory, String source) {
        Path file(String name) {
            return directory.resolve(name);
        }
    }

    private record Item(String name, long size, long mtimeMillis, String sha256) {}

    private final Path preferred;
    private final Path fallback;
    private final boolean verify;
    private final Progress progress;

    /**
     * @param preferred where entries live
     * @param fallback where a new entry goes when {@code preferred} cannot be written
     * @param verify compute every sum again on use
     */
    ImageCache(Path preferred, Path fallback, boolean verify, Progress progress) {
        this.preferred = preferred;
        this.fallback = fallback;
        this.verify = verify;
        this.progress = progress;
    }

    /** The user's cache: {@code $XENOLITH_CACHE}, else {@code $XDG_CACHE_HOME/xenolith}, else {@code ~/.cache/xenolith}. */
    static Path defaultDirectory(Function<String, String> environment) {
        String own = environment.apply("XENOLITH_CACHE");
        if (own != null && !own.isEmpty()) {
            return Path.of(own).toAbsolutePath();
        }
        String xdg = environment.apply("XDG_CACHE_HOME");
        // The XDG base directory specification: a relative path is invalid and must be ignored.
        if (xdg != null && Path.of(xdg).isAbsolute()) {
            return Path.of(xdg, "xenolith");
        }
        return Path.of(System.getProperty("user.home"), ".cache", "xenolith");
    }

    /** A private directory of this user below the system's temporary directory. */
    static Path defaultFallback() {
        return Path.of(System.getProperty("java.io.tmpdir"), "xenolith-cache-" + System.getProperty("user.name"));
    }

    /** The entry, if one is there and sound. */
    Optional<Entry> find(String key) throws ImageException {
        Optional<Entry> found = sound(preferred.resolve(key), progress);
        return found.isPresent() || !isPrivate(fallback) ? found : sound(fallback.resolve(key), progress);
    }

    /** The entry, filled first if it is not there. */
    Entry get(String key, Filler filler) throws ImageException {
        Optional<Entry> found = find(key);
        if (found.isPresent()) {
            return found.get();
        }
        Path base = writableBase();
        Path fresh = null;
        try {
            fresh = Files.createTempDirectory(base, "." + key + "-");
            String source = filler.fill(fresh);
            writeManifest(fresh, source);
            Path place = base.resolve(key);
            install(fresh, place);
            return new Entry(place, source);
        } catch (IOException e) {
            throw new ImageException(
                    ImageException.Kind.HOST,
                    "cannot keep " + key + " in " + base + ": " + reason(e)
                            + "; free some space or set XENOLITH_CACHE to a writable directory",
                    e);
        } finally {
            if (fresh != null) {
                deleteQuietly(fresh);
            }
        }
    }

    private Path writableBase() throws ImageException {
        IOException refused;
        try {
            Files.createDirectories(preferred);
            if (Files.isWritable(preferred)) {
                return preferred;
            }
            refused = new IOException("read-only");
        } catch (IOException e) {
            refused = e;
        }
        try {
            if (!Files.exists(fallback, LinkOption.NOFOLLOW_LINKS)) {
                Files.createDirectories(fallback.getParent());
                Files.createDirectory(
                        fallback, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            }
            if (isPrivate(fallback) && Files.isWritable(fallback)) {
                progress.note("cache " + preferred + " cannot be written; using " + fallback);
                return fallback;
            }
        } catch (IOException | UnsupportedOperationException e) {
            refused.addSuppressed(e);
        }
        throw new ImageException(
                ImageException.Kind.HOST,
                "cache " + preferred + " cannot be written (" + reason(refused)
                        + "): set XENOLITH_CACHE to a writable directory, or give --kernel FILE and --initrd FILE",
                refused);
    }

    /** Another user of the machine may have made the shared temporary name first: only a directory of our own will do. */
    private static boolean isPrivate(Path directory) {
        try {
            return Files.isDirectory(directory, LinkOption.NOFOLLOW_LINKS)
                    && Files.getOwner(directory, LinkOption.NOFOLLOW_LINKS)
                            .getName()
                            .equals(System.getProperty("user.name"));
        } catch (IOException | UnsupportedOperationException e) {
            return false;
        }
    }

    private Optional<Entry> sound(Path directory, Progress told) throws ImageException {
        List<String> lines;
        try {
            lines = Files.readAllLines(directory.resolve(MANIFEST), StandardCharsets.UTF_8);
        } catch (NoSuchFileException e) {
            return Optional.empty();
        } catch (IOException e) {
            if (Files.exists(directory)) {
                told.note("cache entry " + directory + " cannot be read (" + reason(e) + "); fetching it again");
            }
            return Optional.empty();
        }
        String source = "unknown";
        Map<String, Item> items = new TreeMap<>();
        try {
            for (String line : lines) {
                String[] words = line.split("\t", -1);
                if (words[0].equals("source")) {
                    source = words[1];
                } else if (words[0].equals("file")) {
                    items.put(
                            words[1], new Item(words[1], Long.parseLong(words[2]), Long.parseLong(words[3]), words[4]));
                }
            }
        } catch (RuntimeException e) {
            items.clear();
        }
        boolean restamp = false;
        for (Item item : items.values()) {
            Path file = directory.resolve(item.name());
            try {
                boolean sameTime = Files.getLastModifiedTime(file).toMillis() == item.mtimeMillis();
                boolean good = Files.size(file) == item.size()
                        && (sameTime && !verify || Sha256.of(file).equals(item.sha256()));
                if (!good) {
                    told.note("cached " + file + " does not match its checksum; fetching it again");
                    return Optional.empty();
                }
                restamp |= !sameTime;
            } catch (IOException e) {
                told.note("cached " + file + " cannot be read (" + reason(e) + "); fetching it again");
                return Optional.empty();
            }
        }
        if (items.isEmpty()) {
            told.note("cache entry " + directory + " has no usable manifest; fetching it again");
            return Optional.empty();
        }
        if (restamp && Files.isWritable(directory)) {
            try {
                writeManifest(directory, source);
            } catch (IOException e) {
                told.note("cache entry " + directory + " keeps its old times (" + reason(e) + ")");
            }
        }
        return Optional.of(new Entry(directory, source));
    }

    private static void writeManifest(Path directory, String source) throws IOException {
        List<String> lines = new ArrayList<>();
        lines.add("source\t" + source.replace('\t', ' ').replace('\n', ' '));
        List<Path> files;
        try (Stream<Path> list = Files.list(directory)) {
            files = list.filter(f -> !f.getFileName().toString().startsWith(MANIFEST))
                    .sorted()
                    .toList();
        }
        for (Path file : files) {
            lines.add(String.join(
                    "\t",
                    "file",
                    file.getFileName().toString(),
                    Long.toString(Files.size(file)),
                    Long.toString(Files.getLastModifiedTime(file).toMillis()),
                    Sha256.of(file)));
        }
        Path fresh = directory.resolve(MANIFEST + ".new");
        Files.write(
                fresh, lines, StandardCharsets.UTF_8, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING);
        Files.move(fresh, directory.resolve(MANIFEST), StandardCopyOption.REPLACE_EXISTING);
    }

    /** Puts a filled directory in its place; an unsound older entry gives way, a sound one of another process stays. */
    private void install(Path fresh, Path place) throws IOException, ImageException {
        for (int attempt = 0; ; attempt++) {
            try {
                Files.move(fresh, place, StandardCopyOption.ATOMIC_MOVE);
                return;
            } catch (AtomicMoveNotSupportedException e) {
                throw new IOException("the file system cannot rename", e);
            } catch (FileAlreadyExistsException | DirectoryNotEmptyException e) {
                evict(place, attempt, e);
            } catch (IOException e) {
                if (!Files.exists(place)) {
                    throw e;
                }
                evict(place, attempt, e);
            }
            if (Files.exists(place)) {
                return;
            }
        }
    }

    private void evict(Path place, int attempt, IOException why) throws IOException, ImageException {
        if (attempt > 3) {
            throw why;
        }
        if (sound(place, Progress.SILENT).isEmpty()) {
            deleteQuietly(place);
        }
    }

    private static void deleteQuietly(Path directory) {
        if (!Files.exists(directory, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        try (Stream<Path> walk = Files.walk(directory)) {
            for (Path path : walk.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(path);
            }
        } catch (IOException e) {
            // Left-over bytes of a cache are not worth failing for; the names start with a dot and are never read.
            directory.toFile().deleteOnExit();
        }
    }

    private static String reason(IOException e) {
        return HostErrors.reason(e);
    }
}
