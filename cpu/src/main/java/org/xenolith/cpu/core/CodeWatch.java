package org.xenolith.cpu.core;

/** Tells the owner of decoded or translated code about stores to the frames that the code came from. */
public interface CodeWatch {
    /** True when something was decoded from this host frame. */
    boolean hasCode(long hostFrame);

    /**
     * A store is about to hit a watched frame.
     *
     * @return true when the frame holds no code any more, so that stores to it may be fast again
     */
    boolean written(long hostFrame, int offset, int bytes);

    /** The address space changed: virtual-address indexed caches of code are stale; if {@code all}, also for global pages. */
    void mappingsChanged(boolean all);

    /** The mapping of one page changed. */
    void mappingChanged(long va);
}
