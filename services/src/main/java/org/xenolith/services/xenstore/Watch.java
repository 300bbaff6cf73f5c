package org.xenolith.services.xenstore;

import java.util.function.Consumer;

/** A watch in the store's list. Two are never equal, so that each can be removed on its own. */
final class Watch {
    final StoreClient client;
    final String path;
    final String token;
    /** Levels below {@link #path} whose changes are told, or -1 for all. */
    final int depth;
    /** Takes the absolute path of a change; called under the store's lock. */
    final Consumer<String> events;
    /** Set when nobody wants to hear any more, though an event may wait. */
    volatile boolean closed;

    Watch(StoreClient client, String path, String token, int depth, Consumer<String> events) {
        this.client = client;
        this.path = path;
        this.token = token;
        this.depth = depth;
        this.events = events;
    }

    boolean covers(String changed) {
        if (StorePath.isSpecial(path) || StorePath.isSpecial(changed)) {
            return path.equals(changed);
        }
        return StorePath.isWithin(changed, path) && (depth < 0 || StorePath.depth(changed, path) <= depth);
    }
}
