package org.xenolith.services;

import org.xenolith.memory.GuestPhysical;
import org.xenolith.memory.MachineMemory;
import org.xenolith.memory.PhysicalToMachine;

/** A few frames of guest memory from gfn 0, for tests of rings and tables. */
public final class GuestMemory implements AutoCloseable {
    private final MachineMemory machine;
    private final PhysicalToMachine map;

    public GuestMemory(int frames) {
        machine = new MachineMemory((long) frames * GuestPhysical.FRAME_SIZE);
        map = new PhysicalToMachine(machine);
        for (int gfn = 0; gfn < frames; gfn++) {
            map.map(gfn, machine.allocateFrame(), true);
        }
    }

    public PhysicalToMachine physical() {
        return map;
    }

    public int getInt(long gpa) {
        return (int) map.read(gpa, 4);
    }

    public void putInt(long gpa, int value) {
        map.write(gpa, 4, value);
    }

    public void fill(byte[] random) {
        map.write(0, random, 0, random.length);
    }

    @Override
    public void close() {
        machine.close();
    }
}
