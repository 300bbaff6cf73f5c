package org.xenolith.daemon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.xenolith.daemon.protocol.Answer;
import org.xenolith.daemon.protocol.Command;
import org.xenolith.daemon.protocol.ConsoleFrame;
import org.xenolith.daemon.protocol.Messages;
import org.xenolith.toolstack.config.ConfigException;
import org.xenolith.toolstack.config.ConfigFile;
import org.xenolith.toolstack.config.GuestConfig;
import org.xenolith.toolstack.config.GuestConfigReader;

class MessagesTest {
    private static GuestConfig guest() throws ConfigException {
        return GuestConfigReader.read(
                        ConfigFile.parse(
                                "g",
                                "name='w\u00e9b'\nkernel='k'\ncpus=['0','1']\ncap=5\non_crash='preserve'\nvcpus=2"),
                        "g")
                .config();
    }

    @Test
    void commandsComeBackAsTheyWent() throws Exception {
        for (Command<?> command : List.of(
                new Command.Hello(1, "b"),
                new Command.Create(guest(), "/k", null, "/cache", true),
                new Command.ListDomains(List.of("a", "1")),
                new Command.Pin("d", null, "0-1", null),
                new Command.Pin("d", 3, null, "all"),
                new Command.SetReservation("d", List.of(0, 1), List.of(1, 2), List.of(3, 4), List.of(true, false)),
                new Command.StoreWrite(List.of("/a"), List.of("\u0000\u00ff\n\"")),
                new Command.SetMemory("d", 1L << 40),
                new Command.Stop(true))) {
            String line = Messages.write((Record) command);
            assertThat(line).doesNotContain("\n");
            assertThat(Messages.readCommand(line)).isEqualTo(command);
        }
    }

    @Test
    void answersComeBackAsTheyWent() throws Exception {
        Answer.DomainEntry entry = new Answer.DomainEntry(
                1,
                "n",
                "u",
                "pvh",
                "-b----",
                null,
                1,
                2,
                3,
                4,
                1,
                List.of(new Answer.Vcpu(0, true, null, "-b-", 5, "all", "0")),
                6,
                7,
                "translate",
                "Pool-0",
                guest());
        for (Answer answer : List.of(
                new Answer.Done(),
                new Answer.Failed(Answer.Reason.NO_DOMAIN, "no \"x\""),
                new Answer.Domains(List.of(entry)),
                new Answer.Ended(3, null, true),
                new Answer.HostFacts(Map.of("host", "h"), 2, 1, 1, 1),
                new Answer.Tree(new Answer.Node("/", "", List.of("n0"), List.of())),
                new Answer.Values(List.of("\u0001\u00fe")))) {
            String line = Messages.write((Record) answer);
            assertThat(line).doesNotContain("\n");
            assertThat(Messages.readAnswer(line)).isEqualTo(answer);
        }
    }

    @Test
    void everyMessageIsARecordThatHasAName() {
        for (Class<?> family : List.of(Command.class, Answer.class)) {
            assertThat(family.getPermittedSubclasses()).allMatch(Class::isRecord);
            assertThat(Arrays.stream(family.getPermittedSubclasses()).map(Class::getSimpleName))
                    .doesNotHaveDuplicates();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "x",
                "[]",
                "{}",
                "null",
                "{\"Nothing\":{}}",
                "{\"Pause\":{\"domain\":\"a\"},\"Unpause\":{}}",
                "{\"Pause\":[1]}",
                "{\"SetVcpus\":{\"count\":\"many\"}}",
                "{\"SetVcpus\":{\"count\":99999999999}}",
                "{\"Pause\":{\"domain\":"
            })
    void whatIsNoMessageIsRefusedInOneLine(String line) {
        assertThatThrownBy(() -> Messages.readCommand(line))
                .isInstanceOf(Messages.MalformedException.class)
                .message()
                .doesNotContain("\n");
    }

    @Test
    void damagedMessagesAreMessagesOrRefused() throws Exception {
        long seed = Long.getLong("xenolith.seed", System.nanoTime());
        SplittableRandom random = new SplittableRandom(seed);
        String good = Messages.write(new Command.Create(guest(), "/k", null, "/cache", true));
        int refused = 0;
        for (int i = 0; i < 5000; i++) {
            StringBuilder bad = new StringBuilder(good);
            for (int n = 1 + random.nextInt(3); n > 0; n--) {
                int at = random.nextInt(bad.length());
                switch (random.nextInt(3)) {
                    case 0 -> bad.deleteCharAt(at);
                    case 1 -> bad.insert(at, (char) random.nextInt(128));
                    default -> bad.setCharAt(at, "{}[]\",:0x".charAt(random.nextInt(9)));
                }
            }
            try {
                Messages.readCommand(bad.toString());
            } catch (Messages.MalformedException e) {
                refused++;
            } catch (RuntimeException e) {
                throw new AssertionError("seed " + seed + ": " + bad, e);
            }
        }
        assertThat(refused).as("seed " + seed).isPositive();
    }

    @Test
    void framesComeBackAsTheyWentAndOthersAreRefused() throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(bytes);
        new ConsoleFrame(ConsoleFrame.Kind.DATA, new byte[] {1, 2, 3}).write(out);
        ConsoleFrame.size(50, 300).write(out);
        ConsoleFrame.end().write(out);
        DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes.toByteArray()));
        assertThat(ConsoleFrame.read(in).data()).containsExactly(1, 2, 3);
        ConsoleFrame size = ConsoleFrame.read(in);
        assertThat(size.rows()).isEqualTo(50);
        assertThat(size.columns()).isEqualTo(300);
        assertThat(ConsoleFrame.read(in).kind()).isEqualTo(ConsoleFrame.Kind.END);
        assertThat(ConsoleFrame.read(in)).isNull();
        for (byte[] bad : List.of(
                new byte[] {3, 0, 0}, new byte[] {1, 0, 3, 0, 0, 0}, new byte[] {0, -1, -1}, new byte[] {2, 0, 1, 0})) {
            assertThatThrownBy(() -> ConsoleFrame.read(new DataInputStream(new ByteArrayInputStream(bad))))
                    .isInstanceOf(IOException.class);
        }
        assertThat(ConsoleFrame.read(new DataInputStream(new ByteArrayInputStream(new byte[] {0, 0, 9, 1}))))
                .isNull();
    }

    /** A field that cannot be written would be lost on the way. */
    @Test
    void everyFieldOfAGuestIsCarried() throws Exception {
        GuestConfig guest = guest();
        String line = Messages.write(new Command.Create(guest, "/k", null, null, false));
        for (RecordComponent field : GuestConfig.class.getRecordComponents()) {
            assertThat(line).contains("\"" + field.getName() + "\":");
        }
    }
}
