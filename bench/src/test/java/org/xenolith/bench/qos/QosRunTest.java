package org.xenolith.bench.qos;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

@Timeout(300)
class QosRunTest {
    @Test
    void eachPromiseIsMeasuredOnGuestsThatRun() {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        new QosRun(
                        0.2,
                        new PrintStream(out, true, StandardCharsets.UTF_8),
                        new PrintStream(new ByteArrayOutputStream(), true, StandardCharsets.UTF_8),
                        true)
                .run();
        JsonNode findings = JsonMapper.builder().build().readTree(out.toString(StandardCharsets.UTF_8));
        assertThat(findings.size()).isEqualTo(11);
        for (JsonNode finding : findings) {
            // How good the numbers are is for a quiet machine and a longer time.
            assertThat(finding.get("measured").asDouble())
                    .as(finding.get("name").asString())
                    .isPositive();
        }
    }

    @Test
    void aPromiseIsKeptWithinItsTolerance() {
        assertThat(new QosFinding("a", 51.4, " %", 50, 0.03, "").ok()).isTrue();
        assertThat(new QosFinding("a", 51.6, " %", 50, 0.03, "").ok()).isFalse();
        assertThat(new QosFinding("a", 48.4, " %", 50, 0.03, "x"))
                .hasToString("WRONG  a: 48.4 % (wanted 50.0 within 3 %); x");
        assertThat(QosFinding.report("b", 1234.5, " us", "").ok()).isTrue();
        assertThat(QosFinding.report("b", 1234.5, " us", "")).hasToString("       b: 1235 us");
    }
}
