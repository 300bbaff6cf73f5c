package org.xenolith.cli;

import java.util.Arrays;
import java.util.ServiceLoader;
import org.xenolith.cli.host.HostAccess;
import org.xenolith.cli.host.HostVerbs;
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
            "  ./xeno create guest.cfg                     a guest in the background, as Xen's xl describes it",
            ""
        },
        usageHelpAutoWidth = true,
        usageHelpWidth = 110,
        synopsisSubcommandLabel = "COMMAND",
        commandListHeading = "%nCommands:%n",
        footer = {"", "'xeno COMMAND --help' tells more about a command."})
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
        return run(HostAccess.OF_USER, args);
    }

    /** The same with another host. */
    static int run(HostAccess host, String... args) {
        if (args.length > 0 && args[0].equals("xl")) {
            return new XlPersonality(host).run(Arrays.copyOfRange(args, 1, args.length));
        }
        String verb = args.length > 0 ? args[0] : "";
        if (verb.equals(AotTraining.VERB)) {
            return AotTraining.run(Arrays.copyOfRange(args, 1, args.length));
        }
        if (verb.equals("run")) {
            RunCommand.prepare();
        }
        if (HostVerbs.isMissing(verb)) {
            System.err.println("xeno: '" + verb + "' is a verb of xl that is not implemented yet");
            return ExitStatus.FAILED.code();
        }
        return commandLine("xeno", host, verb).execute(args);
    }

    /** The command with one verb alone, which starts faster; with all of them when there is no such verb. */
    static CommandLine commandLine(String name, HostAccess host, String verb) {
        CommandLine line = new CommandLine(new Main());
        line.setCommandName(name);
        if (HostVerbs.isVerb(verb)) {
            line.addSubcommand(HostVerbs.command(verb, host));
        } else {
            CommandLine run = new CommandLine(new RunCommand());
            run.getCommandSpec().usageMessage().footer(ExitStatus.help());
            line.addSubcommand(run);
            if (!verb.equals("run")) {
                HostVerbs.names().forEach(other -> line.addSubcommand(HostVerbs.command(other, host)));
                line.addSubcommand(new CompletionCommand());
                line.addSubcommand(new ManCommand());
                line.addSubcommand(new XtfCommand());
                for (Subcommand other : ServiceLoader.load(Subcommand.class)) {
                    line.addSubcommand(other.command());
                }
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
        String program = e.getCommandLine().getCommandSpec().root().name();
        String message = e.getMessage().lines().findFirst().orElse("wrong usage");
        if (e instanceof CommandLine.UnmatchedArgumentException unmatched
                && !unmatched.getSuggestions().isEmpty()) {
            message += "; did you mean " + String.join(" or ", unmatched.getSuggestions()) + "?";
        }
        System.err.println(program + ": " + message);
        String verb = e.getCommandLine().getCommandSpec().qualifiedName();
        System.err.println(program + ": '" + verb + " --help' lists the options");
        return ExitStatus.USAGE.code();
    }

    /** One line for what is a person's or a host's matter; only our own fault shows where it happened. */
    private static int failure(Exception e, CommandLine line, CommandLine.ParseResult result) {
        String program = line.getCommandSpec().root().name();
        if (e instanceof CliException known) {
            System.err.println(program + ": " + known.getMessage());
            return known.status().code();
        }
        StackTraceElement[] trace = e.getStackTrace();
        System.err.println(program + ": internal fault: " + e + (trace.length > 0 ? " at " + trace[0] : "")
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
