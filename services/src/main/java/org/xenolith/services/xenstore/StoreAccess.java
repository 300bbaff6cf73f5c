package org.xenolith.services.xenstore;

import java.util.Collection;
import java.util.List;
import org.xenolith.services.xenstore.StoreTree.Node;

/**
 * The meaning of the requests on nodes: permissions, quotas, what counts as seen in a transaction. Paths are canonical.
 * Lives for one request, under the store's lock.
 */
final class StoreAccess {
    private final XenStore store;
    private final StoreClient client;
    private final StoreTransaction transaction;
    private final StoreTree tree;

    StoreAccess(XenStore store, StoreClient client, StoreTransaction transaction) {
        this.store = store;
        this.client = client;
        this.transaction = transaction;
        tree = transaction == null ? store.tree() : transaction.tree;
    }

    byte[] read(String path) {
        return readable(path).value();
    }

    Collection<String> directory(String path) {
        return readable(path).children().keySet();
    }

    long generation(String path) {
        return readable(path).generation();
    }

    List<Permission> permissions(String path) {
        return readable(path).permissions();
    }

    void write(String path, byte[] value) {
        if (value.length > XenStore.maxValue()) {
            throw new StoreException(StoreError.E2BIG, "a value of " + value.length + " bytes");
        }
        checkCreatable(path);
        Node old = tree.find(path);
        if (!client.privileged()
                && value.length + (old == null ? 0 : old.size() - old.value().length)
                        > store.limits().nodeSize()) {
            throw new StoreException(StoreError.ENOSPC, "node size of " + path);
        }
        change(new StoreChange.Write(path, value, client.domain()));
    }

    void makeDirectory(String path) {
        checkCreatable(path);
        if (tree.find(path) == null) {
            change(new StoreChange.MakeDirectory(path, client.domain()));
        }
    }

    void remove(String path) {
        if (path.equals("/")) {
            throw new StoreException(StoreError.EINVAL, "the root cannot be removed");
        }
        see(path);
        Node node = tree.find(path);
        if (node == null) {
            // Removing what is not there is fine when it could be there.
            String parent = StorePath.parent(path);
            see(parent);
            if (tree.find(parent) == null) {
                throw missing(path);
            }
            if (!client.mayWrite(tree.find(parent).permissions())) {
                throw new StoreException(StoreError.EACCES, path);
            }
            return;
        }
        if (!client.mayWrite(node.permissions())) {
            throw new StoreException(StoreError.EACCES, path);
        }
        see(StorePath.parent(path));
        change(new StoreChange.Remove(path));
    }

    void setPermissions(String path, List<Permission> permissions) {
        if (permissions.isEmpty()) {
            throw new StoreException(StoreError.EINVAL, "no permissions for " + path);
        }
        if (!client.privileged() && permissions.size() > store.limits().permissions()) {
            throw new StoreException(StoreError.ENOSPC, "permissions of " + path);
        }
        see(path);
        Node node = tree.find(path);
        if (node == null) {
            throw missing(path);
        }
        if (!client.owns(node.permissions())) {
            throw new StoreException(StoreError.EACCES, path);
        }
        if (!client.privileged() && permissions.getFirst().domain() != node.owner()) {
            throw new StoreException(StoreError.EPERM, "owner of " + path);
        }
        change(new StoreChange.SetPermissions(path, List.copyOf(permissions)));
    }

    private Node readable(String path) {
        see(path);
        Node node = tree.find(path);
        if (node == null) {
            throw missing(path);
        }
        if (!client.mayRead(node.permissions())) {
            throw new StoreException(StoreError.EACCES, path);
        }
        return node;
    }

    /** Write access to the node, or to the nearest one above where it is missing; and room for the new ones. */
    private void checkCreatable(String path) {
        see(path);
        String nearest = tree.nearest(path);
        see(nearest);
        if (!client.mayWrite(tree.find(nearest).permissions())) {
            throw new StoreException(StoreError.EACCES, path);
        }
        if (client.privileged()) {
            return;
        }
        int more = StorePath.depth(path, nearest);
        if (more > 0) {
            String added = nearest.equals("/") ? path.substring(1) : path.substring(nearest.length() + 1);
            int slash = added.indexOf('/');
            int name = slash < 0 ? added.length() : slash;
            if (tree.ownedBy(client.domain()) + more > store.limits().nodes()
                    || tree.find(nearest).size() + name + 1 > store.limits().nodeSize()) {
                throw new StoreException(StoreError.ENOSPC, path);
            }
        }
    }

    /** What a client may know about a node that is not there. */
    private StoreException missing(String path) {
        Node nearest = tree.find(tree.nearest(path));
        return new StoreException(client.mayRead(nearest.permissions()) ? StoreError.ENOENT : StoreError.EACCES, path);
    }

    private void see(String path) {
        if (transaction != null) {
            transaction.sees(path);
        }
    }

    private void change(StoreChange change) {
        if (transaction == null) {
            store.apply(List.of(change));
        } else {
            transaction.changes(change);
            change.apply(tree);
        }
    }
}
