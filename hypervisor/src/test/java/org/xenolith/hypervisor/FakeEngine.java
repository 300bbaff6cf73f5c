package org.xenolith.hypervisor;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.Function;
import java.util.function.LongConsumer;
import org.xenolith.cpu.Engine;
import org.xenolith.cpu.LinearMemory;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.World;
import org.xenolith.memory.GuestPhysical;
import org.xenolith.memory.Raw;

/**
 * An engine whose program is a list of Java functions. Each run executes one; afterwards it idles as a processor in a
 * loop does: it takes interrupts when IF is set, spends its budget, and leaves when it is kicked. Linear addresses are
 * guest-physical ones.
 */
class FakeEngine implements Engine {
    private final VcpuState state;
    final World world;
    private final GuestPhysical memory;
    private final Deque<Function<FakeEngine, VcpuExit>> program = new ArrayDeque<>();
    final List<Integer> interrupts = new ArrayList<>();
    int flushes;

    FakeEngine(VcpuState state, World world, GuestPhysical memory) {
        this.state = state;
        this.world = world;
        this.memory = memory;
    }

    synchronized void then(Function<FakeEngine, VcpuExit> step) {
        program.add(step);
    }

    World world() {
        return world;
    }

    @Override
    public VcpuExit run(long budget) {
        Function<FakeEngine, VcpuExit> step;
        synchronized (this) {
            step = program.poll();
        }
        if (step != null) {
            return step.apply(this);
        }
        for (long i = 0; i < budget; i++) {
            int events = Raw.getIntVolatile(state.address() + VcpuState.EVENTS);
            if ((events & VcpuState.EVENT_EXIT) != 0) {
                state.lower(VcpuState.EVENT_EXIT);
                return VcpuExit.Kicked.INSTANCE;
            }
            if ((events & VcpuState.EVENT_INTERRUPT) != 0 && (state.rflags() & 0x200) != 0) {
                takeInterrupt();
            }
            state.setLong(VcpuState.RETIRED, state.retired() + 1);
        }
        return VcpuExit.BudgetSpent.INSTANCE;
    }

    /** Takes an interrupt as a processor does: the handler starts with interrupts off. Returns the vector, or -1. */
    int takeInterrupt() {
        int vector = world.acknowledgeInterrupt();
        if (vector >= 0) {
            synchronized (interrupts) {
                interrupts.add(vector);
            }
            state.setRflags(state.rflags() & ~0x200L);
        }
        return vector;
    }

    @Override
    public VcpuState state() {
        return state;
    }

    @Override
    public void flushTlb() {
        flushes++;
    }

    @Override
    public void forEachWritableFrame(LongConsumer hostFrame) {
        // Nothing is cached.
    }

    @Override
    public void invalidateFrame(long gfn) {
        // Nothing is cached.
    }

    @Override
    public LinearMemory linear() {
        return new LinearMemory() {
            @Override
            public boolean read(long linear, byte[] to, int offset, int length) {
                return memory.read(linear, to, offset, length);
            }

            @Override
            public boolean write(long linear, byte[] from, int offset, int length) {
                return memory.write(linear, from, offset, length);
            }

            @Override
            public long translate(long linear, boolean write) {
                long gfn = linear >>> GuestPhysical.FRAME_SHIFT;
                return (write ? memory.frameForWrite(gfn) : memory.frameForRead(gfn)) == 0 ? -1 : linear;
            }
        };
    }

    @Override
    public String name() {
        return "fake";
    }

    @Override
    public String statistics() {
        return flushes + " flushes\n";
    }
}
