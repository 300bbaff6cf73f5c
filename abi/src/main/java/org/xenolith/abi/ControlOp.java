package org.xenolith.abi;

/**
 * What platform_op, sysctl and domctl have in common: the structure that their only argument points at begins with two
 * words, and a caller that was built for another interface version is turned away with EACCES.
 *
 * <pre>
 *   0  u32  command
 *   4  u32  interface version
 * </pre>
 */
public final class ControlOp {
    /** Offset of the interface version. */
    public static final int INTERFACE_VERSION = 4;
    /** Bytes of the part that all commands share. */
    public static final int HEADER_SIZE = 8;

    public static final int PLATFORM_VERSION = 0x03000000;
    /** Of Xen 4.17. */
    public static final int SYSCTL_VERSION = 0x15;
    /** Of Xen 4.17. */
    public static final int DOMCTL_VERSION = 0x15;

    private ControlOp() {}
}
