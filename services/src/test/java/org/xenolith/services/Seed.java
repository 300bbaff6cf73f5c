package org.xenolith.services;

import java.util.SplittableRandom;

/** Random tests say which seed they ran with, and run with another one on request. */
public final class Seed {
    private Seed() {}

    /** The generator of one test; {@code -Dxenolith.seed=N} repeats a run. */
    public static SplittableRandom random(String test) {
        long seed = Long.getLong("xenolith.seed", System.nanoTime());
        System.out.println(test + ": -Dxenolith.seed=" + seed);
        return new SplittableRandom(seed);
    }

    public static byte[] bytes(SplittableRandom random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }
}
