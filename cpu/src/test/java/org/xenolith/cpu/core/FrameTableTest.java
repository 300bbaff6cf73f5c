package org.xenolith.cpu.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class FrameTableTest {
    @Test
    void behavesAsAMapUnderRandomUse() {
        long seed = Long.getLong("xenolith.seed", System.nanoTime());
        System.out.println("FrameTableTest: xenolith.seed=" + seed);
        Random random = new Random(seed);
        FrameTable<Integer> table = new FrameTable<>();
        Map<Long, Integer> model = new HashMap<>();
        for (int i = 0; i < 300_000; i++) {
            // Few enough frames that they are met again, enough that the table grows and probes collide.
            long frame = 0x7f00_0000_0000L + (random.nextInt(3000) + 1L << 12);
            switch (random.nextInt(i < 150_000 ? 3 : 4)) {
                case 0, 1 -> {
                    table.put(frame, i);
                    model.put(frame, i);
                }
                default -> {
                    table.remove(frame);
                    model.remove(frame);
                }
            }
            assertEquals(model.size(), table.size(), "seed " + seed);
            assertEquals(model.get(frame), table.get(frame), "seed " + seed);
        }
        for (long number = 1; number <= 3000; number++) {
            long frame = 0x7f00_0000_0000L + (number << 12);
            assertEquals(model.get(frame), table.get(frame), "seed " + seed);
        }
        table.clear();
        assertEquals(0, table.size());
        assertNull(table.get(0x7f00_0000_1000L));
    }
}
