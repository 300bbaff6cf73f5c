package org.xenolith.image;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Stock kernels and busybox from Debian, as the machine's own package manager delivers them.
 *
 * <p>In this order: our cache; a copy that is installed on the host; the directory of packages that the user named
 * ({@link Options#mirror}); {@code apt}. What is fetched is checked against the SHA-256 of the package lists, and what is
 * kept against the sums in the cache's manifest. The second call costs no process and no network.
 */
public final class DebianPackages {
    /** The kernel that {@code xeno run} boots: small, for virtual machines. */
    public static final String CLOUD_KERNEL = "linux-image-cloud-amd64";

    /** The kernel of ordinary PCs. */
    public static final String GENERIC_KERNEL = "linux-image-amd64";

    private static final String BUSYBOX = "busybox-static";
    private static final int PT_INTERP = 3;

    /**
     * Where to look and what to trust.
     *
     * @param cache directory of the cache
     * @param fallback used when the cache cannot be written
     * @param mirror a directory with {@code .deb} files to take instead of asking apt
     * @param verify compute all checksums of cached files again
     * @param useInstalled whether files of the host may be used
     */
    public record Options(Path cache, Path fallback, Optional<Path> mirror, boolean verify, boolean useInstalled) {
        /** As the environment says: {@code XENOLITH_CACHE}, {@code XDG_CACHE_HOME}, {@code XENOLITH_MIRROR}. */
        public static Options of(Function<String, String> environment) {
            String mirror = environment.apply("XENOLITH_MIRROR");
            return new Options(
                    ImageCache.defaultDirectory(environment),
                    ImageCache.defaultFallback(),
                    mirror == null || mirror.isEmpty() ? Optional.empty() : Optional.of(Path.of(mirror)),
                    false,
                    true);
        }

        public Options withVerify(boolean value) {
            return new Options(cache, fallback, mirror, value, useInstalled);
        }

        public Options withMirror(Path value) {
            return new Options(cache, fallback, Optional.of(value), verify, useInstalled);
        }

        public Options withUseInstalled(boolean value) {
            return new Options(cache, fallback, mirror, verify, value);
        }
    }

    /**
     * A bootable kernel file.
     *
     * @param image a bzImage
     * @param release as {@code uname -r} prints it
     * @param source where it came from, for people
     */
    public record Kernel(Path image, String release, String source) {}

    private final Options options;
    private final Progress progress;
    private final ImageCache cache;
    private Apt apt;

    public DebianPackages(Options options, Progress progress) {
        this.options = options;
        this.progress = progress;
        this.cache = new ImageCache(options.cache(), options.fallback(), options.verify(), progress);
    }

    /**
     * A kernel package's kernel.
     *
     * @param metaPackage {@link #CLOUD_KERNEL}, {@link #GENERIC_KERNEL} or another package that depends on one kernel
     */
    public Kernel kernel(String metaPackage) throws ImageException {
        Optional<ImageCache.Entry> cached = cache.find(metaPackage);
        if (cached.isEmpty()) {
            Optional<Path> installed = options.useInstalled() ? installedKernel(metaPackage) : Optional.empty();
            if (installed.isPresent()) {
                return new Kernel(installed.get(), release(installed.get()), "installed on this machine");
            }
        }
        ImageCache.Entry entry = cached.isPresent()
                ? cached.get()
                : cache.get(
                        metaPackage,
                        directory -> fill(
                                metaPackage,
                                directory,
                                name -> name.startsWith("boot/vmlinuz-") || name.startsWith("boot/config-")
                                        ? name.substring("boot/".length())
                                        : null,
                                2));
        Path image = single(entry, "vmlinuz-");
        return new Kernel(image, release(image), entry.source());
    }

    /** A statically linked busybox for x86-64. */
    public Path busybox() throws ImageException {
        Optional<ImageCache.Entry> cached = cache.find(BUSYBOX);
        if (cached.isEmpty() && options.useInstalled()) {
            for (String place : List.of("/bin/busybox", "/usr/bin/busybox")) {
                if (isStaticX86(Path.of(place))) {
                    return Path.of(place);
                }
            }
        }
        ImageCache.Entry entry = cached.isPresent()
                ? cached.get()
                : cache.get(
                        BUSYBOX,
                        directory ->
                                fill(BUSYBOX, directory, name -> name.endsWith("bin/busybox") ? "busybox" : null, 1));
        return entry.file("busybox");
    }

    /**
     * Files of any package, kept in the cache.
     *
     * @param packageName name in the package lists
     * @param paths paths in the package, without a leading slash; their last parts must differ
     * @return path in the package to file in the cache
     */
    public Map<String, Path> files(String packageName, List<String> paths) throws ImageException {
        String key = packageName + "-" + Integer.toHexString(paths.hashCode());
        ImageCache.Entry entry = cache.get(
                key,
                directory -> fill(
                        packageName,
                        directory,
                        name -> paths.contains(name) ? name.substring(name.lastIndexOf('/') + 1) : null,
                        paths.size()));
        Map<String, Path> found = new java.util.LinkedHashMap<>();
        for (String path : paths) {
            found.put(path, entry.file(path.substring(path.lastIndexOf('/') + 1)));
        }
        return found;
    }

    private static Path single(ImageCache.Entry entry, String prefix) throws ImageException {
        try (Stream<Path> files = Files.list(entry.directory())) {
            return files.filter(f -> f.getFileName().toString().startsWith(prefix))
                    .findFirst()
                    .orElseThrow(() -> new ImageException(
                            ImageException.Kind.CORRUPT,
                            "cache entry " + entry.directory() + " holds no " + prefix
                                    + "* file: delete it and start again"));
        } catch (IOException e) {
            throw new ImageException(
                    ImageException.Kind.HOST, "cannot read " + entry.directory() + ": " + HostErrors.reason(e), e);
        }
    }

    private static String release(Path image) {
        return image.getFileName().toString().substring("vmlinuz-".length());
    }

    private static Optional<Path> installedKernel(String metaPackage) {
        Pattern pattern = Pattern.compile(
                switch (metaPackage) {
                    case CLOUD_KERNEL -> "vmlinuz-[0-9][0-9.]*(\\+deb[0-9]+)?(-[0-9]+)?-cloud-amd64";
                    case GENERIC_KERNEL -> "vmlinuz-[0-9][0-9.]*(\\+deb[0-9]+)?(-[0-9]+)?-amd64";
                    default -> "(?!)";
                });
        try (Stream<Path> files = Files.list(Path.of("/boot"))) {
            return files.filter(f -> pattern.matcher(f.getFileName().toString()).matches() && Files.isReadable(f))
                    .max(Comparator.comparing(f -> versionKey(f.getFileName().toString())));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** Text that sorts as versions do: every number padded to the same width. */
    static String versionKey(String name) {
        return Pattern.compile("[0-9]+")
                .matcher(name)
                .replaceAll(m -> "0".repeat(Math.max(0, 12 - m.group().length())) + m.group());
    }

    /** Whether a file is an x86-64 ELF executable that needs no dynamic linker. */
    static boolean isStaticX86(Path file) {
        byte[] head = new byte[4096];
        int length;
        try (InputStream in = Files.newInputStream(file)) {
            length = in.readNBytes(head, 0, head.length);
        } catch (IOException e) {
            return false;
        }
        ByteBuffer elf = ByteBuffer.wrap(head, 0, length).order(ByteOrder.LITTLE_ENDIAN);
        // e_ident: magic, ELFCLASS64, ELFDATA2LSB; e_machine at 18: EM_X86_64
        if (length < 64
                || elf.getInt(0) != 0x464C457F
                || elf.get(4) != 2
                || elf.get(5) != 1
                || elf.getShort(18) != 62) {
            return false;
        }
        long table = elf.getLong(32);
        int entrySize = Short.toUnsignedInt(elf.getShort(54));
        int entries = Short.toUnsignedInt(elf.getShort(56));
        for (int i = 0; i < entries; i++) {
            long at = table + (long) i * entrySize;
            if (at < 0 || at + 4 > length || elf.getInt((int) at) == PT_INTERP) {
                return false;
            }
        }
        return entries > 0;
    }

    /** Fetches a package into a temporary directory and extracts the wanted files into {@code directory}. */
    private String fill(String packageName, Path directory, UnaryOperator<String> wanted, int count)
            throws IOException, ImageException {
        Path download = Files.createDirectory(directory.resolve(".download"));
        List<String> sources = new ArrayList<>();
        Path deb = options.mirror().isPresent()
                ? fromMirror(options.mirror().get(), packageName, sources)
                : fromApt(packageName, download, sources);
        int found = extract(deb, directory, wanted, count);
        if (found == 0) {
            throw new ImageException(
                    ImageException.Kind.CORRUPT, "package " + deb.getFileName() + " does not hold the expected file");
        }
        try (Stream<Path> left = Files.list(download)) {
            for (Path file : left.toList()) {
                Files.delete(file);
            }
        }
        Files.delete(download);
        return sources.getFirst();
    }

    private int extract(Path deb, Path directory, UnaryOperator<String> wanted, int count)
            throws IOException, ImageException {
        String what = "unpacking " + deb.getFileName().toString().replaceAll("_.*", "");
        int[] found = {0};
        long[] seen = {0};
        progress.update(what, 0, 0);
        try {
            DebArchive.walk(deb, (name, size, in) -> {
                seen[0] += size;
                progress.update(what, seen[0], 0);
                String target = wanted.apply(name);
                if (target != null) {
                    Files.copy(in, directory.resolve(target));
                    found[0]++;
                }
                return found[0] < count;
            });
        } catch (java.nio.file.FileSystemException e) {
            throw e;
        } catch (IOException | RuntimeException e) {
            throw new ImageException(
                    ImageException.Kind.CORRUPT, "package " + deb + " is damaged: " + e.getMessage(), e);
        }
        progress.done(what + ": done");
        return found[0];
    }

    private static Path fromMirror(Path mirror, String packageName, List<String> sources)
            throws IOException, ImageException {
        // A meta-package's file holds nothing: the real kernel package has the version in its name.
        Pattern pattern = Pattern.compile(
                switch (packageName) {
                    case CLOUD_KERNEL -> "linux-image-[0-9].*-cloud-amd64_.*_amd64\\.deb";
                    case GENERIC_KERNEL -> "linux-image-[0-9][0-9.]*(\\+deb[0-9]+)?(-[0-9]+)?-amd64_.*_amd64\\.deb";
                    default -> Pattern.quote(packageName) + "_.*\\.deb";
                });
        Optional<Path> best;
        try (Stream<Path> files = Files.list(mirror)) {
            best = files.filter(f -> pattern.matcher(f.getFileName().toString()).matches())
                    .max(Comparator.comparing(f -> versionKey(f.getFileName().toString())));
        } catch (IOException e) {
            throw new ImageException(
                    ImageException.Kind.UNAVAILABLE,
                    "cannot read mirror directory " + mirror + ": " + HostErrors.reason(e),
                    e);
        }
        Path deb = best.orElseThrow(() -> new ImageException(
                ImageException.Kind.UNAVAILABLE,
                "mirror directory " + mirror + " holds no package file of " + packageName
                        + ": put one there (apt-get download " + packageName + ")"));
        sources.add(deb.toString());
        return deb;
    }

    private Path fromApt(String packageName, Path download, List<String> sources) throws IOException, ImageException {
        if (!Apt.available()) {
            throw unavailable(packageName, "this machine has no apt");
        }
        if (apt == null) {
            apt = new Apt(download.getParent().getParent().resolve("apt"), progress);
        }
        progress.update("looking up " + packageName, 0, 0);
        Apt.Candidate candidate = resolve(packageName);
        String complaint = candidate == null ? "the package lists do not know it" : apt.download(candidate, download);
        if (complaint != null && !apt.usesPrivateLists()) {
            // No lists (a fresh container) or old ones: fetch our own, then try once more.
            String updateComplaint = apt.update();
            candidate = updateComplaint == null ? resolve(packageName) : null;
            if (updateComplaint != null) {
                complaint = updateComplaint;
            } else if (candidate == null) {
                complaint = "the package lists do not know it";
            } else {
                complaint = apt.download(candidate, download);
            }
        }
        if (complaint != null) {
            throw unavailable(packageName, complaint);
        }
        Path deb;
        try (Stream<Path> files = Files.list(download)) {
            deb = files.filter(f -> f.getFileName().toString().endsWith(".deb"))
                    .findFirst()
                    .orElseThrow(() -> unavailable(packageName, "apt delivered no file"));
        }
        progress.update("checking " + candidate.name(), candidate.size(), candidate.size());
        String sum = Sha256.of(deb);
        if (!sum.equals(candidate.sha256())) {
            throw new ImageException(
                    ImageException.Kind.CORRUPT,
                    "downloaded " + deb.getFileName() + " has SHA-256 " + sum + " and the package lists promise "
                            + candidate.sha256() + ": run apt-get update and try again");
        }
        progress.done(candidate.name() + " " + candidate.version() + " downloaded, checksum right");
        sources.add(candidate.name() + " " + candidate.version() + " sha256:" + candidate.sha256());
        return deb;
    }

    /** The package itself, or the one kernel package that a meta-package depends on. */
    private Apt.Candidate resolve(String packageName) throws IOException {
        Apt.Candidate candidate = apt.candidate(packageName);
        if (candidate != null && packageName.startsWith("linux-image-")) {
            for (String dependency : candidate.dependencies()) {
                if (dependency.matches("linux-image-[0-9].*")) {
                    return apt.candidate(dependency);
                }
            }
        }
        return candidate;
    }

    private static ImageException unavailable(String packageName, String why) {
        String instead = packageName.startsWith("linux-image")
                ? "or give a kernel of your own with --kernel FILE"
                : "or give an initial file system of your own with --initrd FILE";
        return new ImageException(
                ImageException.Kind.UNAVAILABLE,
                "cannot get package " + packageName + ": " + why + "; connect to the network and try again, or run"
                        + " 'apt-get install " + packageName
                        + "', or name a directory with the .deb in XENOLITH_MIRROR, "
                        + instead);
    }
}
