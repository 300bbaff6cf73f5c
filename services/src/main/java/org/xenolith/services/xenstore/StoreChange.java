package org.xenolith.services.xenstore;

import java.util.List;
import org.xenolith.services.xenstore.StoreTree.Node;

/** A change of the tree that can be made again in another copy of it. */
sealed interface StoreChange {
    String path();

    /** Makes the change; returns the paths that are gone by it. */
    List<String> apply(StoreTree tree);

    /** Sets a value, and makes what is missing on the way. */
    record Write(String path, byte[] value, int creator) implements StoreChange {
        @Override
        public List<String> apply(StoreTree tree) {
            tree.write(path, value, creator);
            return List.of();
        }
    }

    /** Makes an empty node unless it is there. */
    record MakeDirectory(String path, int creator) implements StoreChange {
        @Override
        public List<String> apply(StoreTree tree) {
            if (tree.find(path) == null) {
                tree.write(path, new byte[0], creator);
            }
            return List.of();
        }
    }

    /** Removes a node and all below. */
    record Remove(String path) implements StoreChange {
        @Override
        public List<String> apply(StoreTree tree) {
            Node node = tree.find(path);
            return node == null ? List.of() : tree.remove(path);
        }
    }

    /** Replaces the permissions of a node. */
    record SetPermissions(String path, List<Permission> permissions) implements StoreChange {
        @Override
        public List<String> apply(StoreTree tree) {
            if (tree.find(path) != null) {
                tree.setPermissions(path, permissions);
            }
            return List.of();
        }
    }
}
