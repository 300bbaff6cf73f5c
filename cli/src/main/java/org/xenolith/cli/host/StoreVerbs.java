package org.xenolith.cli.host;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.xenolith.cli.CliException;
import org.xenolith.cli.ExitStatus;
import org.xenolith.cli.HostTerminal;
import org.xenolith.daemon.HostConnection;
import org.xenolith.daemon.HostException;
import org.xenolith.daemon.protocol.Answer;
import org.xenolith.daemon.protocol.Command.StoreChmod;
import org.xenolith.daemon.protocol.Command.StoreList;
import org.xenolith.daemon.protocol.Command.StoreRead;
import org.xenolith.daemon.protocol.Command.StoreRemove;
import org.xenolith.daemon.protocol.Command.StoreTree;
import org.xenolith.daemon.protocol.Command.StoreWatch;
import org.xenolith.daemon.protocol.Command.StoreWrite;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The {@code xenstore-} tools. Values are bytes; what is not printable ASCII is shown and taken as escapes. */
final class StoreVerbs {
    private static final int DEFAULT_WIDTH = 80;
    private static final int PERMISSION_COLUMN = 60;
    /** {@code  = "..."}, for which room is kept behind a name. */
    private static final int TAG = 8;

    private StoreVerbs() {}

    /** Bytes as the tools print them: {@code \t \n \r \\}, {@code \NNN} below 8, {@code \xNN} for the rest. */
    static String escape(String bytes) {
        StringBuilder out = new StringBuilder();
        for (char c : bytes.toCharArray()) {
            switch (c) {
                case '\t' -> out.append("\\t");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\\' -> out.append("\\\\");
                default -> {
                    if (c >= ' ' && c <= '~') {
                        out.append(c);
                    } else {
                        out.append(c < 8 ? String.format("\\%03o", (int) c) : String.format("\\x%02x", (int) c));
                    }
                }
            }
        }
        return out.toString();
    }

    /** The reverse of {@link #escape}; text beyond ASCII becomes UTF-8. */
    static String unescape(String text) {
        String bytes = new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < bytes.length(); ) {
            char c = bytes.charAt(i++);
            if (c != '\\' || i == bytes.length()) {
                if (c != '\\') {
                    out.append(c);
                }
                continue;
            }
            char kind = bytes.charAt(i++);
            switch (kind) {
                case 't' -> out.append('\t');
                case 'n' -> out.append('\n');
                case 'r' -> out.append('\r');
                case 'x' -> {
                    int end = digits(bytes, i, 2, 16);
                    out.append((char) (end == i ? 'x' : Integer.parseInt(bytes.substring(i, end), 16)));
                    i = end;
                }
                case '0', '1', '2', '3', '4', '5', '6', '7' -> {
                    int end = digits(bytes, i - 1, 3, 8);
                    out.append((char) (Integer.parseInt(bytes.substring(i - 1, end), 8) & 0xFF));
                    i = end;
                }
                default -> out.append(kind);
            }
        }
        return out.toString();
    }

    private static int digits(String text, int from, int most, int radix) {
        int end = from;
        while (end < text.length() && end - from < most && Character.digit(text.charAt(end), radix) >= 0) {
            end++;
        }
        return end;
    }

    @Command(
            name = "xenstore-read",
            header = {
                "Prints values of xenstore.",
                "",
                "  xeno xenstore-read /local/domain/1/name",
                "  xeno xenstore-read -p /local/domain/1/name /local/domain/2/name",
                "  xeno xenstore-read -R /tool/blob > blob      the bytes as they are",
                ""
            })
    static final class Read extends HostVerb {
        @Option(names = "-p", description = "With the paths.")
        private boolean prefix;

        @Option(names = "-R", description = "The bytes as they are.")
        private boolean raw;

        @Parameters(arity = "1..*", paramLabel = "PATH")
        private List<String> paths = List.of();

        Read(HostAccess access) {
            super(access);
        }

        @Override
        int run(HostConnection host) throws HostException {
            List<String> values = host.ask(new StoreRead(paths)).values();
            for (int i = 0; i < values.size(); i++) {
                print(prefix ? paths.get(i) + ": " : "");
                if (raw) {
                    byte[] bytes = values.get(i).getBytes(StandardCharsets.ISO_8859_1);
                    System.out.write(bytes, 0, bytes.length);
                    System.out.flush();
                } else {
                    print(escape(values.get(i)) + "\n");
                }
            }
            return 0;
        }
    }

    @Command(
            name = "xenstore-write",
            header = {
                "Sets values of xenstore, all or none.",
                "",
                "  xeno xenstore-write /tool/note hello",
                "  xeno xenstore-write /tool/a 1 /tool/b 2",
                "  xeno xenstore-write /tool/line 'two\\nlines'",
                ""
            })
    static final class Write extends HostVerb {
        @Option(names = "-R", description = "Values are the bytes as they are.")
        private boolean raw;

        @Parameters(arity = "2..*", paramLabel = "PATH VALUE")
        private List<String> words = List.of();

        Write(HostAccess access) {
            super(access);
        }

        @Override
        void check() {
            if (words.size() % 2 != 0) {
                throw usage("a path without a value: xeno xenstore-write PATH VALUE [PATH VALUE…]");
            }
        }

        @Override
        int run(HostConnection host) throws HostException {
            List<String> paths = new ArrayList<>();
            List<String> values = new ArrayList<>();
            for (int i = 0; i < words.size(); i += 2) {
                paths.add(words.get(i));
                String value = words.get(i + 1);
                values.add(
                        raw
                                ? new String(value.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1)
                                : unescape(value));
            }
            host.ask(new StoreWrite(paths, values));
            return 0;
        }
    }

    @Command(
            name = "xenstore-rm",
            header = {
                "Removes nodes of xenstore and what is below them, all or none.",
                "",
                "  xeno xenstore-rm /tool/note",
                "  xeno xenstore-rm /tool/a /tool/b",
                "  xeno xenstore-rm -t /tool/deep/down     parents that are left empty, too",
                ""
            })
    static final class Remove extends HostVerb {
        @Option(names = "-t", description = "Parents that are left without value and children, too.")
        private boolean tidy;

        @Parameters(arity = "1..*", paramLabel = "PATH")
        private List<String> paths = List.of();

        Remove(HostAccess access) {
            super(access);
        }

        @Override
        int run(HostConnection host) throws HostException {
            host.ask(new StoreRemove(paths, tidy));
            return 0;
        }
    }

    @Command(
            name = "xenstore-exists",
            header = {
                "Tells by its status whether nodes of xenstore exist.",
                "",
                "  xeno xenstore-exists /local/domain/1 && echo yes",
                "  xeno xenstore-exists /tool /vm",
                "  xeno xenstore-list /tool",
                ""
            })
    static final class Exists extends HostVerb {
        @Parameters(arity = "1..*", paramLabel = "PATH")
        private List<String> paths = List.of();

        Exists(HostAccess access) {
            super(access);
        }

        @Override
        int run(HostConnection host) throws HostException {
            try {
                host.ask(new StoreRead(paths));
                return 0;
            } catch (HostException e) {
                if (e.reason() == Answer.Reason.NOT_FOUND) {
                    return 1;
                }
                throw e;
            }
        }
    }

    @Command(
            name = "xenstore-list",
            header = {
                "Prints the names of what is right below nodes of xenstore.",
                "",
                "  xeno xenstore-list /local/domain",
                "  xeno xenstore-list -p /local/domain/1     with whole paths",
                "  xeno xenstore-ls /local/domain/1          all levels",
                ""
            })
    static final class ListChildren extends HostVerb {
        @Option(names = "-p", description = "Whole paths.")
        private boolean prefix;

        @Parameters(arity = "1..*", paramLabel = "PATH")
        private List<String> paths = List.of();

        ListChildren(HostAccess access) {
            super(access);
        }

        @Override
        int run(HostConnection host) throws HostException {
            List<List<String>> names = host.ask(new StoreList(paths)).names();
            StringBuilder out = new StringBuilder();
            for (int i = 0; i < names.size(); i++) {
                String before = prefix ? (paths.get(i).equals("/") ? "" : paths.get(i)) + "/" : "";
                names.get(i).forEach(name -> out.append(before).append(name).append('\n'));
            }
            print(out);
            return 0;
        }
    }

    @Command(
            name = "xenstore-ls",
            header = {
                "Prints xenstore as a tree.",
                "",
                "  xeno xenstore-ls                        all of it",
                "  xeno xenstore-ls -f /local/domain/1     whole paths, whole values",
                "  xeno xenstore-ls -p /local/domain/1     with permissions",
                ""
            })
    static final class Tree extends HostVerb {
        @Option(names = "-f", description = "Whole paths and values.")
        private boolean flat;

        @Option(names = "-p", description = "Permissions.")
        private boolean permissions;

        @Parameters(arity = "0..*", paramLabel = "PATH", description = "Default: /")
        private List<String> paths = List.of();

        private int width = DEFAULT_WIDTH;

        Tree(HostAccess access) {
            super(access);
        }

        @Override
        int run(HostConnection host) throws HostException {
            if (HostTerminal.present()) {
                try (HostTerminal terminal = HostTerminal.open()) {
                    width = terminal.columns() - 2;
                }
            }
            StringBuilder out = new StringBuilder();
            for (String path : paths.isEmpty() ? List.of("/") : paths) {
                children(host.ask(new StoreTree(path)).root(), path, 0, out);
            }
            print(out);
            return 0;
        }

        private void children(Answer.Node parent, String path, int depth, StringBuilder out) {
            for (Answer.Node node : parent.children()) {
                String whole = path.endsWith("/") ? path + node.name() : path + "/" + node.name();
                row(node, whole, depth, out);
                children(node, whole, depth + 1, out);
            }
        }

        private void row(Answer.Node node, String path, int depth, StringBuilder out) {
            int used = 0;
            if (flat) {
                out.append(path);
            } else {
                int room = Math.max(0, width - TAG - depth);
                String name = node.name().length() > room ? node.name().substring(0, room) : node.name();
                out.append(" ".repeat(depth)).append(name);
                used = depth + name.length();
            }
            String value = escape(node.value());
            // As the tool does: it is the value's own length that decides, and its escaped form that is cut.
            if (!flat && width < used + node.value().length() + TAG) {
                int room = Math.clamp(width - TAG - used, 0, value.length());
                out.append(" = \"").append(value, 0, room).append("\\...\"");
            } else {
                out.append(" = \"").append(value).append('"');
                used += value.length() + 5;
                if (permissions && !flat) {
                    out.append(' ');
                    for (used++; used < Math.min(PERMISSION_COLUMN, width); used++) {
                        out.append((used & 1) != 0 ? '.' : ' ');
                    }
                } else if (permissions) {
                    out.append(' ');
                }
            }
            if (permissions) {
                out.append("  (").append(String.join(",", node.permissions())).append(')');
            }
            out.append('\n');
        }
    }

    @Command(
            name = "xenstore-chmod",
            header = {
                "Sets the permissions of a node of xenstore.",
                "",
                "  xeno xenstore-chmod /tool/note n0 r1      domain 0 owns it, domain 1 may read",
                "  xeno xenstore-chmod -r /tool/app b0       and all below it",
                "  xeno xenstore-ls -p /tool                 shows them",
                ""
            },
            description = {
                "",
                "A permission is n none, r read, w write or b both, and a domain. The first names the owner, and what all have"
                        + " that are not named.",
                ""
            })
    static final class Chmod extends HostVerb {
        @Option(names = "-u", description = "All parents, too.")
        private boolean upTo;

        @Option(names = "-r", description = "All below it, too.")
        private boolean recurse;

        @Parameters(index = "0", paramLabel = "PATH")
        private String path;

        @Parameters(index = "1..*", arity = "1..*", paramLabel = "PERMISSION")
        private List<String> permissions = List.of();

        Chmod(HostAccess access) {
            super(access);
        }

        @Override
        void check() {
            for (String permission : permissions) {
                if (!permission.matches("[nrwb][0-9]{1,5}")) {
                    throw new CliException(
                            ExitStatus.FAILED,
                            "Invalid permission specification: '" + permission
                                    + "'; write r1: n, r, w or b, and a domain");
                }
            }
        }

        @Override
        int run(HostConnection host) throws HostException {
            host.ask(new StoreChmod(path, permissions, upTo, recurse));
            return 0;
        }
    }

    @Command(
            name = "xenstore-watch",
            header = {
                "Prints a path whenever something at or below it changes.",
                "",
                "  xeno xenstore-watch /local/domain/1          until Ctrl-C",
                "  xeno xenstore-watch -n 2 /tool               the first is the watch itself",
                "  xeno xenstore-watch @releaseDomain           when a domain ends",
                ""
            })
    static final class WatchPaths extends HostVerb {
        @Option(names = "-n", paramLabel = "COUNT", description = "End after so many.", defaultValue = "-1")
        private int count;

        @Option(names = "-d", paramLabel = "DEPTH", description = "Only so many levels below the path.")
        private Integer depth;

        @Parameters(arity = "1..*", paramLabel = "PATH")
        private List<String> paths = List.of();

        WatchPaths(HostAccess access) {
            super(access);
        }

        @Override
        int run(HostConnection host) throws HostException {
            int[] left = {count};
            if (count == 0) {
                return 0;
            }
            host.watch(new StoreWatch(paths, depth), path -> {
                print(path + "\n");
                return --left[0] != 0 && !System.out.checkError();
            });
            return 0;
        }
    }
}
