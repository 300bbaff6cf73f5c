package org.xenolith.abi;

/**
 * The FIFO event-channel ABI: memory that guest and hypervisor share.
 *
 * <p>The event array has one 32-bit word for each port, {@value #PORTS_PER_PAGE} to a page, at most {@value #MAX_PAGES}
 * pages. Each virtual CPU has a control block in a page of its own: a word with one ready bit for each of
 * {@value #PRIORITIES} queues (0 is the most urgent), and the head of each queue.
 *
 * <pre>
 *   event word     31 PENDING  30 MASKED  29 LINKED  28 BUSY  16..0 LINK (next port in the queue, 0 = end)
 *   control block  0 u32 ready, 4 reserved, 8 u32 head[16]; 72 bytes, aligned to 8
 * </pre>
 *
 * <p>To raise a port the hypervisor sets PENDING; if the port is neither MASKED nor LINKED it sets LINKED and appends it to
 * the queue: with a compare-and-set on the tail's LINK field while the tail is still LINKED, else by writing the head and
 * setting the queue's ready bit. The guest takes ports from the head: it clears LINKED and LINK together, and follows the
 * link. BUSY asks a guest that unmasks to wait while the hypervisor links.
 */
public final class EventFifo {
    public static final int PENDING = 1 << 31;
    public static final int MASKED = 1 << 30;
    public static final int LINKED = 1 << 29;
    public static final int BUSY = 1 << 28;
    public static final int LINK_BITS = 17;
    public static final int LINK_MASK = (1 << LINK_BITS) - 1;

    public static final int PORTS_PER_PAGE = 1024;
    public static final int MAX_PAGES = 128;
    public static final int PORTS = PORTS_PER_PAGE * MAX_PAGES;

    public static final int PRIORITIES = 16;
    public static final int PRIORITY_DEFAULT = 7;
    public static final int PRIORITY_LEAST = 15;

    public static final int CONTROL_READY = 0;
    public static final int CONTROL_HEAD = 8;
    public static final int CONTROL_SIZE = 72;

    private EventFifo() {}
}
