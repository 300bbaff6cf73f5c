package org.xenolith.cli.host;

import java.io.IOException;
import java.util.concurrent.Callable;
import org.xenolith.cli.CliException;
import org.xenolith.cli.ExitStatus;
import org.xenolith.daemon.HostConnection;
import org.xenolith.daemon.HostException;
import org.xenolith.daemon.protocol.Answer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** A verb that asks the host process for something. */
@Command(sortOptions = false, usageHelpAutoWidth = true, usageHelpWidth = 110)
abstract class HostVerb implements Callable<Integer> {
    private final HostAccess access;

    @Spec
    private CommandSpec spec;

    /** Not picocli's standard options: -V is something else in xl. */
    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Show this help.")
    private boolean help;

    HostVerb(HostAccess access) {
        this.access = access;
    }

    /** Does the work; 0 when all is well, 1 when not, as xl does. */
    abstract int run(HostConnection host) throws HostException, IOException, InterruptedException;

    HostConnection connect() throws HostException {
        return access.open();
    }

    @Override
    public final Integer call() throws InterruptedException {
        check();
        try (HostConnection host = connect()) {
            return run(host);
        } catch (HostException e) {
            throw new CliException(status(e.reason()), e.getMessage(), e);
        } catch (IOException e) {
            throw new CliException(ExitStatus.FAILED, e.getMessage(), e);
        }
    }

    /** Looks at options before the host is asked for; throws {@link CliException}. */
    void check() {}

    private static ExitStatus status(Answer.Reason reason) {
        return switch (reason) {
            case INTERNAL -> ExitStatus.INTERNAL;
            case NO_DOMAIN, NOT_FOUND, INVALID, REFUSED, UNSUPPORTED, BAD_IMAGE, FILE -> ExitStatus.FAILED;
        };
    }

    /** A message that is no failure. */
    void tell(String line) {
        System.err.println(program() + ": " + line);
    }

    /** {@code xeno}, or {@code xl} when the program is called so. */
    String program() {
        return spec.root().name();
    }

    /** Whether output and messages are to be those of Xen's tool. */
    boolean isXl() {
        return program().equals("xl");
    }

    static CliException usage(String message) {
        return new CliException(ExitStatus.USAGE, message);
    }

    static void print(CharSequence text) {
        System.out.print(text);
        System.out.flush();
    }

    static String line(String format, Object... values) {
        return String.format(java.util.Locale.ROOT, format, values) + "\n";
    }
}
