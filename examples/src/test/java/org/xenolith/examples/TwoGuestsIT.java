package org.xenolith.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.xenolith.image.ImageException;

class TwoGuestsIT {
    @Test
    @Timeout(240)
    void bothGuestsSayWhatTheyWereTold() throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try {
            TwoGuests.run(List.of("sh", "-c", "echo $((6 * 7)); exit 3"), new PrintStream(out, true));
        } catch (ImageException e) {
            Assumptions.abort("skipped: " + e.getMessage());
        }
        assertThat(out.toString(StandardCharsets.UTF_8))
                .contains("first (status 3): 42", "second (status 3): 42", "Started: first", "128 MiB");
    }
}
