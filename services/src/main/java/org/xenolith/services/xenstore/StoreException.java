package org.xenolith.services.xenstore;

/** A request that the store refused. Guests cause these all the time, so it carries no stack trace. */
public final class StoreException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final StoreError error;

    public StoreException(StoreError error, String what) {
        super(error + ": " + what, null, false, false);
        this.error = error;
    }

    public StoreError error() {
        return error;
    }
}
