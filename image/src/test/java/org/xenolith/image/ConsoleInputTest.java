package org.xenolith.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class ConsoleInputTest {
    /** What a terminal in line mode does with ^D, ^V and line feeds, after termios(3). */
    private static final class LineTerminal {
        private final ByteArrayOutputStream delivered = new ByteArrayOutputStream();
        private final ByteArrayOutputStream line = new ByteArrayOutputStream();
        private boolean quoted;
        private boolean ended;
        private boolean sysrq;

        void type(byte[] bytes) {
            for (byte b : bytes) {
                assertThat(ended).as("input after the end").isFalse();
                if (b == 0x0F && !sysrq) {
                    sysrq = true;
                    continue;
                }
                assertThat(sysrq && b != 0x0F).as("a SysRq command").isFalse();
                sysrq = false;
                if (quoted) {
                    quoted = false;
                    add(b);
                } else if (b == 0x16) {
                    quoted = true;
                } else if (b == 0x04) {
                    ended = line.size() == 0;
                    flush();
                } else {
                    add(b);
                    if (b == '\n') {
                        flush();
                    }
                }
            }
        }

        private void add(byte b) {
            line.write(b);
            assertThat(line.size())
                    .as("the terminal drops what exceeds its line")
                    .isLessThan(4095);
        }

        private void flush() {
            delivered.writeBytes(line.toByteArray());
            line.reset();
        }
    }

    @Test
    void anyBytesArriveAsTheyAreAndTheEndIsTheEnd() {
        long seed = System.nanoTime();
        SplittableRandom random = new SplittableRandom(seed);
        for (int round = 0; round < 200; round++) {
            ConsoleInput encoder = new ConsoleInput(true);
            LineTerminal terminal = new LineTerminal();
            ByteArrayOutputStream sent = new ByteArrayOutputStream();
            for (int pieces = random.nextInt(6); pieces > 0; pieces--) {
                byte[] piece = new byte[random.nextInt(1, 5000)];
                random.nextBytes(piece);
                // Make the special bytes frequent.
                for (int i = 0; i < piece.length; i += random.nextInt(1, 40)) {
                    piece[i] = new byte[] {4, 0x16, '\n', 0, 3, 0x0F}[random.nextInt(6)];
                }
                sent.writeBytes(piece);
                terminal.type(encoder.encode(piece, 0, piece.length));
                assertThat(terminal.delivered.toByteArray())
                        .as("seed %d round %d: nothing waits for more", seed, round)
                        .isEqualTo(sent.toByteArray());
            }
            terminal.type(encoder.end());
            assertThat(terminal.ended).as("seed %d round %d", seed, round).isTrue();
        }
    }
}
