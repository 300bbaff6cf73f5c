package org.xenolith.cpu.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.cpu.testing.Asm.RAX;
import static org.xenolith.cpu.testing.Asm.RBX;
import static org.xenolith.cpu.testing.Asm.RCX;
import static org.xenolith.cpu.testing.Asm.RDX;
import static org.xenolith.cpu.testing.Asm.abs;
import static org.xenolith.cpu.testing.TestMachine.DATA;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.testing.Asm;
import org.xenolith.cpu.testing.TestMachine;

/** {@code run(n)} stops after exactly n instructions, wherever the blocks end. */
public class BudgetTest {
    private static TestMachine program() {
        TestMachine m = TestMachine.long64();
        Asm a = m.code();
        a.mov(2, RCX, 1000).label("outer").mov(2, RBX, 7);
        a.label("inner")
                .aluRR(Asm.ADD, 2, RAX, RCX)
                .incM(2, abs(DATA))
                .call("leaf")
                .dec(2, RBX)
                .jcc(Asm.NE, "inner");
        a.int_(0x80).dec(2, RCX).jcc(Asm.NE, "outer").hlt();
        a.label("leaf").aluRR(Asm.XOR, 2, RDX, RAX).db(0x0F, 0xC8).ret();
        m.memory.put(TestMachine.HANDLERS + 0x800, new Asm(64, 0).iret().bytes());
        return m.load(a);
    }

    private static List<Long> snapshot(TestMachine m) {
        List<Long> list = new ArrayList<>();
        for (int i = 0; i < 16; i++) {
            list.add(m.reg(i));
        }
        list.add(m.state.rip());
        list.add(m.state.rflags());
        list.add(m.state.retired());
        return list;
    }

    @Test
    void exactlyThatManyInstructionsRetire() {
        long seed = Long.getLong("xenolith.seed", System.nanoTime());
        SplittableRandom random = new SplittableRandom(seed);
        try (TestMachine fast = program();
                TestMachine slow = program()) {
            while (true) {
                long n = random.nextInt(1, 120);
                long before = fast.state.retired();
                VcpuExit exit = fast.engine.run(n);
                if (!(exit instanceof VcpuExit.BudgetSpent)) {
                    assertThat(exit).as("seed %d", seed).isInstanceOf(VcpuExit.Halt.class);
                    break;
                }
                assertThat(fast.state.retired() - before).as("seed %d", seed).isEqualTo(n);
                for (long i = 0; i < n; i++) {
                    slow.engine.run(1);
                }
                assertThat(snapshot(fast)).as("seed %d", seed).isEqualTo(snapshot(slow));
            }
        }
    }

    @Test
    void noInstructionsAtAllIsABudgetToo() {
        try (TestMachine m = program()) {
            assertThat(m.engine.run(0)).isInstanceOf(VcpuExit.BudgetSpent.class);
            assertThat(m.state.rip()).isEqualTo(TestMachine.CODE);
            assertThat(m.state.retired()).isZero();
        }
    }
}
