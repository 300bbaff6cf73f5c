package org.xenolith.cli;

/** A verb cannot go on: one line for the person, one exit status for the script. */
public final class CliException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final ExitStatus status;

    public CliException(ExitStatus status, String message) {
        super(message);
        this.status = status;
    }

    public CliException(ExitStatus status, String message, Throwable cause) {
        super(message, cause);
        this.status = status;
    }

    public ExitStatus status() {
        return status;
    }
}
