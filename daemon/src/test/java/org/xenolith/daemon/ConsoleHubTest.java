package org.xenolith.daemon;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ConsoleHubTest {
    private final ConsoleHub hub = new ConsoleHub();

    private void say(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        assertThat(hub.write(bytes, 0, bytes.length)).isEqualTo(bytes.length);
    }

    private byte[] all(int most) throws InterruptedException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        long position = hub.oldest();
        for (ConsoleHub.Piece piece = hub.after(position, most); piece != null; piece = hub.after(position, most)) {
            out.writeBytes(piece.bytes());
            position = piece.position();
        }
        return out.toByteArray();
    }

    @Test
    void everyListenerHearsEverythingFromTheBeginning() throws Exception {
        say("boot ");
        CompletableFuture<byte[]> early = CompletableFuture.supplyAsync(() -> {
            try {
                return all(7);
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
        say("login: ");
        say("bye");
        hub.end();
        assertThat(all(100)).asString().isEqualTo("boot login: bye");
        assertThat(early.get(60, TimeUnit.SECONDS)).asString().isEqualTo("boot login: bye");
    }

    @Test
    void whatWasSaidIsKeptAfterTheEnd() throws Exception {
        say("last words");
        hub.end();
        assertThat(hub.hasEnded()).isTrue();
        assertThat(all(4)).asString().isEqualTo("last words");
        assertThat(all(4)).asString().isEqualTo("last words");
    }

    @Test
    void onlyTheLatestMebibyteIsKept() throws Exception {
        long seed = Long.getLong("xenolith.seed", System.nanoTime());
        SplittableRandom random = new SplittableRandom(seed);
        ByteArrayOutputStream said = new ByteArrayOutputStream();
        while (said.size() < 3 * ConsoleHub.MOST) {
            byte[] piece = new byte[1 + random.nextInt(random.nextInt(20) == 0 ? 2 * ConsoleHub.MOST : 5000)];
            random.nextBytes(piece);
            assertThat(hub.write(piece, 0, piece.length)).isEqualTo(piece.length);
            said.writeBytes(piece);
        }
        hub.end();
        byte[] whole = said.toByteArray();
        byte[] kept = all(1 + random.nextInt(100_000));
        assertThat(kept).as("seed " + seed).hasSize(ConsoleHub.MOST);
        assertThat(kept)
                .as("seed " + seed)
                .isEqualTo(java.util.Arrays.copyOfRange(whole, whole.length - kept.length, whole.length));
    }

    @Test
    void aListenerThatFallsBehindLosesTheOldestAndGoesOn() throws Exception {
        say("gone");
        long position = hub.oldest();
        byte[] much = new byte[ConsoleHub.MOST];
        hub.write(much, 0, much.length);
        ConsoleHub.Piece piece = hub.after(position, Integer.MAX_VALUE);
        assertThat(piece.bytes()).isEqualTo(much);
        assertThat(piece.position()).isEqualTo(4 + much.length);
    }
}
