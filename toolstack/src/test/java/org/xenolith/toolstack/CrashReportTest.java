package org.xenolith.toolstack;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class CrashReportTest {
    @TempDir
    private Path directory;

    private final List<String> trace = new CopyOnWriteArrayList<>();

    private Domain start(String code, TraceConfig.Kind... kinds) throws Exception {
        DomainConfig.Builder config =
                DomainConfig.of(TinyKernel.write(directory, code)).memoryBytes(16 << 20);
        if (kinds.length > 0) {
            config.trace(new TraceConfig(EnumSet.of(kinds[0], kinds), trace::add));
        }
        Domain domain = Domain.create(config.build());
        domain.start();
        return domain;
    }

    @Test
    void aTripleFaultIsReportedWithRegistersAndTheInstruction() throws Exception {
        try (Domain domain = start(TinyKernel.TRIPLE_FAULT)) {
            DomainOutcome.Crash crash = (DomainOutcome.Crash) domain.await();
            assertThat(crash.reason()).startsWith("triple fault: ").doesNotContain("\n");
            assertThat(crash.report())
                    .contains("rip 000000000010000c", "rax 0000000000001234", "<0f> 0b", "=> 0x10000c", "ud2")
                    .contains("engine " + EngineKind.AUTO.here(), "2 instructions", "kernel log:")
                    .doesNotContain("\tat ");
            assertThat(crash.report().lines().count()).isLessThan(50);
        }
    }

    @Test
    void theOtherProcessorsAreInTheReport() throws Exception {
        try (Domain domain = Domain.create(DomainConfig.of(TinyKernel.write(directory, TinyKernel.TRIPLE_FAULT))
                .memoryBytes(16 << 20)
                .vcpus(3)
                .build())) {
            domain.start();
            DomainOutcome.Crash crash = (DomainOutcome.Crash) domain.await();
            assertThat(crash.report())
                    .contains("virtual CPU 0 of 3", "processor 1: offline at", "processor 2: offline at")
                    .doesNotContain("processor 0:");
        }
    }

    @Test
    void aPanicHasAReportToo() throws Exception {
        try (Domain domain = start(TinyKernel.PANIC)) {
            DomainOutcome.Panic panic = (DomainOutcome.Panic) domain.await();
            assertThat(panic.reason()).isEqualTo("the guest's kernel reported a crash");
            assertThat(panic.report()).contains("rip 000000000010001c", "rcx 0000000000200000");
        }
    }

    @Test
    void tracesNameHypercallsExceptionsAndInstructions() throws Exception {
        try (Domain domain = start(TinyKernel.PANIC, TraceConfig.Kind.HYPERCALL, TraceConfig.Kind.INSN)) {
            domain.await();
        }
        assertThat(trace)
                .anyMatch(
                        line -> line.matches(
                                "\\[ +\\d+\\.\\d{6}] v0 #\\d+ hypercall sched_op\\(shutdown, 0x200000\\) \\{crash} = 0 at 0x10001c"));
        assertThat(trace).anyMatch(line -> line.matches(".* v0 #1 10000a mov ecx, 0x200000  ; rcx=200000"));
        trace.clear();
        try (Domain domain = start(TinyKernel.TRIPLE_FAULT, TraceConfig.Kind.EXCEPTION)) {
            domain.await();
        }
        assertThat(trace).anyMatch(line -> line.contains("exception #UD at 0x10000c"));
        assertThat(trace).anyMatch(line -> line.contains("exception #DF"));
    }

    @Test
    void aDefectOfOursCrashesTheDomainAndTellsItInOneLine() throws Exception {
        TraceConfig broken = new TraceConfig(EnumSet.of(TraceConfig.Kind.PORT), line -> {
            throw new IllegalStateException("first line\nsecond line");
        });
        DomainConfig config = DomainConfig.of(TinyKernel.write(directory, TinyKernel.BUSY))
                .memoryBytes(16 << 20)
                .trace(broken)
                .build();
        try (Domain domain = Domain.create(config)) {
            domain.start();
            DomainOutcome.Crash crash = (DomainOutcome.Crash) domain.await();
            assertThat(crash.isOurDefect()).isTrue();
            assertThat(crash.reason())
                    .startsWith("defect in Xenolith while d1v0 was at 0x10000")
                    .endsWith("first line");
            assertThat(crash.report()).doesNotContain("\tat ");
        }
    }

    @Test
    void theLastInstructionBeforeACrashIsTraced() throws Exception {
        try (Domain domain = start(TinyKernel.TRIPLE_FAULT, TraceConfig.Kind.INSN)) {
            domain.await();
        }
        assertThat(trace.getLast()).contains("10000c ud2");
    }

    @Test
    void portsAreTracedWithTheirSize() throws Exception {
        try (Domain domain = start(TinyKernel.BUSY, TraceConfig.Kind.PORT)) {
            while (trace.isEmpty()) {
                assertThat(domain.await(0)).isNull();
                Thread.sleep(1);
            }
        }
        assertThat(trace.getFirst()).contains("out port 0x80 byte 0x11 at 0x10000f");
    }

    @Test
    void aGuestThatSpinsWithInterruptsOffIsNoticedAfterAWhileAndOnlyThen() throws Exception {
        try (Domain domain = start(TinyKernel.SPIN)) {
            StallDetector detector = domain.inspector().stalls();
            long second = 1_000_000_000L;
            long now = System.nanoTime();
            long start = now;
            while (domain.inspector().stall().isEmpty()) {
                long before = domain.retiredInstructions().getFirst();
                while (domain.retiredInstructions().getFirst() < before + 10) {
                    Thread.sleep(1);
                }
                detector.look(now);
                now += second / 2;
            }
            assertThat(domain.inspector().stall().orElseThrow())
                    .startsWith("the guest spins with interrupts off at 0x10000");
            assertThat(now - start).isGreaterThan(StallDetector.LIMIT_SECONDS * second);
        }
    }

    @Test
    void aGuestThatTalksToTheHypervisorDoesNotStall() throws Exception {
        try (Domain domain = start(TinyKernel.BUSY)) {
            StallDetector detector = domain.inspector().stalls();
            for (int i = 0; i < 100; i++) {
                Thread.sleep(1);
                detector.look(System.nanoTime() + i * 1_000_000_000L);
            }
            assertThat(domain.inspector().stall()).isEmpty();
        }
    }
}
