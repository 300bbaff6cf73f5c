package org.xenolith.abi;

/**
 * The page of a PV console.
 *
 * <pre>
 *      0 char in[1024]     to the guest
 *   1024 char out[2048]    from the guest
 *   3072 u32 in_cons, in_prod, out_cons, out_prod
 * </pre>
 *
 * <p>Indices run freely and are taken modulo the ring's size; {@code prod - cons} is the number of bytes in a ring. Each
 * side writes bytes first, then its index, then notifies the other through the event channel.
 */
public final class ConsoleRing {
    public static final int IN = 0;
    public static final int IN_SIZE = 1024;
    public static final int OUT = 1024;
    public static final int OUT_SIZE = 2048;
    public static final int IN_CONS = 3072;
    public static final int IN_PROD = 3076;
    public static final int OUT_CONS = 3080;
    public static final int OUT_PROD = 3084;

    private ConsoleRing() {}
}
