package org.xenolith.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.archivers.ar.ArArchiveEntry;
import org.apache.commons.compress.archivers.ar.ArArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tukaani.xz.LZMA2Options;
import org.tukaani.xz.XZOutputStream;

class DebianPackagesTest {
    @TempDir
    private Path directory;

    private static byte[] deb(String dataMember, String... namesAndContents) throws IOException {
        ByteArrayOutputStream tarBytes = new ByteArrayOutputStream();
        OutputStream packed = switch (dataMember) {
            case "data.tar.xz" -> new XZOutputStream(tarBytes, new LZMA2Options(0));
            case "data.tar.gz" -> new GZIPOutputStream(tarBytes);
            default -> tarBytes;
        };
        try (TarArchiveOutputStream tar = new TarArchiveOutputStream(packed)) {
            for (int i = 0; i < namesAndContents.length; i += 2) {
                byte[] contents = namesAndContents[i + 1].getBytes(StandardCharsets.UTF_8);
                TarArchiveEntry entry = new TarArchiveEntry("./" + namesAndContents[i]);
                entry.setSize(contents.length);
                tar.putArchiveEntry(entry);
                tar.write(contents);
                tar.closeArchiveEntry();
            }
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ArArchiveOutputStream ar = new ArArchiveOutputStream(bytes)) {
            for (var member : List.of("debian-binary", "control.tar.xz", dataMember)) {
                byte[] contents =
                        member.startsWith("data") ? tarBytes.toByteArray() : "2.0\n".getBytes(StandardCharsets.UTF_8);
                ar.putArchiveEntry(new ArArchiveEntry(member, contents.length));
                ar.write(contents);
                ar.closeArchiveEntry();
            }
        }
        return bytes.toByteArray();
    }

    private Path mirror() throws IOException {
        return Files.createDirectories(directory.resolve("mirror"));
    }

    private DebianPackages packages() {
        return new DebianPackages(
                new DebianPackages.Options(
                        directory.resolve("cache"),
                        directory.resolve("fallback"),
                        Optional.of(directory.resolve("mirror")),
                        false,
                        false),
                Progress.SILENT);
    }

    @Test
    void theNewestKernelOfAMirrorIsUnpackedAndKept() throws Exception {
        for (String version : List.of("6.1.0-9", "6.1.0-40", "6.1.0-5")) {
            Files.write(
                    mirror().resolve("linux-image-" + version + "-cloud-amd64_6.1_amd64.deb"),
                    deb("data.tar.xz", "boot/config-" + version, "c", "boot/vmlinuz-" + version, "kernel " + version));
        }
        DebianPackages.Kernel kernel = packages().kernel(DebianPackages.CLOUD_KERNEL);
        assertThat(kernel.image()).hasContent("kernel 6.1.0-40");
        assertThat(kernel.release()).isEqualTo("6.1.0-40");
        Files.walk(mirror())
                .sorted(java.util.Comparator.reverseOrder())
                .forEach(f -> f.toFile().delete());
        assertThat(packages().kernel(DebianPackages.CLOUD_KERNEL).image()).isEqualTo(kernel.image());
    }

    @Test
    void theGenericKernelIsNotTheCloudOne() throws Exception {
        Files.write(
                mirror().resolve("linux-image-6.1.0-9-cloud-amd64_6.1_amd64.deb"),
                deb("data.tar.xz", "boot/vmlinuz-6.1.0-9-cloud-amd64", "cloud"));
        Files.write(
                mirror().resolve("linux-image-6.1.0-9-amd64_6.1_amd64.deb"),
                deb("data.tar.gz", "boot/vmlinuz-6.1.0-9-amd64", "generic"));
        assertThat(packages().kernel(DebianPackages.GENERIC_KERNEL).image()).hasContent("generic");
        assertThat(packages().kernel(DebianPackages.CLOUD_KERNEL).image()).hasContent("cloud");
    }

    @Test
    void anUncompressedPackageIsReadToo() throws Exception {
        Files.write(mirror().resolve("busybox-static_1_amd64.deb"), deb("data.tar", "bin/busybox", "box"));
        assertThat(packages().busybox()).hasContent("box");
    }

    @Test
    void aTruncatedPackageIsOneLineAndLeavesNoEntry() throws Exception {
        byte[] whole = deb("data.tar.xz", "bin/busybox", "b".repeat(100_000));
        Files.write(mirror().resolve("busybox-static_1_amd64.deb"), Arrays.copyOf(whole, whole.length - 60));
        assertThatThrownBy(() -> packages().busybox()).isInstanceOfSatisfying(ImageException.class, e -> {
            assertThat(e.kind()).isEqualTo(ImageException.Kind.CORRUPT);
            assertThat(e.getMessage()).contains("is damaged").doesNotContain("\n");
        });
        assertThat(directory.resolve("cache/busybox-static")).doesNotExist();
    }

    @Test
    void aMirrorWithoutThePackageSaysWhatToPutThere() throws Exception {
        assertThat(mirror()).isDirectory();
        assertThatThrownBy(() -> packages().kernel(DebianPackages.CLOUD_KERNEL))
                .isInstanceOfSatisfying(ImageException.class, e -> {
                    assertThat(e.kind()).isEqualTo(ImageException.Kind.UNAVAILABLE);
                    assertThat(e.getMessage()).contains("apt-get download linux-image-cloud-amd64");
                });
    }

    @Test
    void filesOfAnyPackageCanBeHad() throws Exception {
        Files.write(
                mirror().resolve("tool_1_amd64.deb"),
                deb("data.tar.gz", "usr/bin/tool", "t", "usr/share/doc/x", "d", "usr/lib/libx.so", "l"));
        var files = packages().files("tool", List.of("usr/bin/tool", "usr/lib/libx.so"));
        assertThat(files.get("usr/bin/tool")).hasContent("t");
        assertThat(files.get("usr/lib/libx.so")).hasContent("l");
    }

    @Test
    void versionsSortByNumbers() {
        assertThat(DebianPackages.versionKey("6.1.0-9")).isLessThan(DebianPackages.versionKey("6.1.0-40"));
        assertThat(DebianPackages.versionKey("6.12.1")).isGreaterThan(DebianPackages.versionKey("6.2.9"));
    }

    @Test
    void aScriptOrADynamicProgramIsNoStaticBusybox() throws Exception {
        assertThat(DebianPackages.isStaticX86(Files.writeString(directory.resolve("script"), "#!/bin/sh\n")))
                .isFalse();
        assertThat(DebianPackages.isStaticX86(directory.resolve("absent"))).isFalse();
        assertThat(DebianPackages.isStaticX86(Path.of(System.getProperty("java.home"), "bin", "java")))
                .isFalse();
    }
}
