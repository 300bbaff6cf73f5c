package org.xenolith.services.xenstore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.xenolith.abi.XenstoreType;

class XenStoreSocketTest {
    @TempDir
    Path directory;

    private final XenStore store = new XenStore();
    private XenStoreSocket socket;

    @BeforeEach
    void serve() throws IOException {
        socket = new XenStoreSocket(store, directory.resolve("socket"));
    }

    @AfterEach
    void stop() {
        socket.close();
        assertThat(directory.resolve("socket")).doesNotExist();
    }

    /** Output and status of a stock program: "text" or "text!status". */
    private String run(String... command) throws Exception {
        Process process = start(command);
        process.getOutputStream().close();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        int status = process.waitFor();
        return out.strip() + (status == 0 ? "" : "!" + status);
    }

    private Process start(String... command) throws IOException {
        assumeThat(Files.isExecutable(Path.of("/usr/bin", command[0])))
                .as("/usr/bin/" + command[0] + " is installed (package xenstore-utils)")
                .isTrue();
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().put("XENSTORED_PATH", socket.path().toString());
        return builder.start();
    }

    @Test
    void theStockProgramsReadAndWrite() throws Exception {
        assertThat(run("xenstore-write", "/tool/test/a", "1", "/tool/test/b/c", "two words"))
                .isEmpty();
        assertThat(store.read("/tool/test/b/c")).isEqualTo("two words");
        assertThat(run("xenstore-read", "/tool/test/a", "/tool/test/b/c")).isEqualTo("1\ntwo words");
        assertThat(run("xenstore-read", "-p", "/tool/test/a")).isEqualTo("/tool/test/a: 1");
        assertThat(run("xenstore-list", "/tool/test")).isEqualTo("a\nb");
        assertThat(run("xenstore-ls", "/tool/test")).isEqualTo("a = \"1\"\nb = \"\"\n c = \"two words\"");
        assertThat(run("xenstore-ls", "-f", "-p", "/tool/test")).contains("/tool/test/b/c = \"two words\"   (n0)");
        assertThat(run("xenstore-exists", "/tool/test/a")).isEmpty();
        assertThat(run("xenstore-exists", "/tool/test/none")).isEqualTo("!1");
        assertThat(run("xenstore-read", "/tool/test/none")).startsWith("xenstore-read: couldn't read path");
        assertThat(run("xenstore-chmod", "/tool/test/a", "n7", "r3")).isEmpty();
        assertThat(store.permissions("/tool/test/a")).isEqualTo(Permission.list("n7", "r3"));
        assertThat(run("xenstore-rm", "/tool/test/b")).isEmpty();
        assertThat(store.list("/tool/test")).containsExactly("a");
    }

    @Test
    void theStockProgramWatches() throws Exception {
        Process watching = start("xenstore-watch", "-n", "3", "/tool/watched");
        var lines = watching.inputReader();
        assertThat(lines.readLine()).isEqualTo("/tool/watched");
        store.write("/tool/watched/x", "1");
        assertThat(lines.readLine()).isEqualTo("/tool/watched/x");
        store.remove("/tool");
        assertThat(lines.readLine()).isEqualTo("/tool/watched");
        assertThat(watching.waitFor()).isZero();
    }

    @Test
    void aDirectoryThatNeedsSeveralMessagesIsListedWhole() throws Exception {
        List<String> names = new ArrayList<>();
        for (int i = 0; i < 1500; i++) {
            names.add("node-" + i);
            store.write("/tool/many/node-" + i, "");
        }
        assertThat(run("xenstore-list", "/tool/many").lines()).containsExactlyElementsOf(names);
    }

    @Test
    void onlyTheUserMayConnectAndASecondServerIsRefused() throws Exception {
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket.path())))
                .isEqualTo("rw-------");
        assertThatThrownBy(() -> new XenStoreSocket(store, socket.path()).close())
                .isInstanceOf(IOException.class)
                .hasMessageContaining("another process serves");
        Path file = Files.createFile(directory.resolve("file"));
        assertThatThrownBy(() -> new XenStoreSocket(store, file).close()).isInstanceOf(IOException.class);
        assertThat(file).exists();
    }

    private SocketChannel connect() throws IOException {
        return SocketChannel.open(UnixDomainSocketAddress.of(socket.path()));
    }

    private static void send(SocketChannel channel, byte[] bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
    }

    private static byte[] take(SocketChannel channel, int count) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(count);
        while (buffer.hasRemaining()) {
            assertThat(channel.read(buffer)).isPositive();
        }
        return buffer.array();
    }

    private static StoreMessage receive(SocketChannel channel) throws IOException {
        ByteBuffer header = ByteBuffer.wrap(take(channel, 16)).order(ByteOrder.LITTLE_ENDIAN);
        return new StoreMessage(header.getInt(0), header.getInt(4), header.getInt(8), take(channel, header.getInt(12)));
    }

    @Test
    void requestsInOnePacketAreAnsweredInOrder() throws Exception {
        try (SocketChannel channel = connect()) {
            ByteBuffer all = ByteBuffer.allocate(1 << 16);
            for (int id = 0; id < 100; id++) {
                all.put(new StoreMessage(XenstoreType.READ, id, 0, StoreMessage.bytes("/local/domain/0/name\0"))
                        .encode());
            }
            send(channel, java.util.Arrays.copyOf(all.array(), all.position()));
            for (int id = 0; id < 100; id++) {
                StoreMessage answer = receive(channel);
                assertThat(answer.requestId()).isEqualTo(id);
                assertThat(StoreMessage.text(answer.payload())).isEqualTo("Domain-0");
            }
        }
    }

    @Test
    void whoBreaksTheProtocolIsCutOffAndHurtsNobodyElse() throws Exception {
        long seed = Long.getLong("xenolith.seed", System.nanoTime());
        System.out.println("whoBreaksTheProtocolIsCutOffAndHurtsNobodyElse: -Dxenolith.seed=" + seed);
        Random random = new Random(seed);
        try (SocketChannel good = connect()) {
            for (int i = 0; i < 50; i++) {
                try (SocketChannel bad = connect()) {
                    byte[] garbage = new byte[random.nextInt(2000)];
                    random.nextBytes(garbage);
                    send(bad, garbage);
                } catch (IOException e) {
                    // Cut off while it was sending.
                }
                send(
                        good,
                        new StoreMessage(XenstoreType.READ, i, 0, StoreMessage.bytes("/local/domain/0/domid\0"))
                                .encode());
                assertThat(StoreMessage.text(receive(good).payload())).isEqualTo("0");
            }
            try (SocketChannel bad = connect()) {
                send(bad, new byte[] {2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 16, 0, 0});
                assertThat(bad.read(ByteBuffer.allocate(1))).isEqualTo(-1);
            }
        }
    }

    @Test
    void aClientThatNeverReadsBlocksNobody() throws Exception {
        try (SocketChannel deaf = connect();
                SocketChannel good = connect()) {
            send(deaf, new StoreMessage(XenstoreType.WATCH, 1, 0, StoreMessage.bytes("/\0token\0")).encode());
            for (int i = 0; i < 20_000; i++) {
                store.write("/tool/flood/" + i % 5000, "x");
            }
            send(good, new StoreMessage(XenstoreType.READ, 7, 0, StoreMessage.bytes("/tool/flood/3\0")).encode());
            assertThat(StoreMessage.text(receive(good).payload())).isEqualTo("x");
        }
    }
}
