package org.xenolith.image;

/** An image cannot be had. The message is one line that says what to do about it; there is nothing more to print. */
public final class ImageException extends Exception {
    private static final long serialVersionUID = 1L;

    /** What went wrong, for the exit status. */
    public enum Kind {
        /** A package cannot be fetched: no network, no package lists, or no package manager. */
        UNAVAILABLE,
        /** Bytes are not what their checksum or their format promises. */
        CORRUPT,
        /** The host refuses a file operation: cache read-only, disk full. */
        HOST
    }

    /** Why. */
    private final Kind kind;

    public ImageException(Kind kind, String message) {
        super(message);
        this.kind = kind;
    }

    public ImageException(Kind kind, String message, Throwable cause) {
        super(message, cause);
        this.kind = kind;
    }

    public Kind kind() {
        return kind;
    }
}
