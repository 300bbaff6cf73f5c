package org.xenolith.hypervisor.schedule;

import org.xenolith.abi.Errno;

/** A request that the scheduler refuses: an error number as Xen gives it, and one line for people. */
public final class SchedulingException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final int errno;

    SchedulingException(int errno, String message) {
        super(message);
        this.errno = errno;
    }

    /** One of {@link Errno}. */
    public int errno() {
        return errno;
    }
}
