package org.xenolith.translate;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HexFormat;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.VcpuState;
import org.xenolith.translate.SwitchableEngine.Choice;

/** An engine that changes under a running guest. */
class SwitchableEngineTest {
    private static final long SEED = Long.getLong("xenolith.seed", System.nanoTime());

    private static Machines machine(String hex, Choice choice) {
        byte[] code = HexFormat.of().parseHex(hex.replace(" ", ""));
        return new Machines(choice).load(code, code.length);
    }

    @Test
    void aChangeTakesPlaceAtTheNextEntryAndTheNameTellsWhoRan() {
        try (Machines m = machine("90 ebfd", Choice.INTERPRET)) {
            SwitchableEngine engine = (SwitchableEngine) m.engine;
            m.run(10);
            assertThat(engine.name()).isEqualTo("interpret");
            engine.change(Choice.TRANSLATE);
            assertThat(engine.name()).isEqualTo("interpret");
            assertThat(engine.choice()).isEqualTo(Choice.TRANSLATE);
            assertThat(m.run(10)).as("a running guest leaves its engine soon").isInstanceOf(VcpuExit.Kicked.class);
            m.run(10);
            assertThat(engine.name()).isEqualTo("translate");
            engine.change(Choice.VERIFY);
            m.run(10);
            assertThat(engine.name()).isEqualTo("verify");
            engine.change(Choice.INTERPRET);
            m.run(10);
            assertThat(engine.name()).isEqualTo("interpret");
        }
    }

    @Test
    void randomProgramsEndTheSameHoweverOftenTheEngineChanges() {
        SplittableRandom seeds = new SplittableRandom(SEED);
        for (int n = 0; n < 60; n++) {
            long seed = seeds.nextLong();
            SplittableRandom random = new SplittableRandom(seed);
            RandomProgram program = new RandomProgram(random);
            byte[] code = program.make(20 + random.nextInt(60), 1 + random.nextInt(40));
            byte[] data = new byte[Machines.DATA_BYTES];
            random.nextBytes(data);
            try (Machines expected = new Machines(Choice.INTERPRET);
                    Machines actual = new Machines(Choice.INTERPRET)) {
                for (Machines m : new Machines[] {expected, actual}) {
                    m.load(code, program.size());
                    m.memory.write(Machines.DATA, data, 0, data.length);
                }
                VcpuExit left;
                do {
                    Choice choice = Choice.values()[random.nextInt(Choice.values().length)];
                    ((SwitchableEngine) actual.engine).change(choice);
                    actual.state.lower(VcpuState.EVENT_EXIT);
                    long budget = 1 + random.nextInt(300);
                    left = expected.run(budget);
                    VcpuExit right = actual.run(budget);
                    assertThat(right + " " + actual.registers(false))
                            .as("seed %d", seed)
                            .isEqualTo(left + " " + expected.registers(false));
                } while (left instanceof VcpuExit.BudgetSpent);
                assertThat(actual.registers(true)).as("seed %d", seed).isEqualTo(expected.registers(true));
                assertThat(actual.data()).as("seed %d", seed).isEqualTo(expected.data());
            }
        }
    }

    @Test
    void codeThatChangesWhileTheInterpreterRunsIsNotRunStaleByTheTranslator() {
        // l: mov al,0x11; inc byte [l+1]; jmp l
        try (Machines m = machine("b011 fe05f9ffffff ebf6", Choice.TRANSLATE)) {
            SwitchableEngine engine = (SwitchableEngine) m.engine;
            for (int round = 0; round < 20; round++) {
                engine.change(round % 2 == 0 ? Choice.TRANSLATE : Choice.INTERPRET);
                m.state.lower(VcpuState.EVENT_EXIT);
                m.run(3);
                assertThat(m.state.gpr(0) & 0xff).isEqualTo(0x11 + round);
            }
            engine.change(Choice.INTERPRET);
            m.state.lower(VcpuState.EVENT_EXIT);
            m.run(3);
            engine.linear().write(Machines.CODE + 1, new byte[] {0x77}, 0, 1);
            engine.change(Choice.TRANSLATE);
            m.state.lower(VcpuState.EVENT_EXIT);
            m.run(1);
            assertThat(m.state.gpr(0) & 0xff).as("written by the hypervisor").isEqualTo(0x77);
        }
    }

    @Test
    void anotherThreadMayChangeTheEngineOfARunningGuest() throws InterruptedException {
        // mov ecx,20000000; l: add rbx,rcx; dec ecx; jnz l; hlt
        try (Machines m = machine("b9002d3101 4801cb ffc9 75f9 f4", Choice.INTERPRET)) {
            SwitchableEngine engine = (SwitchableEngine) m.engine;
            Thread other = Thread.ofPlatform().start(() -> {
                for (int i = 0; i < 40; i++) {
                    engine.change(i % 2 == 0 ? Choice.TRANSLATE : Choice.INTERPRET);
                    try {
                        Thread.sleep(1);
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                }
            });
            VcpuExit exit;
            do {
                exit = m.run(Long.MAX_VALUE / 2);
            } while (exit instanceof VcpuExit.Kicked);
            other.join();
            assertThat(exit).isInstanceOf(VcpuExit.Halt.class);
            assertThat(m.state.gpr(VcpuState.RBX)).isEqualTo(20_000_000L * 20_000_001L / 2);
        }
    }
}
