package org.xenolith.services.xenstore;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;

/**
 * The nodes. A node never changes: an update makes new nodes from the changed one up to the root and shares the rest,
 * so that a transaction starts with a snapshot that costs nothing.
 *
 * <p>A node's generation changes with its value, its permissions and the names of its children, not with what happens
 * inside a child.
 */
final class StoreTree {
    private final LongSupplier generations;
    private Node root;
    /** Nodes by owner. */
    private final Map<Integer, Integer> owned;

    StoreTree(LongSupplier generations) {
        this.generations = generations;
        root = new Node(new byte[0], Permission.list("n0"), generations.getAsLong(), Map.of());
        owned = new HashMap<>(Map.of(0, 1));
    }

    private StoreTree(StoreTree from) {
        generations = from.generations;
        root = from.root;
        owned = new HashMap<>(from.owned);
    }

    /** The value must not be changed by anybody. */
    record Node(byte[] value, List<Permission> permissions, long generation, Map<String, Node> children) {
        int owner() {
            return permissions.getFirst().domain();
        }

        /** Bytes that count against the quota of a node's size. */
        int size() {
            int size = value.length + permissions.size() * 8;
            for (String name : children.keySet()) {
                size += name.length() + 1;
            }
            return size;
        }
    }

    /** An independent tree with the same content. */
    StoreTree copy() {
        return new StoreTree(this);
    }

    /** The root as it is now; it stays so. */
    Node root() {
        return root;
    }

    /** The node, or null. */
    Node find(String path) {
        return find(root, path);
    }

    /** The node in a snapshot, or null. */
    static Node find(Node root, String path) {
        Node node = root;
        for (String name : names(path)) {
            node = node.children.get(name);
            if (node == null) {
                return null;
            }
        }
        return node;
    }

    /** The nearest node at or above the path; the root at worst. */
    String nearest(String path) {
        String at = path;
        while (find(at) == null) {
            at = StorePath.parent(at);
        }
        return at;
    }

    int ownedBy(int domain) {
        return owned.getOrDefault(domain, 0);
    }

    /** Sets the value of a node, and makes the node and its parents where they are missing, for {@code creator}. */
    void write(String path, byte[] value, int creator) {
        root = put(root, names(path), 0, value, creator);
    }

    void setPermissions(String path, List<Permission> permissions) {
        Node node = find(path);
        count(node.owner(), -1);
        count(permissions.getFirst().domain(), 1);
        root = replace(
                root,
                names(path),
                0,
                new Node(node.value, List.copyOf(permissions), generations.getAsLong(), node.children));
    }

    /** Removes a node and everything below it; returns the paths that are gone, the node's first. */
    List<String> remove(String path) {
        List<String> gone = new ArrayList<>();
        uncount(path, find(path), gone);
        String parentPath = StorePath.parent(path);
        Node parent = find(parentPath);
        Map<String, Node> children = new LinkedHashMap<>(parent.children);
        children.remove(StorePath.name(path));
        root = replace(
                root,
                names(parentPath),
                0,
                new Node(
                        parent.value,
                        parent.permissions,
                        generations.getAsLong(),
                        Collections.unmodifiableMap(children)));
        return gone;
    }

    private void uncount(String path, Node node, List<String> gone) {
        gone.add(path);
        count(node.owner(), -1);
        node.children.forEach((name, child) -> uncount(StorePath.child(path, name), child, gone));
    }

    private void count(int domain, int by) {
        owned.merge(domain, by, Integer::sum);
        owned.remove(domain, 0);
    }

    private Node put(Node node, String[] names, int at, byte[] value, int creator) {
        if (at == names.length) {
            return new Node(value, node.permissions, generations.getAsLong(), node.children);
        }
        Node old = node.children.get(names[at]);
        boolean isNew = old == null;
        if (isNew) {
            // A new node has its parent's permissions, but belongs to the domain that made it.
            List<Permission> permissions = new ArrayList<>(node.permissions);
            if (creator != 0) {
                permissions.set(
                        0, new Permission(creator, permissions.getFirst().access()));
            }
            old = new Node(new byte[0], List.copyOf(permissions), generations.getAsLong(), Map.of());
            count(old.owner(), 1);
        }
        return with(node, names[at], put(old, names, at + 1, value, creator), isNew);
    }

    private Node replace(Node node, String[] names, int at, Node replacement) {
        return at == names.length
                ? replacement
                : with(node, names[at], replace(node.children.get(names[at]), names, at + 1, replacement), false);
    }

    private Node with(Node node, String name, Node child, boolean isNew) {
        Map<String, Node> children = new LinkedHashMap<>(node.children);
        children.put(name, child);
        return new Node(
                node.value,
                node.permissions,
                isNew ? generations.getAsLong() : node.generation,
                Collections.unmodifiableMap(children));
    }

    private static String[] names(String path) {
        return path.equals("/") ? new String[0] : path.substring(1).split("/");
    }
}
