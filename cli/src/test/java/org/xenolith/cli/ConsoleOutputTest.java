package org.xenolith.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class ConsoleOutputTest {
    private final ByteArrayOutputStream sink = new ByteArrayOutputStream();

    private static void write(ConsoleOutput output, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
        assertThat(output.write(bytes, 0, bytes.length)).isEqualTo(bytes.length);
    }

    @Test
    void whatComesBeforeTheCommandIsNotItsOutput() {
        ConsoleOutput output = new ConsoleOutput(sink, true, true);
        write(output, "kernel message\n");
        output.guestReady();
        write(output, "result\n");
        output.commandEnded();
        write(output, "reboot: Power down\n");
        assertThat(sink).hasToString("result\n");
        ByteArrayOutputStream error = new ByteArrayOutputStream();
        output.showHeldBack(new PrintStream(error));
        assertThat(error.size()).isZero();
    }

    @Test
    void theEndOfAFailedBootIsShown() {
        ConsoleOutput output = new ConsoleOutput(sink, true, true);
        for (int i = 0; i < 10_000; i++) {
            write(output, "line " + i + "\n");
        }
        ByteArrayOutputStream error = new ByteArrayOutputStream();
        output.showHeldBack(new PrintStream(error));
        assertThat(error.toString(StandardCharsets.US_ASCII)).endsWith("line 9998\nline 9999\n");
        assertThat(error.size()).isLessThanOrEqualTo(1 << 14);
        assertThat(sink.size()).isZero();
    }

    @Test
    void aReaderThatWentAwayDoesNotStopTheGuest() {
        ConsoleOutput output = new ConsoleOutput(
                new OutputStream() {
                    @Override
                    public void write(int b) throws IOException {
                        throw new IOException("Broken pipe");
                    }
                },
                false,
                false);
        write(output, "first");
        write(output, "second");
    }
}
