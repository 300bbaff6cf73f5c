package org.xenolith.bench;

import org.xenolith.cli.Subcommand;

/** Brings {@code xeno bench} to the command line. */
public final class BenchSubcommand implements Subcommand {
    @Override
    public Object command() {
        return new BenchCommand();
    }
}
