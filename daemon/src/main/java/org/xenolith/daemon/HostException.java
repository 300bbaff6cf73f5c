package org.xenolith.daemon;

import org.xenolith.daemon.protocol.Answer;

/** The host process did not do it, or could not be reached; the message is one line for people. */
public final class HostException extends Exception {
    private static final long serialVersionUID = 1L;

    private final Answer.Reason reason;

    public HostException(Answer.Reason reason, String message) {
        super(message);
        this.reason = reason;
    }

    public HostException(Answer.Reason reason, String message, Throwable cause) {
        super(message, cause);
        this.reason = reason;
    }

    public Answer.Reason reason() {
        return reason;
    }
}
