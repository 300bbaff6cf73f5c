package org.xenolith.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.commons.compress.archivers.cpio.CpioArchiveEntry;
import org.apache.commons.compress.archivers.cpio.CpioArchiveInputStream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class InitramfsTest {
    @TempDir
    private Path directory;

    private static Initramfs.Builder sample() {
        return Initramfs.builder()
                .file("etc/deep/er/file", new byte[] {1, 2, 3, 4, 5}, 0640)
                .characterDevice("/dev/console", 0600, 5, 1)
                .symlink("bin/sh", "/bin/busybox")
                .directory("tmp", 01777)
                .text("init", "#!/bin/sh\n", 0755);
    }

    @Test
    void theSameContentsGiveTheSameBytesInAnyOrder() {
        byte[] other = Initramfs.builder()
                .text("init", "#!/bin/sh\n", 0755)
                .directory("/tmp", 01777)
                .symlink("/bin/sh", "/bin/busybox")
                .file("/etc/deep/er/file", new byte[] {1, 2, 3, 4, 5}, 0640)
                .characterDevice("dev/console", 0600, 5, 1)
                .build();
        assertThat(sample().build()).isEqualTo(other);
    }

    @Test
    void everyParentComesBeforeWhatIsInIt() throws Exception {
        Set<String> seen = new HashSet<>();
        try (CpioArchiveInputStream in = new CpioArchiveInputStream(new ByteArrayInputStream(sample().build()))) {
            for (CpioArchiveEntry entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
                int slash = entry.getName().lastIndexOf('/');
                if (slash > 0) {
                    assertThat(seen).contains(entry.getName().substring(0, slash));
                }
                seen.add(entry.getName());
            }
        }
        assertThat(seen).contains("etc/deep/er", "dev/console", "bin/sh", "tmp", "init");
    }

    @Test
    void modesDevicesAndLinksAreAsAsked() throws Exception {
        List<String> lines = new ArrayList<>();
        try (CpioArchiveInputStream in = new CpioArchiveInputStream(new ByteArrayInputStream(sample().build()))) {
            for (CpioArchiveEntry entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
                String contents = new String(in.readAllBytes(), StandardCharsets.ISO_8859_1);
                lines.add(entry.getName() + " " + Long.toOctalString(entry.getMode()) + " "
                        + entry.getRemoteDeviceMaj() + ":" + entry.getRemoteDeviceMin() + " " + contents.length() + " "
                        + entry.getTime());
            }
        }
        assertThat(lines)
                .contains(
                        "dev/console 20600 5:1 0 0",
                        "bin/sh 120777 0:0 12 0",
                        "tmp 41777 0:0 0 0",
                        "init 100755 0:0 10 0",
                        "etc/deep/er/file 100640 0:0 5 0");
    }

    @Test
    void theSystemsCpioReadsItBack() throws Exception {
        Assumptions.assumeTrue(
                Files.isExecutable(Path.of("/usr/bin/cpio")) || Files.isExecutable(Path.of("/bin/cpio")),
                "skipped: cpio is not installed");
        Path archive = directory.resolve("archive");
        Files.write(archive, sample().build());
        Path copy = Files.createDirectory(directory.resolve("copy"));
        Process cpio = new ProcessBuilder(
                        "cpio", "-i", "-d", "--no-absolute-filenames", "etc/*", "bin/*", "init", "tmp")
                .directory(copy.toFile())
                .redirectInput(archive.toFile())
                .redirectErrorStream(true)
                .start();
        String said = new String(cpio.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(cpio.waitFor()).as(said).isZero();
        assertThat(copy.resolve("etc/deep/er/file")).hasBinaryContent(new byte[] {1, 2, 3, 4, 5});
        assertThat(Files.readSymbolicLink(copy.resolve("bin/sh"))).isEqualTo(Path.of("/bin/busybox"));
        assertThat(Files.isExecutable(copy.resolve("init"))).isTrue();
    }

    @Test
    void aSecondArchiveStartsAtAMultipleOfFour() {
        byte[] all = Initramfs.concatenate(new byte[] {9, 9, 9, 9, 9}, new byte[] {7, 7});
        assertThat(all).containsExactly(9, 9, 9, 9, 9, 0, 0, 0, 7, 7);
    }

    @Test
    void aPathThatNamesNoFileIsRefused() {
        for (String path : List.of("", "/", "a/", "a//b", "a\0b")) {
            assertThatThrownBy(() -> Initramfs.builder().directory(path, 0755))
                    .as(path)
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void theBuiltInListOfAppletsHasWhatOurInitUses() throws Exception {
        Path noBusybox = Files.writeString(directory.resolve("busybox"), "not a program");
        assertThat(Initramfs.applets(noBusybox))
                .contains("bin/sh", "bin/mount", "bin/stty", "sbin/poweroff", "usr/bin/od", "bin/dd", "sbin/ifconfig");
    }
}
