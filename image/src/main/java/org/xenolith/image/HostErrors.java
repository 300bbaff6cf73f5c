package org.xenolith.image;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;

/** Words for what a host's file system refuses. */
final class HostErrors {
    private HostErrors() {}

    /** A short reason without class names. */
    static String reason(IOException e) {
        return switch (e) {
            case AccessDeniedException _ -> "permission denied";
            case NoSuchFileException _ -> "no such file";
            case FileSystemException f when f.getReason() != null -> f.getReason();
            default ->
                e.getMessage() == null
                        ? "input/output error"
                        : e.getMessage().lines().findFirst().orElse("error");
        };
    }
}
