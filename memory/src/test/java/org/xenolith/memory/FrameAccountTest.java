package org.xenolith.memory;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class FrameAccountTest {
    private static final int EXTENT = MachineMemory.EXTENT_FRAMES;

    @Test
    void whatIsClaimedNobodyElseGets() {
        try (MachineMemory machine = new MachineMemory(2 << 20)) {
            FrameAccount one = machine.openAccount();
            FrameAccount other = machine.openAccount();
            assertThat(one.claim(500)).isTrue();
            for (int i = 0; i < EXTENT - 500; i++) {
                assertThat(other.allocateFrame()).isNotNegative();
            }
            assertThat(other.allocateFrame()).isEqualTo(-1);
            assertThat(machine.allocateFrame()).isEqualTo(-1);
            assertThat(machine.available()).isEqualTo(500);
            for (int i = 0; i < 500; i++) {
                assertThat(one.allocateFrame()).isNotNegative();
            }
            assertThat(machine.available()).isZero();
        }
    }

    @Test
    void aClaimThatDoesNotFitChangesNothing() {
        try (MachineMemory machine = new MachineMemory(2 << 20)) {
            FrameAccount one = machine.openAccount();
            FrameAccount other = machine.openAccount();
            assertThat(one.claim(300)).isTrue();
            assertThat(other.claim(213)).isFalse();
            assertThat(other.outstanding()).isZero();
            assertThat(other.claim(212)).isTrue();
            assertThat(one.claim(299)).isTrue();
            assertThat(other.claim(213)).isTrue();
            assertThat(machine.claimed()).isEqualTo(EXTENT);
        }
    }

    @Test
    void whatIsOwnedCountsTowardsTheClaimAndReturnsToItWhenGivenBack() {
        try (MachineMemory machine = new MachineMemory(2 << 20)) {
            FrameAccount account = machine.openAccount();
            account.claim(10);
            int mfn = account.allocateFrame();
            assertThat(account.outstanding()).isEqualTo(9);
            account.release(mfn, 1);
            assertThat(account.outstanding()).isEqualTo(10);
            assertThat(account.owned()).isZero();
            assertThat(machine.claimed()).isEqualTo(10);
            account.claim(0);
            assertThat(machine.claimed()).isZero();
        }
    }

    @Test
    void anExtentThatWouldTakeFromAClaimIsNotGiven() {
        try (MachineMemory machine = new MachineMemory(4 << 20)) {
            FrameAccount account = machine.openAccount();
            account.claim(EXTENT + 1);
            assertThat(machine.openAccount().allocateExtent()).isEqualTo(-1);
            assertThat(account.allocateExtent()).isNotNegative();
            assertThat(machine.openAccount().allocateExtent()).isEqualTo(-1);
        }
    }

    @Test
    void sumsStayRightInRandomUse() {
        long seed = Long.getLong("xenolith.seed", System.nanoTime());
        System.out.println("FrameAccountTest seed " + seed);
        SplittableRandom random = new SplittableRandom(seed);
        try (MachineMemory machine = new MachineMemory(8 << 20)) {
            List<FrameAccount> accounts = new ArrayList<>();
            List<Deque<Integer>> owned = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                accounts.add(machine.openAccount());
                owned.add(new ArrayDeque<>());
            }
            for (int step = 0; step < 30_000; step++) {
                int who = random.nextInt(4);
                FrameAccount account = accounts.get(who);
                switch (random.nextInt(8)) {
                    case 0 -> account.claim(random.nextInt(2048));
                    case 1, 2, 3 -> {
                        if (!owned.get(who).isEmpty()) {
                            account.release(owned.get(who).pop(), 1);
                        }
                    }
                    default -> {
                        long promised = account.outstanding();
                        int mfn = account.allocateFrame();
                        if (mfn >= 0) {
                            owned.get(who).push(mfn);
                        } else {
                            assertThat(promised).as("seed %d", seed).isZero();
                        }
                    }
                }
                long claimed =
                        accounts.stream().mapToLong(FrameAccount::outstanding).sum();
                long taken = accounts.stream().mapToLong(FrameAccount::owned).sum();
                assertThat(machine.claimed()).as("seed %d", seed).isEqualTo(claimed);
                assertThat(machine.available()).as("seed %d", seed).isEqualTo(machine.frames() - taken);
                assertThat(machine.available()).as("seed %d", seed).isGreaterThanOrEqualTo(claimed);
            }
        }
    }
}
