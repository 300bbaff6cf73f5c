package org.xenolith.cli.host;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import org.xenolith.cli.CliException;
import org.xenolith.cli.ExitStatus;
import org.xenolith.daemon.HostConnection;
import org.xenolith.daemon.HostException;
import org.xenolith.daemon.protocol.Answer;
import org.xenolith.toolstack.config.ConfigException;
import org.xenolith.toolstack.config.ConfigFile;
import org.xenolith.toolstack.config.ConfigValue;
import org.xenolith.toolstack.config.CpuList;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Verbs about CPU pools. */
final class PoolVerbs {
    private PoolVerbs() {}

    private static CliException failed(String message) {
        return new CliException(ExitStatus.FAILED, message);
    }

    private static String cpus(String text) {
        try {
            return CpuList.parse(text).toString();
        } catch (IllegalArgumentException e) {
            throw failed(e.getMessage());
        }
    }

    @Command(
            name = "cpupool-list",
            header = {
                "Lists CPU pools.",
                "",
                "  xeno cpupool-list             with scheduler and number of domains",
                "  xeno cpupool-list -c          with their CPUs",
                "  xeno cpupool-list Pool-0      one of them",
                ""
            })
    static final class ListPools extends HostVerb {
        @Option(
                names = {"-c", "--cpus"},
                description = "The CPUs of each.")
        private boolean cpus;

        @Parameters(index = "0", arity = "0..1", paramLabel = "POOL", description = "Only this one.")
        private String name;

        ListPools(HostAccess access) {
            super(access);
        }

        @Override
        int run(HostConnection host) throws HostException {
            List<Answer.Pool> pools = ResourceVerbs.pools(host);
            if (name != null && pools.stream().noneMatch(pool -> pool.name().equals(name))) {
                throw failed("Pool '" + name + "' does not exist");
            }
            StringBuilder out = new StringBuilder(String.format("%-19s", "Name"));
            out.append(cpus ? "CPU list\n" : "CPUs   Sched     Active   Domain count\n");
            for (Answer.Pool pool : pools) {
                if (name == null || name.equals(pool.name())) {
                    out.append(
                            cpus
                                    ? line(
                                            "%-19s%s",
                                            pool.name(),
                                            pool.cpus().stream()
                                                    .map(String::valueOf)
                                                    .collect(Collectors.joining(",")))
                                    : line(
                                            "%-19s%3d %9s       y       %4d",
                                            pool.name(), pool.cpus().size(), pool.scheduler(), pool.domains()));
                }
            }
            print(out);
            return 0;
        }
    }

    @Command(
            name = "cpupool-create",
            header = {
                "Makes a CPU pool of host CPUs that are in no pool.",
                "",
                "  xeno cpupool-create 'name=\"fast\"' 'cpus=\"2-3\"' 'sched=\"credit2\"'",
                "  xeno cpupool-create pool.cfg               from a file in the syntax of xlcpupool.cfg(5)",
                "  xeno cpupool-cpu-remove Pool-0 2-3         what makes CPUs free",
                ""
            })
    static final class CreatePool extends HostVerb {
        @Parameters(arity = "1..*", paramLabel = "FILE|KEY=VALUE", description = "A configuration, and settings.")
        private List<String> words = List.of();

        @Option(
                names = {"-f", "--defconfig"},
                paramLabel = "FILE",
                description = "The configuration.")
        private String file;

        @Option(
                names = {"-n", "--dryrun"},
                description = "Say what would be made, and make nothing.")
        private boolean dryRun;

        private String name;
        private String scheduler;
        private String cpus;
        private String source;

        CreatePool(HostAccess access) {
            super(access);
        }

        @Override
        void check() {
            String from = file;
            for (String word : words) {
                if (word.indexOf('=') < 0) {
                    if (from != null) {
                        throw usage("two configurations: give one, and settings as key=value");
                    }
                    from = word;
                }
            }
            source = from == null ? "command line" : from;
            try {
                ConfigFile config = ConfigFile.parse(
                        source, from == null ? "" : Files.readString(Path.of(from), StandardCharsets.UTF_8));
                for (String word : words) {
                    if (word.indexOf('=') >= 0) {
                        config.override(word);
                    }
                }
                name = text(config, "name");
                if (name == null && from != null) {
                    name = Path.of(from).getFileName().toString();
                }
                scheduler = text(config, "sched");
                cpus = list(config);
            } catch (ConfigException e) {
                throw failed(e.getMessage());
            } catch (IOException e) {
                throw failed("Failed to read config file: " + from + ": " + e.getMessage());
            }
            if (name == null) {
                throw failed("Missing cpupool name! name=\"fast\"");
            }
            scheduler = scheduler == null ? "credit2" : scheduler;
            if (!scheduler.equals("credit2") && !scheduler.equals("rtds")) {
                throw failed("Unknown scheduler '" + scheduler + "': credit2 or rtds");
            }
        }

        private static String text(ConfigFile config, String key) {
            return config.get(key)
                    .map(setting -> setting.value() instanceof ConfigValue.Text text ? text.text() : null)
                    .orElse(null);
        }

        /** {@code nodes=[…]} or {@code cpus=[…]} or {@code cpus="…"}, as one list. */
        private static String list(ConfigFile config) {
            for (String key : List.of("nodes", "cpus")) {
                if (config.get(key).isEmpty()) {
                    continue;
                }
                String prefix = key.equals("nodes") ? "node:" : "";
                return switch (config.get(key).get().value()) {
                    case ConfigValue.Text text -> cpus(text.text());
                    case ConfigValue.Items items ->
                        cpus(items.values().stream()
                                .map(item -> item instanceof ConfigValue.Text text ? prefix + text.text() : "?")
                                .collect(Collectors.joining(",")));
                };
            }
            return null;
        }

        @Override
        int run(HostConnection host) throws HostException {
            print(line("Using config file \"%s\"", source)
                    + line("cpupool name:   %s", name)
                    + line("scheduler:      %s", scheduler)
                    + line("cpus:           %s", cpus == null ? "none" : cpus));
            if (!dryRun) {
                host.ask(new org.xenolith.daemon.protocol.Command.CreatePool(name, scheduler, cpus));
            }
            return 0;
        }
    }

    /** A verb that names a pool. */
    abstract static class OfPool extends HostVerb {
        @Parameters(index = "0", paramLabel = "POOL", description = "A pool's name.")
        String pool;

        OfPool(HostAccess access) {
            super(access);
        }
    }

    @Command(
            name = "cpupool-destroy",
            header = {
                "Takes a CPU pool apart; its CPUs are free then.",
                "",
                "  xeno cpupool-destroy fast          when no domain is in it",
                "  xeno cpupool-migrate web Pool-0    moves one away",
                "  xeno cpupool-cpu-add Pool-0 2-3    gives its CPUs to another",
                ""
            })
    static final class DestroyPool extends OfPool {
        DestroyPool(HostAccess access) {
            super(access);
        }

        @Override
        int run(HostConnection host) throws HostException {
            host.ask(new org.xenolith.daemon.protocol.Command.DestroyPool(pool));
            return 0;
        }
    }

    @Command(
            name = "cpupool-rename",
            header = {
                "Gives a CPU pool another name.",
                "",
                "  xeno cpupool-rename Pool-0 slow",
                "  xeno cpupool-rename fast night",
                "  xeno cpupool-list",
                ""
            })
    static final class RenamePool extends OfPool {
        @Parameters(index = "1", paramLabel = "NAME", description = "The new name.")
        private String name;

        RenamePool(HostAccess access) {
            super(access);
        }

        @Override
        int run(HostConnection host) throws HostException {
            host.ask(new org.xenolith.daemon.protocol.Command.RenamePool(pool, name));
            return 0;
        }
    }

    private abstract static class ChangeCpus extends OfPool {
        private final boolean remove;

        @Parameters(index = "1", paramLabel = "CPUS", description = "0-3,^2, node:0.")
        private String cpus;

        ChangeCpus(HostAccess access, boolean remove) {
            super(access);
            this.remove = remove;
        }

        @Override
        void check() {
            cpus = cpus(cpus);
        }

        @Override
        int run(HostConnection host) throws HostException {
            host.ask(new org.xenolith.daemon.protocol.Command.ChangePoolCpus(pool, cpus, remove));
            return 0;
        }
    }

    @Command(
            name = "cpupool-cpu-add",
            header = {
                "Gives free CPUs to a pool.",
                "",
                "  xeno cpupool-cpu-add fast 3          one",
                "  xeno cpupool-cpu-add fast 2-3        two",
                "  xeno cpupool-cpu-add fast node:0     those of a NUMA node",
                ""
            })
    static final class AddCpus extends ChangeCpus {
        AddCpus(HostAccess access) {
            super(access, false);
        }
    }

    @Command(
            name = "cpupool-cpu-remove",
            header = {
                "Takes CPUs away from a pool; they are free then.",
                "",
                "  xeno cpupool-cpu-remove Pool-0 3        one",
                "  xeno cpupool-cpu-remove Pool-0 2-3      two",
                "  xeno cpupool-cpu-remove fast node:0     those of a NUMA node",
                ""
            })
    static final class RemoveCpus extends ChangeCpus {
        RemoveCpus(HostAccess access) {
            super(access, true);
        }
    }

    @Command(
            name = "cpupool-migrate",
            header = {
                "Moves a domain into another CPU pool.",
                "",
                "  xeno cpupool-migrate web fast       the domain named web",
                "  xeno cpupool-migrate 3 Pool-0       the domain with identifier 3",
                "  xeno list -c                        which is where",
                ""
            })
    static final class MigratePool extends DomainVerbs.OfDomain {
        @Parameters(index = "1", paramLabel = "POOL", description = "A pool's name.")
        private String pool;

        MigratePool(HostAccess access) {
            super(access);
        }

        @Override
        int run(HostConnection host) throws HostException {
            host.ask(new org.xenolith.daemon.protocol.Command.MoveToPool(domain, pool));
            return 0;
        }
    }

    @Command(
            name = "cpupool-numa-split",
            header = {
                "Makes a CPU pool of each NUMA node.",
                "",
                "  xeno cpupool-numa-split     when there is only the first pool",
                "  xeno cpupool-list           what became of it",
                "  xeno info -n                the nodes",
                ""
            })
    static final class SplitPools extends HostVerb {
        SplitPools(HostAccess access) {
            super(access);
        }

        @Override
        int run(HostConnection host) throws HostException {
            host.ask(new org.xenolith.daemon.protocol.Command.SplitPools());
            return 0;
        }
    }
}
