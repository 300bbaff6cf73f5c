package org.xenolith.bench;

/** The benchmark cannot run: the message says in one line what is missing and what to do about it. */
public final class BenchException extends Exception {
    private static final long serialVersionUID = 1L;

    public BenchException(String message) {
        super(message);
    }

    public BenchException(String message, Throwable cause) {
        super(message, cause);
    }
}
