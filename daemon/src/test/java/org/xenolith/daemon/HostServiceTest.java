package org.xenolith.daemon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.xenolith.daemon.protocol.Answer;
import org.xenolith.daemon.protocol.Command;
import org.xenolith.toolstack.Host;
import org.xenolith.toolstack.HostConfig;
import org.xenolith.toolstack.config.ConfigFile;
import org.xenolith.toolstack.config.GuestConfigReader;

/** Commands to a real host, over its socket, without a guest. */
@Timeout(120)
class HostServiceTest {
    @TempDir
    private Path directory;

    private Host machine;
    private LocalHost host;
    private HostConnection connection;

    @BeforeEach
    void open() throws Exception {
        machine = Host.create(HostConfig.DEFAULT.withMemory(64L << 20).withDumpDirectory(directory));
        host = new LocalHost(new RuntimeDirectory(directory.resolve("run")), machine, line -> {});
        connection = host.connect();
    }

    @AfterEach
    void close() {
        connection.close();
        host.close();
        machine.close();
    }

    @Test
    void domainZeroIsTheHostProcess() throws Exception {
        Answer.DomainEntry zero =
                connection.ask(new Command.ListDomains(List.of())).domains().getFirst();
        assertThat(zero.name()).isEqualTo("Domain-0");
        assertThat(zero.flags()).isEqualTo("r-----");
        assertThat(zero.onlineVcpus()).isEqualTo(Runtime.getRuntime().availableProcessors());
        assertThat(connection
                        .ask(new Command.ListDomains(List.of("0", "Domain-0")))
                        .domains())
                .hasSize(2);
        assertThat(connection.ask(new Command.Resolve("Domain-0")).id()).isZero();
        assertThatThrownBy(() -> connection.ask(new Command.Destroy("0")))
                .hasMessageContaining("domain 0 is the host process itself");
    }

    @ParameterizedTest
    @ValueSource(strings = {"nosuch", "7", "", "-1", "99999999999", "a/b"})
    void aDomainThatIsNotThereIsSaidToBe(String name) {
        for (Command<?> command : List.of(
                new Command.Pause(name),
                new Command.Unpause(name),
                new Command.Destroy(name),
                new Command.Rename(name, "x"),
                new Command.SetVcpus(name, 1),
                new Command.SetMemory(name, 1),
                new Command.SetMaxMemory(name, 1),
                new Command.Shutdown(name, false, true),
                new Command.SysRq(name, "h"),
                new Command.SendTrigger(name, "nmi", 0),
                new Command.DumpCore(name, "/tmp/x"),
                new Command.ListDomains(List.of(name)),
                new Command.Pin(name, 0, "0", null))) {
            assertThatThrownBy(() -> connection.ask(command))
                    .as(command.toString())
                    .isInstanceOf(HostException.class)
                    .hasMessage(name + " is an invalid domain identifier (rc=-6)")
                    .extracting(e -> ((HostException) e).reason())
                    .isEqualTo(Answer.Reason.NO_DOMAIN);
        }
        assertThatThrownBy(() -> connection.attach(name)).hasMessageContaining("invalid domain identifier");
    }

    @Test
    void aDomainThatIsGoneHasEnded() throws Exception {
        assertThat(connection.ask(new Command.AwaitEnd(5, true))).isEqualTo(new Answer.Ended(5, null, true));
    }

    @Test
    void whatIsNoKernelIsRefusedAndLeavesNothingBehind() throws Exception {
        Path junk = Files.writeString(directory.resolve("junk"), "this is no kernel");
        var config = GuestConfigReader.read(ConfigFile.parse("c", "name='a'\nkernel='k'\nmemory=32"), "c")
                .config();
        for (int i = 0; i < 3; i++) {
            assertThatThrownBy(() -> connection.ask(new Command.Create(config, junk.toString(), null, null, false)))
                    .isInstanceOf(HostException.class)
                    .extracting(e -> ((HostException) e).reason())
                    .isEqualTo(Answer.Reason.BAD_IMAGE);
        }
        assertThatThrownBy(() -> connection.ask(new Command.Create(config, "/no/such", null, null, false)))
                .hasMessageContaining("cannot read kernel /no/such");
        assertThat(machine.domains()).isEmpty();
    }

    @Test
    void storeCommandsWorkAndAreAllOrNothing() throws Exception {
        connection.ask(new Command.StoreWrite(List.of("/tool/a/b", "/tool/c"), List.of("1", "\u00ff\u0000x")));
        assertThat(connection
                        .ask(new Command.StoreRead(List.of("/tool/a/b", "/tool/c")))
                        .values())
                .containsExactly("1", "\u00ff\u0000x");
        assertThat(connection
                        .ask(new Command.StoreList(List.of("/tool")))
                        .names()
                        .getFirst())
                .contains("a", "c");
        assertThatThrownBy(
                        () -> connection.ask(new Command.StoreWrite(List.of("/tool/c", "/b ad"), List.of("new", "2"))))
                .hasMessageContaining("could not write path /b ad (EINVAL)");
        assertThat(connection.ask(new Command.StoreRead(List.of("/tool/c"))).values())
                .as("nothing was written")
                .containsExactly("\u00ff\u0000x");
        assertThatThrownBy(() -> connection.ask(new Command.StoreRead(List.of("/tool/c", "/nosuch"))))
                .hasMessage("couldn't read path /nosuch (ENOENT)");
        connection.ask(new Command.StoreChmod("/tool/a", List.of("n0", "r3"), false, true));
        Answer.Node tool = connection.ask(new Command.StoreTree("/tool")).root();
        Answer.Node a = tool.children().stream()
                .filter(node -> node.name().equals("a"))
                .findFirst()
                .orElseThrow();
        assertThat(a.permissions()).containsExactly("n0", "r3");
        assertThat(a.children().getFirst().permissions()).containsExactly("n0", "r3");
        connection.ask(new Command.StoreRemove(List.of("/tool/a/b"), true));
        assertThatThrownBy(() -> connection.ask(new Command.StoreRead(List.of("/tool/a"))))
                .as("the parent was empty")
                .hasMessageContaining("ENOENT");
        assertThatThrownBy(() -> connection.ask(new Command.StoreRemove(List.of("/nosuch"), false)))
                .hasMessage("could not remove path /nosuch (ENOENT)");
        assertThatThrownBy(() -> connection.ask(new Command.StoreWrite(List.of("/x"), List.of("v".repeat(5000)))))
                .hasMessageContaining("at most 4096 bytes");
    }

    @Test
    void watchesHearOfChangesAndOfNoneDeeperThanAsked() throws Exception {
        List<String> heard = new ArrayList<>();
        try (HostConnection watcher = host.connect()) {
            watcher.watch(new Command.StoreWatch(List.of("/tool"), 1), path -> {
                heard.add(path);
                if (heard.size() == 1) {
                    machine.store().write("/tool/x/deep", "1");
                    machine.store().write("/tool/y", "1");
                }
                return !path.equals("/tool/y");
            });
        }
        assertThat(heard).startsWith("/tool").endsWith("/tool/y").doesNotContain("/tool/x/deep");
    }

    @Test
    void infoHasTheKeysThatScriptsReadInXlsOrder() throws Exception {
        Answer.HostFacts facts = connection.ask(new Command.GetHost());
        assertThat(facts.facts().keySet())
                .containsSubsequence(
                        "host",
                        "release",
                        "version",
                        "machine",
                        "nr_cpus",
                        "virt_caps",
                        "total_memory",
                        "free_memory",
                        "xen_major",
                        "xen_version",
                        "xen_caps",
                        "xen_scheduler",
                        "xend_config_format");
        assertThat(facts.facts().get("total_memory")).isEqualTo("64");
        assertThat(facts.facts().get("virt_caps").split(" ")).contains("hvm").doesNotContain("pv");
    }

    @Test
    void poolsAreMadeChangedAndTakenApart() throws Exception {
        assertThat(connection.ask(new Command.ListPools()).pools())
                .singleElement()
                .satisfies(pool -> {
                    assertThat(pool.name()).isEqualTo("Pool-0");
                    assertThat(pool.scheduler()).isEqualTo("credit2");
                    assertThat(pool.cpus()).hasSize(Runtime.getRuntime().availableProcessors());
                    assertThat(pool.rateLimitMicros()).isEqualTo(1000);
                });
        connection.ask(new Command.SetRateLimit("Pool-0", 500));
        connection.ask(new Command.CreatePool("night", "rtds", null));
        assertThat(connection.ask(new Command.ListPools()).pools())
                .extracting(Answer.Pool::name, Answer.Pool::rateLimitMicros)
                .containsExactly(
                        org.assertj.core.groups.Tuple.tuple("Pool-0", 500),
                        org.assertj.core.groups.Tuple.tuple("night", null));
        for (Command<?> command : List.of(
                new Command.CreatePool("night", "rtds", null),
                new Command.CreatePool("x", "credit", null),
                new Command.CreatePool("x", "credit2", "0"),
                new Command.DestroyPool("Pool-0"),
                new Command.DestroyPool("nosuch"),
                new Command.RenamePool("night", "day"),
                new Command.ChangePoolCpus("Pool-0", "0", true),
                new Command.ChangePoolCpus("night", "4000", false),
                new Command.SplitPools(),
                new Command.SetRateLimit("night", 500),
                new Command.SetRateLimit("Pool-0", 1))) {
            assertThatThrownBy(() -> connection.ask(command))
                    .as(command.toString())
                    .isInstanceOf(HostException.class)
                    .extracting(e -> ((HostException) e).reason())
                    .isNotEqualTo(Answer.Reason.INTERNAL);
        }
        connection.ask(new Command.DestroyPool("night"));
        assertThat(connection.ask(new Command.ListPools()).pools()).hasSize(1);
        assertThat(connection.ask(new Command.GetScheduling(List.of())).domains())
                .isEmpty();
    }

    @Test
    void debugKeysWriteIntoTheLogThatDmesgShows() throws Exception {
        connection.ask(new Command.DebugKeys("hmqr"));
        String log = connection.ask(new Command.ReadLog(true)).text();
        assertThat(log).contains("'h' pressed -> keys: h show this list", "'m' pressed -> memory: 64 MiB");
        assertThat(connection.ask(new Command.ReadLog(false)).text()).isEmpty();
        assertThatThrownBy(() -> connection.ask(new Command.DebugKeys("!")))
                .hasMessageContaining("cannot send debug keys: '!' is not one of h m q r d");
    }
}
