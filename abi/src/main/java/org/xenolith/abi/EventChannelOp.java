package org.xenolith.abi;

/**
 * Operations of {@link HypercallNumber#EVENT_CHANNEL_OP}: first argument the operation, second a pointer to its structure.
 * Fields are u32 unless they say otherwise.
 */
public final class EventChannelOp {
    /** {@code {u16 remote_dom, remote_port @4, OUT local_port @8}}; the new port is raised once. */
    public static final int BIND_INTERDOMAIN = 0;
    /** {@code {virq, vcpu, OUT port}}, a {@link Virq}. */
    public static final int BIND_VIRQ = 1;
    /** {@code {pirq, flags, OUT port}}; flag 1 = shareable. */
    public static final int BIND_PIRQ = 2;
    /** {@code {port}}. */
    public static final int CLOSE = 3;
    /** {@code {port}}. */
    public static final int SEND = 4;
    /** {@code {u16 dom, port @4, OUT status @8, OUT vcpu @12, OUT union @16}}, 24 bytes. */
    public static final int STATUS = 5;
    /** {@code {u16 dom, u16 remote_dom @2, OUT port @4}}. */
    public static final int ALLOC_UNBOUND = 6;
    /** {@code {vcpu, OUT port}}. */
    public static final int BIND_IPI = 7;
    /** {@code {port, vcpu}}. */
    public static final int BIND_VCPU = 8;
    /** {@code {port}}: clears the mask and raises again what is pending. */
    public static final int UNMASK = 9;
    /** {@code {u16 dom}}: closes all ports and goes back to the two-level ABI. */
    public static final int RESET = 10;
    /** {@code {u64 control_gfn, offset, vcpu, OUT u8 link_bits}}, 24 bytes: see {@link EventFifo}. */
    public static final int INIT_CONTROL = 11;
    /** {@code {u64 array_gfn}}. */
    public static final int EXPAND_ARRAY = 12;
    /** {@code {port, priority}}. */
    public static final int SET_PRIORITY = 13;
    /** Xen's own number for going on with a {@link #RESET} that was interrupted. */
    public static final int RESET_CONT = 14;

    /** Values of {@link #STATUS}'s status field. */
    public static final int STATUS_CLOSED = 0;

    public static final int STATUS_UNBOUND = 1;
    public static final int STATUS_INTERDOMAIN = 2;
    public static final int STATUS_PIRQ = 3;
    public static final int STATUS_VIRQ = 4;
    public static final int STATUS_IPI = 5;

    /** Ports of the two-level ABI for a 64-bit guest. */
    public static final int TWO_LEVEL_PORTS = 4096;

    private EventChannelOp() {}
}
