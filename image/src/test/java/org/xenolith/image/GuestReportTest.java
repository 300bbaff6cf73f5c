package org.xenolith.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class GuestReportTest {
    private final AtomicInteger readyCalls = new AtomicInteger();
    private final AtomicInteger exitCalls = new AtomicInteger();
    private final GuestReport report = new GuestReport(readyCalls::incrementAndGet, exitCalls::incrementAndGet);

    private void hear(String text) {
        report.accept(text.getBytes(StandardCharsets.ISO_8859_1));
    }

    @Test
    void readyAndExitAreHeardAmongKernelMessages() {
        hear("[    0.0] Linux version\n[   0.1] unfinished li\nxenolith-ready\n");
        assertThat(report.ready()).isTrue();
        assertThat(report.exitStatus()).isEmpty();
        hear("noise\n\nxenolith-exit:137\n");
        assertThat(report.exitStatus()).hasValue(137);
        assertThat(exitCalls).hasValue(1);
    }

    @Test
    void readyIsToldOnce() {
        hear("\nxenolith-ready\n\nxenolith-ready\n");
        assertThat(readyCalls).hasValue(1);
    }

    @Test
    void aStatusOutsideAByteIsIgnored() {
        hear("xenolith-exit:256\nxenolith-exit:-1\nxenolith-exit:\nxenolith-exit:12x\nxenolith-exit:9999999999\n");
        assertThat(report.exitStatus()).isEmpty();
    }

    @Test
    void anEndlessLineCostsNoMemoryAndIsDropped() {
        for (int i = 0; i < 1_000_000; i++) {
            report.accept('x');
        }
        assertThat(report.toString().length()).isLessThan(200);
        hear("\nxenolith-exit:0\n");
        assertThat(report.exitStatus()).hasValue(0);
    }
}
