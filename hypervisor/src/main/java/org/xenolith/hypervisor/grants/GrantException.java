package org.xenolith.hypervisor.grants;

import org.xenolith.abi.GrantStatus;

/** A grant operation that fails with a {@link GrantStatus}. Carries no stack trace: guests cause it at will. */
public final class GrantException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int status;

    /** A failure with a negative {@link GrantStatus}. */
    public GrantException(int status) {
        super("grant status " + status, null, false, false);
        this.status = status;
    }

    /** The negative status. */
    public int status() {
        return status;
    }
}
