package org.xenolith.toolstack;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.xenolith.services.builder.DomainBuildException;
import org.xenolith.translate.SwitchableEngine;

@Timeout(60)
class MonitorTest {
    @TempDir
    private Path directory;

    private Domain start(String code) throws Exception {
        Domain domain = Domain.create(DomainConfig.of(TinyKernel.write(directory, code))
                .memoryBytes(16 << 20)
                .build());
        domain.start();
        return domain;
    }

    private static void runOn(Domain domain) throws InterruptedException {
        long before = domain.retiredInstructions().getFirst();
        while (domain.retiredInstructions().getFirst() < before + 1000) {
            Thread.sleep(1);
        }
    }

    @Test
    void theGuestRunsOnAfterEachCommand() throws Exception {
        try (Domain domain = start(TinyKernel.SPIN)) {
            Monitor monitor = domain.monitor();
            assertThat(monitor.execute("r")).contains("32-bit code, privilege 0", "cr0 11 [ET PE]");
            runOn(domain);
            assertThat(monitor.execute("registers")).contains("rip 000000000010000");
        }
    }

    @Test
    void pauseHoldsTheGuestUntilContinue() throws Exception {
        try (Domain domain = start(TinyKernel.SPIN)) {
            runOn(domain);
            Monitor monitor = domain.monitor();
            assertThat(monitor.execute("pause")).startsWith("paused at 0x10000");
            long before = domain.retiredInstructions().getFirst();
            monitor.execute("r");
            Thread.sleep(20);
            assertThat(domain.retiredInstructions().getFirst()).isEqualTo(before);
            assertThat(monitor.execute("continue")).isEqualTo("the guest runs\n");
            assertThat(monitor.execute("c")).isEqualTo("the guest is running\n");
            runOn(domain);
        }
    }

    @Test
    void stepsExecuteExactlyAsManyInstructionsAsAsked() throws Exception {
        try (Domain domain = start(TinyKernel.SPIN)) {
            runOn(domain);
            Monitor monitor = domain.monitor();
            monitor.execute("pause");
            long before = domain.retiredInstructions().getFirst();
            assertThat(monitor.execute("step 3").lines().filter(l -> l.startsWith("  0x")))
                    .hasSize(3);
            assertThat(domain.retiredInstructions().getFirst()).isEqualTo(before + 3);
            assertThat(monitor.execute("s")).contains("=>0x10000");
            assertThat(domain.retiredInstructions().getFirst()).isEqualTo(before + 4);
            assertThat(monitor.isPaused()).isTrue();
            monitor.close();
            runOn(domain);
        }
    }

    @Test
    void theEngineChangesWhileTheGuestRunsAndWhileItIsPaused() throws Exception {
        assumeTrue(SwitchableEngine.obstacle().isEmpty(), "skipped: this host runs no translated code");
        Path kernel = TinyKernel.write(directory, TinyKernel.SPIN);
        try (Domain domain = Domain.create(DomainConfig.of(kernel)
                .memoryBytes(16 << 20)
                .engine(EngineKind.INTERPRET)
                .build())) {
            domain.start();
            runOn(domain);
            Monitor monitor = domain.monitor();
            assertThat(monitor.execute("engine")).isEqualTo("processor 0: interpret\n");
            for (String name : new String[] {"translate", "verify", "interpret"}) {
                assertThat(monitor.execute("engine " + name))
                        .startsWith("processor 0: ")
                        .endsWith(", " + name + " from its next instruction on\n");
                runOn(domain);
                assertThat(monitor.execute("engine")).isEqualTo("processor 0: " + name + "\n");
                assertThat(domain.engine(0)).hasToString(name);
            }
            monitor.execute("pause");
            domain.changeEngine(EngineKind.TRANSLATE);
            assertThat(domain.engine(0)).isEqualTo(EngineKind.TRANSLATE);
            monitor.execute("continue");
            runOn(domain);
            assertThat(monitor.execute("engine")).isEqualTo("processor 0: translate\n");
            assertThat(monitor.execute("engine warp")).isEqualTo("no engine 'warp': interpret, translate or verify\n");
        }
    }

    @Test
    void verifyIsRefusedForSeveralVirtualCpus() throws Exception {
        Path kernel = TinyKernel.write(directory, TinyKernel.SPIN);
        DomainConfig.Builder config =
                DomainConfig.of(kernel).memoryBytes(16 << 20).vcpus(2);
        assertThatThrownBy(() -> Domain.create(config.engine(EngineKind.VERIFY).build()))
                .isInstanceOf(DomainBuildException.class)
                .hasMessage("the engine verify compares what one virtual CPU does, and there are 2");
        try (Domain domain = Domain.create(config.engine(EngineKind.AUTO).build())) {
            assertThatThrownBy(() -> domain.changeEngine(EngineKind.VERIFY))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageStartingWith("the engine verify compares");
        }
    }

    @Test
    void allProcessorsAreShownAndAskedForThroughXenstore() throws Exception {
        Path kernel = TinyKernel.write(directory, TinyKernel.SPIN);
        try (Domain domain = Domain.create(DomainConfig.of(kernel)
                .memoryBytes(16 << 20)
                .vcpus(2)
                .maxVcpus(3)
                .build())) {
            domain.start();
            runOn(domain);
            Monitor monitor = domain.monitor();
            assertThat(monitor.execute("vcpus").lines())
                    .hasSize(3)
                    .anyMatch(line -> line.startsWith("processor 0: running at 0x10000"))
                    .anyMatch(line -> line.startsWith("processor 2: offline at "));
            assertThat(monitor.execute("xs /local/domain/1/cpu")).contains("online", "offline");
            assertThat(availability(domain)).containsExactly("online", "online", "offline");
            monitor.execute("vcpus 3");
            assertThat(availability(domain)).containsExactly("online", "online", "online");
            monitor.execute("vcpus 1");
            assertThat(availability(domain)).containsExactly("online", "offline", "offline");
            for (String wrong : new String[] {"vcpus 0", "vcpus 4"}) {
                assertThat(monitor.execute(wrong)).endsWith("give 1 to 3, this guest's maximum\n");
            }
            assertThat(availability(domain)).containsExactly("online", "offline", "offline");
            assertThat(monitor.execute("r all")).contains("processor 0: running", "processor 2: offline");
            assertThat(monitor.execute("bt all").lines().filter(l -> l.startsWith("processor ")))
                    .hasSize(3);
            assertThat(monitor.execute("r some")).isEqualTo("'some': say 'all', or nothing for processor 0\n");
        }
    }

    private static List<String> availability(Domain domain) {
        return Stream.of(0, 1, 2)
                .map(cpu -> domain.store().read("/local/domain/1/cpu/" + cpu + "/availability", ""))
                .toList();
    }

    @Test
    void aTraceOfInstructionsRunsUnderTheAutomaticEngine() throws Exception {
        List<String> lines = Collections.synchronizedList(new ArrayList<>());
        Path kernel = TinyKernel.write(directory, TinyKernel.SPIN);
        try (Domain domain = Domain.create(DomainConfig.of(kernel)
                .memoryBytes(16 << 20)
                .engine(EngineKind.AUTO)
                .trace(new TraceConfig(EnumSet.of(TraceConfig.Kind.INSN), lines::add))
                .build())) {
            domain.start();
            while (lines.size() < 100) {
                Thread.sleep(1);
            }
            assertThat(lines.get(99)).containsAnyOf("inc", "jmp");
        }
    }

    @Test
    void memoryAndCodeAreShownByAnyKindOfAddress() throws Exception {
        try (Domain domain = start(TinyKernel.SPIN)) {
            Monitor monitor = domain.monitor();
            assertThat(monitor.execute("x 100000 4")).isEqualTo("""
                    0000000000100000  fa 40 eb fd                                       |.@..|
                    """);
            assertThat(monitor.execute("xp 0x100001 1")).contains("0000000000100001  40 ");
            assertThat(monitor.execute("u 100000 3")).contains("0x100000: fa", "cli", "inc eax", "jmp 0x100001");
            assertThat(monitor.execute("pt 100000")).contains("no paging", "guest-physical 0x100000");
            assertThat(monitor.execute("x rip+1 1")).startsWith("000000000010000");
            assertThat(monitor.execute("xp fffffff000000 4")).contains("no memory there");
        }
    }

    @Test
    void countersAndTreesOfTheHypervisorAreShown() throws Exception {
        try (Domain domain = start(TinyKernel.BUSY)) {
            runOn(domain);
            Monitor monitor = domain.monitor();
            assertThat(monitor.execute("hypercalls")).contains("xen_version");
            assertThat(monitor.execute("stats"))
                    .contains("instructions on processor 0", "port accesses", "TLB fills")
                    .doesNotContain("time of running");
            while (!monitor.execute("stats").contains("time of running: ")) {
                Thread.sleep(1);
            }
            assertThat(monitor.execute("events")).contains("2-level event channels", "port 1 ", "domain 0");
            assertThat(monitor.execute("xenstore")).contains("domid = \"1\"");
            assertThat(monitor.execute("xs /local/domain/1/memory")).contains("target = ");
            assertThat(monitor.execute("dmesg")).contains("(the kernel's symbols do not have");
            assertThat(monitor.execute("bt")).contains("no symbols");
            assertThat(monitor.execute("help").lines().count()).isGreaterThan(18);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "nonsense",
                "x",
                "x zzz",
                "x 1 2 3 4 x",
                "x 0 -5",
                "x 0 abc",
                "pt",
                "u $nothing",
                "cpu 7",
                "cpu x",
                "step x",
                "xs relative",
                "xs /no/such",
                "symbols",
                "symbols schedule",
                "x 10000000000000000000",
                "x +",
                "x rip+",
                "step -1"
            })
    void wrongCommandsAreAnsweredInALine(String line) throws Exception {
        try (Domain domain = start(TinyKernel.SPIN)) {
            String answer = domain.monitor().execute(line);
            assertThat(answer).endsWith("\n").doesNotContain("Exception", "failed");
            runOn(domain);
        }
    }

    @Test
    void stopDestroysTheGuestAndAGoneGuestIsSaidToBeGone() throws Exception {
        Monitor monitor;
        try (Domain domain = start(TinyKernel.SPIN)) {
            monitor = domain.monitor();
            assertThat(monitor.execute("stop")).contains("destroyed");
            assertThat(monitor.isFinished()).isTrue();
            assertThat(domain.await()).isEqualTo(new DomainOutcome.Destroyed());
        }
        assertThat(monitor.execute("r")).isEqualTo("the guest is gone\n");
        monitor.close();
    }

    @Test
    void aCrashedGuestCanStillBeLookedAt() throws Exception {
        try (Domain domain = start(TinyKernel.TRIPLE_FAULT)) {
            domain.await();
            assertThat(domain.monitor().execute("r")).contains("shut down", "rax 0000000000001234");
        }
    }
}
