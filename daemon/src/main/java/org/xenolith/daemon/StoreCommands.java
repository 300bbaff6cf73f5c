package org.xenolith.daemon;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.xenolith.daemon.protocol.Answer;
import org.xenolith.daemon.protocol.Command;
import org.xenolith.services.xenstore.Permission;
import org.xenolith.services.xenstore.StoreError;
import org.xenolith.services.xenstore.StoreException;
import org.xenolith.services.xenstore.StoreWatch;
import org.xenolith.services.xenstore.XenStore;

/** Xenstore for the command line, with the rights of domain 0. Values are bytes, carried as characters U+0000 to U+00FF. */
final class StoreCommands {
    private static final int LONGEST_VALUE = 4096;
    private static final int MOST_NODES = 100_000;

    private final XenStore store;

    StoreCommands(XenStore store) {
        this.store = store;
    }

    Answer read(Command.StoreRead command) throws HostException {
        return new Answer.Values(all(() -> command.paths().stream()
                .map(path -> refusable("couldn't read path", path, () -> value(path)))
                .toList()));
    }

    private String value(String path) {
        return new String(store.readBytes(path), StandardCharsets.ISO_8859_1);
    }

    Answer write(Command.StoreWrite command) throws HostException {
        for (String value : command.values()) {
            if (value.length() > LONGEST_VALUE) {
                throw new HostException(
                        Answer.Reason.INVALID, "a value of xenstore has at most " + LONGEST_VALUE + " bytes");
            }
        }
        // All or none: whatever could fail is tried before anything is written.
        return done(() -> {
            List<String> paths = command.paths();
            for (String path : paths) {
                refusable("could not write path", path, () -> store.exists(path));
            }
            for (int i = 0; i < paths.size(); i++) {
                String path = paths.get(i);
                byte[] value = command.values().get(i).getBytes(StandardCharsets.ISO_8859_1);
                refusable("could not write path", path, () -> {
                    store.write(path, value);
                    return null;
                });
            }
        });
    }

    Answer remove(Command.StoreRemove command) throws HostException {
        return done(() -> {
            for (String path : command.paths()) {
                refusable("could not remove path", path, () -> {
                    if (!store.exists(path)) {
                        throw new StoreException(StoreError.ENOENT, path);
                    }
                    store.remove(path);
                    return null;
                });
                if (command.tidy()) {
                    tidy(path);
                }
            }
        });
    }

    /** Removes parents that neither say anything nor hold anything. */
    private void tidy(String path) {
        String parent = parent(path);
        while (parent.length() > 1
                && store.exists(parent)
                && store.readBytes(parent).length == 0
                && store.list(parent).isEmpty()) {
            store.remove(parent);
            parent = parent(parent);
        }
    }

    private static String parent(String path) {
        int slash = path.lastIndexOf('/');
        return slash <= 0 ? "/" : path.substring(0, slash);
    }

    Answer list(Command.StoreList command) throws HostException {
        return new Answer.Children(all(() -> command.paths().stream()
                .map(path -> refusable("could not list path", path, () -> store.list(path)))
                .toList()));
    }

    Answer tree(Command.StoreTree command) throws HostException {
        int[] left = {MOST_NODES};
        return new Answer.Tree(all(() ->
                refusable("could not list path", command.path(), () -> node(command.path(), command.path(), left))));
    }

    private Answer.Node node(String name, String path, int[] left) {
        List<Answer.Node> children = new ArrayList<>();
        for (String child : store.list(path)) {
            if (left[0]-- > 0) {
                children.add(node(child, path.endsWith("/") ? path + child : path + "/" + child, left));
            }
        }
        return new Answer.Node(
                name,
                value(path),
                store.permissions(path).stream().map(Permission::toString).toList(),
                children);
    }

    Answer chmod(Command.StoreChmod command) throws HostException {
        return done(() -> refusable("could not set permissions of", command.path(), () -> {
            List<Permission> permissions = Permission.list(command.permissions().toArray(String[]::new));
            if (permissions.isEmpty()) {
                throw new StoreException(StoreError.EINVAL, "no permission");
            }
            set(command.path(), permissions, command.recurse());
            if (command.upTo()) {
                for (String at = parent(command.path()); at.length() > 1; at = parent(at)) {
                    store.setPermissions(at, permissions);
                }
            }
            return null;
        }));
    }

    private void set(String path, List<Permission> permissions, boolean recurse) {
        store.setPermissions(path, permissions);
        if (recurse) {
            for (String child : store.list(path)) {
                set(path + "/" + child, permissions, true);
            }
        }
    }

    AutoCloseable watch(Command.StoreWatch command, Consumer<String> listener) throws HostException {
        List<StoreWatch> watches = new ArrayList<>();
        try {
            for (String path : command.paths()) {
                watches.add(refusable(
                        "unable to add watch on",
                        path,
                        () -> store.watch(path, changed -> {
                            if (command.depth() == null || below(path, changed) <= command.depth()) {
                                listener.accept(changed);
                            }
                        })));
            }
        } catch (Refused e) {
            watches.forEach(StoreWatch::close);
            throw new HostException(Answer.Reason.NOT_FOUND, e.getMessage(), e);
        }
        return () -> watches.forEach(StoreWatch::close);
    }

    /** How many levels a path is below another. */
    private static int below(String path, String changed) {
        if (changed.length() <= path.length()) {
            return 0;
        }
        return (int)
                changed.substring(path.length()).chars().filter(c -> c == '/').count();
    }

    private <T> T all(Supplier<T> work) throws HostException {
        try {
            return store.atomically(work);
        } catch (Refused e) {
            throw new HostException(Answer.Reason.NOT_FOUND, e.getMessage(), e);
        }
    }

    private Answer done(Runnable work) throws HostException {
        all(() -> {
            work.run();
            return null;
        });
        return new Answer.Done();
    }

    /** What the store refused, in the words of the client. */
    private static final class Refused extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Refused(String message, StoreException cause) {
            super(message, cause);
        }
    }

    private static <T> T refusable(String what, String path, Supplier<T> work) {
        try {
            return work.get();
        } catch (StoreException e) {
            throw new Refused(what + " " + path + " (" + e.error() + ")", e);
        }
    }
}
