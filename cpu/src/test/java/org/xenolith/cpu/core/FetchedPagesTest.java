package org.xenolith.cpu.core;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class FetchedPagesTest {
    private static final long SEED = Long.getLong("xenolith.seed", System.nanoTime());

    @Test
    void itKnowsWhatAMapKnows() {
        SplittableRandom random = new SplittableRandom(SEED);
        FetchedPages pages = new FetchedPages();
        Map<Long, Long> model = new HashMap<>();
        for (int n = 0; n < 200_000; n++) {
            long va = (random.nextInt(3000) - 1500L) * 0x1000 + random.nextInt(4096);
            boolean user = random.nextBoolean();
            long key = va & -4096L | (user ? 1 : 0);
            assertThat(pages.frame(va, user)).as("seed %d", SEED).isEqualTo(model.getOrDefault(key, 0L));
            int choice = random.nextInt(1000);
            if (choice == 0) {
                pages.clear();
                model.clear();
            } else if (choice < 400) {
                pages.remove(va);
                model.remove(va & -4096L);
                model.remove(va & -4096L | 1);
            } else if (!model.containsKey(key)) {
                long frame = (1L + random.nextInt(1 << 20)) << 12;
                pages.add(va, user, frame);
                model.put(key, frame);
            }
        }
        assertThat(model).isNotEmpty();
    }

    @Test
    void aFullTableSaysSoAndIsEmptyWhenCleared() {
        FetchedPages pages = new FetchedPages();
        long va = 0;
        while (!pages.isFull()) {
            pages.add(va, false, 0x1000);
            va += 0x1000;
        }
        assertThat(pages.frame(va - 0x1000, false)).isEqualTo(0x1000);
        pages.clear();
        assertThat(pages.isFull()).isFalse();
        assertThat(pages.frame(va - 0x1000, false)).isZero();
    }
}
