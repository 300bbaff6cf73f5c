package org.xenolith.abi;

/** Domain identifiers with a meaning of their own. A domain identifier is 16 bits wide. */
public final class DomainId {
    /** The initial domain; here its duties are carried by services in the same JVM. */
    public static final int DOM0 = 0;
    /** First reserved number: real domains are below it. */
    public static final int FIRST_RESERVED = 0x7FF0;
    /** Whoever makes the call. */
    public static final int SELF = 0x7FF0;

    public static final int IO = 0x7FF1;
    public static final int XEN = 0x7FF2;
    public static final int COW = 0x7FF3;
    public static final int INVALID = 0x7FF4;
    public static final int IDLE = 0x7FFF;

    private DomainId() {}
}
