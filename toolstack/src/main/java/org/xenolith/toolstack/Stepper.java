package org.xenolith.toolstack;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.xenolith.cpu.CpuTracer;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.GuestFault;
import org.xenolith.cpu.decode.Disassembler;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.hypervisor.Domain;
import org.xenolith.toolstack.inspect.GuestView;

/** Counts instructions, keeps the text of the last ones, and pauses the domain behind the one that was asked for. */
final class Stepper implements CpuTracer {
    private static final int KEPT = 40;

    private final Domain domain;
    private final GuestView view;
    private final Disassembler disassembler;
    private final int count;
    private final Deque<String> lines = new ArrayDeque<>();
    private final CountDownLatch finished = new CountDownLatch(1);
    /** Whoever sets it pauses the domain. */
    private final AtomicBoolean pausing = new AtomicBoolean();

    private int executed;

    Stepper(Domain domain, GuestView view, int count) {
        this.domain = domain;
        this.view = view;
        this.count = count;
        disassembler = new Disassembler(view.names());
    }

    @Override
    public boolean instructions() {
        return true;
    }

    @Override
    public synchronized void instruction(VcpuState state, long linear, Insn insn) {
        if (executed == count) {
            return;
        }
        executed++;
        if (count - executed < KEPT) {
            add("  " + view.describe(linear) + "  " + disassembler.text(insn, linear));
        }
        if (executed == count && pausing.compareAndSet(false, true)) {
            // The instruction at hand still executes: the processor leaves the guest before the next one.
            domain.pause();
            finished.countDown();
        }
    }

    @Override
    public synchronized void exception(VcpuState state, int vector, int errorCode) {
        add("  exception #" + GuestFault.name(vector) + " at " + view.describe(state.rip()));
    }

    @Override
    public synchronized void interrupt(VcpuState state, int vector) {
        add(String.format("  interrupt 0x%02x at %s", vector, view.describe(state.rip())));
    }

    private void add(String line) {
        lines.addLast(line);
        if (lines.size() > KEPT) {
            lines.removeFirst();
        }
    }

    boolean await(long time, TimeUnit unit) throws InterruptedException {
        return finished.await(time, unit);
    }

    /** Whether the caller has to pause the domain because nobody else will. */
    boolean giveUp() {
        return pausing.compareAndSet(false, true);
    }

    synchronized List<String> lines(VcpuState state, boolean done) {
        List<String> all = new ArrayList<>(lines);
        if (!done) {
            all.add("(" + executed + " of " + count + " instructions: the processor "
                    + (state.getInt(VcpuState.ACTIVITY) == VcpuState.ACTIVE
                            ? "took too long)"
                            : "waits for an interrupt)"));
        }
        all.add("=>" + view.describe(state.rip()));
        return all;
    }
}
