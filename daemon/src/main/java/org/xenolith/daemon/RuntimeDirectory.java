package org.xenolith.daemon;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.xenolith.daemon.protocol.Answer;

/**
 * Where the host process of this user keeps its socket, its lock and its log: {@code XENOLITH_RUNTIME}, else {@code xenolith}
 * in {@code XDG_RUNTIME_DIR}, else {@code xenolith-USER} in the directory for temporary files. Nobody else can enter it; a directory
 * in which that is not so is not used.
 *
 * @param path the directory
 */
public record RuntimeDirectory(Path path) {
    /** Longest path of a Unix socket on Linux, in bytes: {@code sun_path} without its zero. */
    private static final int LONGEST_SOCKET = 107;

    private static final Set<PosixFilePermission> OTHERS = EnumSet.of(
            PosixFilePermission.GROUP_READ,
            PosixFilePermission.GROUP_WRITE,
            PosixFilePermission.GROUP_EXECUTE,
            PosixFilePermission.OTHERS_READ,
            PosixFilePermission.OTHERS_WRITE,
            PosixFilePermission.OTHERS_EXECUTE);

    /** The directory that an environment asks for; it need not exist. */
    public static RuntimeDirectory of(UnaryOperator<String> environment) {
        String own = environment.apply("XENOLITH_RUNTIME");
        if (own != null && !own.isEmpty()) {
            return new RuntimeDirectory(Path.of(own).toAbsolutePath());
        }
        String runtime = environment.apply("XDG_RUNTIME_DIR");
        if (runtime != null && !runtime.isEmpty() && Files.isWritable(Path.of(runtime))) {
            return new RuntimeDirectory(Path.of(runtime).toAbsolutePath().resolve("xenolith"));
        }
        return new RuntimeDirectory(
                Path.of(System.getProperty("java.io.tmpdir"), "xenolith-" + System.getProperty("user.name")));
    }

    public Path socket() {
        return path.resolve("host.sock");
    }

    public Path lock() {
        return path.resolve("host.lock");
    }

    public Path log() {
        return path.resolve("host.log");
    }

    /** Makes the directory if it is missing, and checks that it is ours alone. */
    public void prepare() throws HostException {
        if (socket().toString().getBytes(StandardCharsets.UTF_8).length > LONGEST_SOCKET) {
            throw new HostException(
                    Answer.Reason.FILE,
                    socket() + " is too long for a socket: set XENOLITH_RUNTIME to a directory with a shorter name");
        }
        try {
            if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
                Files.createDirectories(path.getParent());
                try {
                    Files.createDirectory(
                            path, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
                } catch (java.nio.file.FileAlreadyExistsException another) {
                    // Two start at once; whoever was first made it as we would have.
                }
            }
            check();
        } catch (IOException e) {
            throw new HostException(
                    Answer.Reason.FILE, "cannot use " + path + " for the host process: " + reason(e), e);
        }
    }

    private void check() throws IOException, HostException {
        if (!Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
            throw refusal("it is no directory");
        }
        if (!isOurs()) {
            throw refusal("it belongs to another user");
        }
        Set<PosixFilePermission> open = EnumSet.copyOf(OTHERS);
        open.retainAll(Files.getPosixFilePermissions(path));
        if (!open.isEmpty()) {
            throw refusal("other users can enter it; chmod 700 " + path);
        }
    }

    private HostException refusal(String why) {
        return new HostException(
                Answer.Reason.FILE,
                "cannot use " + path + " for the host process: " + why + ", or set XENOLITH_RUNTIME to another place");
    }

    private boolean isOurs() throws IOException {
        Path self = Path.of("/proc/self");
        if (Files.exists(self)) {
            return Files.getAttribute(path, "unix:uid", LinkOption.NOFOLLOW_LINKS)
                    .equals(Files.getAttribute(self, "unix:uid"));
        }
        return Files.getOwner(path, LinkOption.NOFOLLOW_LINKS).getName().equals(System.getProperty("user.name"));
    }

    /** Why a file operation failed, without the Java in it. */
    static String reason(IOException e) {
        return switch (e) {
            case java.nio.file.AccessDeniedException denied -> "permission denied";
            case java.nio.file.NoSuchFileException missing -> missing.getFile() + " does not exist";
            default -> e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
        };
    }
}
