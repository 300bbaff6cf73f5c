package org.xenolith.daemon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.xenolith.daemon.protocol.Answer;
import org.xenolith.daemon.protocol.Command;

@Timeout(120)
class HostServerTest {
    @TempDir
    private Path directory;

    private final ConsoleHub hub = new ConsoleHub();
    private final BlockingQueue<String> typed = new LinkedBlockingQueue<>();
    private volatile Consumer<String> watcher;
    private volatile boolean watchClosed;
    private volatile int domains;

    private final class Handler implements HostHandler {
        @Override
        public Answer answer(Command<?> command) throws HostException {
            return switch (command) {
                case Command.Pause pause ->
                    throw new HostException(
                            Answer.Reason.NO_DOMAIN, pause.domain() + " is an invalid domain identifier (rc=-6)");
                case Command.Unpause _ -> throw new IllegalStateException("a defect");
                default -> new Answer.Text(command.toString());
            };
        }

        @Override
        public ConsoleLine console(String domain) {
            return new ConsoleLine() {
                @Override
                public Answer.Attached domain() {
                    return new Answer.Attached(7, domain, false);
                }

                @Override
                public ConsoleHub output() {
                    return hub;
                }

                @Override
                public void input(byte[] bytes) {
                    typed.add(new String(bytes, StandardCharsets.UTF_8));
                }

                @Override
                public void resize(int rows, int columns) {
                    typed.add(rows + "x" + columns);
                }
            };
        }

        @Override
        public AutoCloseable watch(Command.StoreWatch command, Consumer<String> listener) {
            watcher = listener;
            return () -> watchClosed = true;
        }

        @Override
        public int domains() {
            return domains;
        }
    }

    private RuntimeDirectory runtime;
    private HostServer server;
    private Thread thread;
    private final List<String> log = new ArrayList<>();

    @BeforeEach
    void listen() throws Exception {
        serve(Duration.ZERO);
    }

    private void serve(Duration idle) throws Exception {
        runtime = new RuntimeDirectory(directory.resolve("run"));
        runtime.prepare();
        server = new HostServer(runtime, new Handler(), idle, line -> {
            synchronized (log) {
                log.add(line);
            }
        });
        thread = Thread.ofPlatform().start(() -> {
            try {
                server.run();
            } catch (IOException e) {
                log.add(e.toString());
            }
        });
    }

    @AfterEach
    void stop() throws Exception {
        server.close();
        thread.join();
    }

    private HostClient connect() throws HostException {
        return HostClient.connectIfRunning(runtime).orElseThrow();
    }

    @Test
    void theSocketIsItsUsersAlone() throws Exception {
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(runtime.socket())))
                .isEqualTo("rw-------");
    }

    @Test
    void aConnectionCarriesOneCommandAfterAnother() throws Exception {
        domains = 2;
        try (HostClient client = connect()) {
            assertThat(client.welcome().domains()).isEqualTo(2);
            assertThat(client.welcome().pid()).isEqualTo(ProcessHandle.current().pid());
            for (int i = 0; i < 100; i++) {
                assertThat(client.ask(new Command.ReadLog(i % 2 == 0)).text()).contains(Boolean.toString(i % 2 == 0));
            }
        }
    }

    @Test
    void whatCannotBeDoneIsOneLineAndTheConnectionGoesOn() throws Exception {
        try (HostClient client = connect()) {
            assertThatThrownBy(() -> client.ask(new Command.Pause("x")))
                    .isInstanceOf(HostException.class)
                    .hasMessage("x is an invalid domain identifier (rc=-6)")
                    .extracting(e -> ((HostException) e).reason())
                    .isEqualTo(Answer.Reason.NO_DOMAIN);
            assertThatThrownBy(() -> client.ask(new Command.Unpause("x")))
                    .hasMessageContaining("internal fault of the host process")
                    .message()
                    .doesNotContain("\n");
            assertThat(client.ask(new Command.ReadLog(true)).text()).isNotEmpty();
        }
    }

    @Test
    void consolesReachSeveralListenersAndBringTheirKeys() throws Exception {
        byte[] text = "boot\n".getBytes(StandardCharsets.UTF_8);
        hub.write(text, 0, text.length);
        try (HostClient first = connect();
                HostClient second = connect()) {
            HostConnection.ConsoleSession one = first.attach("web");
            HostConnection.ConsoleSession two = second.attach("web");
            assertThat(one.domain().id()).isEqualTo(7);
            assertThat(one.read()).asString().isEqualTo("boot\n");
            assertThat(two.read()).asString().isEqualTo("boot\n");
            one.write("ls\n".getBytes(StandardCharsets.UTF_8), 0, 3);
            two.resize(50, 132);
            assertThat(List.of(typed.poll(60, TimeUnit.SECONDS), typed.poll(60, TimeUnit.SECONDS)))
                    .containsExactlyInAnyOrder("ls\n", "50x132");
            hub.write("x".getBytes(StandardCharsets.UTF_8), 0, 1);
            assertThat(one.read()).asString().isEqualTo("x");
            assertThat(two.read()).asString().isEqualTo("x");
            hub.end();
            assertThat(one.read()).isNull();
            assertThat(two.read()).isNull();
        }
    }

    @Test
    void aWatchTellsUntilItsListenerHasEnough() throws Exception {
        try (HostClient client = connect()) {
            List<String> heard = new ArrayList<>();
            Thread changes = Thread.ofPlatform().start(() -> {
                while (watcher == null) {
                    Thread.onSpinWait();
                }
                watcher.accept("/a");
                watcher.accept("/b");
            });
            client.watch(new Command.StoreWatch(List.of("/"), null), path -> {
                heard.add(path);
                return heard.size() < 2;
            });
            changes.join();
            assertThat(heard).containsExactly("/a", "/b");
        }
        while (!watchClosed) {
            Thread.sleep(5);
        }
    }

    @Test
    void whoDoesNotSpeakTheProtocolIsSentAway() throws Exception {
        for (String line : List.of("GET / HTTP/1.1\n", "{\"Pause\":{\"domain\":\"x\"}}\n", "\n", "{\"Hello\":[]}\n")) {
            try (SocketChannel raw = SocketChannel.open(StandardProtocolFamily.UNIX)) {
                raw.connect(UnixDomainSocketAddress.of(runtime.socket()));
                raw.write(ByteBuffer.wrap(line.getBytes(StandardCharsets.UTF_8)));
                ByteBuffer answer = ByteBuffer.allocate(4096);
                while (raw.read(answer) > 0) {
                    continue;
                }
                assertThat(new String(answer.array(), 0, answer.position(), StandardCharsets.UTF_8))
                        .startsWith("{\"Failed\":");
            }
        }
        try (HostClient client = connect()) {
            assertThat(client.ask(new Command.ReadLog(true)).text()).isNotEmpty();
        }
    }

    @Test
    void itStopsWhenToldToUnlessThereAreGuests() throws Exception {
        domains = 1;
        try (HostClient client = connect()) {
            assertThatThrownBy(() -> client.ask(new Command.Stop(false))).hasMessageContaining("has 1 guest(s)");
        }
        try (HostClient client = connect()) {
            client.ask(new Command.Stop(true));
        }
        thread.join();
        assertThat(Files.exists(runtime.socket())).isFalse();
        assertThat(HostClient.connectIfRunning(runtime)).isEmpty();
    }

    @Test
    void itEndsWhenItHasNothingToDo() throws Exception {
        stop();
        domains = 1;
        serve(Duration.ofMillis(200));
        Thread.sleep(600);
        assertThat(thread.isAlive()).as("a guest keeps it").isTrue();
        try (HostClient client = connect()) {
            domains = 0;
            Thread.sleep(600);
            assertThat(thread.isAlive()).as("a connection keeps it").isTrue();
            assertThat(client.ask(new Command.ReadLog(true)).text()).isNotEmpty();
        }
        thread.join();
        assertThat(Files.exists(runtime.socket())).isFalse();
    }
}
