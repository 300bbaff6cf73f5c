package org.xenolith.services.loader;

import java.io.IOException;

/** A file is not the kernel it should be. The message is one line that says what is wrong and what to do. */
public final class ImageFormatException extends IOException {
    private static final long serialVersionUID = 1L;

    public ImageFormatException(String message) {
        super(message);
    }

    public ImageFormatException(String message, Throwable cause) {
        super(message, cause);
    }
}
