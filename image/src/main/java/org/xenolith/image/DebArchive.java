package org.xenolith.image;

import io.airlift.compress.v3.zstd.ZstdInputStream;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.GZIPInputStream;
import org.apache.commons.compress.archivers.ar.ArArchiveEntry;
import org.apache.commons.compress.archivers.ar.ArArchiveInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.tukaani.xz.XZInputStream;

/**
 * Reads single files out of a Debian binary package: an {@code ar} archive whose member {@code data.tar.*} holds the
 * files (deb(5)).
 */
final class DebArchive {
    /** Looks at one file of the package. */
    interface Visitor {
        /**
         * @param name path without the leading {@code ./}
         * @param in the file's bytes
         * @return whether to go on; false stops the walk, which saves decompressing the rest
         */
        boolean visit(String name, long size, InputStream in) throws IOException;
    }

    private DebArchive() {}

    /** Walks the regular files of a package in archive order. */
    static void walk(Path deb, Visitor visitor) throws IOException {
        try (InputStream file = new BufferedInputStream(Files.newInputStream(deb), 1 << 16);
                ArArchiveInputStream ar = new ArArchiveInputStream(file)) {
            for (ArArchiveEntry member = ar.getNextEntry(); member != null; member = ar.getNextEntry()) {
                if (member.getName().startsWith("data.tar")) {
                    walkTar(decompress(member.getName(), ar), visitor);
                    return;
                }
            }
        }
        throw new IOException("no data.tar member");
    }

    private static InputStream decompress(String member, InputStream in) throws IOException {
        return switch (member) {
            case "data.tar" -> in;
            case "data.tar.xz" -> new XZInputStream(in);
            case "data.tar.gz" -> new GZIPInputStream(in);
            case "data.tar.zst" -> new ZstdInputStream(in);
            default -> throw new IOException("unknown compression of member " + member);
        };
    }

    private static void walkTar(InputStream in, Visitor visitor) throws IOException {
        try (TarArchiveInputStream tar = new TarArchiveInputStream(new BufferedInputStream(in, 1 << 16))) {
            for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
                if (!entry.isFile()) {
                    continue;
                }
                String name = entry.getName();
                if (!visitor.visit(name.startsWith("./") ? name.substring(2) : name, entry.getSize(), tar)) {
                    return;
                }
            }
        }
    }
}
