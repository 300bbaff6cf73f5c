package org.xenolith.image;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;

/**
 * What a guest of ours does after its kernel is up: a shell, or one command, and then power off. This class puts our first
 * program and its settings below {@code /xenolith} of an {@link Initramfs}; {@link GuestReport} hears the outcome.
 *
 * <p>The command's bytes are exact in both directions: it runs with pipes for its input and output, which a small relay in
 * the guest joins to the console ({@link ConsoleInput} says how input is quoted). Standard error goes where standard output
 * goes, in the order of writing.
 *
 * @param kind what runs
 * @param command program and arguments; empty for a shell
 * @param rows height of the terminal, in characters
 * @param columns width of the terminal, in characters
 * @param term the terminal's type, as {@code TERM} names it
 * @param name the guest's host name
 */
public record GuestSession(Kind kind, List<String> command, int rows, int columns, String term, String name) {
    /** How the console is used. */
    public enum Kind {
        /** An interactive login shell with job control. */
        SHELL,
        /** One command with the console as its terminal: line editing, Ctrl-C, full-screen programs. */
        TTY,
        /** One command with pipes: bytes pass unchanged and end of input is real. */
        PIPE
    }

    /** The program the kernel starts. Also what {@code rdinit=} must name for a foreign initramfs with our overlay. */
    public static final String INIT = "/xenolith/init";

    /** The xenstore node, relative to the domain's own, where the host announces {@code "rows columns"}. */
    public static final String CONSOLE_SIZE_NODE = "control/console-size";

    public GuestSession {
        Objects.requireNonNull(kind);
        command = List.copyOf(command);
        if (command.isEmpty() != (kind == Kind.SHELL)) {
            throw new IllegalArgumentException("a shell takes no command, and the others need one");
        }
        for (String word : command) {
            if (word.indexOf('\0') >= 0) {
                throw new IllegalArgumentException("an argument cannot hold a zero byte");
            }
        }
        if (rows < 1 || rows > 0xFFFF || columns < 1 || columns > 0xFFFF) {
            rows = 24;
            columns = 80;
        }
    }

    public static GuestSession shell(int rows, int columns, String term) {
        return new GuestSession(Kind.SHELL, List.of(), rows, columns, term, "xenolith");
    }

    public static GuestSession pipe(List<String> command) {
        return new GuestSession(Kind.PIPE, command, 24, 80, "dumb", "xenolith");
    }

    public static GuestSession tty(List<String> command, int rows, int columns, String term) {
        return new GuestSession(Kind.TTY, command, rows, columns, term, "xenolith");
    }

    /**
     * Kernel parameters that go with the session. One command keeps the kernel quiet, because its messages would mix with
     * the command's output; a panic still prints everything.
     */
    public String kernelParameters() {
        return kind == Kind.SHELL ? "console=hvc0" : "console=hvc0 quiet loglevel=0";
    }

    /** A complete root file system with busybox that runs this session. */
    public Initramfs.Builder system(Path busybox) throws IOException {
        Initramfs.Builder builder = Initramfs.builder().busyboxSystem(busybox);
        builder.symlink("init", INIT);
        builder.symlink("xenolith/busybox", "/bin/busybox");
        return addTo(builder);
    }

    /** Only our files, to be laid over somebody else's initramfs; the kernel needs {@code rdinit=/xenolith/init}. */
    public Initramfs.Builder overlay(Path busybox) throws IOException {
        Initramfs.Builder builder = Initramfs.builder().file("xenolith/busybox", busybox, 0755);
        for (String applet : Initramfs.applets(busybox)) {
            builder.symlink("xenolith/bin/" + applet.substring(applet.lastIndexOf('/') + 1), "/xenolith/busybox");
        }
        return addTo(builder);
    }

    private Initramfs.Builder addTo(Initramfs.Builder builder) {
        byte[] init;
        try (InputStream in = GuestSession.class.getResourceAsStream("init.sh")) {
            init = in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException("reading a resource of this jar", e);
        }
        builder.file("xenolith/init", init, 0755);
        builder.file("xenolith/report", GuestPrograms.report(), 0755);
        builder.file("xenolith/leader", GuestPrograms.leader(), 0755);
        builder.file("xenolith/settime", GuestPrograms.settime(), 0755);
        builder.text("xenolith/session", settings(), 0644);
        if (kind != Kind.SHELL) {
            builder.text("xenolith/command", script(), 0644);
        }
        return builder;
    }

    /** Variables that {@code init.sh} reads. */
    String settings() {
        return "kind=" + kind.name().toLowerCase(java.util.Locale.ROOT) + "\nrows=" + rows + "\ncolumns=" + columns
                + "\nterm=" + quote(term) + "\nname=" + quote(name) + "\n";
    }

    /** The command as a shell script. */
    String script() {
        StringBuilder script = new StringBuilder("exec --");
        for (String word : command) {
            script.append(' ').append(quote(word));
        }
        return script.append('\n').toString();
    }

    /** A word that a POSIX shell reads back as it is. */
    static String quote(String word) {
        return "'" + word.replace("'", "'\\''") + "'";
    }
}
