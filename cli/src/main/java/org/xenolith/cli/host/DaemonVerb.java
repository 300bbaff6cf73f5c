package org.xenolith.cli.host;

import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.xenolith.cli.CliException;
import org.xenolith.cli.ExitStatus;
import org.xenolith.daemon.HostClient;
import org.xenolith.daemon.HostException;
import org.xenolith.daemon.RuntimeDirectory;
import org.xenolith.daemon.protocol.Answer;
import org.xenolith.daemon.protocol.Command.Stop;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code daemon}: about the host process itself. */
@Command(
        name = "daemon",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        usageHelpAutoWidth = true,
        usageHelpWidth = 110,
        header = {
            "The host process: one a user, started by the first verb that needs it.",
            "",
            "  xeno daemon status       whether it runs, where its log is",
            "  xeno daemon stop         ends it, unless it has guests",
            "  xeno daemon start        starts it now",
            ""
        },
        description = {
            "",
            "It ends by itself when it has had no guest for XENOLITH_IDLE seconds (300; 0 for never). Its socket, log and"
                    + " lock are in XENOLITH_RUNTIME, else XDG_RUNTIME_DIR/xenolith, else /tmp/xenolith-USER.",
            ""
        })
final class DaemonVerb implements Callable<Integer> {
    /** What to do. */
    enum What {
        STATUS,
        START,
        STOP;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    @Parameters(
            index = "0",
            arity = "0..1",
            description = "${COMPLETION-CANDIDATES}. Default: status",
            defaultValue = "status")
    private What what;

    @Option(
            names = {"-f", "--force"},
            description = "stop: even with guests, which are destroyed.")
    private boolean force;

    @Override
    public Integer call() {
        RuntimeDirectory directory = RuntimeDirectory.of(System::getenv);
        try {
            if (what == What.START) {
                HostClient.connect(directory).close();
            }
            Optional<HostClient> running = HostClient.connectIfRunning(directory);
            if (running.isEmpty()) {
                System.out.println("no host process runs (" + directory.path() + ")");
                return what == What.STATUS ? 1 : 0;
            }
            try (HostClient client = running.get()) {
                if (what == What.STOP) {
                    client.ask(new Stop(force));
                    return 0;
                }
                Answer.Welcome welcome = client.welcome();
                System.out.println("host process " + welcome.pid() + ", build " + welcome.build() + ", "
                        + welcome.domains() + " guest(s), log " + directory.log());
                return 0;
            }
        } catch (HostException e) {
            throw new CliException(ExitStatus.FAILED, e.getMessage(), e);
        }
    }
}
