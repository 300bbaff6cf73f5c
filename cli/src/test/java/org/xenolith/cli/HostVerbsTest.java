package org.xenolith.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.xenolith.cli.host.HostVerbs;
import org.xenolith.daemon.protocol.Answer;
import org.xenolith.daemon.protocol.Answer.DomainEntry;
import org.xenolith.daemon.protocol.Command;
import org.xenolith.toolstack.LifecycleAction;
import org.xenolith.toolstack.LifecycleActions;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What the verbs print and ask for, column by column as Xen's tools do. */
class HostVerbsTest {
    @TempDir
    private Path directory;

    private static final List<DomainEntry> DOMAINS = List.of(
            new DomainEntry(
                    0,
                    "Domain-0",
                    "00000000-0000-0000-0000-000000000000",
                    "pv",
                    "r-----",
                    null,
                    65536,
                    65536,
                    65536,
                    0,
                    2,
                    List.of(new Answer.Vcpu(0, true, 0, "r--", 1_500_000_000L, "all", "all")),
                    1_500_000_000L,
                    1_000_000L,
                    "",
                    "Pool-0",
                    null),
            new DomainEntry(
                    3,
                    "web",
                    "06ed00fe-1162-4fc4-b5d8-11993ee4a8b9",
                    "pvh",
                    "-b----",
                    null,
                    262144,
                    262144,
                    524288,
                    2048,
                    1,
                    List.of(
                            new Answer.Vcpu(0, true, 1, "-b-", 12_340_000_000L, "0-1,3", "all"),
                            new Answer.Vcpu(1, false, null, "--p", 0, "all", "none")),
                    12_340_000_000L,
                    2_000_000L,
                    "translate",
                    "fast",
                    null),
            new DomainEntry(
                    4,
                    "dead",
                    "06ed00fe-1162-4fc4-b5d8-11993ee4a8ba",
                    "pvh",
                    "---sc-",
                    3,
                    131072,
                    131072,
                    131072,
                    0,
                    1,
                    List.of(),
                    0,
                    2_000_000L,
                    "interpret",
                    "Pool-0",
                    null));

    private static final Map<String, String> FACTS = new LinkedHashMap<>(Map.of("virt_caps", "hvm hap"));

    static {
        FACTS.put("total_memory", "4096");
        FACTS.put("free_memory", "1024");
        FACTS.put("free_cpus", "0");
        FACTS.put("xen_version", "4.17.0-xenolith");
        FACTS.put("xen_caps", "hvm-3.0-x86_64 ");
    }

    private final FakeHost host = new FakeHost(HostVerbsTest::answer);

    private static Answer answer(Command<?> command) {
        return switch (command) {
            case Command.ListDomains list when list.domains().isEmpty() -> new Answer.Domains(DOMAINS);
            case Command.ListDomains list -> new Answer.Domains(List.of(DOMAINS.get(1)));
            case Command.Resolve resolve when resolve.domain().equals("web") -> new Answer.DomainRef(3, "web");
            case Command.Resolve resolve when resolve.domain().equals("3") -> new Answer.DomainRef(3, "web");
            case Command.Resolve resolve ->
                new Answer.Failed(
                        Answer.Reason.NO_DOMAIN, resolve.domain() + " is an invalid domain identifier (rc=-6)");
            case Command.Shutdown verb -> new Answer.DomainRef(3, "web");
            case Command.AwaitEnd verb -> new Answer.Ended(verb.id(), 0, false);
            case Command.Create create ->
                new Answer.DomainRef(9, create.config().name());
            case Command.GetHost _ -> new Answer.HostFacts(FACTS, 2, 4 << 20, 1 << 20, 0);
            case Command.ReadLog _ -> new Answer.Text("d1 web: created\n");
            case Command.ListPools _ ->
                new Answer.Pools(List.of(
                        new Answer.Pool("Pool-0", "credit2", List.of(0, 1), 2, 1000),
                        new Answer.Pool("fast", "rtds", List.of(2), 1, null)));
            case Command.GetScheduling scheduling ->
                new Answer.SchedulingOf(List.of(
                        new Answer.SchedulingEntry(4, "dead", "Pool-0", "credit2", 512, 50, List.of()),
                        new Answer.SchedulingEntry(
                                3,
                                "web",
                                scheduling.domains().isEmpty() ? "fast" : "Pool-0",
                                scheduling.domains().isEmpty() ? "rtds" : "credit2",
                                256,
                                0,
                                List.of(new Answer.Reservation(0, 10000, 4000, true)))));
            case Command.StoreRead read ->
                new Answer.Values(read.paths().stream().map(path -> "v\u0001\n").toList());
            case Command.StoreList _ -> new Answer.Children(List.of(List.of("a", "b")));
            case Command.StoreTree _ ->
                new Answer.Tree(new Answer.Node(
                        "/",
                        "",
                        List.of("n0"),
                        List.of(new Answer.Node(
                                "tool",
                                "",
                                List.of("n0", "r1"),
                                List.of(
                                        new Answer.Node("long", "x".repeat(100), List.of("n0"), List.of()),
                                        new Answer.Node("short", "1", List.of("b1"), List.of()))))));
            default -> new Answer.Done();
        };
    }

    private Command<?> lastAsked() {
        return host.asked.getLast();
    }

    @Test
    void listHasXlsColumns() {
        assertThat(host.xeno("list").out()).isEqualTo("""
                        Name                                        ID   Mem VCPUs\tState\tTime(s)
                        Domain-0                                     0    64     2     r-----       1.5
                        web                                          3   258     1     -b----      12.3
                        dead                                         4   128     1     ---sc-       0.0
                        """);
    }

    @Test
    void listVerboseAndPoolsHaveXlsColumns() {
        String[] lines = host.xeno("xl", "list", "-v").out().split("\n");
        assertThat(lines[0]).endsWith("\tTime(s)   UUID                            Reason-Code\tSecurity Label");
        assertThat(lines[3])
                .endsWith("---sc-       0.0 06ed00fe-1162-4fc4-b5d8-11993ee4a8ba        3                -");
        assertThat(lines[2]).endsWith("12.3 06ed00fe-1162-4fc4-b5d8-11993ee4a8b9        -                -");
        assertThat(host.xeno("list", "-c").out()).contains("Time(s)         Cpupool\n", "12.3            fast\n");
    }

    @Test
    void listGivesNamesJsonAndYaml() {
        assertThat(host.xeno("list", "-o", "name").out()).isEqualTo("Domain-0\nweb\ndead\n");
        JsonNode json = JsonMapper.builder()
                .build()
                .readTree(host.xeno("list", "-o", "json").out());
        assertThat(json.get(1).get("name").asString()).isEqualTo("web");
        assertThat(json.get(1).get("maxMemoryKib").asLong()).isEqualTo(524288);
        assertThat(json.get(2).get("shutdownReason").asInt()).isEqualTo(3);
        assertThat(host.xeno("list", "-o", "yaml").out()).contains("- id: 3\n  name: \"web\"\n  uuid: \"06ed");
        assertThat(host.xeno("list", "-o", "wide").out()).contains("  translate ");
    }

    @Test
    void longListIsTheConfigurationAsJson() {
        JsonNode json = JsonMapper.builder()
                .build()
                .readTree(host.xeno("list", "-l", "web").out());
        assertThat(json.get(0).get("domid").asInt()).isEqualTo(3);
        assertThat(json.get(0).get("config").get("c_info").get("name").asString())
                .isEqualTo("web");
        assertThat(json.get(0).get("config").get("b_info").get("max_memkb").asLong())
                .isEqualTo(524288);
        assertThat(host.asked).containsExactly(new Command.ListDomains(List.of("web")));
    }

    @Test
    void vcpuListHasXlsColumns() {
        assertThat(host.xeno("vcpu-list").out()).isEqualTo("""
                        Name                                ID  VCPU   CPU State   Time(s) Affinity (Hard / Soft)
                        Domain-0                             0     0    0   r--       1.5  all / all
                        web                                  3     0    1   -b-      12.3  0-1,3 / all
                        web                                  3     1    -   --p       0.0  all / none
                        """);
    }

    @Test
    void vmListAndUptimeHaveXlsColumns() {
        assertThat(host.xeno("vm-list").out())
                .startsWith("UUID                                  ID    name\n")
                .contains("06ed00fe-1162-4fc4-b5d8-11993ee4a8b9  3    web   ")
                .doesNotContain("Domain-0");
        assertThat(host.xeno("uptime").out())
                .startsWith("Name                                ID Uptime\n")
                .containsPattern("web {32}  3 [0-9]+ days, [ 0-9]{2}:[0-9]{2}:[0-9]{2}\n");
        assertThat(host.xeno("uptime", "-s", "web").out())
                .matches(" [0-9]{2}:[0-9]{2}:[0-9]{2} up [0-9]+ days, [ 0-9]{2}:[0-9]{2}, web \\(3\\)\n");
    }

    @Test
    void namesAndIdentifiersAreTranslatedWithXlsStatuses() {
        assertThat(host.xeno("domid", "web").out()).isEqualTo("3\n");
        assertThat(host.xeno("domname", "3").out()).isEqualTo("web\n");
        FakeHost.Said unknown = host.xeno("xl", "domid", "nosuch");
        assertThat(unknown.status()).isEqualTo(1);
        assertThat(unknown.err()).isEqualTo("xl: nosuch is an invalid domain identifier (rc=-6)\n");
        assertThat(host.xeno("domname", "web").err()).contains("Invalid domain id");
    }

    @Test
    void shutdownSaysWhomItAsksAndWaits() {
        FakeHost.Said said = host.xeno("shutdown", "-w", "web");
        assertThat(said.status()).isZero();
        assertThat(said.err()).isEqualTo("""
                        Shutting down domain 3
                        Waiting for 1 domains
                        Domain 3 has been shut down, reason code 0 (poweroff)
                        """);
        assertThat(host.asked)
                .containsExactly(new Command.Shutdown("web", false, false), new Command.AwaitEnd(3, false));
        host.asked.clear();
        assertThat(host.xeno("reboot", "-wwF", "web").err()).startsWith("Rebooting domain 3\n");
        assertThat(host.asked).containsExactly(new Command.Shutdown("web", true, true), new Command.AwaitEnd(3, true));
        assertThat(host.xeno("shutdown").status()).isEqualTo(1);
        host.asked.clear();
        host.xeno("shutdown", "-a");
        assertThat(host.asked.subList(1, host.asked.size()))
                .containsExactly(new Command.Shutdown("3", false, false), new Command.Shutdown("4", false, false));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    512      | 524288
                    512m     | 524288
                    2G       | 2097152
                    65536k   | 65536
                    1048576b | 1024
                    1t       | 1073741824
                    0        | 0
                    """)
    void memoryIsReadAsXlReadsIt(String size, long kib) {
        assertThat(host.xeno("mem-set", "web", size).status()).isZero();
        assertThat(lastAsked()).isEqualTo(new Command.SetMemory("web", kib));
        host.xeno("mem-max", "web", size);
        assertThat(lastAsked()).isEqualTo(new Command.SetMaxMemory("web", kib));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    mem-set web lots              | 1 | invalid memory size: lots
                    mem-set web 99999999999999t   | 1 | invalid memory size
                    vcpu-set web many             | 1 | Invalid argument
                    vcpu-set web 9                | 1 | You are overcommmitting! You have 2 physical CPUs and want 9
                    vcpu-pin web x 1              | 1 | Invalid argument x as VCPU
                    vcpu-pin web all 1-           | 1 | is no CPU or range
                    vcpu-pin -f web all 1         | 1 | --force and 'all'
                    sched-credit2 -w 5            | 1 | Must specify a domain
                    sched-credit2 -d web -w 0     | 1 | weight 0 is out of range
                    sched-rtds -d web -p 5        | 1 | Must specify VCPU
                    sched-rtds -d web -v 1 -p 5   | 1 | Incorrect number of period
                    sysrq web ab                  | 1 | Invalid sysrq
                    trigger web                   | 2 | Missing required parameter
                    list a b                      | 2 | Unmatched argument
                    list -y                       | 2 | Unknown option
                    console nosuch                | 1 | nosuch is an invalid domain identifier
                    console -n 3 web              | 2 | a guest has one console
                    console -e xx web             | 2 | is no key
                    create                        | 2 | no configuration
                    create /no/such.cfg           | 1 | cannot read /no/such.cfg: no such file
                    create /dev/null              | 1 | a guest needs a name
                    create /dev/null name=x kernel=/no/kernel | 1 | cannot read kernel /no/kernel: no such file
                    create /dev/null name=x kernel=debian:x   | 1 | kernel debian:x is unknown
                    create a.cfg b.cfg            | 2 | two configurations
                    cpupool-create sched=credit2  | 1 | Missing cpupool name
                    cpupool-list nosuch           | 1 | Pool 'nosuch' does not exist
                    xenstore-write /a             | 2 | requires at least 2 values
                    xenstore-write /a b /c        | 2 | a path without a value
                    xenstore-chmod /a x1          | 1 | Invalid permission specification
                    save web file                 | 1 | not implemented yet
                    """)
    void mistakesAreOneLineWithXlsStatus(String args, int status, String message) {
        FakeHost.Said said = host.xeno(args.split(" +"));
        assertThat(said.status()).as(args + said).isEqualTo(status);
        assertThat(said.err()).startsWith("xeno: ").contains(message).doesNotContain("Exception", "\tat ");
        assertThat(said.err().lines().count()).isLessThanOrEqualTo(2);
        assertThat(said.out()).isEmpty();
    }

    @Test
    void vcpusArePinnedAndSet() {
        host.xeno("vcpu-pin", "web", "all", "-", "0-1");
        assertThat(lastAsked()).isEqualTo(new Command.Pin("web", null, null, "0-1"));
        host.xeno("xl", "vcpu-pin", "web", "1", "0,2");
        assertThat(lastAsked()).isEqualTo(new Command.Pin("web", 1, "0,2", null));
        host.xeno("vcpu-set", "-i", "web", "9");
        assertThat(lastAsked()).isEqualTo(new Command.SetVcpus("web", 9));
        host.xeno("vcpu-set", "web", "2");
        assertThat(lastAsked()).isEqualTo(new Command.SetVcpus("web", 2));
    }

    @Test
    void schedulersAreShownAsXlShowsThem() {
        assertThat(host.xeno("sched-credit2").out()).isEqualTo("""
                        Cpupool Pool-0: ratelimit=1000us
                        Name                                ID Weight  Cap
                        dead                                 4    512   50
                        """);
        assertThat(host.xeno("sched-rtds").out()).isEqualTo("""
                        Cpupool fast: sched=RTDS
                        Name                                ID    Period    Budget  Extratime
                        web                                  3     10000      4000        yes
                        """);
        assertThat(host.xeno("sched-rtds", "-v", "all").out())
                .contains("Name                                ID VCPU    Period    Budget  Extratime\n")
                .contains("web                                  3    0     10000      4000        yes\n");
        host.xeno("sched-credit2", "-d", "web", "-w", "512", "-c50");
        assertThat(lastAsked()).isEqualTo(new Command.SetCredit("web", 512, 50));
        host.xeno("sched-rtds", "-d", "web", "-v", "all", "-p", "10000", "-b", "4000", "-e", "0");
        assertThat(lastAsked())
                .isEqualTo(new Command.SetReservation("web", List.of(), List.of(10000), List.of(4000), List.of(false)));
        host.xeno("sched-credit2", "-s", "-r", "500");
        assertThat(lastAsked()).isEqualTo(new Command.SetRateLimit("Pool-0", 500));
    }

    @Test
    void poolsAreListedAndMade() throws Exception {
        assertThat(host.xeno("cpupool-list").out()).isEqualTo("""
                        Name               CPUs   Sched     Active   Domain count
                        Pool-0               2   credit2       y          2
                        fast                 1      rtds       y          1
                        """);
        assertThat(host.xeno("cpupool-list", "-c").out())
                .isEqualTo("Name               CPU list\nPool-0             0,1\nfast               2\n");
        Path config = Files.writeString(directory.resolve("p.cfg"), "name='p'\nsched='rtds'\ncpus=['1','2']\n");
        host.xeno("cpupool-create", config.toString());
        assertThat(lastAsked()).isEqualTo(new Command.CreatePool("p", "rtds", "1,2"));
        host.xeno("cpupool-create", "name=q", "nodes=['0']");
        assertThat(lastAsked()).isEqualTo(new Command.CreatePool("q", "credit2", "node:0"));
        host.xeno("cpupool-cpu-remove", "p", "1");
        assertThat(lastAsked()).isEqualTo(new Command.ChangePoolCpus("p", "1", true));
        host.xeno("cpupool-migrate", "web", "p");
        assertThat(lastAsked()).isEqualTo(new Command.MoveToPool("web", "p"));
    }

    @Test
    void infoIsWhatScriptsOfXenLookFor() {
        assertThat(host.xeno("info").out()).contains("total_memory           : 4096\n");
        assertThat(host.xeno("xl", "info", "virt_caps").out()).isEqualTo("hvm hap\n");
        assertThat(host.xeno("xl", "info", "xen_caps").out().split("\\s+")).contains("hvm-3.0-x86_64");
        assertThat(host.xeno("info", "-n").out())
                .contains("cpu_topology           :\ncpu:    core    socket     node\n");
    }

    @Test
    void topInBatchModeIsXentops() {
        String[] lines = host.xeno("top", "-b", "-i", "1").out().split("\n");
        assertThat(lines[0])
                .isEqualTo("      NAME  STATE   CPU(sec) CPU(%)     MEM(k) MEM(%)  MAXMEM(k) MAXMEM(%) VCPUS NETS"
                        + " NETTX(k) NETRX(k) VBDS   VBD_OO   VBD_RD   VBD_WR  VBD_RSECT  VBD_WSECT SSID");
        assertThat(lines[1])
                .startsWith("  Domain-0 -----r          1    0.0      65536    1.6   no limit       n/a     2");
        assertThat(lines[2])
                .startsWith("       web --b---         12    0.0     262144    6.3     524288      12.5     1");
        assertThat(lines).hasSize(4);
    }

    @Test
    void createSendsTheGuestWithAbsolutePaths() throws Exception {
        Path kernel = Files.createFile(directory.resolve("vmlinuz"));
        Path config = Files.writeString(
                directory.resolve("g.cfg"),
                "name='g'\nkernel='" + kernel + "'\nmemory=64\nnosuch=1\non_reboot='destroy'");
        FakeHost.Said said = host.xeno("create", "-p", config.toString(), "memory=128", "extra=a=b");
        assertThat(said.status()).as(said.toString()).isZero();
        assertThat(said.err()).contains("unknown key 'nosuch' is ignored", "g is domain 9, paused");
        Command.Create create = (Command.Create) lastAsked();
        assertThat(create.paused()).isTrue();
        assertThat(create.kernel()).isEqualTo(kernel.toString());
        assertThat(create.busybox()).isNull();
        assertThat(create.config().memoryMib()).isEqualTo(128);
        assertThat(create.config().commandLine()).isEqualTo("a=b");
        assertThat(create.config().actions().onReboot()).isEqualTo(LifecycleAction.DESTROY);
        FakeHost.Said quiet = host.xeno("xl", "create", "-q", "-e", "-f", config.toString());
        assertThat(quiet.err()).isEmpty();
        assertThat(((Command.Create) lastAsked()).config().actions())
                .isEqualTo(LifecycleActions.all(LifecycleAction.PRESERVE));
        assertThat(host.xeno("xl", "create", config.toString()).err())
                .startsWith("Parsing config from " + config + "\n");
    }

    @Test
    void aDryRunPrintsAndMakesNothing() throws Exception {
        Path config = Files.writeString(directory.resolve("g.cfg"), "name='g'\nkernel='/k'\nvcpus=2\n");
        for (String[] args : List.of(
                new String[] {"create", "-n", config.toString()},
                new String[] {"xl", "-N", "create", config.toString()})) {
            FakeHost.Said said = host.xeno(args);
            assertThat(said.status()).isZero();
            JsonNode json = JsonMapper.builder().build().readTree(said.out());
            assertThat(json.get("c_info").get("name").asString()).isEqualTo("g");
            assertThat(json.get("b_info").get("avail_vcpus").size()).isEqualTo(2);
            assertThat(json.get("on_reboot").asString()).isEqualTo("restart");
        }
        assertThat(host.asked).isEmpty();
        assertThat(host.xeno("xl", "-N", "list").status()).isEqualTo(1);
    }

    @Test
    void mistakesInAFileAreGivenWithTheirPlace() throws Exception {
        Path config = Files.writeString(directory.resolve("g.cfg"), "name='g'\nkernel='/k'\nmemory='lots'\n");
        FakeHost.Said said = host.xeno("create", config.toString());
        assertThat(said.status()).isEqualTo(1);
        assertThat(said.err()).startsWith("xeno: " + config + ":3:8: 'memory': 'lots' is no number");
        Files.write(config, new byte[] {'a', (byte) 0xFF});
        assertThat(host.xeno("create", config.toString()).err()).contains("this is no UTF-8 text");
    }

    @Test
    void xenstoreToolsPrintAsDebiansDo() {
        assertThat(host.xeno("xenstore-read", "/a").out()).isEqualTo("v\\001\\n\n");
        assertThat(host.xeno("xenstore-read", "-p", "/a", "/b").out()).isEqualTo("/a: v\\001\\n\n/b: v\\001\\n\n");
        assertThat(host.xeno("xenstore-read", "-R", "/a").out()).isEqualTo("v\u0001\n");
        assertThat(host.xeno("xenstore-list", "-p", "/x").out()).isEqualTo("/x/a\n/x/b\n");
        assertThat(host.xeno("xenstore-list", "/").out()).isEqualTo("a\nb\n");
        assertThat(host.xeno("xenstore-ls").out())
                .isEqualTo("tool = \"\"\n long = \"" + "x".repeat(67) + "\\...\"\n short = \"1\"\n");
        assertThat(host.xeno("xenstore-ls", "-f").out())
                .isEqualTo("/tool = \"\"\n/tool/long = \"" + "x".repeat(100) + "\"\n/tool/short = \"1\"\n");
        assertThat(host.xeno("xenstore-ls", "-p").out()).contains(" short = \"1\" " + ". ".repeat(23) + ".  (b1)\n");
        host.xeno("xenstore-write", "/a", "x\\t\\x41\\\\\\101", "/b", "\u00e9");
        assertThat(lastAsked())
                .isEqualTo(new Command.StoreWrite(List.of("/a", "/b"), List.of("x\tA\\A", "\u00c3\u00a9")));
        host.xeno("xenstore-rm", "-t", "/a");
        assertThat(lastAsked()).isEqualTo(new Command.StoreRemove(List.of("/a"), true));
        host.xeno("xenstore-chmod", "-ru", "/a", "n0", "r3");
        assertThat(lastAsked()).isEqualTo(new Command.StoreChmod("/a", List.of("n0", "r3"), true, true));
        assertThat(host.xeno("xenstore-watch", "-n", "1", "/a").out()).isEqualTo("/a\n");
        assertThat(host.xeno("xenstore-exists", "/a").status()).isZero();
    }

    static List<String> verbs() {
        return List.copyOf(HostVerbs.names());
    }

    @ParameterizedTest
    @MethodSource("verbs")
    void everyVerbShowsThreeExamplesFirst(String verb) {
        FakeHost.Said said = host.xeno(verb, "--help");
        assertThat(said.status()).isZero();
        assertThat(Arrays.stream(said.out().split("\n"))
                        .limit(6)
                        .filter(line -> line.matches("  \\S.*"))
                        .count())
                .as(said.out())
                .isEqualTo(3);
        assertThat(said.out()).contains("Usage: xeno " + verb);
    }

    @Test
    void theProgramCalledXlHasXlsOptionsHelpAndStatuses() {
        assertThat(host.xeno("xl").status()).isEqualTo(1);
        assertThat(host.xeno("xl").out())
                .startsWith("Usage xl [-vfNtT] <subcommand> [args]\n")
                .contains(" vcpu-list ");
        assertThat(host.xeno("xl", "help").status()).isZero();
        assertThat(host.xeno("xl", "help", "list").out()).contains("Usage: xl list");
        assertThat(host.xeno("xl", "-vvv", "-f", "list").status()).isZero();
        assertThat(host.xeno("xl", "-y", "list").err()).isEqualTo("unknown global option\n");
        assertThat(host.xeno("xl", "frobnicate").err()).isEqualTo("command not implemented\n");
        assertThat(host.xeno("xl", "migrate", "a", "b").status()).isEqualTo(1);
        assertThat(host.xeno("xl", "run").status()).isEqualTo(1);
    }

    @Test
    void manualPagesAreMadeOfTheHelp() throws Exception {
        Path pages = directory.resolve("man1");
        assertThat(host.xeno("man", "--directory", pages.toString()).status()).isZero();
        try (var files = Files.list(pages)) {
            assertThat(files.map(file -> file.getFileName().toString()))
                    .contains("xeno.1", "xeno-run.1", "xeno-create.1", "xeno-xenstore-ls.1")
                    .hasSizeGreaterThan(HostVerbs.names().size());
        }
        String page = host.xeno("man", "list").out();
        assertThat(page)
                .startsWith(".TH XENO-LIST 1 \"\" Xenolith\n.SH NAME\nxeno\\-list \\- Lists domains")
                .contains(".SH EXAMPLES", ".B \\-l, \\-\\-long\n", "table, wide, name, json, yaml");
        assertThat(host.xeno("man", "nosuch").status()).isEqualTo(2);
    }

    @Test
    void completionKnowsTheVerbs() {
        assertThat(host.xeno("completion").out()).contains("vcpu-pin", "xenstore-ls", "--defconfig");
    }
}
