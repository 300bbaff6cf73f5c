package org.xenolith.cpu.core;

/**
 * An instruction in the middle of a block wants to reach a device, which may ask for the time or raise an event: the engine
 * executes it once more, alone, with the instructions before it counted and a look at events behind it. Thrown like a fault,
 * before the instruction has changed anything.
 */
public final class Uncounted extends RuntimeException {
    private static final long serialVersionUID = 1L;
    static final Uncounted INSTANCE = new Uncounted();

    private Uncounted() {
        super(null, null, false, false);
    }
}
