package org.xenolith.cpu.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.cpu.testing.Asm.RAX;
import static org.xenolith.cpu.testing.Asm.RBX;
import static org.xenolith.cpu.testing.Asm.RCX;
import static org.xenolith.cpu.testing.Asm.abs;
import static org.xenolith.cpu.testing.TestMachine.CODE;
import static org.xenolith.cpu.testing.TestMachine.DATA;
import static org.xenolith.cpu.testing.TestMachine.MEMORY;
import static org.xenolith.cpu.testing.TestMachine.pte;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.TrialMemory;
import org.xenolith.cpu.interpret.Interpreter;
import org.xenolith.cpu.testing.Asm;
import org.xenolith.cpu.testing.TestMachine;
import org.xenolith.memory.Raw;

/** Execution on trial: what it sees, and what it leaves behind. */
class TrialTest {
    private final TrialMemory trial = new TrialMemory();

    private int attempt(TestMachine m, int most) {
        Interpreter interpreter = (Interpreter) m.engine;
        interpreter.enter();
        interpreter.cpu().beginTrial(trial);
        try {
            return interpreter.attempt(most);
        } finally {
            interpreter.cpu().endTrial();
        }
    }

    @Test
    void storesAreSeenByLaterLoadsAndNotByMemory() {
        try (TestMachine m = TestMachine.long64()) {
            m.memory.put64(DATA, 5);
            Asm a = m.code();
            a.incM(3, abs(DATA))
                    .load(3, RAX, abs(DATA))
                    .storeImm(3, abs(DATA + 0x1000), 9)
                    .hlt();
            m.load(a);
            assertThat(attempt(m, 3)).isEqualTo(3);
            assertThat(m.reg(RAX)).isEqualTo(6);
            assertThat(m.memory.get64(DATA)).isEqualTo(5);
            assertThat(m.memory.get64(DATA + 0x1000)).isZero();
            assertThat(m.state.retired()).isZero();
            assertThat(trial.matches()).isFalse();
            List<String> words = new ArrayList<>();
            trial.forEach((linear, host, before, after) ->
                    words.add(Long.toHexString(linear) + ": " + before + " -> " + after));
            assertThat(words).containsExactly("20000: 5 -> 6", "21000: 0 -> 9");
            m.memory.put64(DATA, 6);
            m.memory.put64(DATA + 0x1000, 9);
            assertThat(trial.matches()).isTrue();
            trial.takeBack();
            assertThat(m.memory.get64(DATA)).isEqualTo(5);
            assertThat(m.memory.get64(DATA + 0x1000)).isZero();
        }
    }

    @Test
    void itStopsBeforeAFaultThatNobodyDelivers() {
        try (TestMachine m = TestMachine.long64()) {
            m.memory.put64(pte(DATA + 0x1000), 0);
            Asm a = m.code();
            a.mov(2, RAX, 7)
                    .load(2, RCX, abs(DATA))
                    .load(2, RBX, abs(DATA + 0x1000))
                    .hlt();
            m.load(a).set(RBX, 3);
            m.state.setLong(VcpuState.CR2, 0x1234);
            long stack = m.reg(Asm.RSP);
            assertThat(attempt(m, 10)).isEqualTo(2);
            assertThat(m.reg(RAX)).isEqualTo(7);
            assertThat(m.reg(RBX)).isEqualTo(3);
            assertThat(m.reg(Asm.RSP)).isEqualTo(stack);
            assertThat(m.state.getLong(VcpuState.CR2)).isEqualTo(0x1234);
            m.run();
            assertThat(m.state.getLong(VcpuState.CR2))
                    .as("in earnest it faults")
                    .isEqualTo(DATA + 0x1000);
        }
    }

    @Test
    void itStopsBeforeAnAccessToADevice() {
        try (TestMachine m = TestMachine.long64()) {
            m.memory.put64(pte(DATA), MEMORY * 2 | 7);
            Asm a = m.code();
            a.mov(2, RAX, 7).store(2, abs(DATA), RAX).hlt();
            m.load(a);
            assertThat(attempt(m, 10)).isEqualTo(1);
            assertThat(m.world.log).isEmpty();
        }
    }

    @Test
    void codeThatItWritesIsNotWhatRunsLater() {
        try (TestMachine m = TestMachine.long64()) {
            Asm a = m.code();
            a.storeImm(0, abs(CODE + 9), 0x55).mov(2, RAX, 0x11).hlt();
            m.load(a);
            attempt(m, 1);
            m.state.setRip(CODE + 8);
            m.runToHalt();
            assertThat(m.reg(RAX)).isEqualTo(0x11);
        }
    }

    @Test
    void theShadowOfStiEndsWithTheNextInstruction() {
        try (TestMachine m = TestMachine.long64()) {
            Asm a = m.code();
            a.sti().nop().nop().hlt();
            m.load(a);
            assertThat(attempt(m, 1)).isEqualTo(1);
            assertThat(m.state.getInt(VcpuState.SHADOW)).isEqualTo(1);
            assertThat(attempt(m, 1)).isEqualTo(1);
            assertThat(m.state.getInt(VcpuState.SHADOW)).isZero();
        }
    }

    @Test
    void takingBackLeavesBitsAloneThatOthersChanged() {
        try (TestMachine m = TestMachine.long64()) {
            m.memory.put64(DATA, 0b1000);
            Asm a = m.code();
            a.alu(Asm.AND, 3, RAX, 0).store(3, abs(DATA), RAX).hlt();
            m.load(a);
            attempt(m, 2);
            // Somebody did the same in memory, and another thread has set a bit since.
            Raw.putLong(m.memory.host(DATA), 0b100000);
            trial.takeBack();
            assertThat(m.memory.get64(DATA)).isEqualTo(0b101000);
        }
    }

    @Test
    void moreStoresThanAnyTableBeginsWithAreKept() {
        try (TestMachine m = TestMachine.long64()) {
            Asm a = m.code();
            for (int i = 0; i < 100; i++) {
                a.storeImm(2, abs(DATA + i * 0x1000L), i + 1);
            }
            a.hlt();
            m.load(a);
            assertThat(attempt(m, 100)).isEqualTo(100);
            int[] words = new int[1];
            trial.forEach((linear, host, before, after) -> {
                assertThat(after).isEqualTo((linear - DATA) / 0x1000 + 1);
                words[0]++;
            });
            assertThat(words[0]).isEqualTo(100);
            assertThat(attempt(m, 0)).isZero();
            trial.forEach((linear, host, before, after) -> words[0]++);
            assertThat(words[0]).as("a new trial begins empty").isEqualTo(100);
        }
    }
}
