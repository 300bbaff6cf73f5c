package org.xenolith.memory;

/** The host could not give, or has no more, machine memory; the message says how much was asked for. */
public final class MachineMemoryException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public MachineMemoryException(String message) {
        super(message);
    }

    public MachineMemoryException(String message, Throwable cause) {
        super(message, cause);
    }
}
