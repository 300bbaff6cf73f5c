package org.xenolith.cli.host;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.xenolith.abi.ShutdownReason;
import org.xenolith.daemon.HostConnection;
import org.xenolith.daemon.HostException;
import org.xenolith.daemon.protocol.Answer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Verbs about the life of one domain. */
final class DomainVerbs {
    private DomainVerbs() {}

    /** A verb that names a domain. */
    abstract static class OfDomain extends HostVerb {
        @Parameters(index = "0", paramLabel = "DOMAIN", description = "A domain's name or identifier.")
        String domain;

        OfDomain(HostAccess access) {
            super(access);
        }
    }

    @Command(
            name = "pause",
            header = {
                "Stops a domain's virtual CPUs until 'unpause'.",
                "",
                "  xeno pause web       the domain named web",
                "  xeno pause 3         the domain with identifier 3",
                "  xeno list            shows 'p' in its state",
                ""
            })
    static final class Pause extends OfDomain {
        Pause(HostAccess access) {
            super(access);
        }

        @Override
        int run(HostConnection host) throws HostException {
            host.ask(new org.xenolith.daemon.protocol.Command.Pause(domain));
            return 0;
        }
    }

    @Command(
            name = "unpause",
            header = {
                "Lets a paused domain run.",
                "",
                "  xeno create -p web.cfg && xeno unpause web     starts what was created paused",
                "  xeno unpause web                               takes one 'pause' back",
                "  xeno unpause 3                                 the domain with identifier 3",
                ""
            })
    static final class Unpause extends OfDomain {
        Unpause(HostAccess access) {
            super(access);
        }

        @Override
        int run(HostConnection host) throws HostException {
            host.ask(new org.xenolith.daemon.protocol.Command.Unpause(domain));
            return 0;
        }
    }

    @Command(
            name = "destroy",
            header = {
                "Ends a domain at once, without asking its guest.",
                "",
                "  xeno destroy web     as if its power cord were pulled",
                "  xeno destroy 3       the domain with identifier 3",
                "  xeno shutdown web    asks the guest instead",
                ""
            })
    static final class Destroy extends OfDomain {
        @Option(names = "-f", description = "Taken as Xen's xl does; domain 0 cannot be destroyed.")
        private boolean force;

        Destroy(HostAccess access) {
            super(access);
        }

        @Override
        int run(HostConnection host) throws HostException {
            host.ask(new org.xenolith.daemon.protocol.Command.Destroy(domain));
            return 0;
        }
    }

    @Command(
            name = "rename",
            header = {
                "Gives a domain another name.",
                "",
                "  xeno rename web www        from now on it is www",
                "  xeno rename 3 www          the domain with identifier 3",
                "  xeno domname 3             says its name",
                ""
            })
    static final class Rename extends OfDomain {
        @Parameters(index = "1", paramLabel = "NAME", description = "The new name.")
        private String name;

        Rename(HostAccess access) {
            super(access);
        }

        @Override
        int run(HostConnection host) throws HostException {
            host.ask(new org.xenolith.daemon.protocol.Command.Rename(domain, name));
            return 0;
        }
    }

    @Command(
            name = "domid",
            header = {
                "Prints the identifier of a domain.",
                "",
                "  xeno domid web                        3",
                "  kill=$(xeno domid web)                in a script",
                "  xeno domid web || echo it is gone     status 1 when there is no such domain",
                ""
            })
    static final class DomId extends OfDomain {
        DomId(HostAccess access) {
            super(access);
        }

        @Override
        int run(HostConnection host) throws HostException {
            print(line(
                    "%d",
                    host.ask(new org.xenolith.daemon.protocol.Command.Resolve(domain))
                            .id()));
            return 0;
        }
    }

    @Command(
            name = "domname",
            header = {
                "Prints the name of a domain.",
                "",
                "  xeno domname 3                        web",
                "  name=$(xeno domname 3)                in a script",
                "  xeno domname 3 || echo it is gone     status 1 when there is no such domain",
                ""
            })
    static final class DomName extends OfDomain {
        DomName(HostAccess access) {
            super(access);
        }

        @Override
        void check() {
            if (!domain.matches("[0-9]{1,9}")) {
                throw new org.xenolith.cli.CliException(
                        org.xenolith.cli.ExitStatus.FAILED, "Invalid domain id. '" + domain + "' is no number");
            }
        }

        @Override
        int run(HostConnection host) throws HostException {
            print(line(
                    "%s",
                    host.ask(new org.xenolith.daemon.protocol.Command.Resolve(domain))
                            .name()));
            return 0;
        }
    }

    /** {@code shutdown} and {@code reboot}. */
    abstract static class Ending extends HostVerb {
        @Parameters(index = "0", arity = "0..1", paramLabel = "DOMAIN", description = "A domain's name or identifier.")
        private String domain;

        @Option(
                names = {"-a", "--all"},
                description = "All guests.")
        private boolean all;

        @Option(
                names = {"-w", "--wait"},
                description = "Wait until the guests have ended; given twice, until their domains are gone.")
        private boolean[] wait = {};

        @Option(
                names = "-F",
                description = "Use the virtual hardware's button when the guest does not listen to xenstore.")
        private boolean fallback;

        private final boolean reboot;

        Ending(HostAccess access, boolean reboot) {
            super(access);
            this.reboot = reboot;
        }

        @Override
        void check() {
            if (domain == null && !all) {
                throw new org.xenolith.cli.CliException(
                        org.xenolith.cli.ExitStatus.FAILED, "You must specify -a or a domain id.");
            }
        }

        @Override
        int run(HostConnection host) throws HostException {
            List<Answer.DomainRef> asked = new ArrayList<>();
            if (all) {
                for (Answer.DomainEntry entry : host.ask(
                                new org.xenolith.daemon.protocol.Command.ListDomains(List.of()))
                        .domains()) {
                    if (entry.id() != 0) {
                        asked.add(end(host, Integer.toString(entry.id())));
                    }
                }
            } else {
                asked.add(end(host, domain));
            }
            if (wait.length > 0) {
                System.err.println("Waiting for " + asked.size() + " domains");
                for (Answer.DomainRef one : asked) {
                    await(host, one.id());
                }
            }
            return 0;
        }

        private Answer.DomainRef end(HostConnection host, String name) throws HostException {
            Answer.DomainRef asked =
                    host.ask(new org.xenolith.daemon.protocol.Command.Shutdown(name, reboot, fallback));
            System.err.println((reboot ? "Rebooting domain " : "Shutting down domain ") + asked.id());
            return asked;
        }

        private void await(HostConnection host, int id) throws HostException {
            Answer.Ended ended = host.ask(new org.xenolith.daemon.protocol.Command.AwaitEnd(id, wait.length > 1));
            System.err.println(
                    ended.reason() == null
                            ? "Domain " + id + " has been destroyed"
                            : "Domain " + id + " has been shut down, reason code " + ended.reason() + " ("
                                    + ShutdownReason.name(ended.reason()) + ")");
        }
    }

    @Command(
            name = "shutdown",
            header = {
                "Asks guests to power off.",
                "",
                "  xeno shutdown web        asks, and returns at once",
                "  xeno shutdown -w web     waits until it is off",
                "  xeno shutdown -aw        all of them",
                ""
            })
    static final class Shutdown extends Ending {
        Shutdown(HostAccess access) {
            super(access, false);
        }
    }

    @Command(
            name = "reboot",
            header = {
                "Asks guests to start again.",
                "",
                "  xeno reboot web          asks, and returns at once",
                "  xeno reboot -w web       waits until the old one has ended",
                "  xeno reboot -F web       resets a guest that does not listen",
                ""
            })
    static final class Reboot extends Ending {
        Reboot(HostAccess access) {
            super(access, true);
        }
    }

    @Command(
            name = "sysrq",
            header = {
                "Sends a letter to the guest kernel's magic SysRq.",
                "",
                "  xeno sysrq web h         its list of letters, on its console",
                "  xeno sysrq web t         all tasks",
                "  xeno sysrq web c         a crash, to try what comes of it",
                ""
            })
    static final class SysRq extends OfDomain {
        @Parameters(index = "1", paramLabel = "LETTER", description = "One letter.")
        private String letter;

        SysRq(HostAccess access) {
            super(access);
        }

        @Override
        void check() {
            if (letter.length() != 1) {
                throw new org.xenolith.cli.CliException(
                        org.xenolith.cli.ExitStatus.FAILED, "Invalid sysrq. '" + letter + "' is not one letter");
            }
        }

        @Override
        int run(HostConnection host) throws HostException {
            host.ask(new org.xenolith.daemon.protocol.Command.SysRq(domain, letter));
            return 0;
        }
    }

    @Command(
            name = "trigger",
            header = {
                "Does something to a guest's virtual hardware.",
                "",
                "  xeno trigger web nmi       a non-maskable interrupt for virtual CPU 0",
                "  xeno trigger web nmi 1     for virtual CPU 1",
                "  xeno trigger web reset     the reset button",
                ""
            })
    static final class Trigger extends OfDomain {
        @Parameters(index = "1", paramLabel = "WHAT", description = "nmi, reset, init, power, sleep or s3resume.")
        private String what;

        @Parameters(
                index = "2",
                arity = "0..1",
                paramLabel = "VCPU",
                description = "Which virtual CPU. Default: 0",
                defaultValue = "0")
        private int vcpu;

        Trigger(HostAccess access) {
            super(access);
        }

        @Override
        int run(HostConnection host) throws HostException {
            host.ask(new org.xenolith.daemon.protocol.Command.SendTrigger(domain, what, vcpu));
            return 0;
        }
    }

    @Command(
            name = "dump-core",
            header = {
                "Writes a guest's memory and processors to a file; the guest waits meanwhile.",
                "",
                "  xeno dump-core web web.core      an ELF core file",
                "  readelf -S web.core              what is in it",
                "  xeno dump-core 3 /tmp/3.core     the domain with identifier 3",
                ""
            })
    static final class DumpCore extends OfDomain {
        @Parameters(index = "1", paramLabel = "FILE", description = "Where to.")
        private Path file;

        DumpCore(HostAccess access) {
            super(access);
        }

        @Override
        int run(HostConnection host) throws HostException {
            host.ask(new org.xenolith.daemon.protocol.Command.DumpCore(
                    domain, file.toAbsolutePath().toString()));
            return 0;
        }
    }
}
