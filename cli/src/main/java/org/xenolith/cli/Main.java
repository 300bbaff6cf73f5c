package org.xenolith.cli;

import java.util.ServiceLoader;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The {@code xeno} command. */
@Command(
        name = "xeno",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        header = {
            "Runs stock operating system kernels inside a JVM.",
            "",
            "  ./xeno run                                  Debian's kernel and a shell, now",
            "  ./xeno run -- uname -a                      one command in a guest, its output and status here",
            "  ./xeno run --kernel bzImage --initrd rd.gz  a kernel of your own",
            ""
        },
        usageHelpAutoWidth = true,
        usageHelpWidth = 110,
        synopsisSubcommandLabel = "COMMAND",
        commandListHeading = "%nCommands:%n",
        footer = {"", "'xeno COMMAND --help' tells more about a command."},
        subcommands = RunCommand.class)
public final class Main implements Runnable {
    @Spec
    private CommandSpec spec;

    private Main() {}

    /** Parses, runs, and ends the JVM with the documented status. */
    public static void main(String[] args) {
        System.exit(run(args));
    }

    /** The same without ending the JVM. */
    static int run(String... args) {
        boolean runs = args.length > 0 && args[0].equals("run");
        if (runs) {
            RunCommand.prepare();
        }
        return commandLine(!runs).execute(args);
    }

    /** The command with all its verbs, or with {@code run} alone, which starts faster. */
    private static CommandLine commandLine(boolean allVerbs) {
        CommandLine line = new CommandLine(new Main());
        CommandLine run = line.getSubcommands().get("run");
        run.getCommandSpec().usageMessage().footer(ExitStatus.help());
        if (allVerbs) {
            line.addSubcommand(new CompletionCommand());
            line.addSubcommand(new XtfCommand());
            for (Subcommand other : ServiceLoader.load(Subcommand.class)) {
                line.addSubcommand(other.command());
            }
        }
        line.setParameterExceptionHandler(Main::usageError);
        line.setExecutionExceptionHandler(Main::failure);
        line.setCaseInsensitiveEnumValuesAllowed(true);
        return line;
    }

    @Override
    public void run() {
        spec.commandLine().usage(System.out);
    }

    private static int usageError(ParameterException e, String[] args) {
        String message = e.getMessage().lines().findFirst().orElse("wrong usage");
        if (e instanceof CommandLine.UnmatchedArgumentException unmatched
                && !unmatched.getSuggestions().isEmpty()) {
            message += "; did you mean " + String.join(" or ", unmatched.getSuggestions()) + "?";
        }
        System.err.println("xeno: " + message);
        String verb = e.getCommandLine().getCommandSpec().qualifiedName();
        System.err.println("xeno: '" + verb + " --help' lists the options");
        return ExitStatus.USAGE.code();
    }

    /** One line for what is a person's or a host's matter; only our own fault shows where it happened. */
    private static int failure(Exception e, CommandLine line, CommandLine.ParseResult result) {
        if (e instanceof CliException known) {
            System.err.println("xeno: " + known.getMessage());
            return known.status().code();
        }
        StackTraceElement[] trace = e.getStackTrace();
        System.err.println("xeno: internal fault: " + e + (trace.length > 0 ? " at " + trace[0] : "")
                + "; please report it (XENO_DEBUG=1 shows the details)");
        if (System.getenv("XENO_DEBUG") != null) {
            e.printStackTrace(System.err);
        }
        return ExitStatus.INTERNAL.code();
    }

    /** The version that the build wrote into the jar. */
    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            String version = Main.class.getPackage().getImplementationVersion();
            return new String[] {
                "xeno " + (version == null ? "(unpackaged)" : version),
                "Java " + Runtime.version() + " on " + System.getProperty("os.name") + " "
                        + System.getProperty("os.arch")
            };
        }
    }
}
