package org.xenolith.bench;

import org.xenolith.cli.Subcommand;
import picocli.CommandLine;

/** Brings {@code xeno bench} to the command line. */
public final class BenchSubcommand implements Subcommand {
    @Override
    public Object command() {
        // --run-arg takes options of another command.
        return new CommandLine(new BenchCommand()).setAllowOptionsAsOptionParameters(true);
    }
}
