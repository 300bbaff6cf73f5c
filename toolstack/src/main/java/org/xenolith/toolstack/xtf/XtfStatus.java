package org.xenolith.toolstack.xtf;

/** What came of a test, from good to bad; the framework's own words. */
public enum XtfStatus {
    SUCCESS(0),
    /** What it tests is not there. */
    SKIP(0),
    /** It could not test. */
    ERROR(4),
    FAILURE(5),
    /** It ended, or was ended, without a result. */
    CRASH(6);

    private final int exitStatus;

    XtfStatus(int exitStatus) {
        this.exitStatus = exitStatus;
    }

    /** The framework's runner ends with this; but a skipped test is no reason for us to fail. */
    public int exitStatus() {
        return exitStatus;
    }
}
