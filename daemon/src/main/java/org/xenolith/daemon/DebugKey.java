package org.xenolith.daemon;

import java.util.Arrays;
import java.util.stream.Collectors;
import org.xenolith.daemon.protocol.Answer;
import org.xenolith.toolstack.Domain;
import org.xenolith.toolstack.DomainInfo;
import org.xenolith.toolstack.Host;
import org.xenolith.toolstack.HostInfo;
import org.xenolith.toolstack.Monitor;

/** What a letter of {@code xl debug-keys} has the host write into its log; letters as in Xen where it has the same subject. */
enum DebugKey {
    HELP('h', "show this list") {
        @Override
        String write(Host host) {
            return "keys: "
                    + Arrays.stream(values())
                            .map(key -> key.letter + " " + key.subject)
                            .collect(Collectors.joining(", "));
        }
    },
    MEMORY('m', "memory") {
        @Override
        String write(Host host) {
            HostInfo info = host.info();
            return "memory: " + (info.memoryBytes() >> 20) + " MiB, free " + (info.freeBytes() >> 20) + " MiB, claimed "
                    + (info.claimedBytes() >> 20) + " MiB";
        }
    },
    DOMAINS('q', "domains and their virtual CPUs") {
        @Override
        String write(Host host) {
            return "domains: " + host.domains().stream().map(DebugKey::line).collect(Collectors.joining("; "));
        }
    },
    RUN_QUEUES('r', "pools, run queues and what is in them") {
        @Override
        String write(Host host) {
            return "scheduler:\n" + host.scheduler().describe();
        }
    },
    DUMP_REGISTERS('d', "registers of all guests") {
        @Override
        String write(Host host) {
            return "registers: "
                    + host.domains().stream().map(DebugKey::registers).collect(Collectors.joining("\n"));
        }
    };

    private final char letter;
    private final String subject;

    DebugKey(char letter, String subject) {
        this.letter = letter;
        this.subject = subject;
    }

    abstract String write(Host host);

    private static String registers(Domain domain) {
        try (Monitor monitor = domain.monitor()) {
            monitor.execute("pause");
            return "d" + domain.id() + "\n" + monitor.execute("registers");
        }
    }

    private static String line(Domain domain) {
        DomainInfo info = domain.info();
        return "d" + info.id() + " " + info.name() + " " + info.flags() + " " + (info.memoryBytes() >> 20) + " MiB, "
                + info.onlineVcpus() + " of " + info.vcpus().size() + " virtual CPUs on line";
    }

    static DebugKey of(char letter) throws HostException {
        for (DebugKey key : values()) {
            if (key.letter == letter) {
                return key;
            }
        }
        throw new HostException(
                Answer.Reason.INVALID,
                "cannot send debug keys: '" + letter + "' is not one of "
                        + Arrays.stream(values())
                                .map(key -> String.valueOf(key.letter))
                                .collect(Collectors.joining(" ")));
    }
}
