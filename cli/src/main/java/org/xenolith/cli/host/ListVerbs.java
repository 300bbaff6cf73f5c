package org.xenolith.cli.host;

import java.time.Instant;
import java.time.LocalTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.xenolith.daemon.HostConnection;
import org.xenolith.daemon.HostException;
import org.xenolith.daemon.protocol.Answer;
import org.xenolith.daemon.protocol.Answer.DomainEntry;
import org.xenolith.daemon.protocol.Command.ListDomains;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Verbs that list domains. */
final class ListVerbs {
    private static final double NANOS = 1e9;
    /** Letters of shutdown reasons, by Xen's codes: poweroff, reboot, suspend, crash, watchdog, soft reset. */
    private static final String REASONS = "-rscwS";

    private ListVerbs() {}

    /** How {@code -o} shows things. */
    enum Format {
        TABLE,
        WIDE,
        NAME,
        JSON,
        YAML;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    @Command(
            name = "list",
            header = {
                "Lists domains: memory in MiB, virtual CPUs, state, processor time.",
                "",
                "  xeno list                all of them",
                "  xeno list -l web         what web was made of, as JSON",
                "  xeno list -o name        names only; also json, yaml, wide",
                ""
            },
            description = {
                "",
                "State: r runs, b waits, p paused, s its guest has ended, c it crashed, d it is being destroyed.",
                "Domain 0 is the host process itself.",
                ""
            })
    static final class ListDomainsVerb extends HostVerb {
        @Parameters(index = "0", arity = "0..1", paramLabel = "DOMAIN", description = "Only this one.")
        private String domain;

        @Option(
                names = {"-l", "--long"},
                description = "Everything that the domains were made of, as JSON.")
        private boolean details;

        @Option(
                names = {"-v", "--verbose"},
                description = "UUIDs, and why guests ended.")
        private boolean verbose;

        @Option(
                names = {"-Z", "--context"},
                description = "Security labels, of which there are none.")
        private boolean context;

        @Option(
                names = {"-c", "--cpupool"},
                description = "CPU pools.")
        private boolean pool;

        @Option(
                names = {"-n", "--numa"},
                description = "NUMA nodes that virtual CPUs prefer.")
        private boolean numa;

        @Option(
                names = {"-o", "--output"},
                paramLabel = "FORMAT",
                description = "${COMPLETION-CANDIDATES}. Default: table",
                defaultValue = "table")
        private Format format;

        ListDomainsVerb(HostAccess access) {
            super(access);
        }

        @Override
        int run(HostConnection host) throws HostException {
            List<DomainEntry> domains = host.ask(new ListDomains(domain == null ? List.of() : List.of(domain)))
                    .domains();
            if (details) {
                print(DomainJson.details(domains) + "\n");
                return 0;
            }
            StringBuilder out = new StringBuilder();
            switch (format) {
                case TABLE, WIDE -> table(domains, out);
                case NAME -> domains.forEach(entry -> out.append(entry.name()).append('\n'));
                case JSON ->
                    out.append(DomainJson.json(
                                    domains.stream().map(ListVerbs::fields).toList()))
                            .append('\n');
                case YAML ->
                    out.append(DomainJson.yaml(
                            domains.stream().map(ListVerbs::fields).toList()));
            }
            print(out);
            return 0;
        }

        private void table(List<DomainEntry> domains, StringBuilder out) {
            boolean wide = format == Format.WIDE;
            out.append("Name                                        ID   Mem VCPUs\tState\tTime(s)");
            if (verbose) {
                out.append("   UUID                            Reason-Code\tSecurity Label");
            } else if (context) {
                out.append("   Security Label");
            }
            if (pool || wide) {
                out.append("         Cpupool");
            }
            if (numa) {
                out.append(" NODE Affinity");
            }
            if (wide) {
                out.append("  Max(MiB)  MaxVCPUs  Type  Engine      UUID");
            }
            out.append('\n');
            for (DomainEntry entry : domains) {
                out.append(String.format(
                        Locale.ROOT,
                        "%-40s %5d %5d %5d     %s%c%c  %8.1f",
                        entry.name(),
                        entry.id(),
                        (entry.memoryKib() + entry.claimedKib()) >> 10,
                        entry.onlineVcpus(),
                        entry.flags().substring(0, 4),
                        reason(entry),
                        entry.flags().charAt(5),
                        entry.cpuNanos() / NANOS));
                if (verbose) {
                    out.append(' ').append(entry.uuid());
                    out.append(
                            entry.shutdownReason() == null
                                    ? String.format("%9s", "-")
                                    : String.format(" %8x", entry.shutdownReason()));
                }
                if (verbose || context) {
                    out.append(String.format(" %16s", "-"));
                }
                if (pool || wide) {
                    out.append(String.format("%16s", entry.pool()));
                }
                if (numa) {
                    out.append(" all");
                }
                if (wide) {
                    out.append(String.format(
                            "  %8d  %8d  %-4s  %-10s  %s",
                            entry.maxMemoryKib() >> 10,
                            entry.vcpus().size(),
                            entry.type(),
                            entry.engine().isEmpty() ? "-" : entry.engine(),
                            entry.uuid()));
                }
                out.append('\n');
            }
        }
    }

    private static char reason(DomainEntry entry) {
        if (entry.shutdownReason() == null) {
            return '-';
        }
        int reason = entry.shutdownReason();
        return reason >= 0 && reason < REASONS.length() ? REASONS.charAt(reason) : '?';
    }

    /** The fields of {@code -o json}: names are for good. */
    private static Map<String, Object> fields(DomainEntry entry) {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("id", entry.id());
        fields.put("name", entry.name());
        fields.put("uuid", entry.uuid());
        fields.put("type", entry.type());
        fields.put("state", entry.flags());
        fields.put("shutdownReason", entry.shutdownReason());
        fields.put("memoryKib", entry.memoryKib());
        fields.put("targetKib", entry.targetKib());
        fields.put("maxMemoryKib", entry.maxMemoryKib());
        fields.put("vcpus", entry.onlineVcpus());
        fields.put("maxVcpus", entry.vcpus().size());
        fields.put("cpuSeconds", entry.cpuNanos() / NANOS);
        fields.put("pool", entry.pool());
        fields.put("engine", entry.engine());
        fields.put("created", Instant.ofEpochMilli(entry.createdMillis()).toString());
        return fields;
    }

    @Command(
            name = "vm-list",
            header = {
                "Lists guests by UUID, without domain 0.",
                "",
                "  xeno vm-list                       all of them",
                "  xeno vm-list | tail -n +2          without the heading",
                "  xeno list -v                       the same and more",
                ""
            })
    static final class VmList extends HostVerb {
        VmList(HostAccess access) {
            super(access);
        }

        @Override
        int run(HostConnection host) throws HostException {
            StringBuilder out = new StringBuilder("UUID                                  ID    name\n");
            for (DomainEntry entry : host.ask(new ListDomains(List.of())).domains()) {
                if (entry.id() != 0) {
                    out.append(line("%s  %d    %-30s", entry.uuid(), entry.id(), entry.name()));
                }
            }
            print(out);
            return 0;
        }
    }

    @Command(
            name = "vcpu-list",
            header = {
                "Lists virtual CPUs: where they run, their state, time and affinity.",
                "",
                "  xeno vcpu-list           those of all domains",
                "  xeno vcpu-list web       those of web",
                "  xeno vcpu-list web 4     of two domains",
                ""
            })
    static final class VcpuList extends HostVerb {
        @Parameters(arity = "0..*", paramLabel = "DOMAIN", description = "Only these.")
        private List<String> domains = List.of();

        VcpuList(HostAccess access) {
            super(access);
        }

        @Override
        int run(HostConnection host) throws HostException {
            StringBuilder out = new StringBuilder(line(
                    "%-32s %5s %5s %5s %5s %9s %s",
                    "Name", "ID", "VCPU", "CPU", "State", "Time(s)", "Affinity (Hard / Soft)"));
            for (DomainEntry entry : host.ask(new ListDomains(domains)).domains()) {
                for (Answer.Vcpu vcpu : entry.vcpus()) {
                    out.append(row(entry, vcpu));
                }
            }
            print(out);
            return 0;
        }

        private static String row(DomainEntry entry, Answer.Vcpu vcpu) {
            return line(
                    "%-32s %5d %5d%s %5s %9.1f  %s / %s",
                    entry.name(),
                    entry.id(),
                    vcpu.id(),
                    // Nobody knows the CPU of one that the operating system schedules.
                    vcpu.online() && vcpu.cpu() != null ? String.format("%5d", vcpu.cpu()) : "    -",
                    vcpu.flags(),
                    vcpu.cpuNanos() / NANOS,
                    vcpu.hard(),
                    vcpu.soft());
        }
    }

    @Command(
            name = "uptime",
            header = {
                "Prints how long domains have been there.",
                "",
                "  xeno uptime              all of them, domain 0 is the host process",
                "  xeno uptime web          one of them",
                "  xeno uptime -s web       with the time of day",
                ""
            })
    static final class Uptime extends HostVerb {
        private static final DateTimeFormatter CLOCK = DateTimeFormatter.ofPattern("HH:mm:ss");

        @Option(names = "-s", description = "Short, with the time of day.")
        private boolean brief;

        @Parameters(arity = "0..*", paramLabel = "DOMAIN", description = "Only these.")
        private List<String> domains = List.of();

        Uptime(HostAccess access) {
            super(access);
        }

        @Override
        int run(HostConnection host) throws HostException {
            Instant now = Instant.now();
            StringBuilder out = new StringBuilder();
            if (!brief) {
                out.append(line("%-33s %4s %s", "Name", "ID", "Uptime"));
            }
            for (DomainEntry entry : host.ask(new ListDomains(domains)).domains()) {
                long seconds = Math.max(0, now.getEpochSecond() - entry.createdMillis() / 1000);
                out.append(
                        brief
                                ? line(
                                        " %s up %s, %s (%d)",
                                        LocalTime.ofInstant(now, ZoneId.systemDefault())
                                                .format(CLOCK),
                                        duration(seconds, true),
                                        entry.name(),
                                        entry.id())
                                : line("%-33s %4d %s", entry.name(), entry.id(), duration(seconds, false)));
            }
            print(out);
            return 0;
        }

        /** As xl writes it: days only when there are some, seconds only in the long form. */
        static String duration(long seconds, boolean brief) {
            long days = seconds / 86400;
            String clock = String.format("%2d:%02d", seconds / 3600 % 24, seconds / 60 % 60);
            clock = brief ? clock : clock + String.format(":%02d", seconds % 60);
            return days == 0 ? clock : days + (days == 1 ? " day, " : " days, ") + clock;
        }
    }

    @Command(
            name = "top",
            header = {
                "Shows what domains use, again and again.",
                "",
                "  xeno top                 until 'q'",
                "  xeno top -b -i 2 -d 1    two rounds, one second apart, for a script",
                "  xeno top -d 10           every ten seconds",
                ""
            })
    static final class Top extends HostVerb {
        @Option(
                names = {"-b", "--batch"},
                description = "Print one round below the other, for scripts.")
        private boolean batch;

        @Option(
                names = {"-d", "--delay"},
                paramLabel = "SECONDS",
                description = "Time between two rounds. Default: 3",
                defaultValue = "3")
        private int delay;

        @Option(
                names = {"-i", "--iterations"},
                paramLabel = "N",
                description = "End after N rounds.")
        private int iterations;

        @Option(
                names = {"-f", "--full-name"},
                description = "Whole names.")
        private boolean fullNames;

        Top(HostAccess access) {
            super(access);
        }

        @Override
        void check() {
            if (delay < 0 || iterations < 0) {
                throw usage("--delay and --iterations are not negative");
            }
        }

        @Override
        int run(HostConnection host) throws HostException, InterruptedException {
            return new TopScreen(host, batch, fullNames).run(delay, iterations);
        }
    }

    /** For {@code top}. */
    static List<DomainEntry> all(HostConnection host) throws HostException {
        return new ArrayList<>(host.ask(new ListDomains(List.of())).domains());
    }
}
