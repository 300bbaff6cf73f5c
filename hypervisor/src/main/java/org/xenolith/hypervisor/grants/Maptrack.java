package org.xenolith.hypervisor.grants;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The grants of others that one domain has mapped, by handle.
 *
 * <p>Grows by pages of {@value #PER_PAGE} handles, as Xen's does. A handle that was given back is used again after all others
 * that are free, so that a stale one is not soon somebody else's. Guarded by its own monitor.
 */
final class Maptrack {
    /** Handles in one page. */
    static final int PER_PAGE = 256;

    /**
     * A mapping.
     *
     * @param gfn where the frame is in the mapping domain's memory
     */
    record Mapping(GrantTable granter, Access access, long gfn) {}

    private final int maxPages;
    /** By handle; null for one that is free, or reserved for a mapping that is being made. */
    private Mapping[] mappings = new Mapping[0];

    private final ArrayDeque<Integer> free = new ArrayDeque<>();

    Maptrack(int maxPages) {
        this.maxPages = maxPages;
    }

    /** Takes a free handle; -1 when there is none. */
    synchronized int reserve() {
        if (free.size() <= 1 && mappings.length < maxPages * PER_PAGE) {
            int first = mappings.length;
            mappings = Arrays.copyOf(mappings, first + PER_PAGE);
            for (int handle = first + PER_PAGE - 1; handle > first; handle--) {
                free.addFirst(handle);
            }
            return first;
        }
        Integer handle = free.poll();
        return handle == null ? -1 : handle;
    }

    /** Gives a handle back that {@link #reserve} returned and that has no mapping. */
    synchronized void cancel(int handle) {
        free.add(handle);
    }

    synchronized void put(int handle, Mapping mapping) {
        mappings[handle] = mapping;
    }

    /** The mapping of a handle, or null. */
    synchronized Mapping get(int handle) {
        return handle >= 0 && handle < mappings.length ? mappings[handle] : null;
    }

    /** Forgets a mapping; false when another thread did. */
    synchronized boolean remove(int handle, Mapping mapping) {
        if (mappings[handle] != mapping) {
            return false;
        }
        mappings[handle] = null;
        free.add(handle);
        return true;
    }

    /** Forgets all mappings and returns them. */
    synchronized List<Mapping> clear() {
        List<Mapping> left = all();
        mappings = new Mapping[0];
        free.clear();
        return left;
    }

    synchronized List<Mapping> all() {
        List<Mapping> result = new ArrayList<>();
        for (Mapping mapping : mappings) {
            if (mapping != null) {
                result.add(mapping);
            }
        }
        return result;
    }

    /** Pages of handles. */
    synchronized int pages() {
        return mappings.length / PER_PAGE;
    }
}
