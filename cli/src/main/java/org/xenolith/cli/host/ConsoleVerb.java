package org.xenolith.cli.host;

import org.xenolith.daemon.HostConnection;
import org.xenolith.daemon.HostException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code console}: joins a guest's console to this terminal or these pipes. */
@Command(
        name = "console",
        header = {
            "Joins a guest's console.",
            "",
            "  xeno console web              keys go to the guest, Ctrl-] leaves",
            "  xeno console -e ^T web        Ctrl-T leaves",
            "  xeno console web > log        what it says, until it ends",
            ""
        },
        description = {
            "",
            "Shows first what the guest said lately. Several consoles may be joined to one guest. After the guest's end"
                    + " its last words can be read for a while.",
            ""
        })
final class ConsoleVerb extends HostVerb {
    @Parameters(index = "0", paramLabel = "DOMAIN", description = "A domain's name or identifier.")
    private String domain;

    @Option(names = "-t", paramLabel = "TYPE", description = "pv or serial: the one console that a guest has.")
    private String type;

    @Option(names = "-n", paramLabel = "NUMBER", description = "0: there is one.", defaultValue = "0")
    private int number;

    @Option(names = "-e", paramLabel = "KEY", description = "Key that leaves, as ^X. Default: ^]", defaultValue = "^]")
    private String escape;

    ConsoleVerb(HostAccess access) {
        super(access);
    }

    @Override
    void check() {
        if (type != null && !type.equals("pv") && !type.equals("serial")) {
            throw usage("console type '" + type + "': pv and serial are supported");
        }
        if (number != 0) {
            throw usage("console " + number + ": a guest has one console, number 0");
        }
        key(escape);
    }

    /** The code of a key that is written as {@code ^X} or as itself. */
    private static int key(String text) {
        if (text.length() == 2 && text.charAt(0) == '^' && Character.toUpperCase(text.charAt(1)) >= '@') {
            return Character.toUpperCase(text.charAt(1)) & 0x1F;
        }
        if (text.length() == 1) {
            return text.charAt(0);
        }
        throw usage("-e '" + text + "' is no key: write ^] for Ctrl-], or one character");
    }

    @Override
    int run(HostConnection host) throws HostException, InterruptedException {
        return new ConsoleClient(host.attach(domain), program(), key(escape)).run();
    }
}
