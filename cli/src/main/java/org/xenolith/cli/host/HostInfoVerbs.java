package org.xenolith.cli.host;

import java.util.Map;
import org.xenolith.daemon.HostConnection;
import org.xenolith.daemon.HostException;
import org.xenolith.daemon.protocol.Answer;
import org.xenolith.daemon.protocol.Command.GetHost;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Verbs about the host as a whole. */
final class HostInfoVerbs {
    private HostInfoVerbs() {}

    @Command(
            name = "info",
            header = {
                "Tells about the host: CPUs, memory, version.",
                "",
                "  xeno info                  all of it",
                "  xeno info free_memory      one value, for a script",
                "  xeno info -n               NUMA nodes and CPUs too",
                ""
            })
    static final class Info extends HostVerb {
        @Parameters(index = "0", arity = "0..1", paramLabel = "NAME", description = "Only values that begin so.")
        private String name;

        @Option(
                names = {"-n", "--numa"},
                description = "NUMA nodes and CPUs too.")
        private boolean numa;

        Info(HostAccess access) {
            super(access);
        }

        @Override
        int run(HostConnection host) throws HostException {
            Answer.HostFacts facts = host.ask(new GetHost());
            StringBuilder out = new StringBuilder();
            for (Map.Entry<String, String> fact : facts.facts().entrySet()) {
                if (name == null || numa) {
                    // xl has a space behind the colon, but for virt_caps, whose words bring it.
                    out.append(line("%-23s: %s", fact.getKey(), fact.getValue()));
                    if (numa && fact.getKey().equals("free_cpus")) {
                        topology(facts, out);
                    }
                } else if (fact.getKey().startsWith(name)) {
                    out.append(fact.getValue()).append('\n');
                }
            }
            print(out);
            return 0;
        }

        private static void topology(Answer.HostFacts facts, StringBuilder out) {
            out.append("cpu_topology           :\ncpu:    core    socket     node\n");
            for (int cpu = 0; cpu < facts.cpus(); cpu++) {
                out.append(line("%3d:    %4d     %4d     %4d", cpu, cpu, 0, 0));
            }
            out.append("device topology        :\ndevice           node\nNo device topology data available\n");
            out.append("numa_info              :\nnode:    memsize    memfree    distances\n");
            out.append(line(
                    "%4d:    %6d     %6d      %d", 0, facts.totalMemoryKib() >> 10, facts.freeMemoryKib() >> 10, 10));
        }
    }

    @Command(
            name = "dmesg",
            header = {
                "Prints the host's log: what happens to domains, and what guests write to it.",
                "",
                "  xeno dmesg                 the latest lines",
                "  xeno dmesg -c              and empties it",
                "  xeno debug-keys q && xeno dmesg | tail",
                ""
            })
    static final class Dmesg extends HostVerb {
        @Option(
                names = {"-c", "--clear"},
                description = "Empty it as well.")
        private boolean clear;

        Dmesg(HostAccess access) {
            super(access);
        }

        @Override
        int run(HostConnection host) throws HostException {
            print(host.ask(new org.xenolith.daemon.protocol.Command.ReadLog(clear))
                    .text());
            return 0;
        }
    }

    @Command(
            name = "debug-keys",
            header = {
                "Has the host write about itself into its log, a letter a subject.",
                "",
                "  xeno debug-keys h && xeno dmesg      the letters",
                "  xeno debug-keys q && xeno dmesg      domains",
                "  xeno debug-keys mr && xeno dmesg     memory, then virtual CPUs",
                ""
            })
    static final class DebugKeys extends HostVerb {
        @Parameters(index = "0", paramLabel = "LETTERS", description = "One or more.")
        private String letters;

        DebugKeys(HostAccess access) {
            super(access);
        }

        @Override
        int run(HostConnection host) throws HostException {
            host.ask(new org.xenolith.daemon.protocol.Command.DebugKeys(letters));
            return 0;
        }
    }
}
