package org.xenolith.services.builder;

/** A domain cannot be built as asked. The message is one line that says what is wrong and what to do. */
public final class DomainBuildException extends Exception {
    private static final long serialVersionUID = 1L;

    public DomainBuildException(String message) {
        super(message);
    }
}
