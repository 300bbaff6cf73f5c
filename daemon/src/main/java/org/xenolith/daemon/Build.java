package org.xenolith.daemon;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Which build this is, so that a command does not talk to a host process of another. */
final class Build {
    /** The version, and when this room was compiled. */
    static final String ID = id();

    private Build() {}

    private static String id() {
        String version = Build.class.getPackage().getImplementationVersion();
        try {
            Path code = Path.of(Build.class
                    .getProtectionDomain()
                    .getCodeSource()
                    .getLocation()
                    .toURI());
            Path file =
                    Files.isDirectory(code) ? code.resolve(Build.class.getName().replace('.', '/') + ".class") : code;
            long seconds = Files.getLastModifiedTime(file).toMillis() / 1000;
            return (version == null ? "unpackaged" : version) + "-" + Long.toString(seconds, 36);
        } catch (IOException | URISyntaxException e) {
            return version == null ? "unpackaged" : version;
        }
    }
}
