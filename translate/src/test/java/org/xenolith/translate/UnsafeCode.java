package org.xenolith.translate;

/** Emitted code that {@link EmittedCodeCheck} cannot prove to be harmless. */
final class UnsafeCode extends RuntimeException {
    private static final long serialVersionUID = 1;

    UnsafeCode(String message) {
        super(message);
    }
}
