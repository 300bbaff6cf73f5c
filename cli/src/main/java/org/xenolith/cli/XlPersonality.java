package org.xenolith.cli;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.xenolith.cli.host.HostAccess;
import org.xenolith.cli.host.HostVerbs;
import picocli.CommandLine;

/**
 * The program as Xen's {@code xl}: called by that name through a symbolic link, or as {@code xeno xl}. It has xl's global
 * options before the verb, xl's verbs, and xl's statuses: 0, 1, and 2 for wrong usage.
 */
final class XlPersonality {
    private static final String NAME = "xl";

    private final HostAccess host;

    XlPersonality(HostAccess host) {
        this.host = host;
    }

    int run(String... args) {
        boolean dryRun = false;
        int at = 0;
        while (at < args.length && args[at].startsWith("-") && args[at].length() > 1) {
            for (char option : args[at].substring(1).toCharArray()) {
                switch (option) {
                    case 'v', 'f', 't', 'T' -> {
                        // Verbosity, force and the form of progress: there is nothing that they would change.
                    }
                    case 'N' -> dryRun = true;
                    case 'h' -> {
                        return help(System.out, 0);
                    }
                    default -> {
                        System.err.println("unknown global option");
                        return ExitStatus.FAILED.code();
                    }
                }
            }
            at++;
        }
        if (at == args.length) {
            return help(System.out, ExitStatus.FAILED.code());
        }
        String verb = args[at];
        if (verb.equals("help")) {
            return at + 1 < args.length && HostVerbs.isVerb(args[at + 1])
                    ? execute(args[at + 1], List.of("--help"))
                    : help(System.out, 0);
        }
        if (!HostVerbs.isVerb(verb)) {
            System.err.println(
                    HostVerbs.isMissing(verb) ? "command not implemented: " + verb : "command not implemented");
            return ExitStatus.FAILED.code();
        }
        List<String> rest = new ArrayList<>(Arrays.asList(args).subList(at + 1, args.length));
        if (dryRun) {
            if (!verb.equals("create") && !verb.equals("cpupool-create")) {
                System.err.println("command does not implement -N (dryrun) option");
                return ExitStatus.FAILED.code();
            }
            rest.addFirst("-n");
        }
        return execute(verb, rest);
    }

    private int execute(String verb, List<String> rest) {
        CommandLine line = Main.commandLine(NAME, host, verb);
        List<String> all = new ArrayList<>(List.of(verb));
        all.addAll(rest);
        return line.execute(all.toArray(String[]::new));
    }

    private static int help(java.io.PrintStream out, int status) {
        out.println("Usage xl [-vfNtT] <subcommand> [args]\n\nxl full list of subcommands:\n");
        for (String verb : HostVerbs.names()) {
            String first = Arrays.stream(new CommandLine(HostVerbs.command(verb, HostAccess.OF_USER))
                            .getCommandSpec()
                            .usageMessage()
                            .header())
                    .findFirst()
                    .orElse("");
            out.printf(" %-19s %s%n", verb, first);
        }
        return status;
    }
}
