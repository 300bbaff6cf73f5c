package org.xenolith.hypervisor;

import org.xenolith.abi.Errno;

/** A hypercall that fails: the guest gets the negated {@link Errno} number. Carries no stack trace: it is no surprise. */
public final class HypercallException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int errno;

    /** A failure with a positive {@link Errno} number. */
    public HypercallException(int errno) {
        super(Errno.name(errno), null, false, false);
        this.errno = errno;
    }

    /** The positive error number. */
    public int errno() {
        return errno;
    }
}
