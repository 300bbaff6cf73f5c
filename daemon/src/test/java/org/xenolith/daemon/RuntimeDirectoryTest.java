package org.xenolith.daemon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RuntimeDirectoryTest {
    @TempDir
    private Path directory;

    @Test
    void theEnvironmentSaysWhere() {
        assertThat(RuntimeDirectory.of(Map.of("XENOLITH_RUNTIME", "/x/y")::get).path())
                .isEqualTo(Path.of("/x/y"));
        assertThat(RuntimeDirectory.of(Map.of("XDG_RUNTIME_DIR", directory.toString())::get)
                        .path())
                .isEqualTo(directory.resolve("xenolith"));
        assertThat(RuntimeDirectory.of(Map.of("XDG_RUNTIME_DIR", "/nowhere")::get)
                        .path())
                .isEqualTo(
                        Path.of(System.getProperty("java.io.tmpdir"), "xenolith-" + System.getProperty("user.name")));
    }

    @Test
    void itIsMadeForItsUserAlone() throws Exception {
        RuntimeDirectory made = new RuntimeDirectory(directory.resolve("a/b"));
        made.prepare();
        made.prepare();
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(made.path())))
                .isEqualTo("rwx------");
    }

    @Test
    void oneThatOthersCanEnterIsNotUsed() throws Exception {
        Path open = Files.createDirectory(
                directory.resolve("open"),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxr-x---")));
        Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxr-x---"));
        assertThatThrownBy(() -> new RuntimeDirectory(open).prepare())
                .isInstanceOf(HostException.class)
                .hasMessageContaining("other users can enter it; chmod 700 " + open);
    }

    @Test
    void aLinkAndAFileAreNotUsed() throws Exception {
        Path file = Files.createFile(directory.resolve("file"));
        Path link = Files.createSymbolicLink(directory.resolve("link"), directory);
        for (Path bad : new Path[] {file, link}) {
            assertThatThrownBy(() -> new RuntimeDirectory(bad).prepare()).hasMessageContaining("it is no directory");
        }
    }

    @Test
    void aPathThatIsTooLongForASocketIsSaidToBe() {
        assertThatThrownBy(() -> new RuntimeDirectory(directory.resolve("x".repeat(120))).prepare())
                .hasMessageContaining("too long for a socket: set XENOLITH_RUNTIME");
    }
}
