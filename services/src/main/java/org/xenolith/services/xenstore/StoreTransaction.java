package org.xenolith.services.xenstore;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.xenolith.services.xenstore.StoreTree.Node;

/**
 * A transaction works on its own copy of the tree as it was at the start, and remembers which nodes it looked at and
 * what it did. It can be committed when all those nodes are still as it saw them; then its changes are made again in
 * the store itself.
 */
final class StoreTransaction {
    private static final long ABSENT = -1;

    final StoreTree tree;
    private final Node start;
    private final Map<String, Long> seen = new HashMap<>();
    private final List<StoreChange> changes = new ArrayList<>();

    /** Most nodes that it may look at, and most changes: it keeps something for each. */
    private final int limit;

    StoreTransaction(StoreTree store, int limit) {
        start = store.root();
        tree = store.copy();
        this.limit = limit;
    }

    /** Remembers that a node was looked at; ENOSPC when those are too many. */
    void sees(String path) {
        if (!seen.containsKey(path)) {
            if (seen.size() >= limit) {
                throw new StoreException(StoreError.ENOSPC, "nodes of a transaction");
            }
            seen.put(path, generation(StoreTree.find(start, path)));
        }
    }

    /** Remembers a change; ENOSPC when those are too many. Call it before the change is made. */
    void changes(StoreChange change) {
        StoreChange last = changes.isEmpty() ? null : changes.getLast();
        if (change instanceof StoreChange.Write
                && last instanceof StoreChange.Write
                && last.path().equals(change.path())) {
            changes.removeLast();
        }
        if (changes.size() >= limit) {
            throw new StoreException(StoreError.ENOSPC, "changes of a transaction");
        }
        changes.add(change);
    }

    List<StoreChange> changes() {
        return changes;
    }

    /** A transaction that only read saw one consistent moment, so it never conflicts. */
    boolean conflictsWith(StoreTree store) {
        return !changes.isEmpty()
                && seen.entrySet().stream()
                        .anyMatch(entry -> generation(store.find(entry.getKey())) != entry.getValue());
    }

    private static long generation(Node node) {
        return node == null ? ABSENT : node.generation();
    }
}
