package org.xenolith.hypervisor;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.xenolith.abi.HypercallNumber;
import org.xenolith.abi.SchedOp;
import org.xenolith.abi.ShutdownReason;
import org.xenolith.abi.VcpuInfo;
import org.xenolith.abi.VcpuTimeInfo;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.VcpuState;
import org.xenolith.hypervisor.time.VirtualClock;
import org.xenolith.memory.GuestPhysical;
import org.xenolith.memory.Raw;

@Timeout(60)
class StateHashTest {
    private static final long SEED = Long.getLong("xenolith.seed", System.nanoTime());
    private static final int PAGE = GuestPhysical.FRAME_SIZE;

    private final TestHost host = new TestHost();

    @AfterEach
    void tearDown() {
        host.close();
    }

    @Test
    void memoryThatWasChangedAndChangedBackHasTheOldHash() {
        Domain domain = host.domain(1, 1);
        StateHash hash = new StateHash(domain.memory());
        assertThat(hash.ofMemory(domain)).isZero();
        TestHost.write(domain, 0x5008, 8, 77);
        long first = hash.ofMemory(domain);
        assertThat(first).isNotZero();
        TestHost.write(domain, 0x5010, 8, 77);
        assertThat(hash.ofMemory(domain)).isNotEqualTo(first).isNotZero();
        TestHost.write(domain, 0x5010, 8, 0);
        assertThat(hash.ofMemory(domain)).isEqualTo(first);
    }

    @Test
    void theHashSaysWhereAByteIs() {
        Domain domain = host.domain(1, 1);
        StateHash hash = new StateHash(domain.memory());
        List<Long> seen = new ArrayList<>();
        for (long at : new long[] {0x5000, 0x5001, 0x5008, 0x5010, 0x5018, 0x5020, 0x6000}) {
            TestHost.write(domain, at, 1, 1);
            seen.add(hash.ofMemory(domain));
            TestHost.write(domain, at, 1, 0);
        }
        assertThat(seen).doesNotHaveDuplicates();
    }

    @Test
    void keepingUpGivesWhatComputingAnewGives() {
        SplittableRandom random = new SplittableRandom(SEED);
        Domain domain = host.domain(1, 1);
        Domain other = host.domain(2, 1);
        StateHash kept = new StateHash(domain.memory());
        StateHash anew = new StateHash(other.memory());
        byte[] page = new byte[PAGE];
        for (int round = 0; round < 200; round++) {
            long gfn = random.nextInt(16);
            switch (random.nextInt(4)) {
                case 0 -> {
                    domain.memory().remove(gfn);
                    domain.memory().populate(gfn, 1);
                }
                case 1 -> domain.memory().move(gfn, 16 + random.nextInt(16));
                default -> TestHost.write(domain, gfn * PAGE + random.nextInt(512) * 8, 8, random.nextLong());
            }
            if (random.nextInt(3) == 0) {
                kept.ofMemory(domain);
            }
            domain.memory().populate(0, 32);
        }
        for (long gfn = 0; gfn < TestHost.FRAMES; gfn++) {
            domain.memory().map().read(gfn * PAGE, page, 0, PAGE);
            TestHost.write(other, gfn * PAGE, page);
        }
        assertThat(kept.ofMemory(domain)).as("seed %d", SEED).isEqualTo(anew.ofMemory(other));
    }

    @Test
    void framesThatTheHypervisorWritesByTheirAddressAreSeen() {
        Domain domain = host.domain(1, 1);
        StateHash hash = new StateHash(domain.memory());
        domain.mapSharedInfo(0x500);
        long before = hash.ofMemory(domain);
        Raw.putLong(domain.sharedInfo() + 0x800, 5);
        assertThat(hash.ofMemory(domain)).isNotEqualTo(before);
        int mfn = domain.memory().pin(0x10);
        before = hash.ofMemory(domain);
        Raw.putLong(domain.memory().address(mfn), 5);
        assertThat(hash.ofMemory(domain)).isNotEqualTo(before);
        domain.memory().unpin(mfn);
    }

    @Test
    void theProcessorsHashCoversRegistersButNotWhatOthersAskTheEngineFor() {
        try (VcpuState state = new VcpuState()) {
            long before = StateHash.ofProcessor(state);
            state.raise(VcpuState.EVENT_EXIT | VcpuState.EVENT_INTERRUPT);
            state.setLong(VcpuState.SCRATCH + 8, 99);
            assertThat(StateHash.ofProcessor(state)).isEqualTo(before);
            for (int offset : new int[] {
                VcpuState.GPR,
                VcpuState.RFLAGS,
                VcpuState.CR2,
                VcpuState.SHADOW,
                VcpuState.RETIRED,
                VcpuState.XMM + 248,
                VcpuState.YMM_HIGH
            }) {
                int old = state.getInt(offset);
                state.setInt(offset, old ^ 1);
                assertThat(StateHash.ofProcessor(state))
                        .as("offset 0x%x", offset)
                        .isNotEqualTo(before);
                state.setInt(offset, old);
            }
            assertThat(StateHash.ofProcessor(state)).isEqualTo(before);
        }
    }

    @Test
    void checkpointsComeAtTheirCountsWhateverElseEndsARun() throws Exception {
        List<Long> counts = new ArrayList<>();
        host.trace = new Trace() {
            @Override
            public long checkpointInterval() {
                return 1000;
            }

            @Override
            public void checkpoint(Vcpu vcpu) {
                counts.add(vcpu.state().retired());
                if (vcpu.state().retired() == 10_000) {
                    vcpu.domain().shutDown(ShutdownReason.POWEROFF, vcpu);
                }
            }
        };
        // Deadlines fall on checkpoints, beside them and between them.
        Domain domain = host.domain(1, 1, new VirtualClock(1_000_000, 0));
        TestHost.engine(domain).then(engine -> {
            engine.state().setGpr(VcpuState.RAX, HypercallNumber.SCHED_OP);
            engine.state().setGpr(VcpuState.RDI, SchedOp.YIELD);
            return VcpuExit.Hypercall.INSTANCE;
        });
        domain.vcpus().getFirst().setPeriodicTimer(1_250_000);
        domain.start();
        domain.shutdownFuture().get(20, TimeUnit.SECONDS);
        assertThat(counts).containsExactly(1000L, 2000L, 3000L, 4000L, 5000L, 6000L, 7000L, 8000L, 9000L, 10_000L);
    }

    @Test
    void timeRecordsAreRenewedAtAnExactTimeInVirtualTime() throws Exception {
        List<Long> kicked = new ArrayList<>();
        for (boolean kicks : new boolean[] {false, true}) {
            Domain domain = host.domain(kicks ? 3 : 2, 1, new VirtualClock(1_000_000, 0));
            Vcpu vcpu = domain.vcpus().getFirst();
            VcpuTimer end = vcpu.newTimer(() -> domain.shutDown(ShutdownReason.POWEROFF, vcpu));
            end.set(3_700_000_000L);
            domain.start();
            while (kicks && !domain.shutdownFuture().isDone()) {
                vcpu.kick();
                Thread.sleep(1);
            }
            domain.shutdownFuture().get(20, TimeUnit.SECONDS);
            kicked.add(Raw.getLong(vcpu.vcpuInfo() + VcpuInfo.TIME + VcpuTimeInfo.SYSTEM_TIME));
        }
        assertThat(kicked).containsExactly(3_000_000_000L, 3_000_000_000L);
    }
}
