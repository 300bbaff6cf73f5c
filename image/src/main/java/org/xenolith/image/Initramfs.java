package org.xenolith.image;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.apache.commons.compress.archivers.cpio.CpioArchiveEntry;
import org.apache.commons.compress.archivers.cpio.CpioArchiveOutputStream;
import org.apache.commons.compress.archivers.cpio.CpioConstants;

/**
 * An initial root file system as the kernel takes it: a cpio archive in the "newc" form, uncompressed, because a guest
 * without fast hardware would pay for the decompression and a host file costs nothing.
 *
 * <p>The same contents give the same bytes: entries are sorted, times are zero, inode numbers count up, the owner is root.
 */
public final class Initramfs {
    private static final int PERMISSIONS = 07777;

    /** One entry. {@code data} is a file's contents or a link's target; {@code major} and {@code minor} are a device's numbers. */
    private record Node(long type, int mode, byte[] data, int major, int minor) {}

    private static final byte[] NOTHING = {};

    private Initramfs() {}

    public static Builder builder() {
        return new Builder();
    }

    /** Collects entries. Paths are written with or without a leading slash; missing parents are made with mode 0755. */
    public static final class Builder {
        /** Path without leading slash to entry. A parent sorts before what is in it. */
        private final TreeMap<String, Node> nodes = new TreeMap<>();

        private Builder() {}

        public Builder directory(String path, int mode) {
            return put(path, new Node(CpioConstants.C_ISDIR, mode, NOTHING, 0, 0));
        }

        public Builder file(String path, byte[] bytes, int mode) {
            return put(path, new Node(CpioConstants.C_ISREG, mode, bytes.clone(), 0, 0));
        }

        public Builder text(String path, String text, int mode) {
            return file(path, text.getBytes(StandardCharsets.UTF_8), mode);
        }

        /** A copy of a file of the host. */
        public Builder file(String path, Path source, int mode) throws IOException {
            return put(path, new Node(CpioConstants.C_ISREG, mode, Files.readAllBytes(source), 0, 0));
        }

        public Builder symlink(String path, String target) {
            return put(path, new Node(CpioConstants.C_ISLNK, 0777, target.getBytes(StandardCharsets.UTF_8), 0, 0));
        }

        public Builder characterDevice(String path, int mode, int major, int minor) {
            return put(path, new Node(CpioConstants.C_ISCHR, mode, NOTHING, major, minor));
        }

        /**
         * The usual tree around a busybox: directories, the devices a kernel needs before devtmpfs is there, a link for
         * each applet, and the small files that programs look for.
         *
         * @param busybox a statically linked busybox of the host's file system
         */
        public Builder busyboxSystem(Path busybox) throws IOException {
            for (String path :
                    List.of("dev", "etc", "mnt", "proc", "run", "sys", "usr/bin", "usr/sbin", "bin", "sbin")) {
                directory(path, 0755);
            }
            directory("root", 0700);
            directory("tmp", 01777);
            directory("var/tmp", 01777);
            symlink("var/run", "/run");
            characterDevice("dev/console", 0600, 5, 1);
            characterDevice("dev/null", 0666, 1, 3);
            characterDevice("dev/zero", 0666, 1, 5);
            characterDevice("dev/tty", 0666, 5, 0);
            file("bin/busybox", busybox, 0755);
            for (String applet : applets(busybox)) {
                if (!applet.endsWith("/busybox")) {
                    symlink(applet, "/bin/busybox");
                }
            }
            text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n", 0644);
            text("etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n", 0644);
            text("etc/hosts", "127.0.0.1 localhost\n", 0644);
            text("etc/profile", "PS1='\\w # '\nexport PS1\n", 0644);
            return this;
        }

        private Builder put(String path, Node node) {
            String clean = path.startsWith("/") ? path.substring(1) : path;
            if (clean.isEmpty() || clean.endsWith("/") || clean.contains("//") || clean.indexOf('\0') >= 0) {
                throw new IllegalArgumentException("not a path of a file: '" + path + "'");
            }
            for (int slash = clean.indexOf('/'); slash > 0; slash = clean.indexOf('/', slash + 1)) {
                nodes.putIfAbsent(clean.substring(0, slash), new Node(CpioConstants.C_ISDIR, 0755, NOTHING, 0, 0));
            }
            nodes.put(clean, node);
            return this;
        }

        /** The archive. */
        public byte[] build() {
            int size = 512;
            for (Map.Entry<String, Node> entry : nodes.entrySet()) {
                size += 128 + entry.getKey().length() + entry.getValue().data().length;
            }
            ByteArrayOutputStream bytes = new ByteArrayOutputStream(size);
            try (CpioArchiveOutputStream cpio =
                    new CpioArchiveOutputStream(bytes, CpioConstants.FORMAT_NEW, 512, "UTF-8")) {
                long inode = 1;
                for (Map.Entry<String, Node> entry : nodes.entrySet()) {
                    Node node = entry.getValue();
                    CpioArchiveEntry header = new CpioArchiveEntry(CpioConstants.FORMAT_NEW, entry.getKey());
                    header.setInode(inode++);
                    header.setMode(node.type() | node.mode() & PERMISSIONS);
                    header.setNumberOfLinks(node.type() == CpioConstants.C_ISDIR ? 2 : 1);
                    header.setRemoteDeviceMaj(node.major());
                    header.setRemoteDeviceMin(node.minor());
                    header.setSize(node.data().length);
                    header.setTime(0);
                    cpio.putArchiveEntry(header);
                    cpio.write(node.data());
                    cpio.closeArchiveEntry();
                }
            } catch (IOException e) {
                throw new UncheckedIOException("writing to memory", e);
            }
            return bytes.toByteArray();
        }
    }

    /**
     * One archive after another, as the kernel unpacks them: later files replace earlier ones. The first may be compressed;
     * the kernel wants each to start at a multiple of four bytes.
     */
    public static byte[] concatenate(byte[] first, byte[] second) {
        int aligned = (first.length + 3) & ~3;
        byte[] all = Arrays.copyOf(first, aligned + second.length);
        System.arraycopy(second, 0, all, aligned, second.length);
        return all;
    }

    /** Paths of the commands that a busybox offers: asked from itself where the host can run it, else Debian's. */
    static List<String> applets(Path busybox) {
        if (System.getProperty("os.name").equals("Linux")
                && System.getProperty("os.arch").equals("amd64")) {
            List<String> own = askForApplets(busybox);
            if (!own.isEmpty()) {
                return own;
            }
        }
        try (InputStream in = Initramfs.class.getResourceAsStream("busybox-applets.txt")) {
            return new String(in.readAllBytes(), StandardCharsets.US_ASCII)
                    .lines()
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException("reading a resource of this jar", e);
        }
    }

    private static List<String> askForApplets(Path busybox) {
        Process process = null;
        try {
            process = new ProcessBuilder(busybox.toAbsolutePath().toString(), "--list-full")
                    .redirectErrorStream(true)
                    .start();
            process.getOutputStream().close();
            List<String> lines = new String(process.getInputStream().readAllBytes(), StandardCharsets.US_ASCII)
                    .lines()
                    .filter(l -> l.matches("(usr/)?s?bin/[^/\\s]+|linuxrc"))
                    .toList();
            return process.waitFor(5, TimeUnit.SECONDS) && process.exitValue() == 0 ? lines : List.of();
        } catch (IOException e) {
            // A cache on a file system mounted noexec: the built-in list serves.
            return List.of();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return List.of();
        } finally {
            if (process != null) {
                process.destroyForcibly();
            }
        }
    }
}
