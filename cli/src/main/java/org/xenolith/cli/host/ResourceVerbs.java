package org.xenolith.cli.host;

import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.xenolith.cli.CliException;
import org.xenolith.cli.ExitStatus;
import org.xenolith.daemon.HostConnection;
import org.xenolith.daemon.HostException;
import org.xenolith.daemon.protocol.Answer;
import org.xenolith.toolstack.config.CpuList;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Verbs that change what a running domain has: virtual CPUs, memory. */
final class ResourceVerbs {
    private static final Pattern SIZE = Pattern.compile("([0-9]{1,15})([bkmgt]?)");

    private ResourceVerbs() {}

    private static CliException failed(String message) {
        return new CliException(ExitStatus.FAILED, message);
    }

    @Command(
            name = "vcpu-set",
            header = {
                "Asks a guest to have a number of virtual CPUs on line.",
                "",
                "  xeno vcpu-set web 2      the first two",
                "  xeno vcpu-set web 4      at most maxvcpus of its configuration",
                "  xeno vcpu-list web       what became of it",
                ""
            })
    static final class VcpuSet extends DomainVerbs.OfDomain {
        @Parameters(index = "1", paramLabel = "COUNT", description = "How many.")
        private String count;

        @Option(
                names = {"-i", "--ignore-host"},
                description = "Even more than the host has CPUs.")
        private boolean ignoreHost;

        VcpuSet(HostAccess access) {
            super(access);
        }

        @Override
        void check() {
            if (!count.matches("[0-9]{1,6}")) {
                throw failed("Error: Invalid argument. '" + count + "' is no number of virtual CPUs");
            }
        }

        @Override
        int run(HostConnection host) throws HostException {
            int wanted = Integer.parseInt(count);
            if (!ignoreHost) {
                int cpus = host.ask(new org.xenolith.daemon.protocol.Command.GetHost())
                        .cpus();
                int online = host.ask(new org.xenolith.daemon.protocol.Command.ListDomains(List.of(domain)))
                        .domains()
                        .getFirst()
                        .onlineVcpus();
                if (wanted > online && wanted > cpus) {
                    throw failed("You are overcommmitting! You have " + cpus + " physical CPUs and want " + wanted
                            + " vCPUs! Aborting, use --ignore-host to continue");
                }
            }
            host.ask(new org.xenolith.daemon.protocol.Command.SetVcpus(domain, wanted));
            return 0;
        }
    }

    @Command(
            name = "vcpu-pin",
            header = {
                "Sets where virtual CPUs may run, and where they should.",
                "",
                "  xeno vcpu-pin web 0 1            virtual CPU 0 on host CPU 1 only",
                "  xeno vcpu-pin web all 0-3,^2     all of them on CPUs 0, 1 and 3",
                "  xeno vcpu-pin web all - 1        only a preference; '-' leaves the other as it is",
                ""
            })
    static final class VcpuPin extends DomainVerbs.OfDomain {
        @Parameters(index = "1", paramLabel = "VCPU", description = "A number, or all.")
        private String vcpu;

        @Parameters(
                index = "2",
                paramLabel = "HARD",
                description = "CPUs that it may run on: 0-3,^2, node:0, all, or -.")
        private String hard;

        @Parameters(index = "3", arity = "0..1", paramLabel = "SOFT", description = "CPUs that it should run on.")
        private String soft;

        @Option(
                names = {"-f", "--force"},
                description = "Taken as Xen's xl does; nothing is overridden here.")
        private boolean force;

        @Option(names = "--ignore-global-affinity-masks", description = "Taken as Xen's xl does; there are none.")
        private boolean ignoreMasks;

        VcpuPin(HostAccess access) {
            super(access);
        }

        @Override
        void check() {
            if (!vcpu.equals("all") && !vcpu.matches("[0-9]{1,6}")) {
                throw failed("Error: Invalid argument " + vcpu + " as VCPU.");
            }
            if (force && vcpu.equals("all")) {
                throw failed("Error: --force and 'all' as VCPU not allowed.");
            }
            list(hard);
            list(soft);
        }

        private static String list(String text) {
            if (text == null || text.equals("-")) {
                return null;
            }
            try {
                return CpuList.parse(text).toString();
            } catch (IllegalArgumentException e) {
                throw failed(e.getMessage());
            }
        }

        @Override
        int run(HostConnection host) throws HostException {
            host.ask(new org.xenolith.daemon.protocol.Command.Pin(
                    domain, vcpu.equals("all") ? null : Integer.valueOf(vcpu), list(hard), list(soft)));
            return 0;
        }
    }

    /** Memory as xl reads it, in KiB: MiB without a letter. */
    static long kib(String text) {
        Matcher matcher = SIZE.matcher(text.toLowerCase(Locale.ROOT));
        if (!matcher.matches()) {
            throw failed("invalid memory size: " + text + ": write 512, 512m, 2g or 65536k");
        }
        long number = Long.parseLong(matcher.group(1));
        int shift = switch (matcher.group(2)) {
            case "t" -> 30;
            case "g" -> 20;
            case "k" -> 0;
            case "b" -> -10;
            default -> 10;
        };
        if (shift > 0 && number > Long.MAX_VALUE >> shift + 10) {
            throw failed("invalid memory size: " + text + " is more than any machine has");
        }
        return shift < 0 ? number >> -shift : number << shift;
    }

    @Command(
            name = "mem-set",
            header = {
                "Asks a guest to use another amount of memory; its balloon driver does it.",
                "",
                "  xeno mem-set web 256      256 MiB",
                "  xeno mem-set web 2g       at most what mem-max allows",
                "  xeno list web             what became of it",
                ""
            })
    static final class MemSet extends DomainVerbs.OfDomain {
        @Parameters(
                index = "1",
                paramLabel = "SIZE",
                description = "512, 512m, 2g, 65536k, 1048576b; MiB without a letter.")
        private String size;

        MemSet(HostAccess access) {
            super(access);
        }

        @Override
        void check() {
            kib(size);
        }

        @Override
        int run(HostConnection host) throws HostException {
            host.ask(new org.xenolith.daemon.protocol.Command.SetMemory(domain, kib(size)));
            return 0;
        }
    }

    @Command(
            name = "mem-max",
            header = {
                "Sets the most memory that a guest can have.",
                "",
                "  xeno mem-max web 1024     1 GiB",
                "  xeno mem-max web 1g       the same",
                "  xeno mem-set web 1g       has it use that much",
                ""
            })
    static final class MemMax extends DomainVerbs.OfDomain {
        @Parameters(
                index = "1",
                paramLabel = "SIZE",
                description = "512, 512m, 2g, 65536k, 1048576b; MiB without a letter.")
        private String size;

        MemMax(HostAccess access) {
            super(access);
        }

        @Override
        void check() {
            kib(size);
        }

        @Override
        int run(HostConnection host) throws HostException {
            host.ask(new org.xenolith.daemon.protocol.Command.SetMaxMemory(domain, kib(size)));
            return 0;
        }
    }

    @Command(
            name = "sched-credit2",
            header = {
                "Shows or sets weights and caps of the credit2 scheduler.",
                "",
                "  xeno sched-credit2                      those of all domains",
                "  xeno sched-credit2 -d web -w 512        twice the share of a weight of 256",
                "  xeno sched-credit2 -d web -c 50         at most half a CPU",
                ""
            })
    static final class SchedCredit2 extends HostVerb {
        @Option(
                names = {"-d", "--domain"},
                paramLabel = "DOMAIN",
                description = "Only this one.")
        private String domain;

        @Option(
                names = {"-w", "--weight"},
                paramLabel = "N",
                description = "Weight, 1 to 65535.")
        private Integer weight;

        @Option(
                names = {"-c", "--cap"},
                paramLabel = "PERCENT",
                description = "Most CPU time in percent of a CPU; 0 for no limit.")
        private Integer cap;

        @Option(
                names = {"-p", "--cpupool"},
                paramLabel = "POOL",
                description = "Only domains of this pool.")
        private String pool;

        @Option(
                names = {"-s", "--schedparam"},
                description = "The scheduler's own parameters.")
        private boolean parameters;

        @Option(
                names = {"-r", "--ratelimit_us"},
                paramLabel = "MICROSECONDS",
                description = "Shortest time that a virtual CPU runs before another takes its place.")
        private Integer rateLimit;

        SchedCredit2(HostAccess access) {
            super(access);
        }

        @Override
        void check() {
            if (pool != null && (domain != null || weight != null || cap != null)) {
                throw failed("Specifying a cpupool is not allowed with other options.");
            }
            if (domain == null && (weight != null || cap != null)) {
                throw failed("Must specify a domain.");
            }
            if (weight != null && (weight < 1 || weight > 65535)) {
                throw failed("weight " + weight + " is out of range: 1 to 65535");
            }
            if (cap != null && cap < 0) {
                throw failed("cap " + cap + " is out of range: 0 for none, 50 for half a CPU");
            }
        }

        @Override
        int run(HostConnection host) throws HostException {
            if (parameters && rateLimit != null) {
                host.ask(new org.xenolith.daemon.protocol.Command.SetRateLimit(
                        pool == null ? pools(host).getFirst().name() : pool, rateLimit));
                return 0;
            }
            if (weight != null || cap != null) {
                host.ask(new org.xenolith.daemon.protocol.Command.SetCredit(domain, weight, cap));
                return 0;
            }
            StringBuilder out = new StringBuilder();
            if (domain != null) {
                header(out);
                rows(scheduling(host, List.of(domain)), "credit2", null, out);
            } else {
                for (Answer.Pool one : chosen(pools(host), pool, "credit2")) {
                    out.append(line("Cpupool %s: ratelimit=%dus", one.name(), one.rateLimitMicros()));
                    if (!parameters) {
                        header(out);
                        rows(scheduling(host, List.of()), "credit2", one.name(), out);
                    }
                }
            }
            print(out);
            return 0;
        }

        private static void header(StringBuilder out) {
            out.append(line("%-33s %4s %6s %4s", "Name", "ID", "Weight", "Cap"));
        }

        private static void rows(List<Answer.SchedulingEntry> entries, String kind, String pool, StringBuilder out)
                throws HostException {
            for (Answer.SchedulingEntry entry : entries) {
                if (pool == null || pool.equals(entry.pool())) {
                    requireScheduler(entry, kind);
                    out.append(line("%-33s %4d %6d %4d", entry.name(), entry.id(), entry.weight(), entry.cap()));
                }
            }
        }
    }

    private static void requireScheduler(Answer.SchedulingEntry entry, String kind) throws HostException {
        if (!entry.scheduler().equals(kind)) {
            throw new HostException(
                    Answer.Reason.REFUSED,
                    "domain " + entry.name() + " is in " + entry.pool() + ", whose scheduler is " + entry.scheduler()
                            + ", not " + kind);
        }
    }

    private static List<Answer.SchedulingEntry> scheduling(HostConnection host, List<String> domains)
            throws HostException {
        return host.ask(new org.xenolith.daemon.protocol.Command.GetScheduling(domains))
                .domains();
    }

    static List<Answer.Pool> pools(HostConnection host) throws HostException {
        return host.ask(new org.xenolith.daemon.protocol.Command.ListPools()).pools();
    }

    private static List<Answer.Pool> chosen(List<Answer.Pool> pools, String name, String scheduler)
            throws HostException {
        if (name != null && pools.stream().noneMatch(pool -> pool.name().equals(name))) {
            throw new HostException(Answer.Reason.NOT_FOUND, "unknown cpupool '" + name + "'");
        }
        return pools.stream()
                .filter(pool -> pool.scheduler().equals(scheduler)
                        && (name == null || pool.name().equals(name)))
                .toList();
    }

    @Command(
            name = "sched-rtds",
            header = {
                "Shows or sets reservations of the RTDS scheduler.",
                "",
                "  xeno sched-rtds                                          those of all domains",
                "  xeno sched-rtds -d web -v all                            for each virtual CPU",
                "  xeno sched-rtds -d web -v all -p 10000 -b 4000 -e 0      4 of every 10 ms, and no more",
                ""
            })
    static final class SchedRtds extends HostVerb {
        @Option(
                names = {"-d", "--domain"},
                paramLabel = "DOMAIN",
                description = "Only this one.")
        private String domain;

        @Option(
                names = {"-v", "--vcpuid"},
                paramLabel = "VCPU",
                description = "A virtual CPU, or all; may be given again.")
        private List<String> vcpus = List.of();

        @Option(
                names = {"-p", "--period"},
                paramLabel = "MICROSECONDS",
                description = "Period; one for each -v.")
        private List<Integer> periods = List.of();

        @Option(
                names = {"-b", "--budget"},
                paramLabel = "MICROSECONDS",
                description = "Time in each period.")
        private List<Integer> budgets = List.of();

        @Option(
                names = {"-e", "--extratime"},
                paramLabel = "0|1",
                description = "Whether idle time beyond the budget may be used.")
        private List<String> extraTime = List.of();

        @Option(
                names = {"-c", "--cpupool"},
                paramLabel = "POOL",
                description = "Only domains of this pool.")
        private String pool;

        SchedRtds(HostAccess access) {
            super(access);
        }

        private boolean sets() {
            return !periods.isEmpty() || !budgets.isEmpty() || !extraTime.isEmpty();
        }

        @Override
        void check() {
            boolean all = vcpus.contains("all");
            if (pool != null && (domain != null || sets() || !vcpus.isEmpty())) {
                throw failed("Specifying a cpupool is not allowed with other options.");
            }
            if (domain == null && (sets() || !vcpus.isEmpty() && !all)) {
                throw failed("Missing parameters: -d names the domain");
            }
            if (domain != null && vcpus.isEmpty() && sets()) {
                throw failed("Must specify VCPU.");
            }
            if (all && vcpus.size() > 1 || vcpus.stream().anyMatch(v -> !v.equals("all") && !v.matches("[0-9]{1,6}"))) {
                throw failed("Incorrect VCPU IDs.");
            }
            if (extraTime.stream().anyMatch(e -> !e.equals("0") && !e.equals("1"))) {
                throw failed("Invalid extratime.");
            }
            if (sets()
                    && (periods.size() != vcpus.size()
                            || budgets.size() != vcpus.size()
                            || extraTime.size() != vcpus.size())) {
                throw failed("Incorrect number of period, budget and extratime: one of each for every -v");
            }
        }

        @Override
        int run(HostConnection host) throws HostException {
            boolean all = vcpus.contains("all");
            if (sets()) {
                host.ask(new org.xenolith.daemon.protocol.Command.SetReservation(
                        domain,
                        all ? List.of() : vcpus.stream().map(Integer::valueOf).toList(),
                        periods,
                        budgets,
                        extraTime.stream().map("1"::equals).toList()));
                return 0;
            }
            StringBuilder out = new StringBuilder();
            if (domain != null) {
                header(out);
                rows(scheduling(host, List.of(domain)), null, out);
            } else {
                for (Answer.Pool one : chosen(pools(host), pool, "rtds")) {
                    out.append(line("Cpupool %s: sched=RTDS", one.name()));
                    header(out);
                    rows(scheduling(host, List.of()), one.name(), out);
                }
            }
            print(out);
            return 0;
        }

        private void header(StringBuilder out) {
            out.append(
                    vcpus.isEmpty()
                            ? line("%-33s %4s %9s %9s %10s", "Name", "ID", "Period", "Budget", "Extratime")
                            : line(
                                    "%-33s %4s %4s %9s %9s %10s",
                                    "Name", "ID", "VCPU", "Period", "Budget", "Extratime"));
        }

        private void rows(List<Answer.SchedulingEntry> entries, String inPool, StringBuilder out) throws HostException {
            for (Answer.SchedulingEntry entry : entries) {
                if (inPool != null && !inPool.equals(entry.pool())) {
                    continue;
                }
                requireScheduler(entry, "rtds");
                for (Answer.Reservation one : entry.vcpus()) {
                    if (vcpus.isEmpty()) {
                        // What all have alike: xl shows the first's.
                        out.append(line(
                                "%-33s %4d %9d %9d %10s",
                                entry.name(),
                                entry.id(),
                                one.periodMicros(),
                                one.budgetMicros(),
                                one.extraTime() ? "yes" : "no"));
                        break;
                    }
                    if (vcpus.contains("all") || vcpus.contains(Integer.toString(one.vcpu()))) {
                        out.append(line(
                                "%-33s %4d %4d %9d %9d %10s",
                                entry.name(),
                                entry.id(),
                                one.vcpu(),
                                one.periodMicros(),
                                one.budgetMicros(),
                                one.extraTime() ? "yes" : "no"));
                    }
                }
            }
        }
    }
}
