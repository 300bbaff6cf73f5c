package org.xenolith.services.console;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.xenolith.abi.ConsoleRing;
import org.xenolith.services.GuestMemory;
import org.xenolith.services.Seed;

class ConsoleBackendTest {
    private final GuestMemory memory = new GuestMemory(1);
    private final List<String> errors = new ArrayList<>();
    private final ByteArrayOutputStream shown = new ByteArrayOutputStream();
    private int notified;
    private final ConsoleBackend console = new ConsoleBackend(memory.physical(), 0, () -> notified++, errors::add);

    @AfterEach
    void close() {
        memory.close();
    }

    @Test
    void outputThatWaitedIsShownWhenSomebodyLooks() {
        guestWrites("hello ".getBytes(StandardCharsets.US_ASCII));
        console.onGuestEvent();
        assertThat(notified).isZero();
        console.connect(ConsoleSink.to(shown));
        guestWrites("world".getBytes(StandardCharsets.US_ASCII));
        console.onGuestEvent();
        assertThat(shown).hasToString("hello world");
        assertThat(console.outputBytes()).isEqualTo(11);
        assertThat(notified).isEqualTo(2);
    }

    @Test
    void anyAmountPassesBothWaysUnchanged() {
        SplittableRandom random = Seed.random("anyAmountPassesBothWaysUnchanged");
        // start near the wrap of the 32-bit indices
        for (int index = ConsoleRing.IN_CONS; index <= ConsoleRing.OUT_PROD; index += 4) {
            memory.putInt(index, -500);
        }
        console.connect(ConsoleSink.to(shown));
        byte[] out = Seed.bytes(random, 50_000);
        byte[] in = Seed.bytes(random, 50_000);
        ByteArrayOutputStream read = new ByteArrayOutputStream();
        int written = 0;
        int typed = 0;
        while (written < out.length || read.size() < in.length) {
            int piece = Math.min(random.nextInt(3000), out.length - written);
            written += guestWrites(Arrays.copyOfRange(out, written, written + piece));
            typed += console.input(in, typed, Math.min(random.nextInt(2000), in.length - typed));
            if (random.nextBoolean()) {
                read.writeBytes(guestReads(random.nextInt(1500)));
            }
            console.onGuestEvent();
        }
        assertThat(shown.toByteArray()).isEqualTo(out);
        assertThat(read.toByteArray()).isEqualTo(in);
        assertThat(console.queuedInput()).isZero();
        assertThat(errors).isEmpty();
    }

    @Test
    void aSinkThatTakesLittleMakesTheGuestWait() {
        int[] room = {3};
        console.connect((bytes, offset, length) -> {
            int taken = Math.min(room[0], length);
            shown.write(bytes, offset, taken);
            room[0] -= taken;
            return taken;
        });
        guestWrites("abcdef".getBytes(StandardCharsets.US_ASCII));
        console.onGuestEvent();
        assertThat(shown).hasToString("abc");
        assertThat(memory.getInt(ConsoleRing.OUT_CONS)).isEqualTo(3);
        room[0] = 100;
        console.resumeOutput();
        assertThat(shown).hasToString("abcdef");
    }

    @Test
    void impossibleOutputIndicesEmptyTheRingAndAreReportedOnce() {
        console.connect(ConsoleSink.to(shown));
        for (int i = 0; i < 3; i++) {
            memory.putInt(ConsoleRing.OUT_PROD, memory.getInt(ConsoleRing.OUT_CONS) + ConsoleRing.OUT_SIZE + 1 + i);
            console.onGuestEvent();
        }
        assertThat(shown.size()).isZero();
        assertThat(console.protocolErrors()).isEqualTo(3);
        assertThat(errors).hasSize(1);
        guestWrites("ok".getBytes(StandardCharsets.US_ASCII));
        console.onGuestEvent();
        assertThat(shown).hasToString("ok");
    }

    @Test
    void impossibleInputIndicesStartTheRingAnew() {
        memory.putInt(ConsoleRing.IN_CONS, 0x12345678);
        console.input("x".getBytes(StandardCharsets.US_ASCII), 0, 1);
        assertThat(console.protocolErrors()).isEqualTo(1);
        assertThat(guestReads(10)).isEqualTo("x".getBytes(StandardCharsets.US_ASCII));
    }

    @Test
    void anInputQueueIsBoundedAndSaysWhatItTook() {
        byte[] much = new byte[200_000];
        int taken = console.input(much, 0, much.length);
        assertThat(taken).isEqualTo(ConsoleBackend.INPUT_QUEUE);
        assertThat(console.queuedInput()).isEqualTo(ConsoleBackend.INPUT_QUEUE - ConsoleRing.IN_SIZE);
    }

    @Test
    @Timeout(value = 20, unit = TimeUnit.SECONDS)
    void whoTypesALotWaitsUntilTheGuestReads() throws Exception {
        byte[] much = Seed.bytes(Seed.random("whoTypesALotWaitsUntilTheGuestReads"), 300_000);
        Thread typist = new Thread(() -> {
            try {
                console.inputFully(much);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        typist.start();
        ByteArrayOutputStream read = new ByteArrayOutputStream();
        while (read.size() < much.length) {
            read.writeBytes(guestReads(700));
            console.onGuestEvent();
        }
        typist.join();
        assertThat(read.toByteArray()).isEqualTo(much);
    }

    @Test
    @Timeout(value = 20, unit = TimeUnit.SECONDS)
    void closingTheConsoleEndsTheWait() throws Exception {
        Thread typist = new Thread(() -> {
            try {
                console.inputFully(new byte[300_000]);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        typist.start();
        Thread.sleep(50);
        console.close();
        typist.join();
        assertThat(console.input(new byte[5], 0, 5)).isZero();
    }

    @Test
    void aGuestThatGaveItsPageAwayIsLeftAlone() {
        console.connect(ConsoleSink.to(shown));
        memory.physical().unmap(0);
        console.onGuestEvent();
        console.input("x".getBytes(StandardCharsets.US_ASCII), 0, 1);
        assertThat(errors).isEmpty();
    }

    @Test
    void aSourceGivesItsPiecesWhenTheGuestHasMadeRoom() {
        SplittableRandom random = Seed.random("aSourceGivesItsPiecesWhenTheGuestHasMadeRoom");
        byte[] in = Seed.bytes(random, 5000);
        int[] given = {0};
        console.connectInput(() -> {
            int from = given[0];
            given[0] = Math.min(from + 1500, in.length);
            return Arrays.copyOfRange(in, from, given[0]);
        });
        assertThat(notified).isEqualTo(1);
        // The ring is full, and not more was taken from the source than it took to fill it.
        assertThat(given[0]).isEqualTo(1500);
        ByteArrayOutputStream read = new ByteArrayOutputStream();
        for (int pieces = 0; read.size() < in.length && pieces < 100; pieces++) {
            read.writeBytes(guestReads(700));
            console.onGuestEvent();
        }
        assertThat(read.toByteArray()).isEqualTo(in);
        console.onGuestEvent();
        assertThat(guestReads(1)).isEmpty();
        assertThat(console.input(in, 0, 3)).isEqualTo(3);
        assertThat(guestReads(10)).hasSize(3);
    }

    private int guestWrites(byte[] bytes) {
        int producer = memory.getInt(ConsoleRing.OUT_PROD);
        int room = ConsoleRing.OUT_SIZE - (producer - memory.getInt(ConsoleRing.OUT_CONS));
        int count = Math.min(room, bytes.length);
        for (int i = 0; i < count; i++) {
            memory.physical().write(ConsoleRing.OUT + (producer++ & ConsoleRing.OUT_SIZE - 1), 1, bytes[i]);
        }
        memory.putInt(ConsoleRing.OUT_PROD, producer);
        return count;
    }

    private byte[] guestReads(int most) {
        int consumer = memory.getInt(ConsoleRing.IN_CONS);
        byte[] bytes = new byte[Math.min(most, memory.getInt(ConsoleRing.IN_PROD) - consumer)];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) memory.physical().read(ConsoleRing.IN + (consumer++ & ConsoleRing.IN_SIZE - 1), 1);
        }
        memory.putInt(ConsoleRing.IN_CONS, consumer);
        return bytes;
    }
}
